package main

import (
	"errors"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

type definition struct {
	Kind string
	Spec struct {
		Group    string
		Scope    string
		Names    struct{ Kind, Plural string }
		Versions []struct {
			Name   string
			Served bool
			Schema struct {
				OpenAPIV3Schema map[string]any `yaml:"openAPIV3Schema"`
			}
		}
	}
}

// Kinds of these APIs that Weft will not read: they configure Envoy or Wasm by hand.
var unread = map[string]bool{"EnvoyFilter": true, "WasmPlugin": true, "TrafficExtension": true}

// addDefinitions adds every served version of every CustomResourceDefinition in a file.
func addDefinitions(schemas map[string]any, file string, objectMeta any) {
	reader, err := os.Open(file)
	must(err)
	defer reader.Close()
	for decoder := yaml.NewDecoder(reader); ; {
		var d definition
		if err := decoder.Decode(&d); errors.Is(err, io.EOF) {
			return
		} else {
			must(err)
		}
		if d.Kind != "CustomResourceDefinition" || unread[d.Spec.Names.Kind] {
			continue
		}
		for _, version := range d.Spec.Versions {
			if !version.Served {
				continue
			}
			schema := reduce(version.Schema.OpenAPIV3Schema).(map[string]any)
			addRoot(schemas, schema, d.Spec.Group+"/"+version.Name, d.Spec.Names.Kind, d.Spec.Names.Plural, d.Spec.Scope, objectMeta)
		}
	}
}

// addRoot adds the schema of a whole object, with what the API server itself knows about every object.
func addRoot(schemas map[string]any, schema map[string]any, apiVersion, kind, plural, scope string, objectMeta any) {
	properties := schema["properties"].(map[string]any)
	properties["apiVersion"] = map[string]any{"type": "string"}
	properties["kind"] = map[string]any{"type": "string"}
	if own, ok := properties["metadata"].(map[string]any); !ok || own["properties"] == nil {
		properties["metadata"] = objectMeta
	}
	schema["x-weft-resource"] = map[string]any{"plural": plural, "scope": scope}
	schemas[apiVersion+"/"+kind] = schema
}

// What is kept of a schema: everything that decides whether an object is valid, and its defaults.
var kept = map[string]bool{
	"type": true, "format": true, "enum": true, "default": true, "nullable": true, "pattern": true,
	"required": true, "minimum": true, "maximum": true, "exclusiveMinimum": true, "exclusiveMaximum": true,
	"multipleOf": true, "minLength": true, "maxLength": true, "minItems": true, "maxItems": true,
	"uniqueItems": true, "minProperties": true, "maxProperties": true,
	"x-kubernetes-int-or-string": true, "x-kubernetes-preserve-unknown-fields": true,
	"x-kubernetes-embedded-resource": true, "x-kubernetes-list-type": true, "x-kubernetes-list-map-keys": true,
	"x-kubernetes-map-type": true, "x-kubernetes-validations": true,
}

func reduce(node any) any {
	schema, ok := node.(map[string]any)
	if !ok {
		return node // additionalProperties: true
	}
	result := map[string]any{}
	for key, value := range schema {
		switch key {
		case "properties":
			properties := map[string]any{}
			for name, property := range value.(map[string]any) {
				properties[name] = reduce(property)
			}
			result[key] = properties
		case "items", "additionalProperties", "not":
			result[key] = reduce(value)
		case "oneOf", "anyOf", "allOf":
			result[key] = reduceAll(value.([]any))
		case "x-kubernetes-validations":
			result[key] = reduceRules(value.([]any))
		default:
			if kept[key] {
				result[key] = value
			}
		}
	}
	return result
}

func reduceAll(nodes []any) []any {
	result := make([]any, len(nodes))
	for i, node := range nodes {
		result[i] = reduce(node)
	}
	return result
}

// reduceRules strips the layout of rules written over many lines.
func reduceRules(rules []any) []any {
	for _, rule := range rules {
		for key, value := range rule.(map[string]any) {
			if text, ok := value.(string); ok {
				rule.(map[string]any)[key] = strings.TrimSpace(text)
			}
		}
	}
	return rules
}
