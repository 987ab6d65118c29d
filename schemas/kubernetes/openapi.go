package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// The built-in kinds that Weft reads, writes or, on one machine, plays.
var builtIn = []struct{ apiVersion, kind, plural, scope string }{
	{"v1", "ConfigMap", "configmaps", "Namespaced"},
	{"v1", "Namespace", "namespaces", "Cluster"},
	{"v1", "Node", "nodes", "Cluster"},
	{"v1", "Pod", "pods", "Namespaced"},
	{"v1", "Secret", "secrets", "Namespaced"},
	{"v1", "Service", "services", "Namespaced"},
	{"v1", "ServiceAccount", "serviceaccounts", "Namespaced"},
	{"apps/v1", "DaemonSet", "daemonsets", "Namespaced"},
	{"apps/v1", "Deployment", "deployments", "Namespaced"},
	{"apps/v1", "StatefulSet", "statefulsets", "Namespaced"},
	{"coordination.k8s.io/v1", "Lease", "leases", "Namespaced"},
	{"discovery.k8s.io/v1", "EndpointSlice", "endpointslices", "Namespaced"},
}

type openAPI struct {
	folder     string
	components map[string]map[string]any // all files' schemas by name; a name means the same in each of them
}

func newOpenAPI(folder string) *openAPI {
	api := &openAPI{folder, map[string]map[string]any{}}
	for _, kind := range builtIn {
		api.load(kind.apiVersion)
	}
	return api
}

func (api *openAPI) load(apiVersion string) {
	name := "api__" + apiVersion
	if group, version, ok := strings.Cut(apiVersion, "/"); ok {
		name = "apis__" + group + "__" + version
	}
	text, err := os.ReadFile(filepath.Join(api.folder, name+"_openapi.json"))
	must(err)
	var file struct {
		Components struct{ Schemas map[string]map[string]any }
	}
	must(json.Unmarshal(text, &file))
	for name, schema := range file.Components.Schemas {
		api.components[name] = schema
	}
}

func (api *openAPI) objectMeta() any {
	return api.expand(api.components["io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"], 0)
}

func (api *openAPI) addKinds(schemas map[string]any) {
	for _, kind := range builtIn {
		component := api.find(kind.apiVersion, kind.kind)
		schema := api.expand(component, 0).(map[string]any)
		addRoot(schemas, schema, kind.apiVersion, kind.kind, kind.plural, kind.scope, api.objectMeta())
	}
}

func (api *openAPI) find(apiVersion, kind string) map[string]any {
	group, version, ok := strings.Cut(apiVersion, "/")
	if !ok {
		group, version = "", apiVersion
	}
	for _, component := range api.components {
		names, _ := component["x-kubernetes-group-version-kind"].([]any)
		if len(names) != 1 {
			continue // kinds that belong to every group, such as DeleteOptions
		}
		name := names[0].(map[string]any)
		if name["group"] == group && name["version"] == version && name["kind"] == kind {
			return component
		}
	}
	log.Fatalf("no schema for %s %s", apiVersion, kind)
	return nil
}

// expand puts every reference in place and brings the node into the form of a CustomResourceDefinition's schema.
func (api *openAPI) expand(node any, depth int) any {
	if depth > 40 {
		log.Fatal("a schema refers to itself")
	}
	schema, ok := node.(map[string]any)
	if !ok {
		return node
	}
	if reference, ok := schemaReference(schema); ok {
		result := api.expandReference(reference, depth+1)
		for _, key := range []string{"default", "x-kubernetes-list-type", "x-kubernetes-map-type"} {
			if value, ok := schema[key]; ok && !isZero(value) {
				result[key] = value
			}
		}
		return result
	}
	result := reduce(schema).(map[string]any)
	if isZero(result["default"]) {
		delete(result, "default") // the zero value of a Go field: it would hide a missing required field
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if value, ok := schema[key]; ok {
			result[key] = api.expand(value, depth+1)
		}
	}
	if properties, ok := schema["properties"].(map[string]any); ok {
		expanded := map[string]any{}
		for name, property := range properties {
			expanded[name] = api.expand(property, depth+1)
		}
		result["properties"] = expanded
	} else if result["type"] == "object" && result["additionalProperties"] == nil {
		result["x-kubernetes-preserve-unknown-fields"] = true
	}
	return result
}

// schemaReference finds the name a schema refers to, also behind the allOf that carries a default beside it.
func schemaReference(schema map[string]any) (string, bool) {
	if all, ok := schema["allOf"].([]any); ok && len(all) == 1 {
		schema = all[0].(map[string]any)
	}
	reference, ok := schema["$ref"].(string)
	return strings.TrimPrefix(reference, "#/components/schemas/"), ok
}

func (api *openAPI) expandReference(name string, depth int) map[string]any {
	switch name[strings.LastIndex(name, ".")+1:] {
	case "Quantity", "IntOrString":
		// A quantity may also be a fraction without a unit (cpu: 0.5): numbers and strings are both right here.
		return map[string]any{"x-kubernetes-int-or-string": true}
	case "Time", "MicroTime":
		// Tools write "creationTimestamp: null" into manifests.
		return map[string]any{"type": "string", "format": "date-time", "nullable": true}
	case "ManagedFieldsEntry":
		return map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	}
	component, ok := api.components[name]
	if !ok {
		log.Fatalf("%s: no such schema", name)
	}
	return api.expand(component, depth).(map[string]any)
}

func isZero(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case float64:
		return v == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
