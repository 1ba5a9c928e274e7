package integration

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	grpcresolver "google.golang.org/grpc/resolver"
	"google.golang.org/grpc/xds"

	"github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/client/grpcresolve"
	"github.com/fairlead-dns/fairlead/client/resolve"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// speedEnv has this program serve as a backend: ADDRESS HTTP-PORT GRPC-PORT.
	speedEnv = "FAIRLEAD_SPEED_BACKEND"
	// speedPace is how often each client asks, speedTimeout how long a request may take.
	speedPace    = 10 * time.Millisecond
	speedTimeout = time.Second
	// speedFault is for how long a fault is watched.
	speedFault = 8 * time.Second
	// speedSpread is how many caches, and channels of dns:///, ask in turn.
	speedSpread = 8
	speedOne    = "127.0.61.1"
	speedTwo    = "127.0.61.2"
	speedName   = "www.storm.example.org"
)

const speedZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
checks: {ready: {type: http, port: %[1]s, path: /healthz, interval: 1s, timeout: 500ms, fall: 2, rise: 2}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: one, addresses: [` + speedOne + `], az: eu-a}, {name: two, addresses: [` + speedTwo + `], az: eu-b}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 5s, min: 1s}, failback: {hold: 0s}}
`

const speedCorefile = `storm.example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		node DIR/node.yaml
		state DIR/state
	}
	errors
}
`

// serveSpeed is a backend: it answers HTTP with its address, and gRPC health checks.
func serveSpeed(text string) {
	f := strings.Fields(text)
	l, err := net.Listen("tcp4", net.JoinHostPort(f[0], f[2]))
	if err == nil {
		g := grpc.NewServer()
		healthgrpc.RegisterHealthServer(g, health.NewServer())
		go func() { _ = g.Serve(l) }()
		err = http.ListenAndServe(net.JoinHostPort(f[0], f[1]), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, f[0]) }))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A speedClient asks all the time; ask returns who answered.
type speedClient struct {
	name string
	ask  func(context.Context) (string, error)
	// renew makes ask anew before a trial, where a client does not come back by itself.
	renew func() func(context.Context) (string, error)

	mu    sync.Mutex
	calls []speedCall // guarded by mu
}

// A speedCall is one request: when it began, who answered, and whether nobody did.
type speedCall struct {
	begun  time.Time
	who    string
	failed bool
}

// run asks every speedPace until ctx ends, whatever earlier requests do.
func (c *speedClient) run(ctx context.Context, under *sync.WaitGroup) {
	tick := time.NewTicker(speedPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		under.Go(func() {
			begun := time.Now()
			asking, cancel := context.WithTimeout(context.Background(), speedTimeout)
			defer cancel()
			who, err := c.ask(asking)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.calls = append(c.calls, speedCall{begun, who, err != nil})
		})
	}
}

// since is how many of the requests that began in [from, to) there were, how many failed, and how long after from the last one began that
// failed or that dead answered; negative for none.
func (c *speedClient) since(from, to time.Time, dead string) (n, failed int, last time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last = -1
	for _, k := range c.calls {
		if k.begun.Before(from) || !k.begun.Before(to) {
			continue
		}
		n++
		if k.failed {
			failed++
		}
		if k.failed || k.who == dead {
			last = max(last, k.begun.Sub(from))
		}
	}
	return n, failed, last
}

// A speedBench has the node, two backends and the clients.
type speedBench struct {
	t                *testing.T
	node             *process
	api              *client.Client
	http, grpc       string
	feed, xds, agent string
	backends         map[string]*exec.Cmd
	clients          []*speedClient
	closers          []func()
}

// TestTwoSpeed: the ways to find an endpoint beside each other, 100 requests a second each, through drains, kills, hangs and the loss of the node. It
// prints the table of docs/two-speed.md; FAIRLEAD_TRIALS is how often each fault is tried.
func TestTwoSpeed(t *testing.T) {
	haproxyPath(t)
	waits(t)
	b := &speedBench{t: t, backends: make(map[string]*exec.Cmd), http: fmt.Sprint(suite.FreePort(t)), grpc: fmt.Sprint(suite.FreePort(t))}
	for _, a := range []string{speedOne, speedTwo} {
		b.serve(a)
	}
	b.startNode()
	b.dial()
	defer func() {
		for _, c := range b.closers {
			c()
		}
	}()
	for _, f := range []struct {
		name string
		do   func() (undo func())
		// lossless are clients that lose nothing; none may go on beyond the bound but what never listens.
		lossless []string
	}{
		{"drain", b.drain, []string{"Fairlead HTTP", "Fairlead gRPC", "xDS", "HAProxy", "honest DNS cache", "dns:///"}},
		{"kill", b.kill, nil},
		{"hang", b.hang, nil},
		{"feed down", b.feedDown, []string{"Fairlead HTTP", "Fairlead gRPC", "xDS", "HAProxy", "dns:///"}},
	} {
		b.fault(f.name, f.do, f.lossless)
	}
}

// serve starts a backend.
func (b *speedBench) serve(address string) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s", speedEnv, address, b.http, b.grpc))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(b.t, cmd.Start())
	b.backends[address] = cmd
	b.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	await(b.t, "the backend", func() bool {
		resp, err := http.Get("http://" + net.JoinHostPort(address, b.http) + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
}

func (b *speedBench) startNode() {
	dir := b.t.TempDir()
	b.node = &process{bin: binary(b.t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(b.t))}
	for _, d := range []string{"zones", "state"} {
		require.NoError(b.t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, at := range []*string{&b.feed, &b.xds, &b.agent} {
		*at = fmt.Sprintf("127.0.0.1:%d", suite.FreePort(b.t))
	}
	b.node.writeZone("storm.yaml", fmt.Sprintf(speedZone, b.http))
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, "node.yaml"), []byte(fmt.Sprintf("name: n1\nfeed: {http: %q, xds: %q, agent: %q}\n", b.feed, b.xds, b.agent)), 0o600))
	b.node.writeCorefile(speedCorefile)
	start(b.t, b.node, "serve", "-conf", filepath.Join(dir, "Corefile"))
	b.node.awaitHealthy()
	b.node.firstStart()
	var err error
	b.api, err = client.New(client.Options{Server: "unix:" + b.node.socket})
	require.NoError(b.t, err)
}

// again starts the node again after it was killed.
func (b *speedBench) again() {
	n := &process{bin: b.node.bin, dir: b.node.dir, socket: b.node.socket, dns: b.node.dns}
	b.node = start(b.t, n, "serve", "-conf", filepath.Join(n.dir, "Corefile"))
	b.node.awaitHealthy()
}

// dial makes the clients.
func (b *speedBench) dial() {
	r, err := resolve.New(resolve.Options{Nodes: []string{"http://" + b.feed}, Zones: []string{"storm.example.org"}})
	require.NoError(b.t, err)
	transport := r.NewTransport(nil)
	b.closers = append(b.closers, transport.Close, r.Close)
	get := func(c *http.Client, host func() string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host(), b.http)+"/", nil)
			if err != nil {
				return "", err
			}
			resp, err := c.Do(req)
			if err != nil {
				return "", err
			}
			defer resp.Body.Close()
			who, err := io.ReadAll(resp.Body)
			if resp.StatusCode != http.StatusOK {
				return "", fmt.Errorf("status %d", resp.StatusCode)
			}
			return string(who), err
		}
	}
	call := func(target string, builders ...grpcresolver.Builder) func(context.Context) (string, error) {
		conn, err := grpc.NewClient(target, grpc.WithResolvers(builders...), grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
		require.NoError(b.t, err)
		b.closers = append([]func(){func() { conn.Close() }}, b.closers...)
		return func(ctx context.Context) (string, error) {
			var p peer.Peer
			if _, err := healthgrpc.NewHealthClient(conn).Check(ctx, new(healthgrpc.HealthCheckRequest), grpc.Peer(&p)); err != nil {
				return "", err
			}
			return p.Addr.(*net.TCPAddr).IP.String(), nil
		}
	}
	bootstrap, err := xds.NewXDSResolverWithConfigForTesting([]byte(fmt.Sprintf(
		`{"xds_servers": [{"server_uri": %q, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3", "ignore_resource_deletion"]}], "node": {"id": "one"}}`, b.xds)))
	require.NoError(b.t, err)
	honest := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	b.clients = []*speedClient{
		{name: "Fairlead HTTP", ask: get(&http.Client{Transport: transport}, func() string { return speedName })},
		{name: "Fairlead gRPC", ask: call("fairlead:///"+speedName+":"+b.grpc, grpcresolve.New(r))},
		{name: "xDS", ask: call("xds:///"+speedName+":"+b.grpc, bootstrap)},
		{name: "HAProxy", ask: get(&http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100, DialContext: b.haproxy()}}, func() string { return speedName })},
		{name: "honest DNS cache", ask: spread(func() func(context.Context) (string, error) {
			return get(honest, (&speedCache{server: b.node.dns}).address)
		})},
		{name: "dns:///", renew: func() func(context.Context) (string, error) {
			return spread(func() func(context.Context) (string, error) {
				return call("dns://" + b.node.dns + "/" + speedName + ":" + b.grpc)
			})
		}},
	}
}

// speedHAProxy is a proxy beside the node, which probes for itself too, as its own manual has it.
const speedHAProxy = `global
    maxconn 2000
defaults
    mode http
    timeout connect 500ms
    timeout server 1s
    timeout client 10s
    option redispatch 1
    retries 2
frontend in
    bind %[1]s
    default_backend www
backend www
    balance roundrobin
    option httpchk GET /healthz
    default-server check inter 1s fall 2 rise 2 agent-check agent-addr %[2]s agent-port %[3]s agent-inter 500ms weight 100
    server one ` + speedOne + `:%[4]s agent-send "storm.example.org/web/one\n"
    server two ` + speedTwo + `:%[4]s agent-send "storm.example.org/web/two\n"
`

// haproxy starts one, and is how its clients reach it.
func (b *speedBench) haproxy() func(context.Context, string, string) (net.Conn, error) {
	at := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(b.t))
	host, port, _ := net.SplitHostPort(b.agent)
	path := filepath.Join(b.t.TempDir(), "haproxy.cfg")
	require.NoError(b.t, os.WriteFile(path, []byte(fmt.Sprintf(speedHAProxy, at, host, port, b.http)), 0o644))
	start(b.t, &process{bin: haproxyPath(b.t), dir: b.t.TempDir()}, "-db", "-f", path)
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", at)
	}
}

// haproxyPath is where the program is; without it the test is left out.
func haproxyPath(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("haproxy")
	if err != nil {
		t.Skip("no haproxy on this system")
	}
	return path
}

// spread is several clients in turn: each of those that resolve by themselves has one address at a time.
func spread(one func() func(context.Context) (string, error)) func(context.Context) (string, error) {
	var all []func(context.Context) (string, error)
	for range speedSpread {
		all = append(all, one())
	}
	var turn atomic.Uint64
	return func(ctx context.Context) (string, error) { return all[turn.Add(1)%speedSpread](ctx) }
}

// A speedCache is an honest cache of one name, which is asked again when the TTL is over.
type speedCache struct {
	server string
	mu     sync.Mutex
	addr   string    // guarded by mu
	until  time.Time // guarded by mu
}

func (c *speedCache) address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); !now.Before(c.until) {
		if m, _, err := ask("udp", c.server, speedName+".", dns.TypeA); err == nil && len(m.Answer) == 1 {
			c.addr, c.until = m.Answer[0].(*dns.A).A.String(), now.Add(time.Duration(m.Answer[0].Header().Ttl)*time.Second)
		}
	}
	return c.addr
}

// The faults: each is over when undo has returned.

func (b *speedBench) drain() func() {
	i, err := b.api.Intend(b.t.Context(), api.IntentRequest{
		Kind: "drain", Scope: api.Scope{Kind: "endpoint", Name: "storm.example.org/web/one"}, Reason: "CHG-1", ForSeconds: 600,
	})
	require.NoError(b.t, err)
	return func() {
		_, err := b.api.EndIntent(b.t.Context(), i.ID, api.EndRequest{Reason: "done"})
		require.NoError(b.t, err)
	}
}

func (b *speedBench) kill() func() {
	require.NoError(b.t, b.backends[speedOne].Process.Kill())
	return func() { b.serve(speedOne) }
}

func (b *speedBench) hang() func() {
	require.NoError(b.t, b.backends[speedOne].Process.Signal(syscall.SIGSTOP))
	return func() { require.NoError(b.t, b.backends[speedOne].Process.Signal(syscall.SIGCONT)) }
}

func (b *speedBench) feedDown() func() {
	require.NoError(b.t, b.node.cmd.Process.Kill())
	<-b.node.exited
	return b.again
}

// fault tries one fault again and again, and prints a row of the table for each client.
func (b *speedBench) fault(name string, do func() func(), lossless []string) {
	type row struct {
		n, failed int
		last      []time.Duration
	}
	rows := make(map[string]*row)
	count := trials(1)
	for range count {
		b.settle()
		ctx, cancel := context.WithCancel(b.t.Context())
		var running, under sync.WaitGroup
		for _, c := range b.clients {
			c.calls = nil
			running.Go(func() { c.run(ctx, &under) })
		}
		time.Sleep(time.Second) // requests in peace
		dead := speedOne
		if name == "feed down" {
			dead = ""
		}
		from := time.Now()
		undo := do()
		time.Sleep(speedFault) // requests while the fault lasts
		to := time.Now()
		cancel()
		running.Wait()
		under.Wait()
		undo()
		for _, c := range b.clients {
			r := rows[c.name]
			if r == nil {
				r = new(row)
				rows[c.name] = r
			}
			n, failed, last := c.since(from, to, dead)
			r.n, r.failed, r.last = r.n+n, r.failed+failed, append(r.last, last)
		}
	}
	for _, c := range b.clients {
		r := rows[c.name]
		slices.Sort(r.last)
		word := func(d time.Duration) string {
			if d < 0 {
				return "none"
			}
			return fmt.Sprintf("%.2f s", d.Seconds())
		}
		b.t.Logf("| %s | %s | %d of %d | %s | %s |", name, c.name, r.failed, r.n, word(r.last[len(r.last)/2]), word(r.last[len(r.last)-1]))
	}
	for _, c := range b.clients {
		r := rows[c.name]
		require.Positive(b.t, r.n)
		if slices.Contains(lossless, c.name) {
			// What the machine itself was late with aside.
			require.LessOrEqual(b.t, r.failed, r.n/1000, "%s: %s", name, c.name)
		}
	}
}

// settle waits until both backends are in service and every client that can come back has.
func (b *speedBench) settle() {
	b.node.awaitHealthy()
	for _, c := range b.clients {
		if c.renew != nil {
			c.ask = c.renew()
		}
		seen := make(map[string]bool)
		await(b.t, c.name+" at both backends", func() bool {
			ctx, cancel := context.WithTimeout(b.t.Context(), speedTimeout)
			defer cancel()
			who, err := c.ask(ctx)
			if err == nil {
				seen[who] = true
			}
			return len(seen) == 2
		})
	}
}
