package cluster

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health/round"
)

// A peer is what is known of another node.
type peer struct {
	name string
	// said is what it observed; guarded by the evidence's lock.
	said *round.Vantage
	// status is what it said of itself, at statusAt; zero while it said nothing.
	status   round.Status
	statusAt time.Time
	// direct is when it was last heard straight, and at when at all.
	direct, at time.Time
	fresh      bool
	// patchy is set while some of what it observed is stale although it is heard.
	patchy  bool
	address string
	memory  HeardMemory
	// entered are the services that it has moved to pools which keep data, by shard of its part.
	entered map[int]map[round.MemoryKey]bool
	// listened is what it last said of those who listen to it.
	listened round.Listened
	// cells is what it last said of from where it answers shards.
	cells round.Cells
	// incarnation is the latest that was heard, and born when it first was.
	incarnation uint64
	born        time.Time
	// words is what it said of holdings that left, heard whom it hears; echoes are which of this node's rounds its own had heard, oldest
	// first, in its run echoBoot.
	words    round.WordsBy
	heard    round.HeardBy
	echoes   []echo
	echoBoot round.Boot
	// ofMe is what it remembers of this node. joining is set while its words do not count, older while it is a copy of an older disk.
	ofMe           round.Remembered
	joining, older bool
	// drift and divergent are since when its configuration, or its plans, differ from this node's; zero while they do not.
	drift, divergent time.Time
	// askedLeft is when it was last asked for the names of what left its answers and is not known here.
	askedLeft time.Time
}

// An echo is that a round of another node, made at by of its own clock, had heard a round of this node made at mine of this one's.
type echo struct{ by, mine time.Duration }

// maxEchoes bounds the echoes that are remembered of one node: blocks of one round may arrive apart.
const maxEchoes = 32

// heardMe notes what the latest block of a node says of its hearing this one.
func (p *peer) heardMe(self string, boot round.Boot) {
	if p.echoBoot != p.heard.Boot {
		p.echoes, p.echoBoot = nil, p.heard.Boot
	}
	h, ok := p.heard.Of(self)
	if !ok || h.Boot != boot || h.By.Boot != p.echoBoot {
		return
	}
	if n := len(p.echoes); n > 0 && p.echoes[n-1].by >= h.By.Clock {
		return
	}
	if p.echoes = append(p.echoes, echo{h.By.Clock, h.Clock}); len(p.echoes) > maxEchoes {
		p.echoes = slices.Delete(p.echoes, 0, 1)
	}
}

// echoed is when the newest round of this node was made that a word echoes, in this node's clock; ok is unset where it echoes none.
func (p *peer) echoed(g *round.Given) (mine time.Duration, ok bool) {
	if g.Boot != p.echoBoot {
		return 0, false
	}
	for i := len(p.echoes) - 1; i >= 0; i-- {
		if p.echoes[i].by <= g.Clock {
			return p.echoes[i].mine, true
		}
	}
	return 0, false
}

// hearsMe tells whether the node has lately said that it hears this one, which started at an instant, so that what it does not say is a choice
// and not silence.
func (p *peer) hearsMe(started, now time.Time) bool {
	n := len(p.echoes)
	return p.fresh && n > 0 && now.Sub(started.Add(p.echoes[n-1].mine)) < freshFor
}

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

// show notes what the node says of itself.
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

// compare finds out since when the node differs from this one, which says own of itself, where it should not.
func (p *peer) compare(own *round.Status, now time.Time) {
	if !p.fresh || p.statusAt.IsZero() {
		p.divergent = time.Time{}
		return
	}
	s := &p.status
	since(&p.drift, s.Config != own.Config, now)
	// What a node sees alone, or does not move, may well differ.
	comparable := s.Config == own.Config && s.Intents == own.Intents && s.Answering && own.Answering &&
		!s.Blind && !own.Blind && !s.Late && !own.Late && !s.Isolated && !own.Isolated && s.Frozen == own.Frozen
	since(&p.divergent, comparable && s.Plans != own.Plans, now)
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
