// Package openapitest holds OpenAPI documents against the specification, and replies against a document. It is for tests.
package openapitest

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi/datamodel"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// A Judge knows one document.
type Judge struct {
	compiler *jsonschema.Compiler
	document map[string]any
}

const place = "https://node/openapi.json"

// Check tells what the specification's own schema (OpenAPI 3.1) finds wrong with a document.
func Check(t testing.TB, document []byte) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	text, err := jsonschema.UnmarshalJSON(strings.NewReader(datamodel.OpenAPI31SchemaData))
	require.NoError(t, err)
	require.NoError(t, c.AddResource("https://spec/openapi-3.1.json", text))
	schema, err := c.Compile("https://spec/openapi-3.1.json")
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	return schema.Validate(doc)
}

// New is a judge of a document that is valid itself.
func New(t testing.TB, document []byte) *Judge {
	t.Helper()
	require.NoError(t, Check(t, document))
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	require.NoError(t, err)
	j := &Judge{compiler: jsonschema.NewCompiler(), document: doc.(map[string]any)}
	j.compiler.AssertFormat()
	require.NoError(t, j.compiler.AddResource(place, doc))
	return j
}

// Reply tells what is wrong with the body of a reply to method on a path of the document.
func (j *Judge) Reply(t testing.TB, method, path string, r *http.Response, body []byte) error {
	t.Helper()
	op := j.document["paths"].(map[string]any)[path].(map[string]any)[strings.ToLower(method)].(map[string]any)
	responses := op["responses"].(map[string]any)
	code := strconv.Itoa(r.StatusCode)
	if responses[code] == nil {
		code = code[:1] + "XX"
	}
	if responses[code] == nil {
		code = "default"
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	content, _ := responses[code].(map[string]any)["content"].(map[string]any)
	require.Contains(t, content, media, "%s %s: status %d", method, path, r.StatusCode)
	if strings.HasPrefix(media, "text/") {
		return nil
	}
	return j.validate(t, body, "paths", path, strings.ToLower(method), "responses", code, "content", media, "schema")
}

// Request tells what is wrong with the body of a request.
func (j *Judge) Request(t testing.TB, method, path string, body []byte) error {
	t.Helper()
	return j.validate(t, body, "paths", path, strings.ToLower(method), "requestBody", "content", "application/json", "schema")
}

func (j *Judge) validate(t testing.TB, body []byte, steps ...string) error {
	t.Helper()
	pointer := ""
	for _, s := range steps {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
	}
	schema, err := j.compiler.Compile(place + "#" + pointer)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(t, err)
	return schema.Validate(v)
}
