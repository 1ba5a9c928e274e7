package grpcresolve_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/fairlead-dns/fairlead/client/grpcresolve"
	"github.com/fairlead-dns/fairlead/client/resolve"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

// A feed gives one name what a test says.
type feed struct {
	mu      sync.Mutex
	members []wire.Member // guarded by mu
	version int           // guarded by mu
	changed chan struct{} // guarded by mu
}

func (f *feed) set(members ...wire.Member) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.members = members
	f.version++
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != wire.WatchPath {
		return
	}
	fmt.Fprint(w, "event: hello\ndata: {}\n\n")
	for {
		f.mu.Lock()
		changed := f.changed
		b, _ := json.Marshal(wire.Change{Version: fmt.Sprint(f.version), Given: []wire.Given{{
			Name: "www.example.org.", ETag: fmt.Sprint(f.version), MaxAge: 30, Sets: map[string][]wire.Member{"A": f.members},
		}}})
		f.mu.Unlock()
		fmt.Fprintf(w, "event: given\ndata: %s\n\n", b)
		_ = http.NewResponseController(w).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

// server answers health checks, and holds those of the service slow until hold is closed.
type server struct {
	healthgrpc.UnimplementedHealthServer
	hold, held chan struct{}
}

func (s *server) Check(_ context.Context, req *healthgrpc.HealthCheckRequest) (*healthgrpc.HealthCheckResponse, error) {
	if req.Service == "slow" {
		close(s.held)
		<-s.hold
	}
	return &healthgrpc.HealthCheckResponse{Status: healthgrpc.HealthCheckResponse_SERVING}, nil
}

func serve(t *testing.T, address string, s *server) (port string) {
	t.Helper()
	l, err := net.Listen("tcp4", address)
	require.NoError(t, err)
	g := grpc.NewServer()
	healthgrpc.RegisterHealthServer(g, s)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

// TestResolver: calls go to who is in service, by weights that change, at once; one under way where it leaves goes on to its end.
func TestResolver(t *testing.T) {
	slow := &server{hold: make(chan struct{}), held: make(chan struct{})}
	port := serve(t, "127.0.9.11:0", slow)
	serve(t, "127.0.9.12:"+port, new(server))
	f := &feed{changed: make(chan struct{})}
	f.set(wire.Member{Data: "127.0.9.11", Weight: 3}, wire.Member{Data: "127.0.9.12", Weight: 1})
	node := httptest.NewServer(f)
	t.Cleanup(func() { node.CloseClientConnections(); node.Close() })
	r, err := resolve.New(resolve.Options{Nodes: []string{node.URL}})
	require.NoError(t, err)
	defer r.Close()
	conn, err := grpc.NewClient("fairlead:///www.example.org:"+port, grpc.WithResolvers(grpcresolve.New(r)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	check := func(service string) (string, error) {
		var p peer.Peer
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		_, err := healthgrpc.NewHealthClient(conn).Check(ctx, &healthgrpc.HealthCheckRequest{Service: service}, grpc.Peer(&p), grpc.WaitForReady(true))
		if err != nil {
			return "", err
		}
		return p.Addr.(*net.TCPAddr).IP.String(), nil
	}
	share := func(n int) map[string]int {
		count := make(map[string]int)
		for range n {
			who, err := check("")
			require.NoError(t, err)
			count[who]++
		}
		return count
	}
	require.Eventually(t, func() bool { return len(share(20)) == 2 }, 20*time.Second, time.Millisecond, "both are connected")
	require.InDelta(t, 600, share(800)["127.0.9.11"], 80)
	f.set(wire.Member{Data: "127.0.9.11", Weight: 1}, wire.Member{Data: "127.0.9.12", Weight: 9})
	require.Eventually(t, func() bool { return share(100)["127.0.9.11"] < 30 }, 20*time.Second, time.Millisecond, "other weights")

	f.set(wire.Member{Data: "127.0.9.11", Weight: 1})
	require.Eventually(t, func() bool { return len(share(20)) == 1 }, 20*time.Second, time.Millisecond)
	ended := make(chan error, 1)
	go func() {
		_, err := check("slow")
		ended <- err
	}()
	<-slow.held
	f.set(wire.Member{Data: "127.0.9.12", Weight: 1})
	require.Eventually(t, func() bool { return share(1)["127.0.9.12"] == 1 }, 20*time.Second, time.Millisecond, "the change")
	require.Equal(t, map[string]int{"127.0.9.12": 100}, share(100))
	close(slow.hold)
	require.NoError(t, <-ended)
}

// TestNoWord: a call fails with the reason, and not by its deadline.
func TestNoWord(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.9.13:0")
	require.NoError(t, err)
	l.Close()
	r, err := resolve.New(resolve.Options{Nodes: []string{"http://" + l.Addr().String()}, FirstWait: 50 * time.Millisecond})
	require.NoError(t, err)
	defer r.Close()
	conn, err := grpc.NewClient("fairlead:///www.example.org", grpc.WithResolvers(grpcresolve.New(r)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = healthgrpc.NewHealthClient(conn).Check(ctx, &healthgrpc.HealthCheckRequest{})
	require.Equal(t, codes.Unavailable, status.Code(err))
	require.ErrorContains(t, err, "no node can be asked")
}

func Example() {
	r, err := resolve.New(resolve.Options{Nodes: []string{"https://n1.example.org:8444", "https://n2.example.org:8444"}, Token: "secret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer r.Close()
	conn, err := grpc.NewClient("fairlead:///www.gslb.example.org:8443", grpc.WithResolvers(grpcresolve.New(r)), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err == nil {
		conn.Close()
	}
}
