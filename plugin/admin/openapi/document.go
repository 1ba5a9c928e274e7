// Package openapi makes an OpenAPI 3.1 document of operations whose bodies are Go values, by reflection.
//
// It is pure: the same operations make the same octets. It knows no HTTP server, reads no comments and validates nothing; what it
// says of a type is what encoding/json does with it.
package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// An Operation is one method of one path.
type Operation struct {
	// Path has its parameters in braces.
	Method, Path string
	// Summary is one line.
	Summary string
	// Role is who may; Public operations need no login.
	Role   string
	Public bool
	// Query and Header are parameters besides those of the path.
	Query, Header []Parameter
	// Body is a value of the type of the body; nil for none.
	Body         any
	BodyOptional bool
	// Reply is a value of the type that comes with every status 2xx but those in Other; nil for none. Media is its media type
	// when it is text and no JSON.
	Reply any
	Media string
	Other map[int]any
	// NotModified is set for what answers If-None-Match.
	NotModified bool
	// Errors are the statuses with which it can say no, each with what that means. Their body is the Document's Problem.
	Errors map[int]string
}

// A Parameter is one of the query string or of the header.
type Parameter struct {
	Name, Doc string
	Required  bool
	// Repeated ones may be given several times.
	Repeated bool
}

// A Document is what all operations have in common.
type Document struct {
	Title, Version, Description string
	// Problem is a value of the type of every error, ProblemMedia its media type.
	Problem      any
	ProblemMedia string
	// Describe says what a field of a struct is, or, without a field, the struct; nil, and an empty text, for nothing.
	Describe func(t reflect.Type, field *reflect.StructField) string
	// PathParameters says what the parameters of paths are, by name.
	PathParameters map[string]string
}

type object = map[string]any

// JSON is the document of ops. Errors are mistakes of the caller: one name for two types, one operation twice.
func (d *Document) JSON(ops []Operation) ([]byte, error) {
	s := newSchemas(d.Describe)
	problem := s.of(d.Problem, reply)
	paths, ids := make(object), make(map[string]bool)
	for i := range ops {
		op := &ops[i]
		id := operationID(op)
		if ids[id] {
			return nil, fmt.Errorf("operation %s %s: the id %s is taken", op.Method, op.Path, id)
		}
		ids[id] = true
		item, ok := paths[op.Path].(object)
		if !ok {
			item = make(object)
			paths[op.Path] = item
		}
		item[strings.ToLower(op.Method)] = d.operation(s, op, id, problem)
	}
	if len(s.errs) > 0 {
		return nil, errors.Join(s.errs...)
	}
	return json.Marshal(object{
		"openapi": "3.1.0", "jsonSchemaDialect": "https://spec.openapis.org/oas/3.1/dialect/base",
		"info":    object{"title": d.Title, "version": d.Version, "description": d.Description},
		"servers": []any{object{"url": "/"}},
		"paths":   paths,
		"components": object{"schemas": s.components(), "securitySchemes": object{
			"token":       object{"type": "http", "scheme": "bearer", "description": "A token that `fairlead token create` made, or one of the issuer of admin.oidc."},
			"certificate": object{"type": "mutualTLS", "description": "A client certificate that admin.tls.client_ca signed."},
		}},
	})
}

func (d *Document) operation(s *schemas, op *Operation, id string, problem any) object {
	out := object{
		"operationId": id, "summary": op.Summary, "tags": []string{tag(op.Path)}, "x-role": op.Role,
		"responses": d.responses(s, op, problem),
	}
	out["security"] = []any{}
	if !op.Public {
		out["security"] = []any{object{"token": []string{}}, object{"certificate": []string{}}}
	}
	if params := d.parameters(op); len(params) > 0 {
		out["parameters"] = params
	}
	if op.Body != nil {
		out["requestBody"] = object{"required": !op.BodyOptional, "content": content("application/json", s.of(op.Body, request))}
	}
	return out
}

func (d *Document) responses(s *schemas, op *Operation, problem any) object {
	out := make(object)
	for status, why := range op.Errors {
		out[strconv.Itoa(status)] = object{"description": why, "content": content(d.ProblemMedia, problem)}
	}
	switch {
	case op.Media != "":
		out["2XX"] = object{"description": "Done.", "content": content(op.Media, object{"type": "string"})}
	case op.Reply != nil:
		out["2XX"] = object{"description": "Done.", "content": content("application/json", s.of(op.Reply, reply))}
	default:
		out["2XX"] = object{"description": "Done."}
	}
	for status, v := range op.Other {
		text := "The reply to a dry run: nothing has changed."
		if status >= 300 {
			text = "Not so; the body says why."
		}
		out[strconv.Itoa(status)] = object{"description": text, "content": content("application/json", s.of(v, reply))}
	}
	if op.NotModified {
		out["304"] = object{"description": "It is still what If-None-Match names."}
	}
	return out
}

func content(media string, schema any) object { return object{media: object{"schema": schema}} }

func (d *Document) parameters(op *Operation) []any {
	var out []any
	for segment := range strings.SplitSeq(op.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			p := object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}}
			if text := d.PathParameters[name]; text != "" {
				p["description"] = text
			}
			out = append(out, p)
		}
	}
	for _, in := range []struct {
		place string
		list  []Parameter
	}{{"query", op.Query}, {"header", op.Header}} {
		for _, p := range in.list {
			schema := object{"type": "string"}
			if p.Repeated {
				schema = object{"type": "array", "items": schema}
			}
			out = append(out, object{"name": p.Name, "in": in.place, "description": p.Doc, "required": p.Required, "schema": schema})
		}
	}
	return out
}

// operationID is the method and the words of the path: getIntents, deletePoolsZonePoolReady.
func operationID(op *Operation) string {
	id := strings.ToLower(op.Method)
	for _, word := range words(op.Path) {
		id += strings.ToUpper(word[:1]) + word[1:]
	}
	return id
}

// tag is the first word of a path, which groups operations.
func tag(path string) string {
	if w := words(path); len(w) > 0 {
		return w[0]
	}
	return "root"
}

// words are those of a path without its version.
func words(path string) []string {
	w := strings.FieldsFunc(path, func(r rune) bool { return strings.ContainsRune("/{}-._", r) })
	return slices.DeleteFunc(w, func(s string) bool { return s == "api" || s == "v1" })
}
