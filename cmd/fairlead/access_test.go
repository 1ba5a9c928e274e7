package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const testToken = "flt_0123456789abcdef"

// A tlsNode answers over TLS whoever brings the token or a certificate.
type tlsNode struct {
	dir, url string
	// redirect is where it sends everybody, if it is set.
	redirect string
}

func startTLSNode(t *testing.T) *tlsNode {
	t.Helper()
	n := &tlsNode{dir: t.TempDir()}
	server := httptest.NewUnstartedServer(http.HandlerFunc(n.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	n.url = server.URL
	n.write(t, "ca", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o644)
	n.write(t, "token", []byte(testToken+"\n"), 0o600)
	n.write(t, "wrong", []byte("flt_wrong\n"), 0o600)
	n.write(t, "open", []byte(testToken), 0o644)
	n.write(t, "two", []byte("a b"), 0o600)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ada"}, NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	n.write(t, "cert", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
	n.write(t, "key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	return n
}

func (n *tlsNode) write(t *testing.T, name string, b []byte, mode os.FileMode) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(n.dir, name), b, mode))
}

func (n *tlsNode) serve(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusOK, any(wellStatus())
	switch {
	case n.redirect != "":
		http.Redirect(w, r, n.redirect, http.StatusTemporaryRedirect)
		return
	case r.Header.Get("Authorization") == "Bearer flt_wrong":
		status, body = 429, api.Problem{Title: "Too Many Requests", Status: 429}
		w.Header().Set("Retry-After", "42")
	case r.Header.Get("Authorization") != "Bearer "+testToken && len(r.TLS.PeerCertificates) == 0:
		status, body = 401, api.Problem{Title: "Unauthorized", Status: 401, Detail: "no login"}
	}
	w.Header().Set("Content-Type", "application/json")
	if status >= 400 {
		w.Header().Set("Content-Type", api.ProblemType)
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func TestOverTLS(t *testing.T) {
	n := startTLSNode(t)
	for _, tt := range []struct {
		name, line, env, err, hint string
		code                       int
	}{
		{name: "by a file", line: "--ca DIR/ca --token-file DIR/token"},
		{name: "by the environment", line: "--ca DIR/ca", env: testToken},
		{name: "by a certificate", line: "--ca DIR/ca --cert DIR/cert --key DIR/key"},
		{name: "by nothing", line: "--ca DIR/ca", err: "Unauthorized: no login", hint: "--token-file FILE", code: 1},
		{name: "locked out", line: "--ca DIR/ca --token-file DIR/wrong", err: "Too Many Requests", hint: "try again in 42 s", code: 1},
		{name: "unknown CA", line: "--token-file DIR/token", err: "no known CA signed its certificate", hint: "--ca FILE", code: 1},
		{name: "no CA", line: "--ca DIR/token", err: "no usable certificate", code: 1},
		{name: "a file for all to read", line: "--ca DIR/ca --token-file DIR/open", err: "mode 0644 lets everybody at it", code: 1},
		{name: "two words", line: "--ca DIR/ca --token-file DIR/two", err: "want the token and nothing else", code: 1},
		{name: "a certificate without its key", line: "--ca DIR/ca --cert DIR/cert", err: "go together", code: 2},
		{name: "no such file", line: "--ca DIR/none", err: "no such file", code: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(tokenEnv, tt.env)
			out, err := fairleadSays("status --server " + n.url + " " + strings.ReplaceAll(tt.line, "DIR", n.dir))
			code, hint := exit.CodeOf(err)
			require.Equal(t, tt.code, code, "%v", err)
			if tt.code == 0 {
				require.Contains(t, out, "node")
				return
			}
			require.ErrorContains(t, err, tt.err)
			require.Contains(t, hint, tt.hint)
			require.NotContains(t, err.Error()+hint, testToken)
		})
	}
	t.Setenv(serverEnv, n.url)
	_, err := fairleadSays("status --ca " + n.dir + "/ca --token-file " + n.dir + "/token")
	require.NoError(t, err)
	n.redirect = "https://example.org/"
	_, err = fairleadSays("status --ca " + n.dir + "/ca --token-file " + n.dir + "/token")
	require.ErrorContains(t, err, "temporary redirect", "a token goes nowhere else")
}

// fairleadSays runs a command line.
func fairleadSays(line string) (string, error) {
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(io.Discard)
	root.SetArgs(strings.Fields(line))
	err := root.Execute()
	return out.String(), err
}

func TestServerThatCannotBe(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"--server https://node1", "want https://HOST:PORT"},
		{"--server https://node1:8443/path", "want https://HOST:PORT"},
		{"--server https://ada:secret@node1:8443", "want https://HOST:PORT"},
		{"--server http://node1:8443", "want unix:PATH"},
		{"--server unix:/x --token-file y", "are for https://HOST:PORT"},
	} {
		_, err := fairleadSays("status " + tt.line)
		code, _ := exit.CodeOf(err)
		assert.Equal(t, exit.Usage, code)
		assert.ErrorContains(t, err, tt.want)
	}
	_, err := fairleadSays("status --server https://127.0.0.1:1 --ca /dev/null")
	require.Error(t, err)
}

func TestTokenCommands(t *testing.T) {
	for line, want := range map[string]string{
		"token create --name ci --role operator":                       `POST /api/v1/tokens {"name":"ci","role":"operator","for_seconds":7776000,"actor":"ME"}`,
		"token create --name ci --role admin --for forever --reason x": `POST /api/v1/tokens {"name":"ci","role":"admin","forever":true,"actor":"ME","reason":"x"}`,
		"token create --name ci --role viewer --for 1d12h":             `POST /api/v1/tokens {"name":"ci","role":"viewer","for_seconds":129600,"actor":"ME"}`,
		"token revoke ci --reason leaked":                              `DELETE /api/v1/tokens/ci {"actor":"ME","reason":"leaked"}`,
	} {
		n := &recordingNode{}
		_, err := n.say(t, line)
		require.NoError(t, err, line)
		require.Equal(t, []string{strings.ReplaceAll(want, "ME", actor())}, n.asked, line)
	}
	for _, line := range []string{"token create --role admin", "token create --name x", "token create --name x --role root", "token create --name x --role viewer --for 5", "token revoke"} {
		_, err := fairleadSays(line)
		code, _ := exit.CodeOf(err)
		require.Equal(t, exit.Usage, code, line)
	}
	now := time.Date(2026, 5, 17, 3, 0, 0, 0, time.UTC)
	end := now.Add(90 * time.Minute)
	var b strings.Builder
	writeTokens(&b, &api.Tokens{Tokens: []api.Token{
		{Name: "backup", Role: "viewer", By: "ada", CreatedAt: now.Add(-time.Hour)},
		{Name: "ci", Role: "operator", By: "ada", CreatedAt: now.Add(-time.Hour), ExpiresAt: &end},
		{Name: "old", Role: "admin", CreatedAt: now.Add(-time.Hour), ExpiresAt: &now, Expired: true},
	}}, now, terminal.Style{})
	assert.Equal(t, `STATE      NAME    ROLE      UNTIL                         MADE       BY
● good     backup  viewer    forever                       02:00:00Z  ada
● good     ci      operator  until 04:30:00Z (1h30m left)  02:00:00Z  ada
○ expired  old     admin     until 03:00:00Z               02:00:00Z  -
`, b.String())
	b.Reset()
	writeTokens(&b, &api.Tokens{}, now, terminal.Style{})
	assert.Equal(t, "none\n", b.String())
}
