package admin

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
)

func TestHeaders(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	for _, path := range []string{"/healthz", api.StatusPath, "/metrics", "/nothing"} {
		for _, secret := range []string{"", s.secrets[viewer]} {
			r, _ := s.do(c, "GET", path, "", secret)
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY",
				"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "Strict-Transport-Security": "max-age=31536000",
			} {
				require.Equal(t, want, r.Header.Get(name), "%s of %s", name, path)
			}
		}
	}
	r, err := s.socket.Get("http://node/healthz")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Empty(t, r.Header.Get("Strict-Transport-Security"), "the socket has no TLS")
	require.Equal(t, "DENY", r.Header.Get("X-Frame-Options"))
}

// TestCrossOrigin: a page of somebody else makes no orders, with a certificate that the browser brings by itself.
func TestCrossOrigin(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca, s.certOf("ada")...)
	for _, tt := range []struct {
		name   string
		header []string
		status int
	}{
		{"a program", nil, 200},
		{"the same origin", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an old browser elsewhere", []string{"Origin", "https://evil.example.org"}, 403},
		{"an old browser here", []string{"Origin", "https://" + s.addr}, 200},
		{"no origin to speak of", []string{"Origin", "null"}, 403},
	} {
		s.node.frozen.On = false
		r, body := s.do(c, "POST", api.FreezePath, because, "", tt.header...)
		require.Equal(t, tt.status, r.StatusCode, "%s: %s", tt.name, body)
		require.Equal(t, tt.status == 200, s.node.frozen.On, tt.name)
		if tt.status == 403 {
			problemIn(t, r, body)
		}
	}
	r, _ := s.do(c, "GET", api.StatusPath, "", "", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, 200, r.StatusCode, "without CORS headers the page cannot read it")
	require.Empty(t, r.Header.Get("Access-Control-Allow-Origin"))
}

// TestSizes: a body over 1 MiB and headers over 64 KiB are refused, and what is refused is not done.
func TestSizes(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	long := func(n int) string { return `{"reason":"x","actor":"` + strings.Repeat("x", n) + `"}` }
	for _, key := range []string{"", "k1"} {
		r, body := s.do(c, "POST", api.FreezePath, long(maxBody), s.secrets[operator], idempotencyHeader, key)
		require.Equal(t, http.StatusRequestEntityTooLarge, r.StatusCode, body)
		problemIn(t, r, body)
	}
	require.False(t, s.node.frozen.On)
	r, body := s.do(c, "POST", api.FreezePath, long(maxBody-64), s.secrets[operator])
	require.Equal(t, http.StatusOK, r.StatusCode, body)

	// Not by HTTP/2, whose client keeps to the limit that the server announces.
	old := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.ca.pool()}}}
	t.Cleanup(old.CloseIdleConnections)
	r, _ = s.do(old, "GET", "/healthz", "", "", "X-Long", strings.Repeat("x", 2*maxHeader))
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, r.StatusCode)
}

// etagOfPath is what a GET with a role's token says.
func (s *tcpSite) etagOfPath(c *http.Client, path string) string {
	r, body := s.do(c, "GET", path, "", s.secrets[viewer])
	require.Equal(s.t, http.StatusOK, r.StatusCode, body)
	return r.Header.Get("ETag")
}

func TestETag(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	list, one := s.etagOfPath(c, api.IntentsPath), s.etagOfPath(c, api.IntentPath("n1-1-1"))
	require.Regexp(t, `^"[0-9a-f]{32}"$`, one)
	require.NotEqual(t, list, one)
	require.Equal(t, one, s.etagOfPath(c, api.IntentPath("n1-1-1")), "nothing has changed")
	require.Empty(t, s.etagOfPath(c, api.StatusPath), "it changes with the clock")
	for header, want := range map[string]int{one: 304, "W/" + one: 304, "*": 304, `"a", ` + one: 304, list: 200, `"a"`: 200} {
		r, body := s.do(c, "GET", api.IntentPath("n1-1-1"), "", s.secrets[viewer], "If-None-Match", header)
		require.Equal(t, want, r.StatusCode, header)
		require.Equal(t, one, r.Header.Get("ETag"))
		require.Equal(t, want == 304, body == "")
	}
	for _, tt := range []struct {
		name, path, match string
		status            int
	}{
		{"another one", api.IntentPath("n1-1-1"), list, 412},
		{"a weak one", api.IntentPath("n1-1-1"), "W/" + one, 412},
		{"one that is gone", api.IntentPath("n1-1-9"), "*", 412},
		{"no ETag there", api.ReadyPath("example.org", "web"), "*", 412},
		{"the one", api.IntentPath("n1-1-1"), `"a", ` + one, 200},
	} {
		before := len(s.node.intents)
		r, body := s.do(c, "DELETE", tt.path, because, s.secrets[operator], "If-Match", tt.match)
		require.Equal(t, tt.status, r.StatusCode, "%s: %s", tt.name, body)
		require.Equal(t, tt.status == 200, len(s.node.intents) < before, tt.name)
		if tt.status == 412 {
			problemIn(t, r, body)
			require.Contains(t, s.journal.entries[len(s.journal.entries)-1].Outcome, "failed: ")
		}
	}
	drain := contract["POST /api/v1/intents"].body
	r, _ := s.do(c, "POST", api.IntentsPath, drain, s.secrets[operator], "If-Match", list)
	require.Equal(t, http.StatusPreconditionFailed, r.StatusCode, "somebody ended an order since")
	r, _ = s.do(c, "POST", api.IntentsPath, drain, s.secrets[operator], "If-Match", s.etagOfPath(c, api.IntentsPath))
	require.Equal(t, http.StatusCreated, r.StatusCode)
	r, _ = s.do(c, "DELETE", api.IntentPath("n1-1-2"), "", s.secrets[viewer], "If-Match", "*")
	require.Equal(t, http.StatusForbidden, r.StatusCode)
}

// FuzzBodies: whatever the body of whatever write, the reply is JSON that says what came of it, and no fault of the server.
func FuzzBodies(f *testing.F) {
	var writes []string
	for name, want := range contract {
		if method, _ := splitName(name); method != http.MethodGet {
			writes = append(writes, name)
			f.Add(want.body, name)
		}
	}
	for _, body := range []string{"", "null", "[]", "{", `{"actor":1}`, `{"reason":"x"} {}`, "\xff\xfe", `{"actor":"` + strings.Repeat("x", 300) + `","reason":"x"}`, `{"for_seconds":1e999}`, `{"scope":null}`, `{"weight":99999999999999999999}`} {
		for _, name := range writes {
			f.Add(body, name)
		}
	}
	node := contractNode(f)
	s := &Server{opts: Options{Node: node.parts(), Journal: &fakeJournal{}, Tokens: tokens(f)}, metrics: newMetrics(prometheus.NewRegistry()), lockout: door.NewLockout(), replies: newReplies(), sessions: ui.OpenSessions("", nil)}
	var doors []http.Handler
	for _, l := range []login{socketLogin, {name: "ci", role: administrator, how: "token ci"}} {
		doors = append(doors, guarded(s.handler(func(*http.Request) (login, *loginError) { return l, nil }), false))
	}
	f.Fuzz(func(t *testing.T, body, name string) {
		want, ok := contract[name]
		if !ok {
			return
		}
		method, path := splitName(name)
		if want.path != "" {
			path = want.path
		}
		for _, h := range doors {
			node.intents = contractNode(t).intents
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			h.ServeHTTP(w, r)
			require.Less(t, w.Code, 500, "%s %q: %s", name, body, w.Body)
			require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
			require.Equal(t, w.Code >= 400, w.Header().Get("Content-Type") == api.ProblemType)
		}
	})
}

// TestSlowConnections: whoever sends nothing is cut off, and others are answered meanwhile.
func TestSlowConnections(t *testing.T) {
	s := startTCP(t, contractNode(t))
	began := time.Now()
	conn, err := tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.pool()})
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET /healthz HTTP/1.1\r\nHost: x\r\n"))
	require.NoError(t, err)
	r, _ := s.do(s.client(s.ca), "GET", "/healthz", "", "")
	require.Equal(t, 200, r.StatusCode)
	require.NoError(t, conn.SetReadDeadline(began.Add(4*headerTimeout)))
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err, "the server closed it")
	require.GreaterOrEqual(t, time.Since(began), headerTimeout-time.Second)
}
