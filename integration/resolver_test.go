package integration

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A resolver is a real one in front of the demo's three nodes, as its distribution ships it but for where it listens, where the
// demo's zone is, and that this zone is not signed.
type resolver struct {
	name string
	// files are written into the resolver's directory; DIR, PORT and the nodes' N1, N2 and N3 in them are replaced.
	files map[string]string
	args  []string
	// asks is a name that it resolves once it is ready; empty for that of the demo.
	asks string
	// clamps: it keeps answers for a minute at least, so it is not honest.
	clamps bool
}

var resolvers = []resolver{
	{name: "unbound", files: map[string]string{"unbound.conf": unboundConf("")}, args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}},
	{name: "bind9", files: map[string]string{"named.conf": `options {
	directory "DIR"; pid-file "DIR/named.pid"; session-keyfile "DIR/session.key"; listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	dnssec-validation no; recursion yes; empty-zones-enable no;
};
controls { };
zone "demo.fairlead.test" { type forward; forward only; forwarders { N1A port N1P; N2A port N2P; N3A port N3P; }; };
`}, args: []string{"named", "-f", "-c", "DIR/named.conf"}},
	{name: "knot-resolver", files: map[string]string{"kresd.conf": `net.listen('127.0.0.1', PORT)
trust_anchors.remove('.')
policy.add(policy.suffix(policy.STUB({'N1A@N1P', 'N2A@N2P', 'N3A@N3P'}), policy.todnames({'demo.fairlead.test.'})))
cache.size = 10 * MB
`}, args: []string{"kresd", "-n", "-c", "DIR/kresd.conf", "DIR"}},
	{name: "dnsmasq", files: map[string]string{"dnsmasq.conf": `port=PORT
listen-address=127.0.0.1
bind-interfaces
no-resolv
no-hosts
user=root
pid-file=DIR/dnsmasq.pid
server=/demo.fairlead.test/N1A#N1P
server=/demo.fairlead.test/N2A#N2P
server=/demo.fairlead.test/N3A#N3P
`}, args: []string{"dnsmasq", "-k", "-C", "DIR/dnsmasq.conf"}},
	{name: "pdns-recursor", files: map[string]string{"recursor.conf": `local-address=127.0.0.1
local-port=PORT
forward-zones=demo.fairlead.test=N1A:N1P;N2A:N2P;N3A:N3P
dont-query=
dnssec=off
socket-dir=DIR
daemon=no
`}, args: []string{"pdns_recursor", "--config-dir=DIR"}},
	{name: "unbound, cache-min-ttl 60", clamps: true, files: map[string]string{"unbound.conf": unboundConf("	cache-min-ttl: 60\n")}, args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}},
}

func unboundConf(more string) string {
	return `server:
	directory: "DIR"
	chroot: ""
	username: ""
	pidfile: "DIR/unbound.pid"
	use-syslog: no
	interface: 127.0.0.1
	port: PORT
	do-not-query-localhost: no
	domain-insecure: "fairlead.test"
	local-zone: "test." nodefault
` + more + `stub-zone:
	name: "demo.fairlead.test"
	stub-addr: N1A@N1P
	stub-addr: N2A@N2P
	stub-addr: N3A@N3P
remote-control:
	control-enable: no
`
}

// start runs the resolver until the test ends and returns where it answers.
func (r *resolver) start(t *testing.T, nodes string) string {
	if _, err := exec.LookPath(r.args[0]); err != nil {
		t.Skipf("%s is not installed: make test-deps installs it", r.args[0])
	}
	host, first, err := net.SplitHostPort(nodes)
	require.NoError(t, err)
	base, err := strconv.Atoi(first)
	require.NoError(t, err)
	dir, port := t.TempDir(), suite.FreePort(t)
	pairs := []string{"DIR", dir, "PORT", strconv.Itoa(port)}
	for i := range 3 {
		pairs = append(pairs, fmt.Sprintf("N%dA", i+1), host, fmt.Sprintf("N%dP", i+1), strconv.Itoa(base+i))
	}
	fill := strings.NewReplacer(pairs...)
	for name, text := range r.files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(fill.Replace(text)), 0o644))
	}
	args := make([]string, 0, len(r.args))
	for _, a := range r.args {
		args = append(args, fill.Replace(a))
	}
	cmd := exec.Command(args[0], args[1:]...)
	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
	})
	server := fmt.Sprintf("127.0.0.1:%d", port)
	require.Eventually(t, func() bool {
		m, _, err := ask("udp", server, cmp.Or(r.asks, demoWWW), dns.TypeA)
		return err == nil && len(m.Answer) > 0
	}, patience, 100*time.Millisecond, "%s does not answer: see %s", r.name, log.Name())
	return server
}

// A resolverClient is what a client of one resolver saw: when each address was last in a reply, and how many replies there were.
type resolverClient struct {
	*resolver
	server string
	mu     sync.Mutex
	now    string
	last   map[string]time.Time
	count  int
}

// run asks twenty times a second until ctx ends.
func (a *resolverClient) run(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		m, _, err := ask("udp", a.server, demoWWW, dns.TypeA)
		if err != nil || len(m.Answer) != 1 {
			continue
		}
		rr, ok := m.Answer[0].(*dns.A)
		if !ok {
			continue
		}
		a.mu.Lock()
		a.now, a.count = rr.A.String(), a.count+1
		a.last[a.now] = time.Now()
		a.mu.Unlock()
	}
}

// seen is when the address was last in a reply.
func (a *resolverClient) seen(address string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last[address]
}

const (
	// demoTTLMax is the longest TTL of the demo's services, in seconds.
	demoTTLMax = 10
	// demoTransit is X.
	demoTransit = 5 * time.Second
	// settleAfter is how long a trial goes on after the bound: who would break it has that long.
	settleAfter = 3 * time.Second
	// clampTrials is how many trials of each kind wait for the resolver that keeps answers for a minute.
	clampTrials = 3
)

// staleness is what the first node prints of an endpoint; nil while it prints nothing.
func (p *process) staleness(t *testing.T, az string) *api.DepartureStaleness {
	c := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", p.socket)
	}}}
	resp, err := c.Get("http://fairlead" + api.StalenessPath + "?service=" + demoWWW)
	require.NoError(t, err)
	defer resp.Body.Close()
	var s api.Staleness
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&s))
	for i := range s.Services[0].Departures {
		if d := &s.Services[0].Departures[i]; d.AZ == az && d.State != "out" {
			return d
		}
	}
	return nil
}

// TestResolvers: real resolvers, each as its distribution ships it, ask the three nodes of the demo while an endpoint dies, is drained,
// or is edited away at random moments. None hands it out later than any bound that was printed, and the bound is close.
func TestResolvers(t *testing.T) {
	waits(t)
	p := startDemo(t)
	azs := azByAddress(p)
	var clients []*resolverClient
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i := range resolvers {
		r := &resolvers[i]
		if r.clamps && trials(0) == 0 {
			// It takes a minute and more for each trial.
			continue
		}
		a := &resolverClient{resolver: r, server: r.start(t, p.dns), last: make(map[string]time.Time)}
		clients = append(clients, a)
		wg.Go(func() { a.run(ctx) })
	}
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 3))
	n := trials(1)
	for _, how := range []string{"dies", "is drained", "is removed from the file", "has another address"} {
		t.Run(how, func(t *testing.T) {
			results := make(map[string][]time.Duration)
			var slack []time.Duration
			for k := range n {
				p.awaitHealthy()
				time.Sleep(time.Duration(rng.IntN(4000)) * time.Millisecond) // a random moment
				slack = append(slack, resolverTrial(t, p, azs, clients, how, results, k < clampTrials))
			}
			report(t, how, results, slack)
		})
	}
	cancel()
	wg.Wait()
	for _, a := range clients {
		require.Greater(t, a.count, 20, "%s was asked", a.name)
	}
}

// report prints the figures of docs/staleness.md.
func report(t *testing.T, how string, results map[string][]time.Duration, slack []time.Duration) {
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range results {
			if !yield(name) {
				return
			}
		}
	}) {
		all := results[name]
		slices.Sort(all)
		t.Logf("%s, %s: bound - last stale answer: held it in %d trials, least %s, median %s, most %s", how, name, len(all), all[0], all[len(all)/2], all[len(all)-1])
	}
	slices.Sort(slack)
	t.Logf("%s: bound - last stale answer of any honest resolver: least %s, median %s, most %s", how, slack[0], slack[len(slack)/2], slack[len(slack)-1])
}

// busiest is the AZ whose address most resolvers hold.
func busiest(clients []*resolverClient, azs map[string]string) (az, address string) {
	held := make(map[string]int)
	for _, a := range clients {
		a.mu.Lock()
		held[a.now]++
		a.mu.Unlock()
	}
	for candidate, k := range held {
		if azs[candidate] != "" && k > held[address] {
			address = candidate
		}
	}
	return azs[address], address
}

// departureBy is how an AZ's only endpoint, with its address, leaves the answers of the demo, and how it comes back.
func departureBy(t *testing.T, p *process, how, az, address string) (begin, undo func()) {
	t.Helper()
	server := "--server=unix:" + p.socket
	command := func(args ...string) func() {
		return func() {
			out, code := run(t, p.bin, append(args, server)...)
			require.Zero(t, code, out)
		}
	}
	gone := regexp.MustCompile(`(?m)^ *- \{name: web-` + az + `,.*\n|` + az + `: \d+, |, ` + az + `: \d+`)
	switch how {
	case "dies":
		return command("demo", "break", "az", az), command("demo", "heal", "az", az)
	case "is drained":
		return command("drain", "az", az, "--reason", "trial", "--for", "10m"), command("undrain", "az", az)
	case "is removed from the file":
		return p.editDemo(t, func(text string) string { return gone.ReplaceAllString(text, "") })
	default:
		return p.editDemo(t, func(text string) string { return strings.Replace(text, "["+address+"]", "["+address+"23]", 1) })
	}
}

// editDemo changes the zone file of each node of the demo, one after the other, and puts the old ones back.
func (p *process) editDemo(t *testing.T, edit func(string) string) (do, undo func()) {
	first := p.status().Files[0].Path
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(first))), "*", "zones.d", filepath.Base(first)))
	require.NoError(t, err)
	require.Len(t, paths, 3)
	before := make([]string, len(paths))
	for i, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		before[i] = string(b)
		require.NotEqual(t, before[i], edit(before[i]))
	}
	do = func() {
		for i, path := range paths {
			p.replace(path, edit(before[i]))
		}
	}
	return do, func() {
		for i, path := range paths {
			p.replace(path, before[i])
		}
	}
}

// resolverTrial takes an AZ out, waits until the bound has passed, and lets it in again. It returns how much earlier than the bound
// the last honest resolver handed the address out.
func resolverTrial(t *testing.T, p *process, azs map[string]string, clients []*resolverClient, how string, results map[string][]time.Duration, clamps bool) time.Duration {
	t.Helper()
	az, address := busiest(clients, azs)
	require.NotEmpty(t, az)
	begin, undo := departureBy(t, p, how, az, address)
	begin()
	var printed []time.Time
	var clamped time.Time
	deadline := time.Now().Add(patience)
	for {
		d := p.staleness(t, az)
		// An address of an earlier trial may still be shown.
		if d != nil && slices.Contains(d.Addresses, address) && d.SafeAt != nil {
			printed, clamped = append(printed, *d.SafeAt), *d.ClampedSafeAt
			if time.Since(*d.SafeAt) > settleAfter && (!clamps || !anyClamps(clients) || time.Since(clamped) > settleAfter) {
				break
			}
		}
		require.True(t, time.Now().Before(deadline.Add(2*time.Minute)), "the bound does not become known: %+v", d)
		time.Sleep(200 * time.Millisecond) // the pace at which the bound is read
	}
	undo()
	least := slices.MinFunc(printed, time.Time.Compare)
	var last time.Time
	for _, a := range clients {
		seen := a.seen(address)
		if seen.IsZero() || seen.Before(printed[0].Add(-time.Minute)) {
			continue
		}
		if a.clamps && !clamps {
			continue
		}
		if a.clamps {
			require.False(t, seen.After(clamped), "%s handed %s out at %s, the second line said %s", a.name, address, seen, clamped)
			t.Logf("%s: handed it out until %s after the first line, %s before the second", a.name, seen.Sub(least), clamped.Sub(seen))
			continue
		}
		require.False(t, seen.After(least), "%s handed %s out at %s, a bound of %s was printed", a.name, address, seen, least)
		results[a.name] = append(results[a.name], least.Sub(seen))
		if seen.After(last) {
			last = seen
		}
	}
	slack := least.Sub(last)
	require.LessOrEqual(t, slack, demoTTLMax*time.Second+demoTransit+2*time.Second, "the bound is further off than the TTL, X and two seconds")
	return slack
}

func anyClamps(clients []*resolverClient) bool {
	return slices.ContainsFunc(clients, func(a *resolverClient) bool { return a.clamps })
}

// TestPlannedDrainResolvers: of a drain that was planned a minute ahead, no honest resolver hands the endpoint out later than G, the
// floor and X after the beginning.
func TestPlannedDrainResolvers(t *testing.T) {
	if trials(0) == 0 {
		t.Skip("takes a minute for each trial: FAIRLEAD_TRIALS=3; the simulator's TestPlannedDrain runs always")
	}
	const ahead, floor, gossip = 60 * time.Second, 2 * time.Second, time.Second
	p := startDemo(t)
	azs := azByAddress(p)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var clients []*resolverClient
	for i := range resolvers {
		if r := &resolvers[i]; !r.clamps {
			a := &resolverClient{resolver: r, server: r.start(t, p.dns), last: make(map[string]time.Time)}
			clients = append(clients, a)
			wg.Go(func() { a.run(ctx) })
		}
	}
	for range trials(3) {
		p.awaitHealthy()
		az, address := busiest(clients, azs)
		out, code := run(t, p.bin, "drain", "az", az, "--at", "+60s", "--for", "10m", "--reason", "trial", "--server=unix:"+p.socket)
		require.Zero(t, code, out)
		begin := time.Now().Add(ahead)
		time.Sleep(time.Until(begin.Add(demoTransit + settleAfter))) // the beginning is a moment, not an event that tests can see
		for _, a := range clients {
			if seen := a.seen(address); !seen.IsZero() {
				t.Logf("%s: %s was last handed out %s after the beginning", a.name, az, seen.Sub(begin).Round(time.Millisecond))
				require.LessOrEqual(t, seen.Sub(begin), gossip+floor+demoTransit, a.name)
			}
		}
		out, code = run(t, p.bin, "undrain", "az", az, "--server=unix:"+p.socket)
		require.Zero(t, code, out)
	}
}
