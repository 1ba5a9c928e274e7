package openapi

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// A use is where a type stands. What stands in requests alone takes no keys but its own, as the server does.
type use uint8

const (
	request use = 1 << iota
	reply
)

// schemas collects the schemas of all named structs.
type schemas struct {
	byName map[string]object
	types  map[string]reflect.Type
	uses   map[string]use
	errs   []error
	// describe is Document.Describe.
	describe func(t reflect.Type, field *reflect.StructField) string
}

func newSchemas(describe func(reflect.Type, *reflect.StructField) string) *schemas {
	if describe == nil {
		describe = func(reflect.Type, *reflect.StructField) string { return "" }
	}
	return &schemas{describe: describe, byName: make(map[string]object), types: make(map[string]reflect.Type), uses: make(map[string]use)}
}

var (
	timeType      = reflect.TypeFor[time.Time]()
	rawType       = reflect.TypeFor[json.RawMessage]()
	bytesType     = reflect.TypeFor[[]byte]()
	marshalerType = reflect.TypeFor[encoding.TextMarshaler]()
)

// of is the schema of v's type: a reference, if it is a named struct.
func (s *schemas) of(v any, u use) object { return s.typed(reflect.TypeOf(v), u) }

func (s *schemas) typed(t reflect.Type, u use) object {
	switch {
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t == rawType:
		return object{}
	case t == bytesType:
		return object{"type": "string", "contentEncoding": "base64"}
	case t.Kind() != reflect.Pointer && t.Implements(marshalerType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.typed(t.Elem(), u)
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		return s.structure(t, u)
	case reflect.Slice, reflect.Array:
		return object{"type": "array", "items": s.typed(t.Elem(), u)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.typed(t.Elem(), u)}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	}
	s.errs = append(s.errs, fmt.Errorf("the type %s is none of JSON", t))
	return object{}
}

// structure is the reference to a named struct, whose schema is made at the first one; a type may contain itself.
func (s *schemas) structure(t reflect.Type, u use) object {
	if t.Name() == "" {
		out := make(object)
		s.fill(out, t, u)
		return out
	}
	name := strings.ToUpper(t.Name()[:1]) + t.Name()[1:]
	if other, ok := s.types[name]; ok && other != t {
		s.errs = append(s.errs, fmt.Errorf("%s and %s would both be %s", other, t, name))
	}
	if s.uses[name]&u == 0 {
		// At a second use what it contains has that use too.
		out := make(object)
		s.uses[name] |= u
		s.byName[name], s.types[name] = out, t
		s.fill(out, t, u)
		if text := s.describe(t, nil); text != "" {
			out["description"] = text
		}
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// fill says what keys a struct has, and which are always there.
func (s *schemas) fill(out object, t reflect.Type, u use) {
	properties, required := make(object), []string{}
	s.fields(t, u, properties, &required)
	out["type"], out["properties"] = "object", properties
	if len(required) > 0 {
		out["required"] = required
	}
}

func (s *schemas) fields(t reflect.Type, u use, properties object, required *[]string) {
	for f := range t.Fields() {
		text := f.Tag.Get("json")
		name, options, _ := strings.Cut(text, ",")
		if f.Anonymous && name == "" {
			s.fields(f.Type, u, properties, required)
			continue
		}
		if !f.IsExported() || text == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		schema := s.typed(f.Type, u)
		if words := f.Tag.Get("enum"); words != "" {
			schema["enum"] = strings.Split(words, "|")
		}
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if f.Type.Kind() == reflect.Pointer && !optional {
			schema = object{"anyOf": []any{schema, object{"type": "null"}}}
		}
		if text := s.describe(t, &f); text != "" {
			schema["description"] = text
		}
		properties[name] = schema
		if !optional {
			*required = append(*required, name)
		}
	}
}

// components are all schemas, by name.
func (s *schemas) components() object {
	out := make(object, len(s.byName))
	for name, schema := range s.byName {
		if s.uses[name] == request {
			schema["additionalProperties"] = false
		}
		out[name] = schema
	}
	return out
}
