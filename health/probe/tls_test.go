package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// An authority signs certificates for tests.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// pem is its own certificate.
	pem []byte
}

var (
	longAgo = time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	farOff  = time.Date(2120, 1, 2, 3, 4, 5, 0, time.UTC)
)

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{t: t}
	self := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: longAgo, NotAfter: farOff}
	pair := a.issue(self)
	a.cert, a.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	return a
}

// issue signs a certificate by template.
func (a *authority) issue(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(a.t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(a.t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// server is a certificate for 127.0.0.1 and www.example.org that is good from and until.
func (a *authority) server(from, until time.Time) tls.Certificate {
	return a.issue(&x509.Certificate{NotBefore: from, NotAfter: until, DNSNames: []string{"www.example.org"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
}

// client is a client certificate and its key in PEM.
func (a *authority) client() (cert, key []byte) {
	pair := a.issue(&x509.Certificate{NotBefore: longAgo, NotAfter: farOff, Subject: pkix.Name{CommonName: "probe"}})
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(a.t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// tlsServer answers any HTTP request with 200 under cfg.
func tlsServer(t *testing.T, cfg *tls.Config) string {
	return listen(t, func(conn net.Conn) {
		then("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", hang)(tls.Server(conn, cfg))
	})
}

func tlsCheck(kind config.CheckType, change func(*config.TLSCheck)) *config.Check {
	check := httpCheck(func(c *config.Check) {
		c.Type, c.TLS = kind, &config.TLSCheck{}
		change(c.TLS)
		if kind == config.CheckTLS {
			c.HTTP = nil
		}
	})
	return check
}

func TestTLS(t *testing.T) {
	ca := newAuthority(t, "our own CA")
	certs := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	good := certs(ca.server(longAgo, farOff))
	soon := time.Now().Add(48 * time.Hour)
	tests := []struct {
		name    string
		server  *tls.Config
		change  func(*config.TLSCheck)
		warning string
		expiry  time.Time
		kind    Kind
		text    string
	}{
		{name: "private CA, address", server: good, expiry: farOff},
		{name: "private CA, name", server: good, change: func(c *config.TLSCheck) { c.ServerName = "www.example.org" }},
		{name: "expires soon", server: certs(ca.server(longAgo, soon)),
			change:  func(c *config.TLSCheck) { c.WarnBefore = 72 * time.Hour },
			warning: "certificate expires on " + soon.UTC().Format("2006-01-02"), expiry: soon.UTC().Truncate(time.Second)},
		{name: "expires, but not soon", server: certs(ca.server(longAgo, soon)),
			change: func(c *config.TLSCheck) { c.WarnBefore = 24 * time.Hour }},

		{name: "expired", server: certs(ca.server(longAgo, longAgo.AddDate(1, 0, 0))), kind: CertificateExpired,
			text: "certificate expired on 2021-01-02"},
		{name: "not yet valid", server: certs(ca.server(farOff.AddDate(-1, 0, 0), farOff)), kind: CertificateNotYetValid,
			text: "certificate not valid before 2119-01-02"},
		{name: "unknown authority", server: good, change: func(c *config.TLSCheck) { c.CA = newAuthority(t, "other").pem },
			kind: UnknownAuthority, text: `certificate signed by unknown authority "our own CA"`},
		{name: "system roots", server: good, change: func(c *config.TLSCheck) { c.CA = nil },
			kind: UnknownAuthority, text: `certificate signed by unknown authority "our own CA"`},
		{name: "wrong name", server: good, change: func(c *config.TLSCheck) { c.ServerName = "api.example.org" },
			kind: WrongName, text: "certificate is for www.example.org, 127.0.0.1, not for api.example.org"},
		{name: "wrong address",
			server: certs(ca.issue(&x509.Certificate{
				NotBefore: longAgo, NotAfter: farOff, DNSNames: []string{"a", "b", "c", "d", "e"},
			})),
			kind: WrongName, text: "certificate is for a, b, c and 2 more, not for 127.0.0.1"},
		{name: "no common version", server: &tls.Config{
			Certificates: good.Certificates, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10,
		},
			kind: TLSError, text: "the peer refused TLS: protocol version not supported"},
	}
	for _, kind := range []config.CheckType{config.CheckTLS, config.CheckHTTPS} {
		for _, test := range tests {
			t.Run(string(kind)+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				check := tlsCheck(kind, func(c *config.TLSCheck) {
					c.CA = ca.pem
					if test.change != nil {
						test.change(c)
					}
				})
				target := targetAt(t, check, tlsServer(t, test.server))
				if test.kind != None {
					got := wantFailure(t, target, test.kind, test.text)
					assert.Positive(t, got.Phases.TLS)
					return
				}
				got := probeTimed(t, target)
				require.Equal(t, Reason{}, got.Reason)
				assert.Equal(t, test.warning, got.Warning)
				assert.Positive(t, got.Phases.TLS)
				if !test.expiry.IsZero() {
					assert.Equal(t, test.expiry, got.CertificateExpiry)
				}
			})
		}
	}
}

func TestClientCertificate(t *testing.T) {
	ca := newAuthority(t, "our own CA")
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		address := tlsServer(t, &tls.Config{Certificates: []tls.Certificate{ca.server(longAgo, farOff)},
			ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, MaxVersion: version})
		t.Run(tls.VersionName(version), func(t *testing.T) {
			with := tlsCheck(config.CheckHTTPS, func(c *config.TLSCheck) {
				c.CA = ca.pem
				c.ClientCert, c.ClientKey = ca.client()
			})
			require.Equal(t, Reason{}, probeTimed(t, targetAt(t, with, address)).Reason)
			without := tlsCheck(config.CheckHTTPS, func(c *config.TLSCheck) { c.CA = ca.pem })
			want := map[uint16]string{tls.VersionTLS12: "handshake failure", tls.VersionTLS13: "certificate required"}[version]
			wantFailure(t, targetAt(t, without, address), TLSError, "the peer refused TLS: "+want)
		})
	}
}

func TestTLSPeersThatMisbehave(t *testing.T) {
	for _, test := range []struct {
		name  string
		serve func(net.Conn)
		hurry bool
		kind  Kind
		text  string
	}{
		{"hangs in handshake", hang, true, TLSTimeout, "timeout after 500ms in TLS handshake"},
		{"dribbles in handshake", trickling("\x16\x03\x03\x40\x00" + string(make([]byte, 1000))), true, TLSTimeout,
			"timeout after 500ms in TLS handshake"},
		{"speaks something else", greeting("HTTP/1.1 400 Bad Request\r\n\r\n"), false, TLSError, "the peer does not speak TLS"},
		{"closes", func(c net.Conn) { io.ReadFull(c, make([]byte, 5)); c.(*net.TCPConn).CloseWrite(); hang(c) }, false, Closed,
			"connection closed in TLS handshake"},
		{"resets", func(c net.Conn) { io.ReadFull(c, make([]byte, 5)); c.(*net.TCPConn).SetLinger(0) }, false, Closed,
			"connection reset in TLS handshake"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := httpCheck(func(c *config.Check) {
				c.Type = config.CheckTLS
				if test.hurry {
					c.Timeout = 500 * time.Millisecond
				}
			})
			wantFailure(t, targetAt(t, check, listen(t, test.serve)), test.kind, test.text)
		})
	}
}

func TestServerName(t *testing.T) {
	for _, test := range []struct {
		name, host, serverName, want string
	}{
		{"server name first", "www.example.org", "api.example.org", "api.example.org"},
		{"then the host", "www.example.org:8443", "", "www.example.org"},
		{"an address in brackets", "[2001:db8::1]:8443", "", "2001:db8::1"},
		{"an address alone", "[2001:db8::1]", "", "2001:db8::1"},
		{"nothing", "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := httpCheck(func(c *config.Check) {
				c.Type, c.HTTP.Host, c.TLS = config.CheckHTTPS, test.host, &config.TLSCheck{ServerName: test.serverName}
			})
			got, err := newHTTPChecker(check, nil)
			require.NoError(t, err)
			assert.Equal(t, test.want, got.(*httpChecker).tls.config.ServerName)
		})
	}
}

func TestBrokenTLSFilesAreRefused(t *testing.T) {
	_, err := newTCPChecker(tlsCheck(config.CheckTLS, func(c *config.TLSCheck) { c.CA = []byte("x") }), nil)
	assert.EqualError(t, err, "tls.ca: no certificate in PEM")
	_, err = newTCPChecker(tlsCheck(config.CheckTLS, func(c *config.TLSCheck) { c.ClientCert = []byte("x") }), nil)
	assert.ErrorContains(t, err, "tls.client_cert: ")
}
