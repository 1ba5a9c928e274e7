package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
)

const (
	// askTargets asks for a page of a list of targets.
	askTargets = "targets"
)

// tellUrgent tells what this turn of the loop brought.
func (e *Engine) tellUrgent() {
	if e.cluster != nil && e.cluster.urgent {
		e.cluster.urgent = false
		e.tell(time.Now())
	}
}

// parts are what rounds are made of, each by its owner.
func (e *Engine) parts() []cluster.Part {
	parts := []cluster.Part{e.statusPart(), e.marksPart(), e.detailPart(), e.rosterPart(), e.intentsPart(), e.memoryPart(), e.wordsPart(), e.heardPart(), e.livesPart()}
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
		e.fetchList(p.name, unknown.Hash, now)
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
			Hooks: e.opts.Hooks, Late: e.evidence.Late,
		},
	}
}

// markAll reckons all marks anew, as for another table.
func (e *Engine) markAll(now time.Time) {
	if c := e.cluster; c != nil {
		c.urgent = c.marks.All(e.cur.Table, now) || c.urgent
	}
}

// fetchList asks a node for its list of targets, unless somebody was asked a moment ago.
func (e *Engine) fetchList(from string, hash round.ListHash, now time.Time) {
	if !e.cluster.marks.Asks(hash, now) {
		return
	}
	e.beside(func(ctx context.Context) {
		list, err := e.askList(ctx, from, hash)
		if err != nil {
			e.opts.Logger.Debug("list of targets", "node", from, "err", err)
			return
		}
		e.post(func(time.Time) { e.cluster.marks.Learn(list) })
	})
}

func (e *Engine) askList(ctx context.Context, from string, hash round.ListHash) (*round.Targets, error) {
	var pages [][]byte
	for {
		body := binary.AppendUvarint(slices.Clone(hash[:]), uint64(len(pages)))
		reply, err := e.cluster.peer.Ask(ctx, from, askTargets, body)
		if err != nil {
			return nil, err
		}
		count, n := binary.Uvarint(reply)
		if n <= 0 || count > round.MaxPages {
			return nil, fmt.Errorf("%w: page of a list", round.ErrMalformed)
		}
		pages = append(pages, reply[n:])
		if uint64(len(pages)) >= count {
			return round.FromPages(hash, pages...)
		}
	}
}

// handleTargets is the reply to askTargets: how many pages there are, and the page.
func (e *Engine) handleTargets(_ context.Context, _ string, body []byte) (reply []byte, err error) {
	var hash round.ListHash
	if len(body) < len(hash) {
		return nil, round.ErrMalformed
	}
	page, n := binary.Uvarint(body[copy(hash[:], body):])
	if n <= 0 || page > round.MaxPages {
		return nil, round.ErrMalformed
	}
	err = e.command(func(time.Time) error {
		list := e.cluster.marks.List(hash)
		if list == nil {
			return errors.New("no such list any more")
		}
		reply = append(binary.AppendUvarint(nil, uint64(list.Pages())), list.Page(int(page))...)
		return nil
	})
	return reply, err
}

// memoryPart is what a node remembers. News of returns are told at once: what they say of instants is as old as the way is long.
func (e *Engine) memoryPart() cluster.Part {
	return cluster.Part{Key: round.PartMemory, Spare: true, Encode: func(now time.Time) ([]byte, any) {
		m := e.cluster.memory
		return m.Encode(now), cluster.ReturnsDigest(m)
	}, Take: func(r *gossip.Round, _ time.Time) error { return e.cluster.peers[r.Node].memory.Take(r) }}
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
