package config

import (
	"encoding/json"
	"regexp/syntax"
	"slices"
	"strings"
)

// CRD is the manifest of the kind Zone (fairlead.dev/v1alpha1) for an API server of Kubernetes. Its spec is a zone file, by the schema of
// Schema as far as an API server takes one: what may be of several kinds, but for numbers and words, is not checked there. A key that names
// a file beside the zone file is none of it.
func CRD() []byte {
	spec := plain(zoneShape().schema())
	delete(spec["properties"].(map[string]any), "zonefile")
	spec = structural(spec)
	spec["required"] = []any{"zone", "nameservers"}
	spec["description"] = "A zone file: the same keys, and the same rules, as `fairlead check` knows them."
	text := func(doc string) map[string]any { return map[string]any{"type": "string", "description": doc} }
	conditions := map[string]any{
		"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": []any{"type"},
		"items": map[string]any{
			"type": "object", "required": []any{"type", "status", "lastTransitionTime", "reason", "message"},
			"properties": map[string]any{
				"type": text("Accepted."), "status": map[string]any{"type": "string", "enum": []any{"True", "False", "Unknown"}},
				"observedGeneration": map[string]any{"type": "integer", "format": "int64", "minimum": 0},
				"lastTransitionTime": map[string]any{"type": "string", "format": "date-time"}, "reason": text("Accepted or Refused."),
				"message": text("What is wrong with it, by the node that says so."),
			},
		},
	}
	column := func(name, kind, path string) map[string]any {
		return map[string]any{"name": name, "type": kind, "jsonPath": path}
	}
	doc := map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": "zones.fairlead.dev"},
		"spec": map[string]any{
			"group": "fairlead.dev", "scope": "Namespaced",
			"names": map[string]any{"kind": "Zone", "listKind": "ZoneList", "plural": "zones", "singular": "zone"},
			"versions": []any{map[string]any{
				"name": "v1alpha1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"additionalPrinterColumns": []any{
					column("Zone", "string", ".spec.zone"), column("Accepted", "string", `.status.conditions[?(@.type=="Accepted")].status`),
					column("Message", "string", `.status.conditions[?(@.type=="Accepted")].message`), column("Age", "date", ".metadata.creationTimestamp"),
				},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "required": []any{"spec"}, "description": "A zone that nodes of Fairlead answer which read this cluster's zones.",
					"properties": map[string]any{"apiVersion": text(""), "kind": text(""), "metadata": map[string]any{"type": "object"}, "spec": spec,
						"status": map[string]any{"type": "object", "properties": map[string]any{"conditions": conditions}}},
				}},
			}},
		},
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("config: a manifest that is no JSON: " + err.Error())
	}
	return append(out, '\n')
}

// plain is a schema as it reads back from JSON: maps, lists, texts and numbers, whatever they were made of.
func plain(schema map[string]any) (out map[string]any) {
	b, err := json.Marshal(schema)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		panic("config: a schema that is no JSON: " + err.Error())
	}
	return out
}

// structural is a schema as API servers take it: one type in each place, nothing of what objects may not have, and no types among
// alternatives.
func structural(s map[string]any) map[string]any {
	out := make(map[string]any)
	for key, v := range s {
		switch key {
		case "anyOf", "default":
			// A default would be written into the object, and look like somebody's wish.
		case "properties":
			properties := make(map[string]any)
			for name, p := range v.(map[string]any) {
				properties[name] = structural(p.(map[string]any))
			}
			out[key] = properties
		case "items":
			out[key] = structural(v.(map[string]any))
		case "additionalProperties":
			// That a key is unknown the API says anyway, or leaves it out.
			if schema, ok := v.(map[string]any); ok {
				out[key] = structural(schema)
			}
		default:
			out[key] = v
		}
	}
	if alternatives, ok := s["anyOf"]; ok {
		joined(out, flat(alternatives.([]any)))
	}
	_, several := out["type"].([]any)
	_, words := out["enum"]
	if several || words && out["type"] == nil {
		out["type"] = "string"
	}
	return out
}

// flat are alternatives, those of an alternative among them.
func flat(alternatives []any) (out []map[string]any) {
	for _, a := range alternatives {
		m := a.(map[string]any)
		if inner, ok := m["anyOf"]; ok {
			out = append(out, flat(inner.([]any))...)
			continue
		}
		out = append(out, m)
	}
	return out
}

// joined has out stand for one of alternatives: numbers and words, which the API has a type for, or whatever the node will say of it.
func joined(out map[string]any, alternatives []map[string]any) {
	var patterns []string
	numbers := false
	for _, a := range alternatives {
		switch {
		case a["type"] == "integer":
			numbers = true
			out["minimum"], out["maximum"] = a["minimum"], a["maximum"]
		case a["enum"] != nil:
			for _, word := range a["enum"].([]any) {
				patterns = append(patterns, word.(string))
			}
		case a["type"] == "string" && a["pattern"] != nil:
			patterns = append(patterns, strings.TrimSuffix(strings.TrimPrefix(a["pattern"].(string), "^"), "$"))
		default:
			delete(out, "minimum")
			delete(out, "maximum")
			out["x-kubernetes-preserve-unknown-fields"] = true
			return
		}
	}
	slices.Sort(patterns)
	pattern := "^(" + strings.Join(patterns, "|") + ")$"
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		panic("config: " + pattern + ": " + err.Error())
	}
	if len(patterns) > 0 {
		out["pattern"] = pattern
	}
	if numbers {
		out["x-kubernetes-int-or-string"] = true
	} else {
		out["type"] = "string"
	}
}
