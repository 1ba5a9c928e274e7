package latehit

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
)

// A pipeListener is a listener in a bubble: who dials gets one end of a pipe.
type pipeListener struct {
	conns chan net.Conn
	end   chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.end:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(context.Context, string, string) (net.Conn, error) {
	here, there := net.Pipe()
	l.conns <- there
	return here, nil
}

// A hitServer counts requests to endpoints, by path.
type hitServer struct {
	mu     sync.Mutex
	counts map[string]int
	asked  map[string]int
	broken bool
}

func (s *hitServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked[r.Host]++
	if s.broken {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	fmt.Fprintf(w, `{"requests":{"a":%d}}`, s.counts[r.Host])
}

// asks is how often each host was asked.
func (s *hitServer) asks() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asked)
}

func (s *hitServer) hit(host string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[host] += n
}

// countedZone has endpoints that count in eu, and others in us.
const countedZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, late_hits: {json: "http://{address}/{az}", path: "$.requests.{endpoint}"}, endpoints: [
    {name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.11], az: us-a}, {name: b, addresses: [192.0.2.12], az: us-b}]}
services:
  www: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}}
  api: {tiers: [{eu: 1}, {us: 1}], failback: {hold: 5s}, ttl: {mode: horizon}}
`

// countedEndpoint is one of those that count.
var countedEndpoint = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "eu", Endpoint: "a"}

// caches is what a node assumes of resolvers whose file says nothing of them.
var caches = config.DefaultNode().Caches

// countedNode is a node in a bubble that reads, from s, what the endpoints of eu count.
func countedNode(t *testing.T) (n *answertest.Node, s *hitServer, r *Reader) {
	t.Helper()
	z, problems := config.Parse("zone.yaml", []byte(countedZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	n = answertest.Start(t, z)
	n.See(health.Up, "eu", "us")
	l := &pipeListener{conns: make(chan net.Conn), end: make(chan struct{})}
	s = &hitServer{counts: make(map[string]int), asked: make(map[string]int)}
	server := &http.Server{Handler: s}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	r = New(Options{
		Incidents: n.Engine, Caches: func() config.Caches { return caches }, Dial: l.dial, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	read := make(chan struct{})
	go func() {
		defer close(read)
		tick := time.NewTicker(Interval)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				r.Turn(ctx, time.Now())
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		close(l.end)
		<-served
		require.NoError(t, server.Shutdown(context.Background()))
	})
	return n, s, r
}

// TestHitReader: what an endpoint counts after it was drained is laid over the bound, and nothing is late that may have been on time.
func TestHitReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, r := countedNode(t)
		const host = "192.0.2.1"
		s.hit(host, 1000)
		time.Sleep(20 * time.Second) // in a bubble
		require.Empty(t, s.asks(), "it is in the answers")
		_, err := n.Intend(health.Intent{
			Kind: health.IntentDrain, Scope: countedEndpoint, Actor: "ada", Reason: "x", End: time.Now().Add(2 * time.Hour),
		})
		require.NoError(t, err)
		incident := func() *ledger.Incident { return n.Incidents()[0] }
		time.Sleep(6 * time.Second) // in a bubble
		require.Equal(t, &ledger.Counted{LateHits: ledger.LateHits{Source: "json"}}, incident().Counted, "what came before is no late hit")
		s.hit(host, 7)
		time.Sleep(6 * time.Second) // in a bubble
		i := incident()
		require.True(t, i.Known())
		require.Equal(t, uint64(7), i.Counted.Count)
		require.Zero(t, i.Counted.AfterBound)
		require.Contains(t, strings.Join(i.HitLines(), "\n"), "before the bound; over-stayers: 0")

		time.Sleep(time.Until(i.SafeAt) + 7*time.Second) // in a bubble
		s.hit(host, 5)
		time.Sleep(6 * time.Second) // in a bubble
		require.Equal(t, map[string]uint64{ledger.StayedClamped: 5}, incident().Counted.ByClass)
		clamped := i.ClampedAt(caches.Clamp, caches.Transit)
		time.Sleep(time.Until(clamped) + 7*time.Second) // in a bubble
		s.hit(host, 2)
		time.Sleep(6 * time.Second) // in a bubble
		i = incident()
		require.Equal(t, map[string]uint64{ledger.StayedClamped: 5, ledger.StayedBeyond: 2}, i.Counted.ByClass)
		require.Equal(t, uint64(14), i.Counted.Count)
		require.Contains(t, i.Markdown(), "over-stayers: 7, 2 beyond, 5 clamped.")

		// A counter that begins anew counts nothing; one that fails says why, and loses nothing meanwhile.
		s.hit(host, -500)
		time.Sleep(6 * time.Second) // in a bubble
		s.mu.Lock()
		s.broken = true
		s.mu.Unlock()
		s.hit(host, 3)
		time.Sleep(6 * time.Second) // in a bubble
		require.Equal(t, map[string]string{"eu/a": "status 500"}, incident().Counted.Unread)
		require.Contains(t, incident().HitLines(), "late hits at eu/a are not read: status 500")
		s.mu.Lock()
		s.broken = false
		s.mu.Unlock()
		time.Sleep(6 * time.Second) // in a bubble
		require.Empty(t, incident().Counted.Unread)
		require.Equal(t, uint64(17), incident().Counted.Count)
		require.Equal(t, 7.0, testutil.ToFloat64(r.hits.WithLabelValues("example.org.", onTime)))
		require.Equal(t, 5.0, testutil.ToFloat64(r.hits.WithLabelValues("example.org.", ledger.StayedBeyond)))

		// Long after, once a minute is enough; the others were never asked.
		time.Sleep(readLate) // in a bubble
		was := s.asks()[host]
		time.Sleep(10 * time.Minute) // in a bubble
		require.InDelta(t, 10, s.asks()[host]-was, 1)
		require.Len(t, s.asks(), 1)
	})
}

// TestHitReaderOneService: an endpoint that other services answer with has their clients, none of which stayed too long.
func TestHitReaderOneService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, s, _ := countedNode(t)
		_, err := n.Intend(health.Intent{
			Kind: health.IntentDrain, Scope: countedEndpoint, Service: "www.example.org.", Actor: "ada", Reason: "x", End: time.Now().Add(2 * time.Hour),
		})
		require.NoError(t, err)
		for range 80 {
			time.Sleep(Interval) // in a bubble
			s.hit("192.0.2.1", 100)
		}
		i := n.Incidents()[0]
		require.Equal(t, "www.example.org.", i.Endpoints[0].Service)
		require.True(t, i.Known())
		require.Nil(t, i.Counted)
	})
}

// TestHitReaderUnknown: while a node has not confirmed what joined an incident later, the bound that was known says nothing.
func TestHitReaderUnknown(t *testing.T) {
	r := &Reader{last: make(map[hitKey]hitReading), hits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hits"}, []string{"zone", "class"})}
	bound := time.Now()
	i := &ledger.Incident{ID: "i", Zone: "example.org.", SafeAt: bound}
	to, at := new(ledger.Counted), bound
	read := func(value float64) {
		at = at.Add(Interval)
		j := &hitJob{key: hitKey{"i", "eu/b"}, counter: &config.HitCounter{URL: "http://192.0.2.1/", Path: "$"}}
		j.reading = hitReading{value: value, begun: at, done: at}
		r.add(to, i, j, bound.Add(time.Minute))
	}
	read(10)
	i.Unknown = []ledger.Silent{{Node: "n2"}}
	read(15)
	require.Equal(t, uint64(5), to.Count)
	require.Zero(t, to.AfterBound)
	i.Unknown = nil
	read(18)
	require.Equal(t, uint64(8), to.Count)
	require.Equal(t, uint64(3), to.AfterBound)
}
