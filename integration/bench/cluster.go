package main

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// clusterInterval is that of the checks: each node reports each endpoint as often.
	clusterInterval = 10 * time.Second
	// clusterPhase is how long each phase is measured.
	clusterPhase = 20 * time.Second
	clusterBatch = 100 * time.Millisecond
)

// measureCluster runs engines with gossip over sockets of 127.0.0.1 in this process, and measures what each of them sends and
// what CPU it takes: probes and answers are left out, all else is the production code.
func measureCluster(nodes, endpoints int) ([]result, error) {
	b, err := newClusterBed(nodes, endpoints)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if err := b.awaitWhole(); err != nil {
		return nil, err
	}
	calm := b.measure(clusterPhase)
	for _, n := range b.nodes {
		n.prober.fail(endpoints / 3)
	}
	begin := time.Now()
	busy := b.measure(clusterPhase)
	down, err := b.awaitDown(endpoints/3, begin)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%d nodes, %d endpoints: ", nodes, endpoints)
	return []result{
		{name: name + "sent, calm", value: calm.sent, unit: "kB/s", explanation: "by each node"},
		{name: name + "CPU, calm", value: calm.cpu * 100, unit: "%", explanation: "of a core, each node, without probes and answers"},
		{name: name + "sent, an AZ fails", value: busy.sent, unit: "kB/s", explanation: "by each node, a third of the endpoints fails within an interval"},
		{name: name + "CPU, an AZ fails", value: busy.cpu * 100, unit: "%"},
		{name: name + "all nodes know", value: down.Seconds(), unit: "s", explanation: "from the first failed probe; interval 10 s, fall 2"},
	}, nil
}

type clusterBed struct {
	dir    string
	nodes  []*benchNode
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

type benchNode struct {
	engine   *engine.Engine
	prober   *benchProber
	registry *prometheus.Registry
}

// benchPool is how many endpoints a pool has.
const benchPool = 10

// benchZone is pools of ten endpoints each, in three AZs.
func benchZone(endpoints int) string {
	var b strings.Builder
	b.WriteString("zone: example.org\nnameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]\nregions: {eu: {azs: [a, b, c]}}\n")
	fmt.Fprintf(&b, "checks: {ready: {type: tcp, port: 80, interval: %s, timeout: 1s, fall: 2, rise: 2}}\npools:\n", clusterInterval)
	pools := (endpoints + benchPool - 1) / benchPool
	for i := range pools {
		fmt.Fprintf(&b, "  p%d:\n    region: eu\n    check: ready\n    endpoints:\n", i)
		for k := i * benchPool; k < min(endpoints, (i+1)*benchPool); k++ {
			fmt.Fprintf(&b, "      - {name: e%d, addresses: [10.%d.%d.%d], az: %c}\n", k, k>>16, k>>8&255, k&255, "abc"[k%3])
		}
	}
	b.WriteString("services:\n")
	for i := range pools {
		fmt.Fprintf(&b, "  www%d: {tiers: [{p%d: 1}]}\n", i, i)
	}
	return b.String()
}

func newClusterBed(count, endpoints int) (b *clusterBed, err error) {
	z, problems := config.Parse("bench.yaml", []byte(benchZone(endpoints)), config.ParseOptions{})
	if z == nil {
		return nil, problems.Err()
	}
	model := config.NewModel([]*config.Zone{z})
	b = new(clusterBed)
	if b.dir, err = os.MkdirTemp("", "fairlead-cluster-"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.cancel = cancel
	var roster []gossip.Member
	var places []judge.Node
	var keys []ed25519.PrivateKey
	for i := range count {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.1.%d:0", i+1))
		if err != nil {
			return b, err
		}
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err = errors.Join(err, l.Close()); err != nil {
			return b, err
		}
		name := fmt.Sprintf("n%03d", i)
		roster = append(roster, gossip.Member{Name: name, Address: l.Addr().String(), PublicKey: public})
		places, keys = append(places, judge.Node{Name: name}), append(keys, private)
	}
	ring := make([]byte, 32)
	for i, m := range roster {
		n := &benchNode{prober: &benchProber{}, registry: prometheus.NewRegistry()}
		state := filepath.Join(b.dir, m.Name)
		if err := os.Mkdir(state, 0o700); err != nil {
			return b, err
		}
		n.engine, err = engine.New(engine.Options{
			Publisher: benchPublisher{}, Prober: n.prober, Model: model, Node: m.Name, State: state, Registerer: n.registry,
			Cluster: &cluster.Options{Nodes: places, Allowance: time.Second, Gossip: gossip.Options{
				Cluster: "bench", Node: m.Name, SigningKey: keys[i], Roster: roster, Bind: m.Address, Keyring: gossip.Keyring{Primary: ring},
			}},
		})
		if err != nil {
			return b, err
		}
		n.prober.engine = n.engine
		b.nodes = append(b.nodes, n)
		b.wg.Go(func() {
			if err := n.engine.Run(ctx); err != nil {
				fmt.Fprintln(os.Stderr, "bench:", err)
			}
		})
	}
	return b, nil
}

func (b *clusterBed) close() {
	b.cancel()
	b.wg.Wait()
	_ = os.RemoveAll(b.dir)
}

// awaitWhole waits until every node hears all others and knows every endpoint.
func (b *clusterBed) awaitWhole() error {
	return b.await("all nodes hear each other", func(n *benchNode) bool {
		c := n.engine.Cluster()
		return c.Heard == len(b.nodes) && c.Shut == "" && n.count(health.Unknown) == 0
	})
}

// awaitDown is how long after begin the last node knew of all that is down.
func (b *clusterBed) awaitDown(want int, begin time.Time) (time.Duration, error) {
	err := b.await("all nodes know what is down", func(n *benchNode) bool { return n.count(health.Down) >= want })
	var last time.Time
	for _, n := range b.nodes {
		for _, p := range n.engine.View().Zones[0].Pools {
			for _, e := range p.Endpoints {
				if e.State == health.Down && e.Left.After(last) {
					last = e.Left
				}
			}
		}
	}
	return last.Sub(begin), err
}

func (b *clusterBed) await(what string, ok func(*benchNode) bool) error {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		all := true
		for _, n := range b.nodes {
			all = all && ok(n)
		}
		if all {
			return nil
		}
	}
	return fmt.Errorf("waited %v: %s", patience, what)
}

// count counts endpoints in a state.
func (n *benchNode) count(state health.State) (count int) {
	for _, p := range n.engine.View().Zones[0].Pools {
		for _, e := range p.Endpoints {
			if e.State == state {
				count++
			}
		}
	}
	return count
}

type clusterCost struct{ sent, cpu float64 }

// measure is what each node sends in kB/s, and its part of a core.
func (b *clusterBed) measure(d time.Duration) clusterCost {
	before, cpu := b.sent(), processCPU()
	time.Sleep(d)
	n := float64(len(b.nodes)) * d.Seconds()
	return clusterCost{sent: (b.sent() - before) / n / 1000, cpu: (processCPU() - cpu).Seconds() / n}
}

// sent is how many octets all nodes have sent, in packets and streams.
func (b *clusterBed) sent() (total float64) {
	for _, n := range b.nodes {
		families, err := n.registry.Gather()
		if err != nil {
			continue
		}
		for _, f := range families {
			if f.GetName() == "fairlead_gossip_sent_bytes_total" {
				for _, m := range f.GetMetric() {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}

func processCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// benchPublisher serves nothing.
type benchPublisher struct{}

func (benchPublisher) Prepare(*health.View) {}
func (benchPublisher) Publish(*health.View, []health.PoolHorizon) ledger.Swap {
	quiet := make(chan struct{})
	close(quiet)
	return ledger.Swap{Quiet: quiet}
}
func (benchPublisher) MoveHorizons([]health.PoolHorizon) {}
func (benchPublisher) Serves(string, string) bool        { return true }
func (benchPublisher) PlanHash() uint64                  { return 0 }

// benchProber reports each target once in an interval, and dials nothing.
type benchProber struct {
	engine *engine.Engine
	mu     sync.Mutex
	// targets and failing, how many of the first of them fail, are guarded by mu.
	targets  []health.Target
	failures []int
	failing  int
}

func (p *benchProber) Alive() error                                          { return nil }
func (p *benchProber) Restore(health.TargetID, health.State, time.Time) bool { return false }

func (p *benchProber) SetTargets(targets []health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets, p.failures = targets, make([]int, len(targets))
	// The order is that of a map: those that fail must be the same everywhere.
	sortTargets(p.targets)
}

func (p *benchProber) fail(count int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing = count
}

func (p *benchProber) Run(ctx context.Context) error {
	tick := time.NewTicker(clusterBatch)
	defer tick.Stop()
	for at := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		p.mu.Lock()
		n := len(p.targets) * int(clusterBatch) / int(clusterInterval)
		var batch []health.Observation
		for range max(1, n) {
			batch = append(batch, p.probe(at%len(p.targets)))
			at++
		}
		p.mu.Unlock()
		for _, o := range batch {
			p.engine.Observe(o)
		}
	}
}

// probe is the next observation of a target. p.mu is held.
func (p *benchProber) probe(i int) health.Observation {
	now := time.Now()
	o := health.Observation{Target: p.targets[i].ID, State: health.Up, At: now, Next: now.Add(clusterInterval), Successes: 1}
	if i < p.failing {
		p.failures[i]++
		o.Failures, o.Successes, o.Reason = p.failures[i], 0, "connection refused"
		if p.failures[i] >= p.targets[i].Check.Fall {
			o.State = health.Down
		}
	}
	return o
}

func sortTargets(list []health.Target) {
	slices.SortFunc(list, func(a, b health.Target) int { return bytes.Compare(a.ID[:], b.ID[:]) })
}
