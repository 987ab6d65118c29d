// Dump writes the schemas of the Kubernetes kinds that Weft reads into one small file: structure, types, bounds,
// defaults and rules, no prose. It is run only to move to other versions:
//
//	go run . schemas.json.gz
//
// The result maps "<group>/<version>/<Kind>" ("v1/Pod" for the core group) to a structural schema, or to the
// name of another entry when the two versions of a kind are the same.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
)

// A module is read as data from the module cache; its sum pins the content.
type module struct{ path, sum string }

var (
	gatewayAPI = module{"sigs.k8s.io/gateway-api@v1.6.3", "h1:lKpJa5bGlraC/QeACvCpsHLdmO6y0iKfzVl6gzaFEYc="}
	istioAPI   = module{"istio.io/api@v1.31.1", "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk="}
	kubernetes = module{"k8s.io/kubernetes@v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o="}
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . <out.json.gz>")
	}
	core := newOpenAPI(filepath.Join(kubernetes.directory(), "api/openapi-spec/v3"))
	objectMeta := core.objectMeta()

	schemas := map[string]any{}
	core.addKinds(schemas)
	// The experimental channel holds the standard one, and says what is experimental by extra fields only.
	files, _ := filepath.Glob(filepath.Join(gatewayAPI.directory(), "config/crd/experimental/*.yaml"))
	files = append(files, filepath.Join(istioAPI.directory(), "kubernetes/customresourcedefinitions.gen.yaml"))
	for _, file := range files {
		addDefinitions(schemas, file, objectMeta)
	}

	var raw, out bytes.Buffer
	encoder := json.NewEncoder(&raw) // sorts the keys of maps: the same input gives the same bytes
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(nameEqualVersions(schemas)))
	zip, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	must(err)
	_, err = zip.Write(raw.Bytes())
	must(err)
	must(zip.Close())
	must(os.WriteFile(os.Args[1], out.Bytes(), 0o644))
	fmt.Printf("%d kinds and versions, %d bytes, %d gzipped\n", len(schemas), raw.Len(), out.Len())
}

func (m module) directory() string {
	output, err := exec.Command("go", "mod", "download", "-json", m.path).Output()
	if err != nil {
		log.Fatalf("go mod download %s: %v\n%s", m.path, err, output)
	}
	var found struct{ Dir, Sum string }
	must(json.Unmarshal(output, &found))
	if found.Sum != m.sum {
		log.Fatalf("%s: sum is %s, want %s", m.path, found.Sum, m.sum)
	}
	return found.Dir
}

// nameEqualVersions keeps one copy of a schema that several versions share: the one named first in order of
// name, which is the most stable one (v1 before v1alpha3 before v1beta1).
func nameEqualVersions(schemas map[string]any) map[string]any {
	names := make([]string, 0, len(schemas))
	for name := range schemas {
		names = append(names, name)
	}
	sort.Strings(names)
	first := map[string]string{}
	result := map[string]any{}
	for _, name := range names {
		text, err := json.Marshal(schemas[name])
		must(err)
		key := filepath.Base(name) + string(text)
		if same, ok := first[key]; ok {
			result[name] = same
			continue
		}
		first[key] = name
		result[name] = schemas[name]
	}
	return result
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
