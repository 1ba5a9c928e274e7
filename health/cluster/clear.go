package cluster

import (
	"cmp"
	"time"

	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A clearing is from when on nothing that the nodes answered before their last starts can be in caches.
type clearing struct {
	at  time.Time
	why string
	// own and ownWhy are the part of this node.
	own    time.Time
	ownWhy string
}

// Clear is from when on nothing that the nodes answered before their last starts can be in caches; why says why that is not known. It may be called
// from any goroutine.
func (w *Words) Clear() (at time.Time, why string) {
	if c := w.clearing.Load(); c != nil {
		return c.at, c.why
	}
	return at, ""
}

// Earlier is until when caches may hold answers of services that earlier processes of this node gave; why says why that is not known. It may be
// called from any goroutine.
func (w *Words) Earlier() (until time.Time, why string) {
	c := w.clearing.Load()
	if c == nil || c.own.IsZero() {
		return until, "it has just been started"
	}
	return c.own, c.ownWhy
}

// FindClear finds out from when on "nothing to forget" is more than a guess.
func (w *Instant) FindClear() {
	g := w.Lives.greatest
	c := &clearing{at: g.Clear(), why: g.Unnamed()}
	if c.own, c.ownWhy = c.at, c.why; g.Asks() {
		c.ownWhy = "it asks the other nodes what it answered before"
	}
	for _, name := range w.configured {
		m := w.Members
		p := m.peers[name]
		switch {
		case name == m.self, c.why != "":
		case !m.stopped[name].IsZero():
			c.at = ledger.Later(c.at, m.stopped[name].Add(ledger.Slow(w.Lives.GreatestOf(name))+w.Transit))
		case p == nil || !p.fresh:
			c.why = name + " is not heard"
		case p.joining || p.older || p.statusAt.IsZero():
			c.why = name + " joins the cluster, or is being compared"
		default:
			if until, open := w.foreign(p, w.now); open || !until.IsZero() {
				c.why = name + " lets something go that this node never answered and does not know the name of"
			}
			began := p.statusAt.Add(-p.status.Uptime)
			c.at = ledger.Later(c.at, began.Add(ledger.Slow(w.Lives.GreatestOf(name))+w.Transit+time.Second))
		}
	}
	w.clearing.Store(c)
}

// Nameable is from when on caches hold nothing behind any name of a scope that this node could not know to be behind it; unknown says why
// that is not known.
func (w *Instant) Nameable() (at time.Time, unknown string) {
	g, m := w.Lives.greatest, w.Members
	at, unknown = g.Clear(), g.Unnamed()
	if unknown != "" {
		unknown = w.Self + ": " + unknown
	}
	if m == nil {
		return at, unknown
	}
	gone := func(name string, since time.Time) {
		at = ledger.Later(at, since.Add(ledger.Slow(w.Lives.GreatestOf(name))+w.Transit))
	}
	for name, since := range m.removed {
		gone(name, since)
	}
	for _, name := range w.configured {
		if name == m.self {
			continue
		}
		p := m.peers[name]
		fence, fenced := m.fences[name]
		stopped, isStopped := m.stopped[name]
		switch {
		case isStopped:
			gone(name, stopped)
		case fenced && (p == nil || !p.fresh):
			gone(name, fence.At.Add(LeaseWrite))
		case p == nil || !p.fresh || p.statusAt.IsZero():
			unknown = cmp.Or(unknown, name+" is not heard")
		case p.joining || p.older:
			unknown = cmp.Or(unknown, name+" joins the cluster, or is being compared with what the others remember of it")
		default:
			// A second for what is rounded in its uptime.
			gone(name, p.statusAt.Add(-p.status.Uptime).Add(time.Second))
			until, open := w.foreign(p, w.now)
			if open {
				unknown = cmp.Or(unknown, name+" lets something go that this node never knew")
			}
			at = ledger.Later(at, until)
		}
	}
	return at, unknown
}
