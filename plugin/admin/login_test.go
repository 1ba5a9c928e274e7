package admin

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
)

func TestTokenLogin(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	good := s.secrets[viewer]
	for _, tt := range []struct {
		name, header, reason, detail string
		status                       int
	}{
		{"good", "Bearer " + good, "", "", 200},
		{"in lower case", "bearer " + good, "", "", 200},
		{"expired", "Bearer " + s.secrets["expired"], refusedExpired, "the token has expired", 401},
		{"one digit less", "Bearer " + good[:len(good)-1], refusedUnknown, "no such token on this node", 401},
		{"another scheme", "Basic " + good, refusedMalformed, "want one header", 401},
		{"nothing", "Bearer", refusedMalformed, "want one header", 401},
		{"no header", "", refusedNone, "is required", 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := 0.0
			if tt.reason != "" {
				before = s.refused(tt.reason)
			}
			var header []string
			if tt.header != "" {
				header = []string{"Authorization", tt.header}
			}
			r, body := s.do(c, "GET", api.StatusPath, "", "", header...)
			require.Equal(t, tt.status, r.StatusCode, body)
			if tt.status == 200 {
				return
			}
			require.Contains(t, problemIn(t, r, body).Detail, tt.detail)
			require.Equal(t, tt.header != "", strings.Contains(r.Header.Get("WWW-Authenticate"), "invalid_token"))
			require.Equal(t, before+1, s.refused(tt.reason))
		})
	}
}

// TestUnheardLogin: a node that has just started says to come back, and counts that as no guess.
func TestUnheardLogin(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c, good := s.client(s.ca), s.secrets[viewer]
	s.store.Doubt()
	for range door.MaxFailures + 1 {
		r, body := s.do(c, "GET", api.StatusPath, "", good)
		require.Equal(t, http.StatusServiceUnavailable, r.StatusCode, body)
		require.Contains(t, problemIn(t, r, body).Detail, "has just started")
		require.Equal(t, "2", r.Header.Get("Retry-After"))
	}
	require.EqualValues(t, door.MaxFailures+1, s.refused(refusedUnheard))
	r, body := s.do(s.client(s.ca, s.certOf("ada")...), "GET", api.StatusPath, "", "")
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	s.store.Agreed()
	r, body = s.do(c, "GET", api.StatusPath, "", good)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
}

// TestLockout: after ten failures in a minute nobody gets in from that address, with whatever, but over the socket; what
// anyone may ask is answered.
func TestLockout(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca, s.certOf("ada")...)
	for range door.MaxFailures {
		r, _ := s.do(c, "GET", api.StatusPath, "", "wrong")
		require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	}
	for _, secret := range []string{"wrong", s.secrets[administrator], ""} {
		r, body := s.do(c, "GET", api.StatusPath, "", secret)
		require.Equal(t, http.StatusTooManyRequests, r.StatusCode)
		problemIn(t, r, body)
		retry, err := strconv.Atoi(r.Header.Get("Retry-After"))
		require.NoError(t, err)
		require.Greater(t, retry, 50)
		require.LessOrEqual(t, retry, 61)
	}
	r, _ := s.do(c, "GET", "/healthz", "", "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	var status api.Status
	require.Equal(t, http.StatusOK, send(t, s.socket, "GET", api.StatusPath, "", &status))
	require.EqualValues(t, 3, s.refused(refusedLocked))
	require.EqualValues(t, 1, testutil.ToFloat64(s.server.metrics.lockouts))
	require.Equal(t, 1, strings.Count(s.log.String(), "locked out"))
}

// certOf is a certificate of a client that the site's CA signed.
func (s *tcpSite) certOf(cn string, uris ...string) [][]byte {
	cert, key := s.ca.sign(cn, uris...)
	return [][]byte{cert, key}
}

func TestCertificateLogin(t *testing.T) {
	s := startTCP(t, contractNode(t))
	long := strings.Repeat("ä", 40)
	for _, tt := range []struct {
		name, cn string
		uris     []string
		role     role
		as       string
	}{
		{name: "by common name", cn: "ada", role: administrator, as: "ada"},
		{name: "by URI", cn: "runner", uris: []string{"spiffe://example.org/other", "spiffe://example.org/ci"}, role: operator, as: "spiffe://example.org/ci"},
		{name: "the greatest of two", cn: "ada", uris: []string{"spiffe://example.org/ci"}, role: administrator, as: "ada"},
		{name: "not named", cn: "eve", role: viewer, as: "eve"},
		{name: "without a name", uris: []string{"spiffe://example.org/other"}, role: viewer, as: "spiffe://example.org/other"},
		{name: "a long name", cn: long, role: viewer, as: strings.Repeat("ä", 31)},
		{name: "a terminal's", cn: "a\x1b[2J", role: viewer, as: "a?[2J"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := tls.X509KeyPair(s.pairOf(tt.cn, tt.uris...))
			require.NoError(t, err)
			name, got := certRole(pair.Leaf, s.files.Roles)
			require.Equal(t, []any{tt.as, tt.role}, []any{name, got})
			s.journal.entries = nil
			r, body := s.do(s.client(s.ca, s.certOf(tt.cn, tt.uris...)...), "POST", api.FreezePath, because, "")
			require.Equal(t, tt.role.may(operator), r.StatusCode == http.StatusOK, body)
			want := tt.as
			if r.StatusCode == http.StatusOK {
				want += " (as ada)"
			}
			if tt.as == "ada" {
				want = "ada"
			}
			require.Equal(t, want, s.journal.entries[0].Actor)
			require.Contains(t, s.journal.entries[0].From, " certificate "+tt.as)
		})
	}
	r, _ := s.do(s.client(s.ca, s.certOf("ada")...), "POST", api.FreezePath, because, s.secrets[viewer])
	require.Equal(t, http.StatusForbidden, r.StatusCode, "whoever brings a token is who it says")
	// Of another CA.
	cert, key := newIssuer(t).sign("ada")
	_, err := s.client(s.ca, cert, key).Get("https://" + s.addr + api.StatusPath)
	require.Error(t, err)
}

func (s *tcpSite) pairOf(cn string, uris ...string) (cert, key []byte) { return s.ca.sign(cn, uris...) }

// TestActor: over TCP nobody acts under a name that is not proved.
func TestActor(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	ci := login{name: "ci"}
	require.Equal(t, "ci", ci.actor(""))
	require.Equal(t, "ci", ci.actor("ci"))
	require.Equal(t, "ada", socketLoginName("ada"))
	long := ci.actor(strings.Repeat("ä", 200))
	require.NoError(t, health.ValidateWords(long, ""))
	require.True(t, strings.HasPrefix(long, "ci (as ä") && strings.HasSuffix(long, "ä)"), long)
	for body, want := range map[string]string{`{"actor":"eve","reason":"x"}`: "operator (as eve)", `{"reason":"x"}`: "operator", `{"actor":"operator","reason":"x"}`: "operator"} {
		r, _ := s.do(c, "POST", api.FreezePath, body, s.secrets[operator])
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, want, s.node.frozen.Actor)
		require.Equal(t, want, s.journal.entries[len(s.journal.entries)-1].Actor)
	}
	r, body := s.do(c, "DELETE", api.IntentPath("n1-1-1"), "", s.secrets[operator])
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	require.Equal(t, "operator", s.journal.entries[len(s.journal.entries)-1].Actor, "a body may be missing")
}

func socketLoginName(says string) string { l := socketLogin; return l.actor(says) }

// TestTokenRoutes makes a token, uses it, revokes it; the secret is in the reply and nowhere else.
func TestTokenRoutes(t *testing.T) {
	s := startTCP(t, contractNode(t))
	c := s.client(s.ca)
	var made api.TokenCreated
	require.Equal(t, 201, send(t, s.socket, "POST", api.TokensPath, `{"name":"ci","role":"operator","for_seconds":3600,"actor":"ada","reason":"CHG-1"}`, &made))
	require.Equal(t, []string{"ci", "operator", "ada"}, []string{made.Name, made.Role, made.By})
	require.Equal(t, time.Hour, made.ExpiresAt.Sub(made.CreatedAt))
	r, body := s.do(c, "POST", api.FreezePath, because, made.Secret)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	var list api.Tokens
	r, body = s.do(c, "GET", api.TokensPath, "", s.secrets[administrator])
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	require.NotContains(t, body, made.Secret)
	names := map[string]bool{}
	for _, tok := range list.Tokens {
		names[tok.Name] = tok.Expired
	}
	require.Equal(t, map[string]bool{"admin": false, "ci": false, "expired": true, "operator": false, "spare": false, "viewer": false}, names)
	r, body = s.do(c, "DELETE", api.TokenPath("ci"), because, s.secrets[administrator])
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	r, _ = s.do(c, "POST", api.FreezePath, because, made.Secret)
	require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	for _, tt := range []struct {
		method, path, body, detail string
		status                     int
	}{
		{"POST", api.TokensPath, `{"name":"spare","role":"viewer","forever":true}`, "a token of that name exists", 409},
		{"POST", api.TokensPath, `{"name":"x","role":"root","forever":true}`, "want viewer, operator or admin", 400},
		{"POST", api.TokensPath, `{"name":"x","role":"viewer"}`, "want one of them", 400},
		{"POST", api.TokensPath, `{"name":"x","role":"viewer","forever":true,"for_seconds":1}`, "want one of them", 400},
		{"POST", api.TokensPath, `{"name":"x","role":"viewer","for_seconds":1e300}`, "ten years", 400},
		{"POST", api.TokensPath, `{"name":"x","role":"viewer","for_seconds":-1}`, "ten years", 400},
		{"DELETE", api.TokenPath("none"), ``, "no such token", 404},
	} {
		var p api.Problem
		require.Equal(t, tt.status, send(t, s.socket, tt.method, tt.path, tt.body, &p), tt.body)
		require.Contains(t, p.Detail, tt.detail)
	}
	journal, err := json.Marshal(s.journal.entries)
	require.NoError(t, err)
	require.Equal(t, []string{"token", "token ci", "CHG-1", "ok"}, []string{s.journal.entries[0].Action, s.journal.entries[0].Object, s.journal.entries[0].Reason, s.journal.entries[0].Outcome})
	require.Contains(t, string(s.journal.entries[0].After), `"name":"ci"`)
	for _, secret := range append([]string{made.Secret}, s.secrets[viewer], s.secrets[operator], s.secrets[administrator]) {
		require.NotContains(t, string(journal)+s.log.String(), secret[len("flt_"):])
	}
}

// TestClear: nothing answers in clear, nor below TLS 1.3, and nothing starts without a certificate.
func TestClear(t *testing.T) {
	s := startTCP(t, contractNode(t))
	r, err := http.Get("http://" + s.addr + "/healthz")
	require.NoError(t, err)
	require.NoError(t, r.Body.Close())
	require.Equal(t, http.StatusBadRequest, r.StatusCode, "net/http says so to who speaks HTTP to TLS")
	_, err = tls.Dial("tcp", s.addr, &tls.Config{RootCAs: s.ca.pool(), MaxVersion: tls.VersionTLS12})
	require.ErrorContains(t, err, "protocol version")

	opts := Options{Node: s.node.parts(), Journal: s.journal, Tokens: s.store, Socket: t.TempDir() + "/s", Listen: "127.0.0.1:0"}
	_, err = New(opts)
	require.ErrorContains(t, err, "nothing is served in clear")
	opts.TLS = &config.AdminTLS{Cert: s.files.Cert, Key: t.TempDir() + "/none"}
	_, err = New(opts)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, opts.Socket, "nothing is left of it")
	require.NoError(t, os.Chmod(s.files.Key, 0o644))
	opts.TLS = s.files
	_, err = New(opts)
	require.ErrorIs(t, err, config.ErrKeyFile)
	require.NoError(t, os.Chmod(s.files.Key, 0o600))
	opts.Listen = s.addr
	_, err = New(opts)
	require.ErrorContains(t, err, "address already in use")
}

// TestRotation: new files count for the next connection; files that do not fit change nothing; connections go on.
func TestRotation(t *testing.T) {
	s := startTCP(t, contractNode(t))
	old := s.client(s.ca)
	r, _ := s.do(old, "GET", "/healthz", "", "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	reread := func() {
		s.server.certificate.Forget()
	}
	serves := func() *x509.Certificate {
		conn, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true})
		require.NoError(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0]
	}
	next := newIssuer(t)
	cert, _ := next.sign("half")
	whole, err := os.ReadFile(s.files.Cert)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.files.Cert, cert, 0o600))
	for range 2 {
		reread()
		require.NoError(t, serves().CheckSignatureFrom(s.ca.cert), "the key is still the old one's")
	}
	require.EqualValues(t, 1, testutil.ToFloat64(s.server.metrics.tlsFailures), "said once")
	require.NoError(t, os.WriteFile(s.files.Cert, whole, 0o600))

	s.writeCert(next)
	reread()
	require.NoError(t, serves().CheckSignatureFrom(next.cert))
	ada, adaKey := next.sign("ada")
	r, _ = s.do(s.client(next, ada, adaKey), "GET", api.TokensPath, "", "")
	require.Equal(t, http.StatusOK, r.StatusCode, "the new CA signs clients")
	oldAda, oldKey := s.ca.sign("ada")
	_, err = s.client(next, oldAda, oldKey).Get("https://" + s.addr + api.TokensPath)
	require.Error(t, err, "the old one does not")
	r, _ = s.do(old, "GET", "/healthz", "", "")
	require.Equal(t, http.StatusOK, r.StatusCode, "a connection from before goes on")
	_, err = net.Dial("tcp", s.addr)
	require.NoError(t, err)
}
