package probe

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// http2Target is a target of type https that wants h2, served by handler.
func http2Target(t *testing.T, enable bool, handler http.HandlerFunc, body string) health.Target {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = enable
	s.StartTLS()
	t.Cleanup(s.Close)
	leaf, err := x509.ParseCertificate(s.TLS.Certificates[0].Certificate[0])
	require.NoError(t, err)
	host, port, err := net.SplitHostPort(s.Listener.Addr().String())
	require.NoError(t, err)
	p, err := strconv.Atoi(port)
	require.NoError(t, err)
	check := &config.Check{
		Name: "h2", Type: config.CheckHTTPS, Interval: 2 * time.Second, Timeout: time.Second, Fall: 1, Rise: 1,
		HTTP: &config.HTTPCheck{Method: "GET", Path: "/readyz", Host: "example.com", Status: []config.StatusRange{{First: 200, Last: 299}}, Body: body, HTTP2: true},
		TLS:  &config.TLSCheck{CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw})},
	}
	return health.Target{Check: check, Host: host, Port: uint16(p)}
}

func TestHTTP2(t *testing.T) {
	for _, tt := range []struct {
		name    string
		enable  bool
		handler http.HandlerFunc
		body    string
		ok      bool
		reason  string
	}{
		{"ok", true, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto, " ", r.Host) }, "HTTP/2.0 example.com", true, ""},
		{"status", true, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, "", false, "status 503, want 200-299"},
		{"body", true, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "no") }, "ready", false, "ready"},
		{"a server without it", false, func(http.ResponseWriter, *http.Request) {}, "", false, ""},
		{"a hang", true, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "", false, "timeout after 1s before the first byte"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := time.Now()
			r := Once(t.Context(), http2Target(t, tt.enable, tt.handler, tt.body), Options{})
			require.Equal(t, tt.ok, r.OK, r.Reason.Text)
			require.Contains(t, r.Reason.Text, tt.reason)
			require.Less(t, time.Since(start), 5*time.Second)
			if tt.ok {
				require.NotZero(t, r.Phases.FirstByte)
			}
			t.Logf("%v: %s", r.Phases, r.Reason.Text)
		})
	}
}
