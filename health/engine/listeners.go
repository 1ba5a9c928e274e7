package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// Subscribers are those who listen to this node's feeds: a feed.Hub.
type Subscribers interface {
	// Listeners are those who were given what has left, of all that left before the call.
	Listeners() ledger.Listeners
}

// listenersPart is what nodes know of those who listen to them. A node without feeds says so in its status, and nothing here.
func (e *Engine) listenersPart() cluster.Part {
	p := cluster.Part{Key: round.PartListeners, Spare: true, Take: e.takeListeners}
	if e.opts.Subscribers != nil {
		p.Encode = func(now time.Time) ([]byte, any) {
			return round.EncodeListeners(e.cluster.lease.boot, e.clock(now), e.opts.Subscribers.Listeners(), now), nil
		}
	}
	return p
}

// takeListeners takes in what another node says of its listeners.
func (e *Engine) takeListeners(r *gossip.Round, _ time.Time) error {
	said, err := round.ParseListeners(r.Data, r.At)
	if err != nil {
		return err
	}
	p := e.cluster.peers[r.Node]
	if p.listened.Boot == said.Boot && p.listened.Clock > said.Clock {
		// Rounds may overtake each other.
		return nil
	}
	p.listened = said
	return nil
}

// heardOf is what all configured nodes know of those who were given what left.
func (e *Engine) heardOf(of subject, configured []string, now time.Time) (h ledger.Heard) {
	if e.opts.Subscribers != nil {
		h = e.heardHere(of)
	}
	for _, name := range configured {
		if name != e.cluster.self {
			e.heardBy(&h, of, name, now)
		}
	}
	return h
}

// listen looks who listens to this node.
func (e *Engine) listen() {
	if e.opts.Subscribers == nil {
		return
	}
	l := e.opts.Subscribers.Listeners()
	e.issued.here, e.issued.hereCut = make(map[ledger.RDataKey]ledger.Heard, len(l.Rows)), l.Cut
	for i := range l.Rows {
		h := e.issued.here[l.Rows[i].RData]
		h.Add(&l.Rows[i])
		e.issued.here[l.Rows[i].RData] = h
	}
}

// heardHere is what this node knows.
func (e *Engine) heardHere(of subject) ledger.Heard {
	h, ok := e.issued.here[of.RData]
	if h.Feeds = true; !ok && e.issued.hereCut {
		h.Unknown = append(h.Unknown, e.opts.Node+" has too much to tell apart")
	}
	return h
}

// addRows adds the rows of RDATA; ok is unset if there is none.
func addRows(h *ledger.Heard, l *ledger.Listeners, k ledger.RDataKey) (ok bool) {
	for i := range l.Rows {
		if l.Rows[i].RData == k {
			h.Add(&l.Rows[i])
			ok = true
		}
	}
	return ok
}

// heardBy adds what another node knows, or that it has not said it. What it says of its listeners counts if it said it after it had let go of what
// left, and lately: before, it knew of no departure.
func (e *Engine) heardBy(h *ledger.Heard, of subject, name string, now time.Time) {
	p := e.cluster.peers[name]
	if p == nil || p.statusAt.IsZero() {
		h.Unknown = append(h.Unknown, name+" is not heard")
		return
	}
	if !p.status.Feeds {
		if !p.fresh && !e.cluster.stopped[name].IsZero() {
			return
		}
		if !p.fresh {
			// It had none when it was last heard; nobody says that it has none now.
			h.Unknown = append(h.Unknown, name+" is not heard")
		}
		return
	}
	h.Feeds = true
	g, ok := p.words.Holding(of)
	if of.Owner == (ledger.OwnerKey{}) {
		g, ok = p.words.RData(of.RData)
	}
	switch {
	case !p.fresh || now.Sub(p.listened.At) >= freshFor:
		h.Unknown = append(h.Unknown, name+" is not heard")
	case !ok || g.Verb != ledger.Out || now.Sub(g.At) >= freshFor:
		h.Unknown = append(h.Unknown, name+" has not let it go")
	case p.listened.Boot != g.Boot || p.listened.Clock < g.Clock-g.Age:
		h.Unknown = append(h.Unknown, name+" has not said")
	case addRows(h, &p.listened.Listeners, of.RData):
	case p.listened.Cut:
		h.Unknown = append(h.Unknown, name+" has too much to tell apart")
	}
}
