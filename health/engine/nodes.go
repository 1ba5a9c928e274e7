package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/judge"
)

const (
	// driftAfter is how long a difference may last that is put down to the way between two nodes.
	driftAfter = 15 * time.Second
	// stoppedGrace is how long a node that was declared stopped may still be heard of by what was under way.
	stoppedGrace = 5 * time.Second
)

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

// A ClusterView is this node's knowledge of the cluster at one instant.
type ClusterView struct {
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

// Cluster is what is known of the cluster. A node alone knows itself.
func (e *Engine) Cluster() ClusterView { return *e.shownCluster.Load() }

// showCluster publishes what is known of the nodes.
func (e *Engine) showCluster(now time.Time) {
	v := e.View()
	own := NodeView{
		Name: e.opts.Node, Self: true, InRoster: true, Heard: now, Direct: now, Fresh: true, Config: e.cur.Model.Hash.String(),
		Plans: e.opts.Publisher.PlanHash(), Joined: true, Answering: e.Shut() == "", Blind: v != nil && v.Blind, Late: v != nil && v.Late, Frozen: e.freeze.On,
		Drained: e.drained.Load(),
	}
	c := e.cluster
	if c == nil {
		e.shownCluster.Store(&ClusterView{At: now, Heard: 1, Roster: 1, Nodes: []NodeView{own}})
		return
	}
	own.Island = v != nil && v.Islanders() > 0
	own.Version, own.Isolated, own.Joined, own.Lease = c.opts.Version, c.isolated, c.gate.joined, c.opts.IsolateAfter
	view := &ClusterView{
		At:   now,
		Name: c.opts.Gossip.Cluster, Heard: c.heard, Roster: len(c.nodes), Isolated: c.isolated, Shut: e.Shut(), Keys: c.peer.Keys(),
		CutUntil: c.cutUntil, KeysChanged: c.keyring.ChangedAt(), Allowance: c.opts.Allowance,
	}
	if !c.gate.open {
		view.Missing = e.missing(now)
	}
	if a := c.peer.Addr(); a.IsValid() {
		own.Address = a.String()
	}
	names := e.configuredNames(now)
	for _, name := range names {
		n := NodeView{Name: name, Stopped: !c.stopped[name].IsZero()}
		if name == c.self {
			n = own
		}
		if i := slices.IndexFunc(c.nodes, func(r judge.Node) bool { return r.Name == name }); i >= 0 {
			n.InRoster, n.Region, n.AZ = true, c.nodes[i].Region, c.nodes[i].AZ
		}
		if p := c.peers[name]; p != nil {
			p.show(&n, now)
			n.Fenced = c.lease.fences[name].At
			n.Delay, n.Hears = c.delayOf(p), p.hearing(names)
		} else if n.Self {
			n.Hears = c.hearing()
		}
		view.Nodes = append(view.Nodes, n)
	}
	e.shownCluster.Store(view)
	e.metrics.cluster.show(view)
}

func (p *peer) show(n *NodeView, now time.Time) {
	s := &p.status
	n.Address, n.Heard, n.Direct, n.Fresh, n.Lease = p.address, p.at, p.direct, p.fresh, p.heard.Lease
	if p.statusAt.IsZero() {
		return
	}
	n.Version, n.Config, n.Plans = s.Version, s.Config.String(), s.Plans
	n.Joined, n.Answering, n.Blind, n.Late = s.Joined, s.Answering, s.Blind, s.Late
	n.Isolated, n.Frozen, n.Drained = s.Isolated, s.Frozen, s.Drained
	n.Hooks, n.Island = s.Hooks, s.Island
	if !p.drift.IsZero() && now.Sub(p.drift) >= driftAfter {
		n.Drift = p.drift
	}
	if !p.divergent.IsZero() && now.Sub(p.divergent) >= driftAfter {
		n.Divergent = p.divergent
	}
}

// delayOf is half of what the latest round of this node that p echoed took there and back, without the time that it lay there.
func (c *membership) delayOf(p *peer) time.Duration {
	h, ok := p.heard.Of(c.self)
	if !ok || h.Boot != c.lease.boot {
		return 0
	}
	return max(0, h.At.Sub(c.started)-h.Clock-h.Age) / 2
}

// maxHears is in how large a cluster it is told who hears whom: for people, who see no more in a greater table.
const maxHears = 32

// hearing is when p heard the nodes with the given names straight, by its latest word of each.
func (p *peer) hearing(names []string) map[string]time.Time {
	out := make(map[string]time.Time)
	if len(names) > maxHears {
		return out
	}
	for _, name := range names {
		if h, ok := p.heard.Of(name); ok {
			out[name] = h.At.Add(-h.Age)
		}
	}
	return out
}

// hearing is when this node heard the others straight.
func (c *membership) hearing() map[string]time.Time {
	out := make(map[string]time.Time)
	for name, p := range c.peers {
		if !p.direct.IsZero() {
			out[name] = p.direct
		}
	}
	return out
}

// compare finds out since when other nodes differ from this one where they should not.
func (e *Engine) compare(now time.Time) {
	c := e.cluster
	own := e.status(now)
	for _, p := range c.peers {
		if !p.fresh || p.statusAt.IsZero() {
			p.divergent = time.Time{}
			continue
		}
		s := &p.status
		since(&p.drift, s.Config != own.Config, now)
		// What a node sees alone, or does not move, may well differ.
		comparable := s.Config == own.Config && s.Intents == own.Intents && s.Answering && own.Answering &&
			!s.Blind && !own.Blind && !s.Late && !own.Late && !s.Isolated && !own.Isolated && s.Frozen == own.Frozen
		since(&p.divergent, comparable && s.Plans != own.Plans, now)
	}
}

// since sets t to now when it begins to hold, and to zero when it does not.
func since(t *time.Time, holds bool, now time.Time) {
	switch {
	case !holds:
		*t = time.Time{}
	case t.IsZero():
		*t = now
	}
}

// revive ends the word that a node is stopped, or no part of the cluster any more, once it is heard again: it may be answering.
func (e *Engine) revive(now time.Time) {
	for _, i := range e.intents.Set().Open(now) {
		if i.Kind != health.IntentStopped && i.Kind != health.IntentRemoved {
			continue
		}
		p := e.cluster.peers[i.Scope.Name]
		// A life that was first heard after the word is another one than the word is about.
		if p == nil || !p.direct.After(i.Start.Add(stoppedGrace)) && !(p.born.After(i.Start) && p.direct.After(i.Start)) {
			continue
		}
		if e.cluster.reviving[i.ID] {
			continue
		}
		e.cluster.reviving[i.ID] = true
		e.kept.Add(intent.NewOrder(func(now time.Time) (intent.Finish, error) {
			err := e.intents.End(intent.End{Actor: e.opts.Node, Reason: "the node is heard again", At: now}, i.ID)
			if err != nil {
				delete(e.cluster.reviving, i.ID)
			}
			return func(now time.Time, err error) error {
				delete(e.cluster.reviving, i.ID)
				if err == nil {
					e.opts.Logger.Warn("a node that was declared "+i.Kind.String()+" is heard", "node", i.Scope.Name)
					e.applyIntents(now)
					e.cluster.urgent = true
				}
				return err
			}, err
		}), now)
	}
}

// SetRoster replaces the nodes of the cluster. They are those that the node file names; this one is among them.
func (e *Engine) SetRoster(members []gossip.Member, nodes []judge.Node) error {
	return e.loop.Do(func(now time.Time) error {
		if e.cluster == nil {
			return errNoCluster
		}
		if err := e.cluster.peer.SetRoster(members); err != nil {
			return err
		}
		e.cluster.setNodes(nodes)
		e.cluster.lookAround(now)
		e.intents.SetAlone(e.cluster.alone())
		for _, t := range e.tables() {
			t.ChooseVantages()
		}
		e.setTargets(e.tables()...)
		e.rejudge()
		e.publish(now, true)
		e.opts.Logger.Info("roster taken up", "nodes", strings.Join(namesOf(nodes), " "))
		return nil
	})
}

func namesOf(nodes []judge.Node) []string {
	names := make([]string, len(nodes))
	for i, n := range nodes {
		names[i] = n.Name
	}
	return names
}
