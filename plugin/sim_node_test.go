package fairlead

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// simZone is small, so that a thousand seeds fit into a run of the tests: four endpoints in four AZs, an active-active service, a
// standby, and one that keeps a region.
const simZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.11], az: us-a}, {name: b, addresses: [192.0.2.12], az: us-b}]}
services:
  www: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}}
  api: {tiers: [{eu: 1}, {us: 1}], failback: {hold: 5s}, ttl: {mode: horizon}}
  safe: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}, safety: {keep_regions: 1}}
`

// simReference is what a vantage sees of the world outside.
var simReference = health.Target{ID: health.TargetID{9}, Host: "192.0.2.250", Port: 53, Check: &config.Check{Interval: 5 * time.Second, Timeout: time.Second, Fall: 1, Rise: 1}}

// references are what each node has: nothing where the other nodes are all that it knows of the world outside.
func (s *sim) references() []health.Target {
	if s.peersAlone {
		return nil
	}
	return []health.Target{simReference}
}

func simKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// A simNode is one node: the production engine, judge, intents, gossip and steer; prober, sockets and disks are the simulator's.
type simNode struct {
	sim  *sim
	name string
	addr netip.AddrPort
	dir  string
	// runs is set while its process does.
	runs    bool
	engine  *engine.Engine
	current *answer.Current
	prober  *simProber
	cancel  context.CancelFunc
	done    chan error
	// since is when it started, last is the latest view that was looked at.
	since time.Time
	last  *health.View
	// bare is set until it starts after its disk was lost.
	bare bool
	// file is the model of another zone file that lies on it; nil for the simulator's.
	file *config.Model
	// mustFreeze has it frozen.
	mustFreeze bool
	// edited is the version of the check in its file.
	edited int
	// handler answers queries; process counts starts and ends, so that what a dead process had under way is not written.
	handler *Handler
	process atomic.Int64
	// begun is set once it has started for the first time.
	begun bool
	// suspended is for how long its machine has stood still; asleep, if it is not 0, is added once somebody has asked.
	suspended, asleep atomic.Int64
}

// neverAnswered is an operator's word at the very first start of a node: it has answered nothing before; nil at others.
func (n *simNode) neverAnswered() *time.Duration {
	if n.begun {
		return nil
	}
	n.begun = true
	return new(time.Duration)
}

// suspends is for how long the machine of the node has stood still.
func (n *simNode) suspends() time.Duration {
	was := n.suspended.Load()
	n.suspended.Add(n.asleep.Swap(0))
	return time.Duration(was)
}

// start starts the process.
func (n *simNode) start() {
	t := n.sim.t
	n.last, n.current = nil, new(answer.Current)
	n.prober = &simProber{node: n, driven: newDrivenProber(nil), wake: make(chan struct{}, 1)}
	n.prober.driven.countsFirst = n.sim.without.Without(health.GuardFirst)
	compiler := answer.NewCompiler(n.name, time.Now())
	compiler.SetWithout(n.sim.without)
	p := &simPublisher{Publisher: answer.Publisher{Compiler: compiler, Current: n.current}, node: n}
	ring := n.keyring()
	o := gossip.Options{
		Cluster: n.sim.cluster, Seeds: n.sim.seeds, Node: n.name, SigningKey: simKey(n.name), Bind: n.addr.String(), Transport: n.sim.net.Transport(n.addr.String()),
		Keyring: gossip.Keyring{Primary: ring[0], Others: ring[1:]}, Roster: n.sim.members(),
	}
	var err error
	n.engine, err = engine.New(engine.Options{
		Publisher: p, Ledger: compiler.Ledger(), Prober: n.prober, Model: n.model(), State: n.dir, Node: n.name, References: n.sim.references(),
		Logger: n.sim.logger.With("node", n.name), Without: n.sim.without, Skew: time.Duration(int64(n.addr.Addr().As4()[3]-2)) * 150 * time.Second,
		Cluster:   &cluster.Options{Gossip: o, Nodes: n.sim.places(), Allowance: time.Second, Version: "sim", IsolateAfter: n.sim.isolateAfter, Keyring: n.keyfile()},
		Suspended: n.suspends, MaxTTL: n.neverAnswered(),
	})
	require.NoError(t, err)
	if n.bare {
		n.bare = false
		n.sim.note(func() {
			for _, o := range n.sim.orders {
				if !o.acked.IsZero() {
					o.known[n] = o.until
				}
			}
		})
	}
	n.process.Add(1)
	n.handler = &Handler{directive: &directive{}}
	n.handler.serve(&testBackend{current: n.current, engine: n.engine})
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.done, n.runs, n.since = cancel, make(chan error, 1), true, time.Now()
	go func() { n.done <- n.engine.Run(ctx) }()
}

// keyfile is where the node keeps the keys of gossip.
func (n *simNode) keyfile() string { return filepath.Join(n.dir, "gossip.keys") }

// keyring is what is in it. A new disk comes with the first key of all.
func (n *simNode) keyring() [][]byte {
	ring := sha256.Sum256([]byte("ring"))
	if _, err := os.Stat(n.keyfile()); err != nil {
		require.NoError(n.sim.t, config.WriteKeyring(n.keyfile(), [][]byte{ring[:]}))
	}
	keys, err := config.ReadKeyring(n.keyfile())
	require.NoError(n.sim.t, err)
	return keys
}

// stop ends the process in the orderly way.
func (n *simNode) stop() {
	n.process.Add(1)
	n.cancel()
	require.NoError(n.sim.t, <-n.done)
	n.runs = false
}

// kill ends the process as kill -9 does: nobody is told, and what is not on disk is lost. The disk is what it was at that
// instant: an orderly end would write once more.
func (n *simNode) kill() {
	// What is being written is, in this world, before it or after: files are not copied while they are renamed.
	synctest.Wait()
	kept := n.dir + ".kept"
	require.NoError(n.sim.t, os.CopyFS(kept, os.DirFS(n.dir)))
	// CopyFS does not copy that it is ours alone.
	require.NoError(n.sim.t, os.Chmod(filepath.Join(kept, filepath.Base(n.keyfile())), 0o600))
	n.sim.net.Kill(n.addr)
	n.stop()
	require.NoError(n.sim.t, os.RemoveAll(n.dir))
	require.NoError(n.sim.t, os.Rename(kept, n.dir))
}

// wipe loses the disk of a node that does not run.
func (n *simNode) wipe() {
	require.NoError(n.sim.t, os.RemoveAll(n.dir))
	require.NoError(n.sim.t, os.Mkdir(n.dir, 0o700))
	n.bare = true
}

// answers tells whether the node answers service names.
func (n *simNode) answers() bool { return n.runs && n.engine.Shut() == "" }

// A simPublisher has every view looked at before it is served.
type simPublisher struct {
	answer.Publisher
	node *simNode
}

func (p *simPublisher) Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap {
	swap := p.Publisher.Publish(v, lower)
	p.node.sim.looked(p.node, v)
	return swap
}

// A simProber probes the simulator's world, on a goroutine of its own.
type simProber struct {
	node *simNode
	wake chan struct{}
	mu   sync.Mutex
	// driven has the targets and their counters; guarded by mu.
	driven *drivenProber
}

func (p *simProber) Alive() error { return nil }

func (p *simProber) SetTargets(targets []health.Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.driven.SetTargets(targets)
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *simProber) Restore(id health.TargetID, state health.State, since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.driven.Restore(id, state, since)
}

// Hasten is the real prober's: what failed is probed anew at once.
func (p *simProber) Hasten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.driven.targets {
		now := time.Now()
		if d.again = !d.next.After(now); !d.again && d.failures > 0 && now.Add(firstPhase).Before(d.next) {
			d.next = now.Add(firstPhase)
		}
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *simProber) Run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
		case <-timer.C:
		}
		now := time.Now()
		next := now.Add(time.Second)
		for _, o := range p.due(now, &next) {
			p.node.engine.Observe(o)
		}
		timer.Reset(next.Sub(now))
	}
}

// due probes what is due, and moves next up to the following probe.
func (p *simProber) due(now time.Time, next *time.Time) (seen []health.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.driven.targets {
		if !d.next.After(now) {
			seen = append(seen, d.probed(p.node.sim.works(p.node, p.node.sim.idOf(d.Target)), now))
			if d.again && d.failures > 0 {
				d.next = now.Add(firstPhase)
			}
			d.again = false
		}
		if d.next.Before(*next) {
			*next = d.next
		}
	}
	return seen
}

// newSim makes a cluster of size nodes in a bubble, none of which runs yet.
func newSim(t *testing.T, seed uint64, size int, root string) *sim {
	s := &sim{t: t, seed: seed, cluster: "sim", net: gossiptest.New(seed), logger: slog.New(slog.DiscardHandler),
		broken: make(map[health.TargetID]bool), moved: make(map[health.TargetID]time.Time), blind: make(map[string]bool)}
	if os.Getenv("FAIRLEAD_SIM_LOG") != "" {
		s.logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for i := range size {
		name := fmt.Sprintf("n%d", i+1)
		n := &simNode{sim: s, name: name, addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 7946), dir: filepath.Join(root, name)}
		require.NoError(t, os.MkdirAll(n.dir, 0o700))
		s.nodes = append(s.nodes, n)
	}
	s.use(simZone)
	return s
}

// use makes text the zone file, before any node runs.
func (s *sim) use(text string) {
	z, problems := config.Parse("zone.yaml", []byte(text), config.ParseOptions{})
	require.NoError(s.t, problems.Err())
	s.text, s.zone, s.model, s.targets = text, z, config.NewModel([]*config.Zone{z}), nil
	s.byHost = make(map[string]health.TargetID)
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			target := health.TargetOf(z.Name, z.Checks[p.Check], e)
			s.targets, s.byHost[target.Host] = append(s.targets, target.ID), target.ID
		}
	}
}

// edit replaces a part of the zone file, before any node runs.
func (s *sim) edit(was, is string) {
	require.Contains(s.t, s.text, was)
	s.use(strings.Replace(s.text, was, is, 1))
}

func addrOf(a [4]byte) netip.AddrPort { return netip.AddrPortFrom(netip.AddrFrom4(a), 7946) }

func (s *sim) members() (list []gossip.Member) {
	for _, n := range s.nodes {
		list = append(list, gossip.Member{Name: n.name, Address: n.addr.String(), PublicKey: simKey(n.name).Public().(ed25519.PublicKey)})
	}
	return list
}

func (s *sim) places() (list []judge.Node) {
	for i, n := range s.nodes {
		region := []string{"eu", "us"}[i%2]
		if s.regions != nil {
			region = s.regions[i]
		}
		list = append(list, judge.Node{Name: n.name, Region: region, AZ: region + "-" + []string{"a", "b"}[i/2%2]})
	}
	return list
}

// skew makes the wall clock of a node that does not run jump while it is away: what is on its disk seems older by so much.
func (n *simNode) skew(d time.Duration) {
	path := filepath.Join(n.dir, "intents.json")
	b, err := os.ReadFile(path)
	require.NoError(n.sim.t, err)
	var file struct {
		Version int             `json:"version"`
		SHA256  string          `json:"sha256"`
		Content json.RawMessage `json:"content"`
	}
	require.NoError(n.sim.t, json.Unmarshal(b, &file))
	var content map[string]any
	require.NoError(n.sim.t, json.Unmarshal(file.Content, &content))
	saved, err := time.Parse(time.RFC3339Nano, content["saved_at"].(string))
	require.NoError(n.sim.t, err)
	content["saved_at"] = saved.Add(-d)
	file.Content, err = json.Marshal(content)
	require.NoError(n.sim.t, err)
	sum := sha256.Sum256(file.Content)
	file.SHA256 = hex.EncodeToString(sum[:])
	b, err = json.Marshal(file)
	require.NoError(n.sim.t, err)
	require.NoError(n.sim.t, os.WriteFile(path, b, 0o600))
}
