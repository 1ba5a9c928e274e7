package openapi

import (
	"encoding/json"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type inner struct {
	Kind string `json:"kind" enum:"a|b"`
}

type Asked struct {
	Inner inner   `json:"inner"`
	Count *uint16 `json:"count,omitempty"`
}

type Told struct {
	inner
	At     time.Time         `json:"at"`
	Ended  time.Time         `json:"ended,omitzero"`
	Next   *Told             `json:"next,omitempty"`
	Maybe  *int              `json:"maybe"`
	Raw    json.RawMessage   `json:"raw,omitempty"`
	Bytes  []byte            `json:"bytes"`
	Names  map[string]string `json:"names"`
	Addr   netip.Addr        `json:"addr"`
	List   []inner           `json:"list"`
	Share  float64           `json:"share"`
	Any    any               `json:"any,omitempty"`
	Hidden string            `json:"-"`
	own    int
}

type problem struct {
	Title string `json:"title"`
}

func document() *Document {
	return &Document{Title: "T", Version: "1", Problem: problem{}, ProblemMedia: "application/problem+json"}
}

func TestDocument(t *testing.T) {
	ops := []Operation{
		{Method: "GET", Path: "/api/v1/things", Summary: "s", Role: "viewer", Reply: Told{own: 1}, NotModified: true,
			Query: []Parameter{{Name: "q", Doc: "d", Required: true}, {Name: "r", Doc: "d", Repeated: true}}},
		{Method: "POST", Path: "/api/v1/things/{id}", Role: "operator", Body: Asked{}, Reply: Told{}, Other: map[int]any{200: inner{}}},
		{Method: "GET", Path: "/metrics", Public: true, Media: "text/plain"},
	}
	b, err := document().JSON(ops)
	require.NoError(t, err)
	again, err := document().JSON(ops)
	require.NoError(t, err)
	require.Equal(t, b, again)
	var got struct {
		Paths map[string]map[string]struct {
			OperationID string           `json:"operationId"`
			Security    []any            `json:"security"`
			Parameters  []map[string]any `json:"parameters"`
			Responses   map[string]any   `json:"responses"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal(b, &got))
	things := got.Paths["/api/v1/things"]["get"]
	require.Equal(t, "getThings", things.OperationID)
	require.Len(t, things.Security, 2)
	require.Equal(t, []any{true, false}, []any{things.Parameters[0]["required"], things.Parameters[1]["required"]})
	require.Equal(t, map[string]any{"type": "array", "items": map[string]any{"type": "string"}}, things.Parameters[1]["schema"])
	require.Contains(t, things.Responses, "304")
	post := got.Paths["/api/v1/things/{id}"]["post"]
	require.Equal(t, "postThingsId", post.OperationID)
	require.Equal(t, []any{"id", "path", true}, []any{post.Parameters[0]["name"], post.Parameters[0]["in"], post.Parameters[0]["required"]})
	require.Contains(t, post.Responses, "200")
	require.Empty(t, got.Paths["/metrics"]["get"].Security)

	told := got.Components.Schemas["Told"]
	require.Equal(t, []any{"kind", "at", "maybe", "bytes", "names", "addr", "list", "share"}, told["required"])
	properties := told["properties"].(map[string]any)
	require.NotContains(t, properties, "Hidden")
	require.NotContains(t, properties, "own")
	text, err := json.Marshal(properties)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"kind": {"type": "string", "enum": ["a", "b"]},
		"at": {"type": "string", "format": "date-time"}, "ended": {"type": "string", "format": "date-time"},
		"next": {"$ref": "#/components/schemas/Told"},
		"maybe": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
		"raw": {}, "any": {}, "bytes": {"type": "string", "contentEncoding": "base64"},
		"names": {"type": "object", "additionalProperties": {"type": "string"}}, "addr": {"type": "string"},
		"list": {"type": "array", "items": {"$ref": "#/components/schemas/Inner"}}, "share": {"type": "number"}
	}`, string(text))
	require.Equal(t, false, got.Components.Schemas["Asked"]["additionalProperties"], "the server takes no other keys")
	require.NotContains(t, got.Components.Schemas["Inner"], "additionalProperties", "it is in replies too")
}

func TestMistakes(t *testing.T) {
	get := func(reply any) Operation { return Operation{Method: "GET", Path: "/x", Reply: reply} }
	_, err := document().JSON([]Operation{get(nil), get(nil)})
	require.ErrorContains(t, err, "the id getX is taken")
	_, err = document().JSON([]Operation{get(struct{ C chan int }{})})
	require.ErrorContains(t, err, "none of JSON")
	type Inner struct{ B int }
	_, err = document().JSON([]Operation{{Method: "POST", Path: "/x", Body: Asked{}, Reply: Inner{}}})
	require.ErrorContains(t, err, "would both be Inner")
}
