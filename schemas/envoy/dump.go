// Dump writes the shapes of Envoy's configuration API (names, numbers, types) into one small file, from which
// `npm run gen` makes TypeScript. It is run only to move to another Envoy version:
//
//	go run . descriptor.binpb.gz
package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"go/parser"
	"go/token"
	"log"
	"os"
	"sort"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

//go:embed roots.go
var rootsSource string

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go run . <out.binpb.gz>")
	}
	set := &descriptorpb.FileDescriptorSet{}
	seen := map[string]bool{}
	for _, root := range rootFiles() {
		collect(root, seen, set)
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(set)
	if err != nil {
		log.Fatal(err)
	}
	var out bytes.Buffer
	// No name and no time in the gzip header: the same shapes give the same bytes.
	zip, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	zip.Write(raw)
	zip.Close()
	if err := os.WriteFile(os.Args[1], out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d files, %d bytes, %d gzipped\n", len(set.File), len(raw), out.Len())
}

// rootFiles are the protocol files of every Go package that roots.go imports, in order of path.
func rootFiles() []protoreflect.FileDescriptor {
	source, err := parser.ParseFile(token.NewFileSet(), "roots.go", rootsSource, parser.ImportsOnly)
	if err != nil {
		log.Fatal(err)
	}
	wanted := map[string]bool{}
	for _, spec := range source.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		wanted[path] = false
	}
	var files []protoreflect.FileDescriptor
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		goPackage, _, _ := strings.Cut(file.Options().(*descriptorpb.FileOptions).GetGoPackage(), ";")
		if _, ok := wanted[goPackage]; ok {
			wanted[goPackage] = true
			files = append(files, file)
		}
		return true
	})
	for path, found := range wanted {
		if !found {
			log.Fatalf("%s: no protocol file says it is this Go package", path)
		}
	}
	sort.Slice(files, func(i, j int) bool { return files[i].Path() < files[j].Path() })
	return files
}

// collect appends a file after everything its fields refer to. Imports that only carried annotations go away
// with the annotations.
func collect(file protoreflect.FileDescriptor, seen map[string]bool, set *descriptorpb.FileDescriptorSet) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	refs := map[string]protoreflect.FileDescriptor{}
	messageReferences(file.Messages(), refs)
	for i := 0; i < file.Services().Len(); i++ {
		methods := file.Services().Get(i).Methods()
		for j := 0; j < methods.Len(); j++ {
			refs[methods.Get(j).Input().ParentFile().Path()] = methods.Get(j).Input().ParentFile()
			refs[methods.Get(j).Output().ParentFile().Path()] = methods.Get(j).Output().ParentFile()
		}
	}
	delete(refs, file.Path())
	paths := make([]string, 0, len(refs))
	for path := range refs {
		paths = append(paths, path)
	}
	sort.Strings(paths)
	for _, path := range paths {
		collect(refs[path], seen, set)
	}
	set.File = append(set.File, reduceFile(file, paths))
}

func messageReferences(messages protoreflect.MessageDescriptors, refs map[string]protoreflect.FileDescriptor) {
	for i := 0; i < messages.Len(); i++ {
		fields := messages.Get(i).Fields()
		for j := 0; j < fields.Len(); j++ {
			if m := fields.Get(j).Message(); m != nil {
				refs[m.ParentFile().Path()] = m.ParentFile()
			}
			if e := fields.Get(j).Enum(); e != nil {
				refs[e.ParentFile().Path()] = e.ParentFile()
			}
		}
		messageReferences(messages.Get(i).Messages(), refs)
	}
}

// reduceFile keeps what the wire and JSON forms depend on, and the deprecation marks.
func reduceFile(file protoreflect.FileDescriptor, dependencies []string) *descriptorpb.FileDescriptorProto {
	p := protodesc.ToFileDescriptorProto(file)
	p.Options, p.SourceCodeInfo = nil, nil
	p.Dependency, p.PublicDependency, p.WeakDependency = dependencies, nil, nil
	p.Extension = nil // annotations of the API for its own tools
	for _, m := range p.MessageType {
		reduceMessage(m)
	}
	for _, e := range p.EnumType {
		reduceEnum(e)
	}
	for _, s := range p.Service {
		s.Options = nil
		for _, m := range s.Method {
			m.Options = nil // HTTP bindings
		}
	}
	return p
}

func reduceMessage(m *descriptorpb.DescriptorProto) {
	m.ReservedRange, m.ReservedName, m.ExtensionRange, m.Extension = nil, nil, nil, nil
	if o := m.Options; o != nil {
		m.Options = nil
		if o.MapEntry != nil || o.Deprecated != nil {
			m.Options = &descriptorpb.MessageOptions{MapEntry: o.MapEntry, Deprecated: o.Deprecated}
		}
	}
	for _, f := range m.Field {
		if o := f.Options; o != nil {
			f.Options = nil
			if o.Packed != nil || o.Deprecated != nil {
				f.Options = &descriptorpb.FieldOptions{Packed: o.Packed, Deprecated: o.Deprecated}
			}
		}
	}
	for _, o := range m.OneofDecl {
		o.Options = nil
	}
	for _, nested := range m.NestedType {
		reduceMessage(nested)
	}
	for _, e := range m.EnumType {
		reduceEnum(e)
	}
}

func reduceEnum(e *descriptorpb.EnumDescriptorProto) {
	e.ReservedRange, e.ReservedName = nil, nil
	if o := e.Options; o != nil {
		e.Options = nil
		if o.AllowAlias != nil {
			e.Options = &descriptorpb.EnumOptions{AllowAlias: o.AllowAlias}
		}
	}
	for _, v := range e.Value {
		v.Options = nil
	}
}
