package admin

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/docs"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/openapi"
	"github.com/fairlead-dns/fairlead/plugin/admin/openapi/openapitest"
)

var update = flag.Bool("update", false, "write docs/openapi.json anew")

// published is the file that every node serves.
const published = "../../docs/openapi.json"

// apiVersion is the version of the API, and not of the program: promise says what that means.
const (
	apiVersion = "1.0"
	promise    = "The version is the API's. As long as paths begin with /api/v1, operations, parameters, properties and values of enumerations are added, and none is " +
		"taken away or changes its meaning: a client ignores what it does not know. What cannot be kept gets another beginning of its path, and the old one stays " +
		"for a year."
)

// document is the OpenAPI document of routes.
func document(t testing.TB, routes []route) []byte {
	t.Helper()
	d := openapi.Document{
		Title: "Fairlead admin API", Version: apiVersion, Problem: api.Problem{}, ProblemMedia: api.ProblemType, Describe: newComments(t).describe,
		PathParameters: pathWords,
		Description: "Over the unix socket everybody who can open it may do everything. Over TCP a login is a bearer token, of the cluster or of an OpenID Connect " +
			"issuer, or a client certificate; x-role is the least role that may. Times are RFC 3339, durations are seconds. " + promise,
	}
	ops := make([]openapi.Operation, 0, len(routes))
	for i := range routes {
		ops = append(ops, operation(&routes[i], routes))
	}
	text, err := d.JSON(ops)
	require.NoError(t, err)
	return indented(t, text)
}

func indented(t testing.TB, text []byte) []byte {
	var doc any
	require.NoError(t, json.Unmarshal(text, &doc))
	out, err := json.MarshalIndent(doc, "", " ")
	require.NoError(t, err)
	return append(out, '\n')
}

func operation(r *route, all []route) openapi.Operation {
	op := openapi.Operation{
		Method: r.method, Path: r.path, Summary: r.doc, Role: string(r.role), Public: r.role == anyone, Media: r.media,
		Body: r.body, BodyOptional: r.method == http.MethodDelete, Reply: r.reply, Other: r.other, NotModified: r.tagged,
		Errors: errorsOf(r),
	}
	header := func(name, doc string) { op.Header = append(op.Header, openapi.Parameter{Name: name, Doc: doc}) }
	switch {
	case r.tagged:
		header("If-None-Match", "an ETag that the client has")
	case slices.ContainsFunc(all, func(o route) bool { return o.tagged && o.path == r.path }):
		header("If-Match", "the ETag that GET must still have")
	}
	if r.method == http.MethodPost && !r.secret {
		header(idempotencyHeader, "the same key and request within 24 hours get the same reply, and nothing is done again")
	}
	for _, p := range r.query {
		op.Query = append(op.Query, openapi.Parameter{
			Name: p.name, Doc: p.doc, Required: strings.HasSuffix(p.doc, "; required"),
			Repeated: p.name == "down" || p.name == "drain" || p.name == "weight",
		})
	}
	return op
}

// statusWords are the statuses with which routes say no.
var statusWords = map[int]string{
	http.StatusBadRequest:            "The request says nothing that could be done: detail names the parameter or the key, and what it may be.",
	http.StatusUnauthorized:          "Over TCP: no login, or one that is not known or has ended. WWW-Authenticate says what is taken.",
	http.StatusForbidden:             "The login's role does not suffice (x-role), or the request comes from a page of another origin.",
	http.StatusNotFound:              "Nothing has that name.",
	http.StatusConflict:              "It does not fit what is: there is nothing to do, a safety rule refuses it (rule, service), or a bound is not known.",
	http.StatusPreconditionFailed:    "It is no longer what If-Match names: nothing was done.",
	http.StatusRequestEntityTooLarge: "The body has more than 1 MiB.",
	http.StatusUnprocessableEntity:   "The Idempotency-Key was used for another request.",
	http.StatusTooManyRequests:       "Over TCP: too many logins failed from this address. Retry-After says for how many seconds none is taken.",
	http.StatusInternalServerError:   "Done and in force, but not recorded in the audit log, or the reply could not be made.",
	http.StatusServiceUnavailable:    "Not now: the node has just started, has not joined its cluster, or is asked by too many. Retry-After, if there, says when to come back.",
	http.StatusInsufficientStorage:   "Nothing was done, for it could not be kept or recorded: the disk is full or read-only.",
}

// errorsOf are the statuses with which a route can say no.
func errorsOf(r *route) map[int]string {
	var list []int
	add := func(on bool, status ...int) {
		if on {
			list = append(list, status...)
		}
	}
	writes := r.action != "" || r.method == http.MethodPost
	add(r.role != anyone, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusInternalServerError)
	add(r.role != anyone && r.media == "", http.StatusBadRequest)
	add(strings.Contains(r.path, "{") || r.body != nil || len(r.query) > 0, http.StatusNotFound)
	add(r.body != nil, http.StatusRequestEntityTooLarge)
	add(writes || strings.HasSuffix(r.path, api.CertificateSuffix), http.StatusConflict)
	add(r.action != "", http.StatusInsufficientStorage)
	add(r.method == http.MethodPost && !r.secret, http.StatusUnprocessableEntity)
	add(r.action != "", http.StatusPreconditionFailed)
	out := make(map[int]string)
	for _, status := range list {
		out[status] = statusWords[status]
	}
	return out
}

// TestPublished: the file that nodes serve is what routes and types make. With -update it is written, unless the promise would be broken.
func TestPublished(t *testing.T) {
	want := document(t, new(Server).routes())
	require.NoError(t, openapitest.Check(t, want))
	if *update {
		require.Empty(t, lost(t, docs.OpenAPI, want), "taken away from v1: "+promise)
		require.NoError(t, os.WriteFile(published, want, 0o644))
		return
	}
	require.Equal(t, string(want), string(docs.OpenAPI), "run `go test ./plugin/admin -run TestPublished -update`")
}

// lost is what an older document has and a newer one has not: operations, parameters, properties, and values of enumerations.
func lost(t testing.TB, older, newer []byte) (out []string) {
	t.Helper()
	var a, b any
	require.NoError(t, json.Unmarshal(newer, &b))
	if json.Unmarshal(older, &a) != nil {
		// There is none yet.
		return nil
	}
	var walk func(steps []string, a, b any)
	walk = func(steps []string, a, b any) {
		switch was := a.(type) {
		case map[string]any:
			is, _ := b.(map[string]any)
			for key, v := range was {
				below := append(slices.Clone(steps), key)
				_, there := is[key]
				switch {
				case !there && keeps(steps):
					out = append(out, strings.Join(below, " "))
				case key == "parameters":
					walk(below, named(v), named(is[key]))
				default:
					walk(below, v, is[key])
				}
			}
		case []any:
			is, _ := b.([]any)
			for _, v := range was {
				if len(steps) > 0 && steps[len(steps)-1] == "enum" && is != nil && !slices.Contains(is, v) {
					out = append(out, fmt.Sprintf("%s %v", strings.Join(steps, " "), v))
				}
			}
		}
	}
	walk(nil, a, b)
	slices.Sort(out)
	return out
}

// keeps tells whether nothing may go that stands right below: paths, their methods, parameters, schemas and properties.
func keeps(steps []string) bool {
	n := len(steps)
	return n > 0 && slices.Contains([]string{"paths", "properties", "schemas", "parameters"}, steps[n-1]) || n == 2 && steps[0] == "paths"
}

// named are parameters by their places and names.
func named(list any) any {
	out := make(map[string]any)
	all, _ := list.([]any)
	for _, p := range all {
		m := p.(map[string]any)
		out[fmt.Sprint(m["in"], " ", m["name"])] = m
	}
	return out
}

// TestPromise: what lost finds, and what it lets pass.
func TestPromise(t *testing.T) {
	doc := func(text string) []byte { return []byte(text) }
	older := doc(`{"paths":{"/a":{"get":{"parameters":[{"in":"query","name":"q"}],"responses":{"404":{}}}}},"components":{"schemas":{"S":{"properties":{"p":{"enum":["a","b"]}}}}}}`)
	require.Empty(t, lost(t, older, older))
	for text, want := range map[string]string{
		`{"paths":{"/a":{"get":{"parameters":[{"in":"query","name":"r"}]}}},"components":{"schemas":{"S":{"properties":{"p":{"enum":["a","b","c"]}}}}}}`: "query q",
		`{"paths":{"/a":{"get":{"parameters":[{"in":"query","name":"q"}]}}},"components":{"schemas":{"S":{"properties":{"q":{}}}}}}`:                     "properties p",
		`{"paths":{"/b":{}},"components":{"schemas":{"S":{"properties":{"p":{"enum":["a","b"]}}}}}}`:                                                     "paths /a",
		`{"paths":{"/a":{"get":{"parameters":[{"in":"query","name":"q"}]}}},"components":{"schemas":{"S":{"properties":{"p":{"enum":["a"]}}}}}}`:         "enum b",
	} {
		got := lost(t, older, doc(text))
		require.Len(t, got, 1, text)
		require.Contains(t, got[0], want)
	}
}

// TestEverythingIsDescribed: each property, parameter, schema and status of the document says what it is.
func TestEverythingIsDescribed(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Summary    string
			Parameters []struct{ Name, Description string }
			Responses  map[string]struct{ Description string }
		}
		Components struct {
			Schemas map[string]struct {
				Description string
				Properties  map[string]struct{ Description string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(document(t, new(Server).routes()), &doc))
	properties := 0
	for name, s := range doc.Components.Schemas {
		if len(s.Description) < 8 {
			t.Errorf("schema %s: a comment at the type is missing", name)
		}
		for p, d := range s.Properties {
			properties++
			if len(d.Description) < 8 {
				t.Errorf("property %s of %s: a comment at the field, or a word in words_test.go, is missing", p, name)
			}
		}
	}
	require.Greater(t, properties, 600)
	for path, item := range doc.Paths {
		for method, op := range item {
			require.NotEmpty(t, op.Summary, path)
			for _, p := range op.Parameters {
				if len(p.Description) < 8 {
					t.Errorf("%s %s: parameter %s is not described", method, path, p.Name)
				}
			}
			require.NotEmpty(t, op.Responses, path)
			for status, r := range op.Responses {
				if len(r.Description) < 5 {
					t.Errorf("%s %s: status %s is not described", method, path, status)
				}
			}
		}
	}
}
