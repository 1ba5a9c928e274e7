package probe

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/fleet"
)

// A fakeFleet is one node of another cluster.
type fakeFleet struct {
	*httptest.Server
	key  ed25519.PrivateKey
	says fleet.Summary
	// status is that of the reply, if it is not 200; replay has it give the first reply again and again. asked counts requests.
	status int
	replay bool
	first  []byte
	asked  atomic.Int64
}

func newFakeFleet(t *testing.T, seed byte, says fleet.Summary) *fakeFleet {
	f := &fakeFleet{key: ed25519.NewKeyFromSeed(append(make([]byte, 31), seed)), says: says}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.asked.Add(1)
		if f.status != 0 || r.URL.Path != fleet.Path || r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(max(f.status, http.StatusUnauthorized))
			return
		}
		s := f.says
		s.Nonce, s.Service = r.URL.Query().Get("nonce"), r.URL.Query().Get("service")
		signed, _ := s.Sign(f.key)
		b, _ := json.Marshal(signed)
		if f.first == nil {
			f.first = b
		}
		if f.replay {
			b = f.first
		}
		_, _ = w.Write(b)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeFleet) public() ed25519.PublicKey { return f.key.Public().(ed25519.PublicKey) }

// TestFleet: what nodes of another cluster have to say, and how, for a service there to be up.
func TestFleet(t *testing.T) {
	well := fleet.Summary{Cluster: "b", Node: "b1", State: fleet.Up, BoundSeconds: 30}
	var warnBefore time.Duration
	ask := func(t *testing.T, nodes ...*fakeFleet) Result {
		c := &config.Check{Type: config.CheckFleet, Timeout: 2 * time.Second, Fleet: &config.FleetCheck{Bound: time.Minute, Headers: []config.Header{{Name: "Authorization", Value: "Bearer t"}}}, TLS: &config.TLSCheck{WarnBefore: warnBefore}}
		for _, n := range nodes {
			c.Fleet.URLs, c.Fleet.Keys = append(c.Fleet.URLs, n.URL), append(c.Fleet.Keys, n.public())
			c.TLS.CA = append(c.TLS.CA, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Certificate().Raw})...)
		}
		return Once(context.Background(), health.Target{Host: "WWW.b.example.net.", Check: c}, Options{})
	}
	with := func(change func(s *fleet.Summary)) fleet.Summary { s := well; change(&s); return s }

	t.Run("up", func(t *testing.T) { require.True(t, ask(t, newFakeFleet(t, 1, well)).OK) })
	for name, tt := range map[string]struct {
		says fleet.Summary
		want string
	}{
		"dark":     {with(func(s *fleet.Summary) { s.State = fleet.Dark }), "b1 says that www.b.example.net is dark"},
		"slow":     {with(func(s *fleet.Summary) { s.BoundSeconds = 61 }), "names a bound of 1m1s for www.b.example.net, want at most 1m0s"},
		"no bound": {with(func(s *fleet.Summary) { s.BoundSeconds = 0 }), "names no bound"},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(t, newFakeFleet(t, 1, tt.says))
			require.False(t, r.OK)
			require.Contains(t, r.Reason.Text, tt.want)
		})
	}
	t.Run("degraded is up", func(t *testing.T) {
		r := ask(t, newFakeFleet(t, 1, with(func(s *fleet.Summary) { s.State = fleet.Degraded })))
		require.True(t, r.OK)
		require.Contains(t, r.Warning, "degraded")
	})
	t.Run("a certificate that expires soon", func(t *testing.T) {
		n := newFakeFleet(t, 1, with(func(s *fleet.Summary) { s.State = fleet.Degraded }))
		warnBefore = time.Until(n.Certificate().NotAfter) + time.Hour
		defer func() { warnBefore = 0 }()
		r := ask(t, n)
		require.True(t, r.OK)
		require.Equal(t, "b1 says that it is degraded; certificate expires on "+day(n.Certificate().NotAfter), r.Warning)
		require.Equal(t, n.Certificate().NotAfter, r.CertificateExpiry)
	})
	t.Run("another key", func(t *testing.T) {
		n := newFakeFleet(t, 1, well)
		c := n.key
		r := func() Result {
			n.key = ed25519.NewKeyFromSeed(append(make([]byte, 31), 9))
			defer func() { n.key = c }()
			stranger := newFakeFleet(t, 1, well)
			stranger.key = n.key
			check := &config.Check{Type: config.CheckFleet, Timeout: 2 * time.Second, Fleet: &config.FleetCheck{URLs: []string{stranger.URL}, Keys: []ed25519.PublicKey{c.Public().(ed25519.PublicKey)}, Bound: time.Minute,
				Headers: []config.Header{{Name: "Authorization", Value: "Bearer t"}}}, TLS: &config.TLSCheck{CA: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Certificate().Raw})}}
			return Once(context.Background(), health.Target{Host: "www.b.example.net.", Check: check}, Options{})
		}()
		require.False(t, r.OK)
		require.Contains(t, r.Reason.Text, "signed by none of the keys")
	})
	t.Run("a replay", func(t *testing.T) {
		n := newFakeFleet(t, 1, well)
		require.True(t, ask(t, n).OK)
		n.replay = true
		r := ask(t, n)
		require.False(t, r.OK)
		require.Contains(t, r.Reason.Text, "an answer to another question")
	})
	t.Run("one of three answers", func(t *testing.T) {
		dead, shut := newFakeFleet(t, 1, well), newFakeFleet(t, 2, well)
		dead.Close()
		shut.status = http.StatusServiceUnavailable
		for range 5 {
			r := ask(t, dead, shut, newFakeFleet(t, 3, well))
			require.True(t, r.OK, r.Reason.Text)
		}
		r := ask(t, dead, shut)
		require.False(t, r.OK)
		require.Contains(t, r.Reason.Text, "no word of the other fleet: ")
	})
	t.Run("one that is isolated is believed last", func(t *testing.T) {
		alone := newFakeFleet(t, 1, with(func(s *fleet.Summary) { s.Isolated, s.State = true, fleet.Dark }))
		for range 5 {
			require.True(t, ask(t, alone, newFakeFleet(t, 2, well)).OK)
		}
		require.False(t, ask(t, alone).OK)
	})
	t.Run("a stranger's certificate", func(t *testing.T) {
		n := newFakeFleet(t, 1, well)
		c := &config.Check{Type: config.CheckFleet, Timeout: 2 * time.Second, Fleet: &config.FleetCheck{URLs: []string{n.URL}, Keys: []ed25519.PublicKey{n.public()}, Bound: time.Minute}}
		r := Once(context.Background(), health.Target{Host: "www.b.example.net.", Check: c}, Options{})
		require.False(t, r.OK)
		require.Zero(t, n.asked.Load(), "nothing is asked of whom the CA does not know")
	})
}
