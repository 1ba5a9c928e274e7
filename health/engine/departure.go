package engine

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// A departure is how an endpoint that this node does not answer any more leaves the caches.
type departure struct {
	since     time.Time
	confirmed map[string]confirmation
	void      []Void
	// bound is what was last put together.
	bound ledger.Bound
}

type confirmation struct {
	ledger.Confirmation
	epoch round.Epoch
}

// A Void is a node that served an endpoint again after it had confirmed that it left it.
type Void struct {
	Node string    `json:"node"`
	At   time.Time `json:"at"`
}

// A Departure is an endpoint that this node does not answer any more, and until when caches may hold it.
type Departure struct {
	// Zone and the indices of Zone.Pools and Pool.Endpoints say which. Service is the one that alone does not answer with it; nil where
	// none does.
	Zone           *config.Zone
	Pool, Endpoint int
	Service        *config.Service
	// Drained is set when an intent takes it out, else health does, or its tier has no turn.
	Drained, Down bool
	// Since is when this node's answers ceased to name it.
	Since time.Time
	Bound ledger.Bound
	Void  []Void
	// Outstanding is how many answers of this node alone that name it caches may hold, by second of expiry.
	Outstanding ledger.Curve
}

// follow puts together what is known of every endpoint that is out.
func (e *Engine) follow(now time.Time) {
	e.issued.followed = now
	var configured []string
	if e.cluster != nil {
		configured = e.cluster.configured(now)
		e.mindFences(now)
	}
	shown := append(e.followEndpoints(configured, now), e.followServices(configured, now)...)
	e.shownLeft.Store(&shown)
}

func (e *Engine) followEndpoints(configured []string, now time.Time) (shown []Departure) {
	i := &e.issued
	n := -1
	for zi, z := range e.cur.model.Zones {
		for pi, p := range z.Pools {
			for ei := range p.Endpoints {
				n++
				s := i.book.At(n)
				if s.State == ledger.Serving {
					delete(i.departures, n)
					continue
				}
				d := e.brought(i.departures[n], e.endpointSubject(n, z, p, p.Endpoints[ei], now), configured, now)
				i.departures[n] = d
				v := e.cur.zones[zi].pools[pi].view.Endpoints[ei]
				shown = append(shown, Departure{
					Zone: z, Pool: pi, Endpoint: ei,
					Drained: v.Drained, Down: !v.InService() && !v.Pending(), Since: d.since, Bound: d.bound, Void: slices.Clone(d.void),
					Outstanding: i.book.Curve(n),
				})
			}
		}
	}
	return shown
}

// brought is the departure d, or another one if that is of an earlier time, with what is known now.
func (e *Engine) brought(d *departure, of subject, configured []string, now time.Time) *departure {
	if d == nil || !d.since.Equal(of.own.Since) {
		d = &departure{since: of.own.Since, confirmed: make(map[string]confirmation)}
	}
	e.compose(of, d, configured, now)
	return d
}

// A subject is what nodes say of that they have left it: an endpoint, or one in the answers of a service.
type subject struct {
	own  ledger.Standing
	most time.Duration
	// said is the last word of another node, and when it came; ok is unset where it said nothing that is understood here.
	said func(p *peer) (said round.Issued, at time.Time, ok bool)
	// held tells whether another node has on disk an order that keeps it out.
	held func(p *peer) bool
}

func (e *Engine) endpointSubject(n int, z *config.Zone, p *config.Pool, of *config.Endpoint, now time.Time) subject {
	said := func(p *peer) (round.Issued, time.Time, bool) { return p.issued.Look(e.cur.model.Hash, n) }
	return subject{e.issued.book.At(n), e.issued.book.Ceiling(n), said, e.heldBy(z, p, of, "", now)}
}

// heldBy tells of a node whether it has on disk an order that keeps an endpoint out of all answers, or of those of a service.
func (e *Engine) heldBy(z *config.Zone, p *config.Pool, of *config.Endpoint, service string, now time.Time) func(*peer) bool {
	return func(other *peer) bool {
		set := e.intents.Set()
		return slices.ContainsFunc(set.Open(now), func(o health.Intent) bool {
			return (keepsOut(&o, z, p, of, "", now) || keepsOut(&o, z, p, of, service, now)) && other.holds(set, o.ID)
		})
	}
}

// Departures are the endpoints that this node does not answer, in the order of the files, as of the last second.
func (e *Engine) Departures() []Departure { return *e.shownLeft.Load() }

// compose asks every configured node's word; configured is empty for a node alone.
func (e *Engine) compose(of subject, d *departure, configured []string, now time.Time) {
	var silent []ledger.Silent
	if own := of.own; own.State == ledger.Left {
		until := own.Quiet.Add(ledger.Slow(own.Until.Sub(own.Quiet)))
		d.confirmed[e.opts.Node] = confirmation{Confirmation: ledger.Confirmation{Node: e.opts.Node, Quiet: own.Quiet, Until: until}}
	} else {
		silent = append(silent, ledger.Silent{Node: e.opts.Node, Since: now, Why: "has answers under way"})
	}
	if c := e.cluster; c != nil {
		for _, name := range configured {
			if name == c.self {
				continue
			}
			if s := e.ask(of, name, d, now); s != nil {
				silent = append(silent, *s)
			}
		}
		for name, at := range c.removed {
			if _, ok := d.confirmed[name]; !ok && name != c.self {
				d.confirmed[name] = stoppedAt(name, at, of.most)
			}
		}
	}
	confirmed := make([]ledger.Confirmation, 0, len(d.confirmed))
	for _, name := range slices.Sorted(maps.Keys(d.confirmed)) {
		confirmed = append(confirmed, d.confirmed[name].Confirmation)
	}
	d.bound = ledger.Compose(confirmed, silent, e.opts.Transit, e.opts.Without)
}

// stoppedAt is an operator's word that a node did not run from an instant on.
func stoppedAt(name string, at time.Time, most time.Duration) confirmation {
	return confirmation{Confirmation: ledger.Confirmation{Node: name, Quiet: at, Until: at.Add(ledger.Slow(most)), Stopped: true}}
}

// ask brings d in line with what another node says; it returns why the node has not confirmed, or nil.
func (e *Engine) ask(of subject, name string, d *departure, now time.Time) *ledger.Silent {
	c, most := e.cluster, of.most
	p := c.peers[name]
	was, confirmed := d.confirmed[name]
	if p != nil {
		said, at, ok := of.said(p)
		current := ok && now.Sub(at) < freshFor
		if current && !said.Left && p.fresh && !p.statusAt.IsZero() && !p.status.Answering {
			// It would answer with it if it answered.
			current = false
		}
		switch {
		case current && said.Left:
			said.Remaining -= e.skew()
			d.hear(name, said, at, func() bool { return of.held(p) })
			return nil
		case current:
			if confirmed && !was.Stopped {
				d.void = append(d.void, Void{Node: name, At: at})
				e.opts.Logger.Warn("a node serves an endpoint again that it had left", "node", name)
			}
			delete(d.confirmed, name)
			return &ledger.Silent{Node: name, Since: at, Why: "still answers with it"}
		}
	}
	if confirmed {
		// Its word stands: it keeps the endpoint out unless somebody says otherwise, and then it says so.
		return nil
	}
	if at, ok := c.stopped[name]; ok {
		d.confirmed[name] = stoppedAt(name, at, most)
		return nil
	}
	if at, ok := c.lease.fences[name]; ok {
		d.confirmed[name] = fencedAt(name, at, most)
		return nil
	}
	switch {
	case p == nil:
		return &ledger.Silent{Node: name, Why: "not in this node's roster"}
	case p.at.IsZero():
		return &ledger.Silent{Node: name, Why: "never heard"}
	case p.fresh && !p.statusAt.IsZero() && p.status.Config != e.cur.model.Hash:
		return &ledger.Silent{Node: name, Since: p.at, Why: "runs another configuration"}
	case p.fresh && !p.statusAt.IsZero() && !p.status.Answering:
		return &ledger.Silent{Node: name, Since: p.at, Why: "answers no service names now, and has not said that it left"}
	case p.fresh:
		return &ledger.Silent{Node: name, Since: p.at, Why: "has not said"}
	}
	return &ledger.Silent{Node: name, Since: p.at, Why: "not heard since", LeaseSeconds: p.heard.Lease.Seconds(), Conditional: p.at.Add(ledger.Slow(most))}
}

// hear takes in a node's word that it left, at the given instant. Of several words about one departure the earliest end counts:
// all of them are late by their way alone. held tells whether an order on the node's disk keeps the endpoint out.
func (d *departure) hear(name string, said round.Issued, at time.Time, held func() bool) {
	next := confirmation{Confirmation: ledger.Confirmation{
		Node: name, Quiet: at.Add(-said.Age), Until: at.Add(ledger.Slow(said.Remaining)),
	}, epoch: said.Epoch}
	was, ok := d.confirmed[name]
	if ok && said.Age == round.IssuedAge {
		// That is told without an epoch.
		said.Epoch, next.epoch = was.epoch, was.epoch
	}
	switch {
	case !ok || was.Stopped:
	case was.Fenced:
		// It is back, and may have answered with it before it left.
		if next.Until.After(was.Until) {
			d.void = append(d.void, Void{Node: name, At: at})
		}
	case said.Epoch == was.epoch, said.Epoch.Run != was.epoch.Run && held():
		// The same departure: another process of the node knows less, but the order kept the endpoint out all the time.
		if was.Until.Before(next.Until) {
			next.Until = was.Until
		}
		if was.Quiet.Before(next.Quiet) {
			next.Quiet = was.Quiet
		}
	case said.Epoch.Run != was.epoch.Run:
		// Another process of the node, which knows until when the one before may have answered with it at most.
	default:
		d.void = append(d.void, Void{Node: name, At: at})
	}
	d.confirmed[name] = next
}
