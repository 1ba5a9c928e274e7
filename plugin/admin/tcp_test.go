package admin

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/docs"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// An issuer is a CA that signs certificates for tests.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issuer{t: t, cert: cert, key: key}
}

func (i *issuer) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}

func (i *issuer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(i.cert)
	return p
}

// sign makes a certificate for 127.0.0.1 and for clients, by a common name and URIs, and its key.
func (i *issuer) sign(cn string, uris ...string) (cert, key []byte) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(i.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, text := range uris {
		u, err := url.Parse(text)
		require.NoError(i.t, err)
		template.URIs = append(template.URIs, u)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, private.Public(), i.key)
	require.NoError(i.t, err)
	text, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(i.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

// A logBuffer keeps what is logged.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A tcpSite is a server over TCP with a token for each role.
type tcpSite struct {
	t       *testing.T
	ca      *issuer
	files   *config.AdminTLS
	server  *Server
	addr    string
	node    *fakeNode
	journal *fakeJournal
	store   *token.Store
	// secrets are tokens by role; "expired" is one that has ended.
	secrets  map[role]string
	registry *prometheus.Registry
	log      logBuffer
	socket   *http.Client
}

func startTCP(t *testing.T, n *fakeNode) *tcpSite { return startTCPWith(t, n, nil) }

// startTCPWith is a site that takes the tokens of an issuer too, unless oidc is nil.
func startTCPWith(t *testing.T, n *fakeNode, oidc *config.AdminOIDC) *tcpSite {
	t.Helper()
	dir := t.TempDir()
	s := &tcpSite{
		t: t, ca: newIssuer(t), node: n, journal: &fakeJournal{}, store: tokens(t), secrets: make(map[role]string), registry: prometheus.NewRegistry(),
		files: &config.AdminTLS{
			Cert: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca"),
			Roles: map[string]string{"ada": "admin", "spiffe://example.org/ci": "operator"},
		},
	}
	s.writeCert(s.ca)
	now := time.Now()
	for _, r := range token.Roles() {
		_, secret, err := s.store.Create(r, r, "test", now, now.Add(time.Hour))
		require.NoError(t, err)
		s.secrets[role(r)] = secret
	}
	_, s.secrets["expired"], _ = s.store.Create("expired", "admin", "test", now.Add(-2*time.Hour), now.Add(-time.Hour))
	_, _, err := s.store.Create("spare", "viewer", "test", now, now.Add(time.Hour))
	require.NoError(t, err)
	socket := filepath.Join(dir, "s")
	s.server, err = New(Options{
		Node: n.parts(), Journal: s.journal, Events: event.Open(event.Options{Node: "n1"}), Hooks: testHooks(t), Tokens: s.store, Socket: socket, Listen: "127.0.0.1:0", TLS: s.files, OIDC: oidc, Version: "v1", StartedAt: now,
		Registerer: s.registry, Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	require.NoError(t, err)
	s.addr = s.server.doors[1].listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	s.socket = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	return s
}

// writeCert makes the server's certificate one that ca signed, and ca the one of clients.
func (s *tcpSite) writeCert(ca *issuer) {
	cert, key := ca.sign("fairlead")
	for path, b := range map[string][]byte{s.files.Cert: cert, s.files.Key: key, s.files.ClientCA: ca.pem()} {
		require.NoError(s.t, os.WriteFile(path+".tmp", b, 0o600))
		require.NoError(s.t, os.Rename(path+".tmp", path))
	}
}

// client trusts ca, and brings a certificate if it gets one.
func (s *tcpSite) client(ca *issuer, pair ...[]byte) *http.Client {
	s.t.Helper()
	cfg := &tls.Config{RootCAs: ca.pool()}
	if len(pair) == 2 {
		own, err := tls.X509KeyPair(pair[0], pair[1])
		require.NoError(s.t, err)
		cfg.Certificates = []tls.Certificate{own}
	}
	tr := &http.Transport{TLSClientConfig: cfg, ForceAttemptHTTP2: true}
	s.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// do sends a request with a bearer token, if secret is one, and returns the reply with its body read.
func (s *tcpSite) do(c *http.Client, method, path, body, secret string, header ...string) (*http.Response, string) {
	s.t.Helper()
	req, err := http.NewRequest(method, "https://"+s.addr+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	r, err := c.Do(req)
	require.NoError(s.t, err)
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	require.NoError(s.t, err)
	if rt, _ := newTable(new(Server).routes()).find(r.Request); rt != nil {
		require.True(s.t, declared(rt.method, rt.path, r.StatusCode), "%s %s: the document has no status %d", rt.method, rt.path, r.StatusCode)
	}
	return r, string(text)
}

// statuses are those that the published document has, by operation.
var statuses = sync.OnceValue(func() map[string]map[string]any {
	var doc struct {
		Paths map[string]map[string]struct{ Responses map[string]any }
	}
	out := make(map[string]map[string]any)
	if json.Unmarshal(docs.OpenAPI, &doc) != nil {
		return out
	}
	for path, item := range doc.Paths {
		for method, op := range item {
			out[strings.ToUpper(method)+" "+path] = op.Responses
		}
	}
	return out
})

// declared tells whether the published document has a status among those of an operation. 431 is the HTTP server's, before there is one.
func declared(method, path string, status int) bool {
	all := statuses()[method+" "+path]
	return all[strconv.Itoa(status)] != nil || status < 300 && all["2XX"] != nil || status == http.StatusRequestHeaderFieldsTooLarge
}

func problemIn(t *testing.T, r *http.Response, body string) api.Problem {
	t.Helper()
	require.Equal(t, api.ProblemType, r.Header.Get("Content-Type"), body)
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(body), &p), body)
	require.Equal(t, r.StatusCode, p.Status)
	require.NotEmpty(t, p.Title)
	return p
}

func (s *tcpSite) refused(reason string) float64 {
	return testutil.ToFloat64(s.server.metrics.refusals.WithLabelValues(reason))
}
