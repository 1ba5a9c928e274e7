package integration

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/openapi/openapitest"
)

// An adminSite is a node with its API over TLS.
type adminSite struct {
	*process
	addr, dir, ca string
	trust         *tls.Config
}

func startAdmin(t *testing.T, race bool) *adminSite { return startAdminWith(t, race, "") }

// selfSigned is a certificate for 127.0.0.1 and its key, in DER.
func selfSigned(t *testing.T) (cert, private []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	cert, err = x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err = x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return cert, private
}

// startAdminWith is a site with more lines below the key admin of its node file.
func startAdminWith(t *testing.T, race bool, more string) *adminSite {
	t.Helper()
	s := &adminSite{dir: t.TempDir(), addr: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	cert, der := selfSigned(t)
	s.ca = s.write(t, "cert", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	keyFile := s.write(t, "key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	node := s.write(t, "node.yaml", fmt.Appendf(nil, "name: n1\nadmin:\n  listen: %q\n  tls: {cert: %s, key: %s}\n%s", s.addr, s.ca, keyFile, more))
	parsed, err := x509.ParseCertificate(cert)
	require.NoError(t, err)
	s.trust = &tls.Config{RootCAs: x509.NewCertPool()}
	s.trust.RootCAs.AddCert(parsed)
	text := strings.Replace(corefile, "state DIR/state", "state DIR/state\n\t\tnode "+node, 1)
	s.process = startServe(t, race, text, map[string]string{"storm.yaml": stormZone(0)})
	await(t, "the first answer", func() bool {
		m, _, err := ask("udp", s.dns, stormName, dns.TypeA)
		return err == nil && len(m.Answer) == 1
	})
	return s
}

func (s *adminSite) write(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

// client makes connections of its own, from an address or, without one, from any.
func (s *adminSite) client(t *testing.T, from net.Addr) *http.Client {
	dialer := &net.Dialer{LocalAddr: from}
	tr := &http.Transport{TLSClientConfig: s.trust.Clone(), ForceAttemptHTTP2: true, DialContext: dialer.DialContext}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 20 * time.Second}
}

func (s *adminSite) get(t *testing.T, c *http.Client, path, token string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "https://"+s.addr+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	r, err := c.Do(req)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r, b
}

// token makes one, by the arguments how; file has it too.
func (s *adminSite) token(t *testing.T, name, role string, how ...string) (token, file string) {
	t.Helper()
	out, code := run(t, s.bin, append([]string{"token", "create", "--name", name, "--role", role}, how...)...)
	require.Zero(t, code, out)
	// run has standard error in its output too; the token is the first line.
	i := strings.Index(out, "flt_")
	require.GreaterOrEqual(t, i, 0, out)
	token = out[i : i+len("flt_")+64]
	return token, s.write(t, name+".token", []byte(token+"\n"))
}

// TestAdminOverTLS uses the commands as people do, and holds what a real node answers against its own description.
func TestAdminOverTLS(t *testing.T) {
	waits(t)
	s := startAdmin(t, true)
	socket := []string{"--server", "unix:" + s.socket}
	remote := func(file string) []string {
		return []string{"--server", "https://" + s.addr, "--ca", s.ca, "--token-file", file}
	}
	_, chief := s.token(t, "chief", "admin", socket...)
	token, ci := s.token(t, "ci", "operator", remote(chief)...)
	out, code := run(t, s.bin, append([]string{"freeze", "--reason", "x"}, remote(ci)...)...)
	require.Zero(t, code, out)
	out, code = run(t, s.bin, append([]string{"token", "list"}, remote(ci)...)...)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "token ci is operator: GET /api/v1/tokens is for admin")
	out, code = run(t, s.bin, append([]string{"unfreeze"}, remote(ci)...)...)
	require.Zero(t, code, out)
	out, code = run(t, s.bin, "audit", filepath.Join(s.process.dir, "state"))
	require.Zero(t, code, out)
	require.Regexp(t, `ci \(as \S+\)`, out)

	c := s.client(t, nil)
	_, text := s.get(t, c, api.OpenAPIPath, token)
	judge := openapitest.New(t, text)
	for _, path := range []string{
		"/healthz", "/readyz", api.StatusPath, api.IntentsPath, api.NodesPath,
		api.ExplainPath + "?name=" + stormName, api.WhatIfPath + "?down=az%3Deu-a",
	} {
		r, body := s.get(t, c, path, token)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", path, body)
		template, _, _ := strings.Cut(path, "?")
		require.NoError(t, judge.Reply(t, http.MethodGet, template, r, body), "%s: %s", path, body)
	}
	_, metrics := s.get(t, c, "/metrics", token)
	require.Positive(t, metric(t, string(metrics), "fairlead_replies_total"))

	out, code = run(t, s.bin, append([]string{"token", "revoke", "ci"}, socket...)...)
	require.Zero(t, code, out)
	r, _ := s.get(t, c, api.StatusPath, token)
	require.Equal(t, http.StatusUnauthorized, r.StatusCode)
	require.NotContains(t, s.output(), token)
	files, err := filepath.Glob(filepath.Join(s.process.dir, "state", "*"))
	require.NoError(t, err)
	for _, file := range files {
		if b, err := os.ReadFile(file); err == nil {
			require.NotContains(t, string(b), token[len("flt_"):], file)
		}
	}
}

// A dnsLoad asks at a steady rate and keeps the worst latency.
type dnsLoad struct {
	sent, lost, worst atomic.Int64
}

// run asks from a few sockets for a time, and as much longer as the machine needs for half of the queries of that time.
func (l *dnsLoad) run(t *testing.T, server string, perSecond int, d time.Duration) {
	least := int64(float64(perSecond) * d.Seconds() / 2)
	const sockets = 5
	var g sync.WaitGroup
	for range sockets {
		g.Go(func() {
			c := dns.Client{Net: "udp", Timeout: 2 * time.Second}
			conn, err := c.Dial(server)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			tick := time.NewTicker(time.Second * sockets / time.Duration(perSecond))
			defer tick.Stop()
			for end := time.Now().Add(d); time.Now().Before(end) || l.sent.Load() < least; <-tick.C {
				l.sent.Add(1)
				_, took, err := c.ExchangeWithConn(new(dns.Msg).SetQuestion(stormName, dns.TypeA), conn)
				if err != nil {
					l.lost.Add(1)
					continue
				}
				for {
					worst := l.worst.Load()
					if int64(took) <= worst || l.worst.CompareAndSwap(worst, int64(took)) {
						break
					}
				}
			}
		})
	}
	g.Wait()
}

const (
	// slowClients want more connections than the sourceConns that one source gets; redial is how long one waits that got none.
	slowClients = 300
	sourceConns = 128
	redial      = time.Second
	attackTime  = 12 * time.Second
	asked       = 500
	floods      = 4
	largeOctets = 10 << 20
)

// The addresses of the attackers; others are at 127.0.0.1.
var (
	slowFrom  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}
	guessFrom = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}
	largeFrom = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 4)}
)

// TestAdminUnderAttack: slow connections, large bodies and wrong tokens at the API cost DNS no query, the socket answers, and so does
// the listener to others.
func TestAdminUnderAttack(t *testing.T) {
	s := startAdmin(t, false)
	viewer, _ := s.token(t, "watch", "viewer", "--server", "unix:"+s.socket)
	peace, war := new(dnsLoad), new(dnsLoad)
	peace.run(t, s.dns, asked, attackTime/2)

	stop := make(chan struct{})
	var attack sync.WaitGroup
	var open, replies, refused, tooLarge atomic.Int64
	for range slowClients {
		attack.Go(func() { s.trickle(stop, &open) })
	}
	for range floods {
		attack.Go(func() { s.guess(t, stop, &replies, &refused) })
	}
	attack.Go(func() { s.sendLarge(t, stop, &tooLarge) })
	await(t, "the slow connections", func() bool { return open.Load() >= sourceConns })
	war.run(t, s.dns, asked, attackTime)
	require.NotNil(t, s.status(), "over the socket")
	r, metrics := s.get(t, s.client(t, nil), "/metrics", viewer)
	require.Equal(t, http.StatusOK, r.StatusCode, "%s", metrics)
	crowded := metric(t, string(metrics), "fairlead_admin_connections_refused_total")
	require.Positive(t, crowded)
	close(stop)
	attack.Wait()

	t.Logf("%d queries in peace, worst %v; %d under attack, worst %v: ratio %.1f; %d guesses, %d large bodies, %d slow connections in all, %.0f refused",
		peace.sent.Load(), time.Duration(peace.worst.Load()), war.sent.Load(), time.Duration(war.worst.Load()),
		float64(war.worst.Load())/float64(peace.worst.Load()), replies.Load(), tooLarge.Load(), open.Load(), crowded)
	require.Zero(t, peace.lost.Load())
	require.Zero(t, war.lost.Load())
	require.Equal(t, replies.Load(), refused.Load(), "nobody got in")
	require.Positive(t, replies.Load())
	require.Positive(t, tooLarge.Load())
	r, err := s.client(t, nil).Get("https://" + s.addr + "/healthz")
	require.NoError(t, err, "the listener is there afterwards")
	require.NoError(t, r.Body.Close())
}

// trickle keeps a connection open with one octet of a header a second, and begins anew when it is cut off.
func (s *adminSite) trickle(stop chan struct{}, open *atomic.Int64) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second, LocalAddr: slowFrom}, "tcp", s.addr, s.trust)
		if err != nil {
			select {
			case <-stop:
			case <-time.After(redial):
			}
			continue
		}
		open.Add(1)
		_, err = conn.Write([]byte("GET /api/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		for err == nil {
			select {
			case <-stop:
				conn.Close()
				return
			case <-time.After(time.Second):
				_, err = conn.Write([]byte("x"))
			}
		}
		conn.Close()
	}
}

// guess tries tokens as fast as replies come.
func (s *adminSite) guess(t *testing.T, stop chan struct{}, replies, refused *atomic.Int64) {
	c := s.client(t, guessFrom)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		req, err := http.NewRequest(http.MethodGet, "https://"+s.addr+api.StatusPath, nil)
		if err != nil {
			t.Error(err)
			return
		}
		req.Header.Set("Authorization", fmt.Sprintf("Bearer flt_%064d", i))
		r, err := c.Do(req)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		replies.Add(1)
		if r.StatusCode == http.StatusUnauthorized || r.StatusCode == http.StatusTooManyRequests {
			refused.Add(1)
		}
	}
}

// sendLarge sends bodies of 10 MiB, one after the other; the server refuses them or hangs up.
func (s *adminSite) sendLarge(t *testing.T, stop chan struct{}, sent *atomic.Int64) {
	c, body := s.client(t, largeFrom), make([]byte, largeOctets)
	for {
		select {
		case <-stop:
			return
		default:
		}
		r, err := c.Post("https://"+s.addr+api.IntentsPath, "application/json", bytes.NewReader(body))
		sent.Add(1)
		if err != nil {
			continue
		}
		r.Body.Close()
		if r.StatusCode < 400 {
			t.Errorf("a large body got %d", r.StatusCode)
		}
	}
}
