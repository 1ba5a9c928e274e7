package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const (
	// Departures are put together as they happen, but while manyOut of them stand only once in followPause: what that leaves out is shown
	// within a second.
	manyOut     = 1000
	followPause = 100 * time.Millisecond
	// maxApart bounds the holdings whose bounds are put together while other names answer the same RDATA.
	maxApart = 20_000
	// shownFinal is how long a departure is shown after it is final, where the model does not know the endpoint any more.
	shownFinal = 10 * time.Minute
	// maxStanding bounds for how long one is kept that does not become final, where the model does not know the endpoint any more.
	maxStanding = 24 * time.Hour
)

// issued is what the engine knows of answers that caches may hold. It is owned by Run's goroutine.
type issued struct {
	book *ledger.Book
	// count counts how often something left for good, so that news of that travel at once.
	count uint64
	// departures are those that stand: of RDATA under all names, or of a holding where other names still answer the RDATA.
	departures map[subject]*departure
	// followed is when they were last brought in line with what the nodes say.
	followed time.Time
	greatest greatest
	writer   *durable.File[*savedLedger]
	// unkept is why ledger.json could not be written the last time; late is when a guard began to answer what is not on disk.
	unkept error
	late   time.Time
	// asks is set while the other nodes are asked what this one answered before.
	asks bool
	// here are those who listen to this node, by what left, as of the last look; hereCut is set where some are left out.
	here    map[ledger.RDataKey]ledger.Heard
	hereCut bool
	// claimed is set once what an earlier process may have answered stands.
	claimed bool
}

// A departure is how something that this node does not answer any more leaves the caches.
type departure struct {
	since time.Time
	void  []Void
	// bound is what was last put together; once it is final it stays, and again are the nodes that answer it since.
	bound ledger.Bound
	again []Void
	// finalAt is when it became final here; asked is set once a round was made after the instant, for the others to echo.
	finalAt time.Time
	asked   bool
	// heard is what is known of those who were given it by feeds.
	heard ledger.Heard
}

// A Void is a node that answered something after it was known to have left it.
type Void struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// A Departure is something that this node does not answer any more, and until when caches may hold it.
type Departure struct {
	ledger.Label
	// RData is the address or name. Owner is the one owner name that it left while others answer it; empty where none does. Service is
	// the service of that name.
	RData, Owner, Service string
	// Services are those whose answers it left.
	Services []string
	// Known is set while the model has the endpoint with this RDATA. Drained is set when an intent takes it out, Down when health does.
	Known, Drained, Down bool
	// Moved is set for names that are answered with other addresses; RData says which, in words.
	Moved bool
	// Shards are those of the service that moved; nil for what is no shard.
	Shards config.Shards
	// Since is when this node's answers ceased to carry it.
	Since time.Time
	Bound ledger.Bound
	// Void are nodes that answered it after it was known to be out; Again those that answer it since it was forgotten, which is a new fact.
	Void, Again []Void
	// Heard is what is known of those who were given it by feeds.
	Heard ledger.Heard
	// Outstanding is how many answers of this node alone that carry it caches may hold, by second of expiry.
	Outstanding ledger.Curve
}

// Departures are what this node does not answer any more, as of the last second, by RDATA and owner.
func (e *Engine) Departures() []Departure { return *e.shownLeft.Load() }

// follow puts together what is known of everything that is out.
func (e *Engine) follow(now time.Time) {
	i := &e.issued
	i.followed = now
	e.listen()
	var configured []string
	if e.cluster != nil {
		configured = e.configuredNames(now)
		e.cluster.mindFences(now)
	}
	w := ledger.NewWhereabouts(e.cur.Model, e.View())
	stand := make(map[subject]bool, len(i.departures))
	shown := make([]Departure, 0, len(i.departures))
	apart := 0
	for _, k := range slices.SortedFunc(maps.Keys(i.book.Absences()), func(a, b ledger.RDataKey) int { return slices.Compare(a[:], b[:]) }) {
		a := i.book.Absences()[k]
		if !i.book.Answered(k) {
			of := subject{RData: k}
			stand[of] = true
			e.brought(of, a.Left(), configured, now)
			shown = append(shown, e.showWhole(a, w)...)
			continue
		}
		for owner, s := range a.Names {
			if apart++; apart > maxApart {
				break
			}
			of := subject{Owner: owner, RData: k}
			stand[of] = true
			e.brought(of, s.Left, configured, now)
			shown = append(shown, e.showApart(of, s, w))
		}
	}
	maps.DeleteFunc(i.departures, func(of subject, _ *departure) bool { return !stand[of] })
	e.sweep(w, now)
	shown = append(shown, e.movedAway(configured, now)...)
	e.shownLeft.Store(&shown)
	e.shownClear.Store(e.clears(configured, now))
}

// brought is the departure of a subject with what is known now; another one if it left anew.
func (e *Engine) brought(of subject, left time.Time, configured []string, now time.Time) {
	d := e.issued.departures[of]
	if d == nil || !d.since.Equal(left) {
		d = &departure{since: left}
		e.issued.departures[of] = d
	}
	d.heard = e.heardOf(of, configured, now)
	b := ledger.Compose(e.said(of, configured, now), now, e.opts.Transit, e.opts.Without)
	if d.bound.Final {
		// What was is certain. What a node does after its word is a new fact: it leaves anew once that node lets go of it.
		back := d.again != nil
		d.again = answering(nil, &b, now)
		if d.again != nil || !back || b.Final {
			return
		}
		d.finalAt, d.asked = time.Time{}, false
	}
	if d.bound.Known && b.Void {
		d.void = answering(d.void, &b, now)
		e.opts.Logger.Warn("a bound that was known is void: a node answers again", "nodes", len(b.Unknown))
	}
	if b.Known {
		// What nobody was told of was forgotten before it left.
		b.SafeAt = ledger.Later(b.SafeAt, left)
	}
	if d.bound = b; b.Final {
		d.finalAt = now
	} else if b.Known && !d.asked && !now.Before(b.SafeAt) {
		// What is missing are words that were given after the instant: they echo a round that is made from now on.
		d.asked = true
		e.urge()
	}
}

// answering adds the nodes that answer what b is about to list.
func answering(list []Void, b *ledger.Bound, now time.Time) []Void {
	for _, u := range b.Unknown {
		if u.Answering {
			list = append(list, Void{Node: u.Node, At: now})
		}
	}
	return list
}

// A clearing is from when on nothing that the nodes answered before their last starts can be in caches.
type clearing struct {
	at  time.Time
	why string
	// own and ownWhy are the part of this node.
	own    time.Time
	ownWhy string
}

// Clear is from when on nothing that the nodes answered before their last starts can be in caches; why says why that is not known.
func (e *Engine) Clear() (at time.Time, why string) {
	c := e.shownClear.Load()
	return c.at, c.why
}

// clears finds out from when on "nothing to forget" is more than a guess.
func (e *Engine) clears(configured []string, now time.Time) *clearing {
	c := &clearing{at: e.issued.book.Earlier().Add(e.opts.Transit), why: e.issued.greatest.unnamed}
	if c.own, c.ownWhy = c.at, c.why; e.issued.asks {
		c.ownWhy = "it asks the other nodes what it answered before"
	}
	for _, name := range configured {
		p := e.cluster.peers[name]
		switch {
		case name == e.cluster.self, c.why != "":
		case !e.cluster.stopped[name].IsZero():
			c.at = ledger.Later(c.at, e.cluster.stopped[name].Add(ledger.Slow(e.greatestOf(name))+e.opts.Transit))
		case p == nil || !p.fresh:
			c.why = name + " is not heard"
		case p.joining || p.older || p.statusAt.IsZero():
			c.why = name + " joins the cluster, or is being compared"
		default:
			if until, open := e.foreign(p, now); open || !until.IsZero() {
				c.why = name + " lets something go that this node never answered and does not know the name of"
			}
			began := p.statusAt.Add(-p.status.Uptime)
			c.at = ledger.Later(c.at, began.Add(ledger.Slow(e.greatestOf(name))+e.opts.Transit+time.Second))
		}
	}
	return c
}

// showWhole is what has left all names, once for each endpoint that it is of.
func (e *Engine) showWhole(a *ledger.Absence, w *ledger.Whereabouts) (shown []Departure) {
	d := e.issued.departures[subject{RData: a.Key}]
	byLabel := make(map[ledger.Label]*Departure)
	for _, s := range a.Names {
		one := byLabel[s.Label]
		if one == nil {
			one = e.shownOf(s, d, w)
			byLabel[s.Label] = one
		}
		if s.Service != "" && !slices.Contains(one.Services, s.Service) {
			one.Services = append(one.Services, s.Service)
		}
		one.Outstanding = one.Outstanding.Plus(e.issued.book.Curve(s))
	}
	for _, one := range byLabel {
		slices.Sort(one.Services)
		shown = append(shown, *one)
	}
	slices.SortFunc(shown, func(a, b Departure) int { return a.Label.Compare(b.Label) })
	return shown
}

// showApart is a holding whose RDATA other names answer.
func (e *Engine) showApart(of subject, s *ledger.Standing, w *ledger.Whereabouts) Departure {
	one := e.shownOf(s, e.issued.departures[of], w)
	one.Owner, one.Service, one.Outstanding = s.Owner, s.Service, e.issued.book.Curve(s)
	if s.Service != "" {
		one.Services = []string{s.Service}
		if !one.Drained {
			one.Drained = w.DrainedFor(s)
		}
	}
	return *one
}

func (e *Engine) shownOf(s *ledger.Standing, d *departure, w *ledger.Whereabouts) *Departure {
	one := &Departure{Label: s.Label, RData: s.RData, Since: d.since, Bound: d.bound, Void: slices.Clone(d.void), Again: d.again, Heard: d.heard}
	if v := w.Of(s); v != nil {
		one.Known, one.Drained, one.Down = true, v.Drained, !v.InService() && !v.Pending()
	}
	return one
}

// sweep forgets what nobody needs to know any more: it is not of the model, and final, or has stood for very long.
func (e *Engine) sweep(w *ledger.Whereabouts, now time.Time) {
	for k, a := range e.issued.book.Absences() {
		for owner, s := range a.Names {
			if w.Of(s) != nil && s.Service != "" && w.Serves(s.Service) {
				continue
			}
			d := e.issued.departures[subject{RData: k}]
			if d == nil {
				d = e.issued.departures[subject{Owner: owner, RData: k}]
			}
			if d != nil && (!d.finalAt.IsZero() && now.Sub(d.finalAt) > shownFinal || now.Sub(d.since) > maxStanding) {
				e.issued.book.Forget(s.Holding)
			}
		}
	}
}

// pollIssued does what time alone brings about answers in caches.
func (e *Engine) pollIssued(now time.Time) {
	if e.issued.book.Poll(now) {
		e.issued.count++
		e.urge()
	}
	if e.ticks%tellTicks != 0 {
		return
	}
	e.opts.Ledger.Fold()
	e.mindGreatest(now)
	if e.cluster != nil {
		e.mindYoung(now)
		e.nameNodes(now)
	}
	e.countWrites()
	e.follow(now)
	e.followIncidents(now)
}

// urge has the next round made at once.
func (e *Engine) urge() {
	if e.cluster != nil {
		e.cluster.urgent = true
	}
}

// claim has everything stand that is down or drained at the start: an earlier process may have answered it.
func (e *Engine) claim(now time.Time) {
	if e.issued.claimed || !now.Before(e.issued.book.Earlier().Add(e.opts.Transit)) {
		return
	}
	e.issued.claimed = true
	v := e.view.Load()
	for _, zv := range v.Zones {
		for si, svc := range zv.Zone.Services {
			for _, pool := range svc.Pools {
				for ei, ev := range zv.Pools[pool].Endpoints {
					ref := health.EndpointRef{Pool: pool, Endpoint: ei}
					if (ev.InService() || ev.Pending()) && !zv.Drained(si, ref) {
						continue
					}
					for _, rdata := range zv.Zone.Carried(svc, pool, ei) {
						e.issued.book.Claim(ledger.Holding{Owner: svc.Name, RData: rdata}, svc.Name, ledger.LabelOf(zv.Zone, pool, ei), e.started)
					}
				}
			}
		}
	}
}
