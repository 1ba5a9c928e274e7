package feed

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/xds"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// listenXDS has the site give by xDS at an address of its own until the test ends.
func (s *site) listenXDS() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.serveXDS(ctx, l) }()
	s.t.Cleanup(func() {
		cancel()
		require.NoError(s.t, <-done)
	})
	return l.Addr().String()
}

// backends are gRPC servers that count their calls, at the addresses of the site's endpoints, all at one port.
type backends struct {
	port int
	mu   sync.Mutex
	// calls are by address; guarded by mu.
	calls map[string]int
	// stop ends the one at an address.
	stop map[string]func()
}

func startBackends(t testing.TB, addresses ...string) *backends {
	b := &backends{calls: make(map[string]int), stop: make(map[string]func())}
	for _, a := range addresses {
		l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", a, b.port))
		require.NoError(t, err)
		b.port = l.Addr().(*net.TCPAddr).Port
		g := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			b.mu.Lock()
			b.calls[a]++
			b.mu.Unlock()
			return h(ctx, req)
		}))
		healthpb.RegisterHealthServer(g, health.NewServer())
		go func() { _ = g.Serve(l) }()
		b.stop[a] = g.Stop
		t.Cleanup(g.Stop)
	}
	return b
}

// take is how many calls each had, and begins anew.
func (b *backends) take() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.calls
	b.calls = make(map[string]int)
	return out
}

// bootstrap is that of a client of servers.
func bootstrap(t testing.TB, id, metadata string, servers ...string) resolver.Builder {
	var list []string
	for _, s := range servers {
		list = append(list, fmt.Sprintf(`{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3", "ignore_resource_deletion"]}`, s))
	}
	b, err := xds.NewXDSResolverWithConfigForTesting([]byte(fmt.Sprintf(`{"xds_servers": [%s], "node": {"id": %q, "metadata": {%s}}}`, strings.Join(list, ","), id, metadata)))
	require.NoError(t, err)
	return b
}

// A caller is a gRPC client.
type caller struct {
	t    testing.TB
	conn *grpc.ClientConn
}

func dial(t testing.TB, b resolver.Builder, target string) *caller {
	conn, err := grpc.NewClient("xds:///"+target, grpc.WithResolvers(b), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &caller{t, conn}
}

func (c *caller) call() error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, err := healthpb.NewHealthClient(c.conn).Check(ctx, &healthpb.HealthCheckRequest{}, grpc.WaitForReady(true))
	return err
}

func (c *caller) calls(n int) {
	c.t.Helper()
	for range n {
		require.NoError(c.t, c.call())
	}
}

// loopback has the zone's endpoints at loopback addresses, in a test.
func loopback(s string) string { return strings.ReplaceAll(s, "192.0.2.", "127.0.91.") }

// TestXDS: grpc-go's own client shares as DNS does, moves at a drain, fails over by itself to what would be answered next, never to what is drained,
// and each of its acknowledgements is known.
func TestXDS(t *testing.T) {
	s := newSiteOf(t, loopback(zoneText), true)
	b := startBackends(t, "127.0.91.1", "127.0.91.2", "127.0.91.3")
	c := dial(t, bootstrap(t, "one", "", s.listenXDS()), fmt.Sprintf("www.example.org:%d", b.port))
	c.calls(400)
	got := b.take()
	require.Zero(t, got["127.0.91.3"])
	require.InDelta(t, 300, got["127.0.91.1"], 60, "by chance, three quarters: %v", got)
	there, silent := s.hub.counts(kindXDS)
	require.Equal(t, []int{1, 0}, []int{there, silent})
	require.Eventually(t, func() bool { return s.hub.unconfirmed() == 0 }, time.Minute, time.Millisecond)
	next := ledger.Holding{Owner: "www.example.org.", RData: "127.0.91.3"}
	s.stamped(next, 30*time.Second)

	s.swap("one")
	s.confirms("127.0.91.1")
	// grpc-go acknowledges what it has accepted, and uses it a moment later.
	require.Eventually(t, func() bool {
		b.take()
		c.calls(50)
		return b.take()["127.0.91.2"] == 50
	}, time.Minute, time.Millisecond)

	// It dies before anybody has judged: the client turns to the next tier by itself.
	b.stop["127.0.91.2"]()
	// The call that is under way with it fails.
	require.Eventually(t, func() bool { return c.call() == nil }, time.Minute, time.Millisecond)
	b.take()
	c.calls(50)
	require.Equal(t, map[string]int{"127.0.91.3": 50}, b.take())

	// What is drained is not even next.
	s.swap("three")
	s.confirms("127.0.91.3")
	require.NoError(t, c.conn.Close())
	require.Eventually(t, func() bool { there, silent := s.hub.counts(kindXDS); return there == 0 && silent == 1 }, time.Minute, time.Millisecond)
}

// confirms waits until the one subscriber has confirmed that an address left.
func (s *site) confirms(rdata string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		s.hub.mu.Lock()
		defer s.hub.mu.Unlock()
		for _, r := range s.hub.rows {
			if r.rdata == ledger.RDataKeyOf(rdata) {
				return r.confirmed == 1 && len(r.pending) == 0
			}
		}
		return false
	}, time.Minute, time.Millisecond)
}

// TestXDSKeepsLast: a client that loses its node goes on with its last word, and asks the next one that its server's name leads to.
func TestXDSKeepsLast(t *testing.T) {
	s := newSiteOf(t, loopback(zoneText), true)
	b := startBackends(t, "127.0.91.1", "127.0.91.2")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.server.serveXDS(ctx, l) }()
	c := dial(t, bootstrap(t, "one", "", l.Addr().String()), fmt.Sprintf("www.example.org:%d", b.port))
	c.calls(1)
	cancel()
	require.NoError(t, <-done)
	c.calls(50)
	l, err = net.Listen("tcp", l.Addr().String())
	require.NoError(t, err)
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	go func() { done <- s.server.serveXDS(ctx, l) }()
	require.Eventually(t, func() bool { there, _ := s.hub.counts(kindXDS); return there == 1 }, time.Minute, time.Millisecond)
	s.swap("one")
	require.Eventually(t, func() bool {
		b.take()
		c.calls(20)
		return b.take()["127.0.91.1"] == 0
	}, time.Minute, 10*time.Millisecond)
}

// TestXDSClasses: a client gets what its address gets, which it may name.
func TestXDSClasses(t *testing.T) {
	s := newSiteOf(t, loopback(zoneText), true)
	b := startBackends(t, "127.0.91.1", "127.0.91.2", "127.0.91.3")
	at := s.listenXDS()
	c := dial(t, bootstrap(t, "one", `"client": "198.51.100.7"`, at), fmt.Sprintf("local.example.org:%d", b.port))
	c.calls(20)
	require.Equal(t, map[string]int{"127.0.91.3": 20}, b.take())
	other := dial(t, bootstrap(t, "two", "", at), fmt.Sprintf("local.example.org:%d", b.port))
	other.calls(20)
	require.Zero(t, b.take()["127.0.91.3"])
}

// TestXDSUnknown: a name that nobody answers does not become a service, and takes nothing from the others.
func TestXDSUnknown(t *testing.T) {
	s := newSiteOf(t, loopback(zoneText), true)
	c := dial(t, bootstrap(t, "one", "", s.listenXDS()), "none.example.org:1")
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := healthpb.NewHealthClient(c.conn).Check(ctx, &healthpb.HealthCheckRequest{})
	require.Error(t, err)
}

func TestSplitResource(t *testing.T) {
	for text, want := range map[string]string{"a.example": "a.example 0 true", "a.example:1": "a.example 1 true", "a:0": "a 0 false", "a:65536": "a 0 false", ":1": " 1 false", "": " 0 false", "a:b": "a 0 false"} {
		host, port, ok := splitResource(text)
		require.Equal(t, want, fmt.Sprint(host, " ", port, " ", ok), text)
	}
}

// TestNext: what keeps data is never told as next, nor is what is drained or what is a last resort.
func TestNext(t *testing.T) {
	next := func(s *site, name string) (out []string) {
		lease := s.Enter(0)
		defer lease.Leave()
		n, err := parseName(name)
		require.NoError(t, err)
		q := s.server.question(n, 0, client{})
		g, ok := lease.Snapshot.Give(&q, time.Now())
		require.True(t, ok)
		for _, m := range g.Next {
			out = append(out, m.Data)
		}
		return out
	}
	s := newSiteOf(t, zoneText, true)
	require.Equal(t, []string{"192.0.2.3"}, next(s, "www.example.org"))
	require.Empty(t, next(s, "srv.example.org"), "there is no other tier")
	s.swap("one", "two")
	require.Empty(t, next(s, "www.example.org"), "what is left answers already")
	s = newSiteOf(t, strings.Replace(zoneText, "far: {region: us,", "far: {region: us, stateful: true,", 1), true)
	require.Empty(t, next(s, "www.example.org"), "outside its turn a pool that keeps data is never told of")
	require.Empty(t, next(newSite(t), "www.example.org"), "nobody is told")
}
