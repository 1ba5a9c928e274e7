package engine

import (
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
)

// onClusterTick does what time alone brings about the other nodes; changed tells whether a new view is due.
func (e *Engine) onClusterTick(now time.Time) (changed bool) {
	c := e.cluster
	if c == nil {
		if e.ticks%tellTicks == 0 {
			e.showCluster(now)
		}
		return false
	}
	c.EndCut(now)
	if c.LookAround(now) {
		changed = true
		e.rejudge()
	}
	e.cur.AwaitLoss(now)
	if e.gate.mind(now) {
		e.opened(now)
	}
	if e.ticks%tellTicks != 0 {
		return changed
	}
	e.markAll(now)
	if c.Members.BlocksStale(now) {
		e.rejudge()
	}
	changed = e.remember(now) || changed
	e.words.NameForeign(now)
	e.gone.Show(e.goneElsewhere(), now)
	c.Remember(e.cur.memory.Of(e.gone.Keys(), now))
	c.Members.Compare(e.status(now), now)
	e.orders.Revive(now)
	e.orders.Confirm(now)
	e.settle(now)
	if e.ticks%collectTicks == 0 {
		e.orders.Collect(now)
	}
	e.showCluster(now)
	c.Tell(e.status(now), e.cur.Table, now)
	e.rounds.Urgent()
	// What others say moves on with every round, and horizons with it.
	e.cur.AllMoved()
	return changed
}

// goneElsewhere is what the other nodes say of static records that no file of theirs has any more.
func (e *Engine) goneElsewhere() gone.Others {
	others := make(gone.Others)
	e.members.Gone(others.Add)
	return others
}

// status is what this node says of itself.
func (e *Engine) status(now time.Time) round.Status {
	v := e.View()
	return round.Status{
		Version: e.cluster.Version, Config: e.cur.Model.Hash, Plans: e.opts.Publisher.PlanHash(), Intents: e.orders.Digest(),
		Targets: e.cluster.Marks.Hash(), Generation: e.generation, Uptime: now.Sub(e.started),
		Flags: round.Flags{
			Joined: e.cluster.Barrier.Joined(), Answering: e.Shut() == "", Blind: e.evidence.Blind(), Isolated: e.members.Isolated(), Frozen: e.orders.Frozen(), Drained: e.orders.Drained(),
			Hooks: e.opts.Hooks, Late: e.evidence.Late, Island: v != nil && v.Islanders() > 0, Feeds: e.opts.Subscribers != nil,
		},
	}
}

// markAll reckons all marks anew, as for another table.
func (e *Engine) markAll(now time.Time) {
	if e.cluster != nil && e.cluster.Marks.All(e.cur.Table, now) {
		e.rounds.Urge()
	}
}

// remember brings this node's memory in line with that of most of the nodes that are heard and answer; changed tells whether it was not.
func (e *Engine) remember(now time.Time) (changed bool) {
	heard, first := e.members.Memories(now)
	if len(heard) == 0 || e.members.Isolated() || !e.cluster.Barrier.Open() || e.opts.Without.Without(health.GuardMemory) {
		return false
	}
	return e.cur.memory.Follow(heard, first, now)
}

// showCluster publishes what is known of the nodes.
func (e *Engine) showCluster(now time.Time) {
	v := e.View()
	own := cluster.NodeView{
		Name: e.opts.Node, Self: true, InRoster: true, Heard: now, Direct: now, Fresh: true, Config: e.cur.Model.Hash.String(),
		Plans: e.opts.Publisher.PlanHash(), Joined: true, Answering: e.Shut() == "", Blind: v != nil && v.Blind, Late: v != nil && v.Late, Frozen: e.orders.Frozen(),
		Drained: e.orders.Drained(),
	}
	if e.cluster == nil {
		e.Show(&cluster.View{At: now, Heard: 1, Roster: 1, Nodes: []cluster.NodeView{own}})
		return
	}
	own.Island = v != nil && v.Islanders() > 0
	e.Show(e.cluster.View(own, e.Shut(), now))
}

// SetRoster replaces the nodes of the cluster. They are those that the node file names; this one is among them.
func (e *Engine) SetRoster(members []gossip.Member, nodes []judge.Node) error {
	return e.loop.Do(func(now time.Time) error {
		if e.cluster == nil {
			return cluster.ErrNoCluster
		}
		if err := e.cluster.SetRoster(members, nodes, now); err != nil {
			return err
		}
		e.orders.SetRoster()
		for _, t := range e.tables() {
			t.ChooseVantages()
		}
		e.vantage.SetTargets(e.tables()...)
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
