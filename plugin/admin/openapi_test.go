package admin

import (
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/openapi/openapitest"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestReplies sends the call of every route to a server and holds request and reply against the document, and a refusal too.
func TestReplies(t *testing.T) {
	s := startTCP(t, contractNode(t))
	s.journal.entries = sampleEntries()
	c := s.client(s.ca)
	r, text := s.do(c, "GET", api.OpenAPIPath, "", s.secrets[viewer])
	require.Equal(t, http.StatusOK, r.StatusCode)
	judge := openapitest.New(t, []byte(text))
	for name, want := range contract {
		method, path := splitName(name)
		if want.path != "" {
			path = want.path
		}
		s.node.intents = contractNode(t).intents
		for _, as := range []string{s.secrets[administrator], "flt_wrong"} {
			// The second login is refused, unless anyone may; enough of them, and it is 429.
			body := strings.NewReader(want.body)
			req, err := http.NewRequest(method, "https://"+s.addr+path, body)
			require.NoError(t, err)
			if want.body != "" {
				req.Header.Set("Content-Type", "application/json")
			}
			req.Header.Set("Authorization", "Bearer "+as)
			s.server.lockout = door.NewLockout()
			r, err := c.Do(req)
			require.NoError(t, err)
			reply, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.NoError(t, r.Body.Close())
			if as != "flt_wrong" {
				require.Equal(t, want.status, r.StatusCode, "%s: %s", name, reply)
			} else if want.role != anyone {
				require.Equal(t, http.StatusUnauthorized, r.StatusCode)
			}
			_, template := splitName(name)
			if method != http.MethodGet && len(want.body) > 0 {
				require.NoError(t, judge.Request(t, method, template, []byte(want.body)), name)
			}
			require.NoError(t, judge.Reply(t, method, template, r, reply), "%s: %s", name, reply)
		}
	}
}

// TestRepliesOfOtherKinds: what has a body of its own besides the usual one.
func TestRepliesOfOtherKinds(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	_, text := s.do(c, "GET", api.OpenAPIPath, "", s.secrets[viewer])
	judge := openapitest.New(t, []byte(text))
	s.node.ready = health.ErrNotJoined
	for _, tt := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/readyz", "", 503},
		{"POST", api.IntentsPath, `{"kind":"drain","scope":{"kind":"az","name":"eu-a"},"reason":"x","dry_run":true}`, 200},
		{"POST", api.IntentsPath, `{"kind":"drain"}`, 400},
	} {
		r, body := s.do(c, tt.method, tt.path, tt.body, s.secrets[operator])
		require.Equal(t, tt.status, r.StatusCode, body)
		require.NoError(t, judge.Reply(t, tt.method, tt.path, r, []byte(body)), "%s: %s", tt.path, body)
	}
}

// TestValidatorFinds: the judge of the tests above does find what is wrong.
func TestValidatorFinds(t *testing.T) {
	text := document(t, new(Server).routes())
	judge := openapitest.New(t, text)
	for body, want := range map[string]bool{
		`{"intents":[]}`: true, `{}`: false, `{"intents":null}`: false, `{"intents":[{"id":"x"}]}`: false, `[]`: false,
	} {
		r := &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}}
		require.Equal(t, want, judge.Reply(t, "GET", api.IntentsPath, r, []byte(body)) == nil, body)
	}
	require.Error(t, openapitest.Check(t, []byte(strings.Replace(string(text), `"in": "path"`, `"in": "pith"`, 1))))
}

// TestEnums: the words in the document are the words of the program, each kind, state and source.
func TestEnums(t *testing.T) {
	enum := func(v any, field string) []string {
		f, ok := reflect.TypeOf(v).FieldByName(field)
		require.True(t, ok)
		return strings.Split(f.Tag.Get("enum"), "|")
	}
	var kinds, scopes, states, sources []string
	for k := health.IntentDrain; k.UnmarshalText([]byte(k.String())) == nil && k != 0; k++ {
		kinds = append(kinds, k.String())
	}
	require.Equal(t, kinds, enum(api.Intent{}, "Kind"))
	for k := health.ScopeKind(1); k.Known(); k++ {
		scopes = append(scopes, k.String())
	}
	// The two kinds of clusters have one word.
	require.Equal(t, slices.Compact(scopes), enum(api.Scope{}, "Kind"))
	for _, st := range health.States() {
		states = append(states, st.String())
	}
	require.Equal(t, states, enum(api.Endpoint{}, "State"))
	require.Equal(t, states, enum(api.Endpoint{}, "Health"))
	for _, src := range steer.Sources() {
		sources = append(sources, src.String())
	}
	require.Equal(t, sources, enum(api.Service{}, "Source"))
	require.Equal(t, []string{api.IntentPlanned, api.IntentInForce, api.IntentSuspended, api.IntentNoEffect, api.IntentDangling}, enum(api.Intent{}, "State"))
	require.Equal(t, []string{api.NodeSelf, api.NodeHeard, api.NodeStale, api.NodeNever, api.NodeStopped, api.NodeNotListed}, enum(api.Node{}, "State"))
}
