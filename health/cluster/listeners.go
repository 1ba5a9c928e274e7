package cluster

import (
	"time"

	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// Subscribers are those who listen to this node's feeds: a feed.Hub.
type Subscribers interface {
	// Listeners are those who were given what has left, of all that left before the call.
	Listeners() ledger.Listeners
}

// listeners are those who listen to this node, by what left, as of the last look; cut is set where some are left out.
type listeners struct {
	here map[ledger.RDataKey]ledger.Heard
	cut  bool
}

// ListenersPart is what nodes know of those who listen to them. A node without feeds says so in its status, and nothing here.
func (w *Words) ListenersPart() Part {
	p := Part{Key: round.PartListeners, Spare: true, Take: w.takeListeners}
	if w.Subscribers != nil {
		p.Encode = func(now time.Time) ([]byte, any) {
			return round.EncodeListeners(w.Members.boot, w.clock(now), w.Subscribers.Listeners(), now), nil
		}
	}
	return p
}

// takeListeners takes in what another node says of its listeners.
func (w *Words) takeListeners(r *gossip.Round, _ time.Time) error {
	said, err := round.ParseListeners(r.Data, r.At)
	if err != nil {
		return err
	}
	p := w.Members.peers[r.Node]
	if p.listened.Boot == said.Boot && p.listened.Clock > said.Clock {
		// Rounds may overtake each other.
		return nil
	}
	p.listened = said
	return nil
}

// forgetful says of a node that it has started since, or not long before: whom an earlier process of it told, it does not know.
const forgetful = " has started since, or shortly before: who listened earlier is not known"

// Heard is what all configured nodes know of those who were given what left this node's answers at an instant.
func (w *Instant) Heard(of ledger.Key, left time.Time) (h ledger.Heard) {
	if w.Subscribers != nil {
		h = w.heardHere(of)
		if left.Before(w.Lives.book.Earlier().Add(w.Transit)) {
			h.Unknown = append(h.Unknown, w.Self+forgetful)
		}
	}
	for _, name := range w.configured {
		if name != w.Self {
			w.heardBy(&h, of, name)
		}
	}
	return h
}

// Listen looks who listens to this node.
func (w *Words) Listen() {
	if w.Subscribers == nil {
		return
	}
	l := w.Subscribers.Listeners()
	w.listeners.here, w.listeners.cut = make(map[ledger.RDataKey]ledger.Heard, len(l.Rows)), l.Cut
	for i := range l.Rows {
		h := w.listeners.here[l.Rows[i].RData]
		h.Add(&l.Rows[i])
		w.listeners.here[l.Rows[i].RData] = h
	}
}

// heardHere is what this node knows.
func (w *Words) heardHere(of ledger.Key) ledger.Heard {
	h, ok := w.listeners.here[of.RData]
	if h.Feeds = true; !ok && w.listeners.cut {
		h.Unknown = append(h.Unknown, w.Self+" has too much to tell apart")
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
func (w *Instant) heardBy(h *ledger.Heard, of ledger.Key, name string) {
	p := w.Members.peers[name]
	if p == nil || p.statusAt.IsZero() {
		h.Unknown = append(h.Unknown, name+" is not heard")
		return
	}
	if !p.status.Feeds {
		if !p.fresh && !w.Members.stopped[name].IsZero() {
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
	case !p.fresh || w.now.Sub(p.listened.At) >= freshFor:
		h.Unknown = append(h.Unknown, name+" is not heard")
	case !ok || g.Verb != ledger.Out || w.now.Sub(g.At) >= freshFor:
		h.Unknown = append(h.Unknown, name+" has not let it go")
	case p.listened.Boot != g.Boot || p.listened.Clock < g.Clock-g.Age:
		h.Unknown = append(h.Unknown, name+" has not said")
	case g.At.Add(-g.Age).Before(p.statusAt.Add(-p.status.Uptime).Add(ledger.Slow(w.Lives.GreatestOf(name)) + w.Transit + time.Second)):
		// That what an earlier process gave has expired is known from then on alone.
		addRows(h, &p.listened.Listeners, of.RData)
		h.Unknown = append(h.Unknown, name+forgetful)
	case addRows(h, &p.listened.Listeners, of.RData):
	case p.listened.Cut:
		h.Unknown = append(h.Unknown, name+" has too much to tell apart")
	}
}
