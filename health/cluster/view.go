package cluster

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
)

// driftAfter is how long a difference may last that is put down to the way between two nodes.
const driftAfter = 15 * time.Second

// A NodeView is what this node knows of one node of the cluster, itself included.
type NodeView struct {
	Name, Region, AZ string
	// Self is set for this node. InRoster is unset for a node that only others are configured with.
	Self, InRoster bool
	// Address is where the node sends from; empty when it was never heard.
	Address string
	// Heard and Direct are when it was last heard at all and straight, zero for never. Fresh tells whether it counts.
	Heard, Direct time.Time
	Fresh         bool
	// Version, Config and Plans are the program, the hash of the configuration and that of what is served, as it says.
	Version string
	Config  string
	Plans   uint64
	// Drift is since when its configuration differs from this node's, Divergent since when its plans do although nothing
	// explains that; zero while they do not, or for less than 15 s.
	Drift, Divergent time.Time
	// Joined, Answering, Blind, Late, Isolated, Frozen and Drained are what it says of itself. Stopped is what an operator says.
	Joined, Answering, Blind, Late, Isolated, Frozen, Drained, Stopped bool
	// Island is set for one that is isolated and answers, where the file says so, with the pools of its own region, as it says.
	Island bool
	// Lease is for how long it answers while no majority hears it (isolate_after), zero for ever. Fenced is when it is known to
	// have begun no more answers for that; zero while that is not known.
	Lease  time.Duration
	Fenced time.Time
	// Hooks is set for nodes that have webhooks.
	Hooks bool
	// Delay is half of what the latest round that the node echoed took to it and back: what gossip takes one way. Zero before the first.
	Delay time.Duration
	// Hears is when the node heard others straight, as it says: by name, and never for those that are missing. Empty in clusters of more
	// than maxHears nodes.
	Hears map[string]time.Time
}

// A View is this node's knowledge of the cluster at one instant.
type View struct {
	// At is when this was so. Name is the cluster's; empty for a node alone.
	At   time.Time
	Name string
	// Heard of Roster nodes are heard, this one included.
	Heard, Roster int
	Isolated      bool
	// Shut says why this node does not answer service names; empty while it does. Missing are the nodes it waits for.
	Shut    string
	Missing []string
	// Keys is how many keys decrypt gossip; 0 means in clear. KeysChanged is when the file of the keys was written last.
	Keys        int
	KeysChanged time.Time
	// Allowance is how late a node may hear what another one observed.
	Allowance time.Duration
	// CutUntil is the end of a rehearsal for which this node is cut off; zero while there is none.
	CutUntil time.Time
	Nodes    []NodeView
}

// View is what is known of the nodes. of is what the caller knows besides, and own this node, which is called self.
func (m *Members) View(of View, own NodeView, now time.Time) *View {
	of.At, of.Heard, of.Roster, of.Isolated, of.Allowance = now, m.heard, len(m.nodes), m.isolated, m.opts.Allowance
	own.Isolated = m.isolated
	names := m.Configured(now)
	for _, name := range names {
		n := NodeView{Name: name, Stopped: !m.stopped[name].IsZero()}
		if name == m.self {
			n = own
		}
		if i := slices.IndexFunc(m.nodes, func(r judge.Node) bool { return r.Name == name }); i >= 0 {
			n.InRoster, n.Region, n.AZ = true, m.nodes[i].Region, m.nodes[i].AZ
		}
		if p := m.peers[name]; p != nil {
			p.show(&n, now)
			n.Fenced = m.fences[name].At
			n.Delay, n.Hears = m.delayOf(p), p.hearing(names)
		} else if n.Self {
			n.Hears = m.hearing()
		}
		of.Nodes = append(of.Nodes, n)
	}
	return &of
}

// delayOf is half of what the latest round of this node that p echoed took there and back, without the time that it lay there.
func (m *Members) delayOf(p *peer) time.Duration {
	h, ok := p.heard.Of(m.self)
	if !ok || h.Boot != m.boot {
		return 0
	}
	return max(0, h.At.Sub(m.opts.Started)-h.Clock-h.Age) / 2
}

// maxHears is in how large a cluster it is told who hears whom: for people, who see no more in a greater table.
const maxHears = 32

// hearing is when this node heard the others straight.
func (m *Members) hearing() map[string]time.Time {
	out := make(map[string]time.Time)
	for name, p := range m.peers {
		if !p.direct.IsZero() {
			out[name] = p.direct
		}
	}
	return out
}

// Compare finds out since when other nodes differ from this one, which says own of itself, where they should not.
func (m *Members) Compare(own round.Status, now time.Time) {
	for _, p := range m.peers {
		p.compare(&own, now)
	}
}
