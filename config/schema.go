package config

import (
	"encoding/json"
	"strconv"
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

// PlanSchema is the JSON Schema of a plan file.
func PlanSchema() []byte { return printSchema("Fairlead plan file", planShape().schema()) }

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
	return out
}

// schema is that of the key's value, with what the row says of it.
func (k *key) schema() map[string]any {
	out := k.shape.schema()
	out["description"] = k.description()
	if k.plain {
		out["default"] = jsonValue(k.def)
	}
	return out
}

// description is what editors show: the doc, and what a schema cannot say otherwise.
func (k *key) description() string {
	text := k.doc
	if span := k.shape.span(); span != "" && (k.shape.scalar == nil || k.shape.scalar.schema["minimum"] == nil) {
		text += " Range: " + span + "."
	}
	if k.def != "" {
		text += " Default: " + k.def + "."
	}
	return text
}

// jsonValue is a value of a file in JSON.
func jsonValue(text string) any {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	if b, err := strconv.ParseBool(text); err == nil {
		return b
	}
	return text
}

func (sh *shape) objectSchema(out map[string]any) {
	properties := make(map[string]any)
	var required []string
	for _, k := range sh.object {
		if k.refused != "" {
			continue
		}
		properties[k.name] = k.schema()
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
