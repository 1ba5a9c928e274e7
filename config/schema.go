package config

import (
	"encoding/json"
)

// Schema is the JSON Schema (draft 2020-12) of a zone file. It is made from the shapes that Parse checks, so it knows the
// same keys; references, sums and ranges of durations are beyond it.
func Schema() []byte {
	doc := zoneShape().schema()
	var either []any
	for _, key := range []string{"nameservers", "zonefile"} {
		either = append(either, map[string]any{"required": []string{key}})
	}
	doc["anyOf"] = either
	return printSchema("Fairlead zone file", doc)
}

// NodeSchema is the JSON Schema of the node file.
func NodeSchema() []byte { return printSchema("Fairlead node file", nodeShape().schema()) }

func printSchema(title string, doc map[string]any) []byte {
	doc["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	doc["title"] = title
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic("config: a schema that is no JSON: " + err.Error())
	}
	return append(out, '\n')
}

func (sh *shape) schema() map[string]any {
	out := make(map[string]any)
	switch {
	case sh.scalar != nil:
		for k, v := range sh.scalar.schema {
			out[k] = v
		}
	case sh.either != nil:
		var any []any
		for _, s := range sh.either {
			any = append(any, s.schema())
		}
		out["anyOf"] = any
	case sh.list != nil:
		out["type"], out["items"] = "array", sh.list.schema()
		bound(out, "minItems", sh.least)
		bound(out, "maxItems", sh.most)
	case sh.dict != nil:
		out["type"], out["additionalProperties"] = "object", sh.dict.schema()
		bound(out, "minProperties", sh.least)
		bound(out, "maxProperties", sh.most)
	default:
		sh.objectSchema(out)
	}
	if sh.doc != "" {
		out["description"] = sh.doc
	}
	return out
}

func (sh *shape) objectSchema(out map[string]any) {
	properties := make(map[string]any)
	var required []string
	for _, k := range sh.object {
		if k.refused != "" {
			continue
		}
		properties[k.name] = k.shape.schema()
		if k.required {
			required = append(required, k.name)
		}
	}
	out["type"], out["properties"], out["additionalProperties"] = "object", properties, false
	if required != nil {
		out["required"] = required
	}
}

func bound(out map[string]any, key string, n int) {
	if n > 0 {
		out[key] = n
	}
}
