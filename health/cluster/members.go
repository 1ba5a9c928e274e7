package cluster

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/health/table"
)

const (
	// DirectRoster is the greatest cluster in which every node sends to every other one: relaying costs five times as much, and
	// hides one-way cuts.
	DirectRoster = 128
	// freshFor is how long a node counts as heard after its latest round (docs/design.md section 4).
	freshFor = health.HeardFor
	// rosterTime is how long a silent node counts where a guard of the simulator lets it leave by time.
	rosterTime = 15 * time.Second
	// stoppedGrace is how long a node that was declared stopped may still be heard of by what was under way.
	stoppedGrace = 5 * time.Second
)

// MembersOptions are what Members are made of; all of them are required.
type MembersOptions struct {
	// Self is this node's name, Started when it was started.
	Self    string
	Started time.Time
	// Nodes are where the nodes of the roster stand, this one among them.
	Nodes []judge.Node
	// Allowance is how late a node may learn of an observation.
	Allowance time.Duration
	// Evidence is told who is heard and who votes.
	Evidence *table.Evidence
	Events   *event.Log
	Logger   *slog.Logger
	Without  health.Guards
}

// Members are the nodes of the cluster as this one knows them: which are configured, which are heard, and what each says of itself. They belong
// to the goroutine that takes rounds in. A nil *Members is a node alone, of which only Alone, Configured, Knows, Fresh and
// Gone may be asked.
type Members struct {
	opts MembersOptions
	self string
	// boot is this run's.
	boot round.Boot
	// nodes is the roster by name, peers those of it that are not this node.
	nodes []judge.Node
	peers map[string]*peer
	// names are all that ever were configured, unsaved is set while one of them is not on disk.
	names   map[string]bool
	unsaved bool
	// heard counts the nodes that are heard, this one included.
	heard    int
	isolated bool
	// removed and stopped are what intents say about nodes, and since when.
	removed, stopped map[string]time.Time
	// fences are when other nodes have stopped answering since their leases ended, by name, as of the last second.
	fences map[string]Fence
}

// NewMembers are those of a node that has heard nobody yet, which is no news.
func NewMembers(o MembersOptions) *Members {
	m := &Members{opts: o, self: o.Self, peers: make(map[string]*peer), names: make(map[string]bool), heard: 1}
	// rand.Read does not fail.
	_, _ = rand.Read(m.boot[:])
	o.Evidence.Listen(time.Now())
	o.Evidence.SetEntered(m.entered)
	m.SetNodes(o.Nodes)
	m.isolated = judge.Isolated(1, len(m.nodes))
	return m
}

// SetNodes replaces the roster. What is known of nodes that stay goes on.
func (m *Members) SetNodes(nodes []judge.Node) {
	m.nodes = slices.SortedFunc(slices.Values(nodes), func(a, b judge.Node) int { return cmp.Compare(a.Name, b.Name) })
	keep := make(map[string]bool)
	for _, n := range nodes {
		keep[n.Name] = true
		if n.Name != m.self && m.peers[n.Name] == nil {
			m.peers[n.Name] = &peer{name: n.Name, said: round.NewVantage(n.Name)}
		}
	}
	maps.DeleteFunc(m.peers, func(name string, _ *peer) bool { return !keep[name] })
	var peers []table.Vantage
	for _, name := range m.Others() {
		peers = append(peers, m.peers[name].said)
	}
	m.opts.Evidence.SetVoters(judge.NewBench(m.nodes), peers, m.opts.Allowance)
}

// Others are the names of the roster but this node's, sorted.
func (m *Members) Others() []string { return slices.Sorted(maps.Keys(m.peers)) }

// Roster are the names of the roster, sorted.
func (m *Members) Roster() []string {
	names := make([]string, len(m.nodes))
	for i, n := range m.nodes {
		names[i] = n.Name
	}
	return names
}

// Has tells whether the roster has another node.
func (m *Members) Has(name string) bool { return m.peers[name] != nil }

// Alone tells whether this node is every configured node.
func (m *Members) Alone() bool { return m == nil || len(m.peers) == 0 }

// Isolated tells whether too few nodes are heard. Heard is how many are, this one included.
func (m *Members) Isolated() bool { return m.isolated }

// Order takes up since when nodes are declared removed from the cluster, and stopped.
func (m *Members) Order(removed, stopped map[string]time.Time) {
	m.removed, m.stopped = removed, stopped
}

// Configured are the nodes that may be answering, by name: all that any roster ever named, but for those that were declared removed. No name
// leaves by time.
func (m *Members) Configured(now time.Time) []string {
	if m == nil {
		return nil
	}
	names := slices.DeleteFunc(slices.Collect(maps.Keys(m.names)), func(name string) bool {
		if name == m.self {
			return false
		}
		_, removed := m.removed[name]
		p := m.peers[name]
		byTime := m.opts.Without.Without(health.GuardRoster) && (p == nil || now.Sub(p.at) > rosterTime)
		return removed || byTime
	})
	slices.Sort(names)
	return names
}

// NameNodes adds the nodes of all rosters that are heard to those that are configured.
func (m *Members) NameNodes() {
	add := func(name string) {
		if !m.names[name] {
			m.names[name], m.unsaved = true, true
		}
	}
	add(m.self)
	for name, p := range m.peers {
		add(name)
		for _, other := range p.said.Roster() {
			add(other)
		}
	}
}

// Knows tells whether any roster has the node.
func (m *Members) Knows(name string, now time.Time) bool {
	return m != nil && (slices.Contains(m.Configured(now), name) || !m.removed[name].IsZero())
}

// Fresh tells whether another node is heard.
func (m *Members) Fresh(name string) bool {
	return m != nil && m.peers[name] != nil && m.peers[name].fresh
}

// FreshOthers are the other nodes that are heard.
func (m *Members) FreshOthers() (names []string) {
	for name, p := range m.peers {
		if p.fresh {
			names = append(names, name)
		}
	}
	return names
}

// Revived tells whether a node is heard of which somebody said at start that it does not run.
func (m *Members) Revived(name string, start time.Time) bool {
	p := m.peers[name]
	// A life that was first heard after the word is another one than the word is about.
	return p != nil && (p.direct.After(start.Add(stoppedGrace)) || p.born.After(start) && p.direct.After(start))
}

// relays tells whether rounds come through other nodes, so that none comes straight.
func (m *Members) relays() bool { return len(m.nodes) > DirectRoster }

// LookAround finds out who is heard; changed tells whether that, or what follows from it, is new.
func (m *Members) LookAround(heardOf []gossip.Heard, now time.Time) (changed bool) {
	heard := 1
	for _, h := range heardOf {
		p := m.peers[h.Node]
		if p == nil {
			continue
		}
		p.at, p.direct, p.address = h.At, h.Direct, ""
		if h.Incarnation != p.incarnation {
			p.incarnation, p.born = h.Incarnation, now
		}
		if h.Address.IsValid() {
			p.address = h.Address.String()
		}
		if m.relays() {
			p.direct = p.at
		}
		fresh := !p.direct.IsZero() && now.Sub(p.direct) < freshFor
		if !p.direct.IsZero() {
			m.opts.Evidence.Heard(p.name, p.direct)
		}
		if fresh != p.fresh {
			changed = true
			if fresh {
				m.opts.Logger.Info("a node of the cluster is heard", "node", h.Node)
			} else {
				m.opts.Logger.Warn("a node of the cluster is not heard any more", "node", h.Node)
			}
			m.opts.Events.Add(either(fresh, "node.heard", "node.silent"), h.Node, either(fresh, "is heard", "is not heard any more"), nil)
		}
		if p.fresh = fresh; fresh {
			heard++
		}
	}
	return m.setHeard(heard, changed, now)
}

// setHeard takes up how many nodes are heard.
func (m *Members) setHeard(heard int, changed bool, now time.Time) bool {
	isolated := judge.Isolated(heard, len(m.nodes)) && !m.opts.Without.Without(health.GuardIsolation)
	if isolated != m.isolated {
		changed = true
		m.opts.Events.Add(either(isolated, "node.isolated", "node.rejoined"), m.self, fmt.Sprintf("hears %d of %d nodes", heard, len(m.nodes)), nil)
		log := m.opts.Logger.Info
		if isolated {
			log = m.opts.Logger.Warn
		}
		log(either(isolated, "cut off from most of the cluster", "most of the cluster is heard"), "heard", heard, "roster", len(m.nodes))
	}
	m.heard, m.isolated = heard, isolated
	m.opts.Evidence.SetHeard(len(m.peers), heard-1, isolated, changed, now)
	return changed
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

// BlocksStale tells whether a block of marks of a node that is heard has gone stale, or is heard again, since the last call.
func (m *Members) BlocksStale(now time.Time) (changed bool) {
	for _, p := range m.peers {
		stale := p.fresh && p.said.StaleBlocks(now.Add(-freshFor)) > 0
		changed = changed || stale != p.patchy
		p.patchy = stale
	}
	return changed
}

// TakeStatus takes in what a node says of itself.
func (m *Members) TakeStatus(r *gossip.Round, _ time.Time) error {
	s, err := round.ParseStatus(r.Data)
	if err == nil {
		p := m.peers[r.Node]
		p.status, p.statusAt = s, r.At
	}
	return err
}

// TakeObserved takes in what a node observed, or with which nodes it is configured; moved are the targets of which it says something else.
func (m *Members) TakeObserved(r *gossip.Round, marks *Marks) (moved []round.Prefix, err error) {
	p := m.peers[r.Node]
	m.opts.Evidence.Change(func() {
		moved, err = p.said.Take(r.Key, r.Shard, r.Shards, r.Data, r.At, r.Relayed && !m.relays(), marks.List)
	})
	return moved, err
}

// TakeMemory takes in what a node remembers of pools.
func (m *Members) TakeMemory(r *gossip.Round, _ time.Time) error {
	return m.peers[r.Node].memory.Take(r)
}

// Memories are those of the nodes that are heard and answer; first is that of the least name before this node's, nil for none.
func (m *Members) Memories(now time.Time) (heard []*HeardMemory, first *HeardMemory) {
	for _, name := range m.Others() {
		p := m.peers[name]
		if p.fresh && p.status.Answering && !p.status.Isolated && p.memory.Whole(now) {
			if heard = append(heard, &p.memory); first == nil && name < m.self {
				first = &p.memory
			}
		}
	}
	return heard, first
}

// Gone are until when caches may hold static records that no file of other nodes has, by node and shard of what it remembers.
func (m *Members) Gone(each func(node string, gone map[round.MemoryKey]time.Time)) {
	if m == nil {
		return
	}
	for name, p := range m.peers {
		for g := range p.memory.Gone() {
			each(name, g)
		}
	}
}

// TakeEntered takes in, for one shard, to which pools that keep data a node has moved services.
func (m *Members) TakeEntered(r *gossip.Round, entered map[round.MemoryKey]bool) {
	p := m.peers[r.Node]
	if p.entered == nil {
		p.entered = make(map[int]map[round.MemoryKey]bool)
	}
	p.entered[r.Shard] = entered
	maps.DeleteFunc(p.entered, func(shard int, _ map[round.MemoryKey]bool) bool { return shard >= r.Shards })
}

// entered tells whether another node that is heard says that a service has moved to a pool.
func (m *Members) entered(z *config.Zone, p *config.Pool, svc *config.Service) bool {
	key := EnteredKey(z, p, svc)
	for _, peer := range m.peers {
		if !peer.fresh || !peer.status.Answering || peer.status.Isolated {
			continue
		}
		for _, shard := range peer.entered {
			if shard[key] {
				return true
			}
		}
	}
	return false
}

// Lacks tells which configured nodes, this one aside, were not heard to have the same as this one of what they share.
func (m *Members) Lacks(share *Share, now time.Time) (missing []string) {
	for _, name := range m.Configured(now) {
		if name != m.self && (!m.Fresh(name) || !share.Has(name)) {
			missing = append(missing, name)
		}
	}
	return missing
}

// Runners are the configured nodes, as they are now for who carries on the runs of plans that runs share.
func (m *Members) Runners(runs *Share, now time.Time) (out []run.Member) {
	for _, name := range m.Configured(now) {
		one := run.Member{Name: name, Stopped: !m.stopped[name].IsZero()}
		if p := m.peers[name]; p != nil {
			// The tick that says fresh may be late, as after a pause of this process.
			one.Heard = p.fresh && now.Sub(p.at) < freshFor
			one.Agrees = one.Heard && runs.Has(name)
		}
		if name == m.self {
			one.Heard, one.Agrees = true, true
		}
		out = append(out, one)
	}
	return out
}
