package engine

import (
	"errors"
	"hash/fnv"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

const ()

// tellUrgent tells what this turn of the loop brought.
func (e *Engine) tellUrgent() {
	if e.cluster != nil && e.cluster.urgent {
		e.cluster.urgent = false
		e.tell(time.Now())
	}
}

// parts are what rounds are made of, each by its owner.
func (e *Engine) parts() []cluster.Part {
	parts := []cluster.Part{e.statusPart(), e.marksPart(), e.detailPart(), e.rosterPart(), e.intentsPart(), e.cluster.memoryPart(), e.wordsPart(), e.cluster.heardPart(), e.livesPart(), e.lagsPart(), e.listenersPart()}
	for _, s := range e.cluster.shares {
		parts = append(parts, s.Part())
	}
	return parts
}

// tell tells the other nodes what this one says.
func (e *Engine) tell(now time.Time) {
	tooMuch, err := e.cluster.rounds.Tell(e.cluster.peer, now)
	if tooMuch != nil {
		// A node that says nothing at all would be missed, and its orders with it. One that abstains is not.
		e.opts.Logger.Warn("too much to tell the other nodes: this one has no vote", "err", tooMuch)
	}
	if err != nil {
		e.opts.Logger.Error("state not told to the other nodes", "err", err)
	}
}

// statusPart is what a node says of itself. Its age, and what it has published since, are no news.
func (e *Engine) statusPart() cluster.Part {
	type news struct {
		flags  round.Flags
		config config.Hash
		plans  uint64
	}
	return cluster.Part{Key: round.PartStatus, Encode: func(now time.Time) ([]byte, any) {
		s := e.status(now)
		return s.Encode(), news{s.Flags, s.Config, s.Plans}
	}, Take: func(r *gossip.Round, _ time.Time) error {
		s, err := round.ParseStatus(r.Data)
		if err == nil {
			p := e.cluster.peers[r.Node]
			p.status, p.statusAt = s, r.At
		}
		return err
	}}
}

// marksPart is what a node has observed, detailPart what marks cannot say of that.
func (e *Engine) marksPart() cluster.Part {
	return cluster.Part{Key: round.PartMarks, Spare: true, Take: e.takeObserved, Encode: func(time.Time) ([]byte, any) {
		marks := e.cluster.marks.Encode()
		h := fnv.New64a()
		// An FNV does not fail.
		_, _ = h.Write(marks)
		return marks, h.Sum64()
	}}
}

func (e *Engine) detailPart() cluster.Part {
	return cluster.Part{Key: round.PartDetail, Spare: true, Take: e.takeObserved, Encode: func(time.Time) ([]byte, any) {
		detail, left := e.cluster.marks.EncodeDetails()
		e.metrics.cluster.untold.Set(float64(left))
		return detail, nil
	}}
}

// rosterPart is with which nodes a node is configured.
func (e *Engine) rosterPart() cluster.Part {
	return cluster.Part{Key: round.PartRoster, Encode: func(time.Time) ([]byte, any) {
		return round.EncodeRoster(namesOf(e.cluster.nodes)), nil
	}, Take: func(r *gossip.Round, now time.Time) error {
		e.cluster.peers[r.Node].rosterAt = r.At
		return e.takeObserved(r, now)
	}}
}

// takeObserved takes in what another node observed, or with which nodes it is configured.
func (e *Engine) takeObserved(r *gossip.Round, now time.Time) error {
	p := e.cluster.peers[r.Node]
	var moved []round.Prefix
	var err error
	e.evidence.Change(func() {
		moved, err = p.said.Take(r.Key, r.Shard, r.Shards, r.Data, r.At, r.Relayed && !e.cluster.relays(), e.cluster.marks.List)
	})
	if unknown, ok := errors.AsType[*round.UnknownTargetsError](err); ok {
		e.cluster.lists.Fetch(p.name, unknown.Hash, now)
	}
	for _, prefix := range moved {
		if id, ok := e.cluster.marks.ID(prefix); ok {
			e.observed(id, true)
		}
	}
	return err
}

// status is what this node says of itself.
func (e *Engine) status(now time.Time) round.Status {
	c := e.cluster
	return round.Status{
		Version: c.opts.Version, Config: e.cur.Model.Hash, Plans: e.opts.Publisher.PlanHash(), Intents: e.intents.Kept().Digest(),
		Targets: c.marks.Hash(), Generation: e.generation, Uptime: now.Sub(e.started),
		Flags: round.Flags{
			Joined: c.gate.joined, Answering: e.Shut() == "", Blind: e.evidence.Blind(), Isolated: c.isolated, Frozen: e.freeze.On, Drained: e.drained.Load(),
			Hooks: e.opts.Hooks, Late: e.evidence.Late, Island: e.islanders() > 0, Feeds: e.opts.Subscribers != nil,
		},
	}
}

// markAll reckons all marks anew, as for another table.
func (e *Engine) markAll(now time.Time) {
	if c := e.cluster; c != nil {
		c.urgent = c.marks.All(e.cur.Table, now) || c.urgent
	}
}

// memoryPart is what a node remembers. News of returns are told at once: what they say of instants is as old as the way is long.
func (c *membership) memoryPart() cluster.Part {
	return cluster.Part{Key: round.PartMemory, Spare: true, Encode: func(now time.Time) ([]byte, any) {
		m := c.memory
		return m.Encode(now), cluster.ReturnsDigest(m)
	}, Take: func(r *gossip.Round, _ time.Time) error { return c.peers[r.Node].memory.Take(r) }}
}

// remember brings this node's memory in line with that of most of the nodes that are heard and answer; changed tells whether it was not.
func (e *Engine) remember(now time.Time) (changed bool) {
	c := e.cluster
	var heard []*cluster.HeardMemory
	// first is that of the least name before this node's.
	var first *cluster.HeardMemory
	for _, name := range c.others() {
		p := c.peers[name]
		if p.fresh && p.status.Answering && !p.status.Isolated && p.memory.Whole(now) {
			if heard = append(heard, &p.memory); first == nil && name < c.self {
				first = &p.memory
			}
		}
	}
	if len(heard) == 0 || c.isolated || !c.gate.open || e.opts.Without.Without(health.GuardMemory) {
		return false
	}
	return e.cur.memory.Follow(heard, first, now)
}
