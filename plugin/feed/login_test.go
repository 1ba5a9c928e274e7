package feed

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
)

// issue writes a certificate and its key, signed by a CA or, where ca is nil, by itself.
func issue(t *testing.T, dir, name string, ca *tls.Certificate) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	packed, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	cert, secret := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: packed})
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".crt"), cert, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, name+".key"), secret, 0o600))
	pair, err := tls.X509KeyPair(cert, secret)
	require.NoError(t, err)
	return pair
}

// TestLogins: with TLS nobody listens without a token of any role or a certificate of the CA, over HTTP and by xDS; guesses are locked out.
func TestLogins(t *testing.T) {
	s, dir := newSite(t), t.TempDir()
	ca := issue(t, dir, "ca", nil)
	issue(t, dir, "server", &ca)
	app, stranger := issue(t, dir, "app", &ca), issue(t, dir, "stranger", nil)
	tokens, err := token.Open(filepath.Join(dir, "tokens.json"))
	require.NoError(t, err)
	_, secret, err := tokens.Create("app", "viewer", "test", time.Now(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	file := func(name string) string { return filepath.Join(dir, name) }
	web, xds := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t)), fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
	server, err := New(Options{Source: s, Tokens: tokens, Hub: s.hub, Config: &config.Feed{
		HTTP: web, XDS: xds, Connections: 100, PerClient: 100, Rate: 1000, TLS: &config.AdminTLS{Cert: file("server.crt"), Key: file("server.key"), ClientCA: file("ca.crt")},
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	roots := x509.NewCertPool()
	roots.AddCert(ca.Leaf)
	get := func(bearer string, certs ...tls.Certificate) int {
		c := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}, DisableKeepAlives: true}}
		req, err := http.NewRequest(http.MethodGet, "https://"+web+"/resolve?name=www.example.org", nil)
		require.NoError(t, err)
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		r, err := c.Do(req)
		if err != nil {
			return 0
		}
		r.Body.Close()
		return r.StatusCode
	}
	stream := func(bearer string, certs ...tls.Certificate) codes.Code {
		conn, err := grpc.NewClient(xds, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots, Certificates: certs})))
		require.NoError(t, err)
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if bearer != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+bearer)
		}
		st, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
		if err != nil {
			return status.Code(err)
		}
		err = st.Send(&discovery.DiscoveryRequest{TypeUrl: xdsTypes[0], ResourceNames: []string{"www.example.org"}})
		if err == nil || errors.Is(err, io.EOF) {
			// A stream that has ended already says why to who receives.
			_, err = st.Recv()
		}
		return status.Code(err)
	}
	require.Equal(t, http.StatusOK, get(secret))
	require.Equal(t, http.StatusOK, get("", app))
	require.Equal(t, http.StatusUnauthorized, get(""))
	require.NotEqual(t, http.StatusOK, get("", stranger))
	require.Equal(t, codes.OK, stream(secret))
	require.Equal(t, codes.OK, stream("", app))
	require.Equal(t, codes.Unauthenticated, stream(""))
	require.NotEqual(t, codes.OK, stream("", stranger))
	for range door.MaxFailures {
		require.Equal(t, http.StatusUnauthorized, get("flt_wrong", app), "a wrong token is not made good by a certificate")
	}
	require.Equal(t, http.StatusTooManyRequests, get(secret))
	require.Equal(t, codes.Unavailable, stream(secret))
	require.Equal(t, http.StatusOK, get("", app), "a certificate is no guess")
	plain := http.Client{Timeout: 10 * time.Second}
	r, err := plain.Get("http://" + web + "/resolve?name=www.example.org")
	if err == nil {
		require.Equal(t, http.StatusBadRequest, r.StatusCode)
		r.Body.Close()
	}
}

func TestRates(t *testing.T) {
	r, now := newRates(3), time.Unix(1_800_000_000, 0)
	one, other := door.SourceOf("192.0.2.1:1"), door.SourceOf("192.0.2.2:1")
	for range 3 {
		require.True(t, r.allow(one, now))
	}
	require.False(t, r.allow(one, now))
	require.True(t, r.allow(other, now))
	require.True(t, r.allow(one, now.Add(time.Second)))
}
