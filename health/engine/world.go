package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A world is what the engine knows at one instant of what incidents ask. It implements incident.World on Run's goroutine.
type world struct {
	e     *Engine
	now   time.Time
	where *ledger.Whereabouts
}

// Forgetting is how far caches have forgotten an endpoint: under all names, or under those of one service.
func (w *world) Forgetting(of *ledger.IncidentEndpoint, zone, service string) incident.Forgetting {
	out := incident.Forgetting{Bound: ledger.Bound{Known: len(of.Addresses) > 0, Final: len(of.Addresses) > 0}}
	hosts := service != "" && w.leadsToHosts(zone, service)
	for _, rdata := range of.Addresses {
		for _, s := range w.subjects(rdata, service, hosts) {
			w.add(&out, s, of, rdata)
		}
	}
	return out
}

// leadsToHosts tells whether answers for a service lead to host names; for one that no file has any more nobody knows.
func (w *world) leadsToHosts(zone, service string) bool {
	zv := w.where.Zone(zone)
	if zv == nil {
		return true
	}
	k := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == service })
	return k < 0 || zv.Zone.Services[k].SRV != nil
}

// subjects are what is to be forgotten of RDATA: under all names, or under those of a service, and under host names, whose answers are of no
// service, where those of the service lead there.
func (w *world) subjects(rdata, service string, hosts bool) []subject {
	whole := subject{RData: ledger.RDataKeyOf(rdata)}
	book := w.e.issued.book
	if service == "" {
		return []subject{whole}
	}
	all := []subject{ledger.Holding{Owner: service, RData: rdata}.Key()}
	if a := book.Absences()[whole.RData]; a != nil {
		for owner, s := range a.Names {
			if (s.Service == service || s.Service == "" && hosts) && owner != all[0].Owner {
				all = append(all, subject{Owner: owner, RData: whole.RData})
			}
		}
	}
	return all
}

// add takes in the bound of one subject.
func (w *world) add(out *incident.Forgetting, of subject, endpoint *ledger.IncidentEndpoint, rdata string) {
	e := w.e
	var b ledger.Bound
	d := e.issued.departures[of]
	if d != nil {
		b = d.bound
		b.Confirmed = w.sinceSaid(b.Confirmed, of)
		for _, v := range d.void {
			out.Void = append(out.Void, ledger.VoidWord{Node: v.Node, Endpoint: endpoint.Name, At: v.At})
		}
		for _, v := range d.again {
			out.Answered = append(out.Answered, ledger.StillAnswered{Endpoint: endpoint.Name, Address: rdata, Node: v.Node})
		}
	} else {
		var configured []string
		if e.cluster != nil {
			configured = e.configuredNames(w.now)
		}
		b = ledger.Compose(e.said(of, configured, w.now), w.now, e.opts.Transit, e.opts.Without)
	}
	for _, u := range b.Unknown {
		if u.Answering {
			out.Answered = append(out.Answered, ledger.StillAnswered{Endpoint: endpoint.Name, Address: rdata, Node: u.Node})
		}
	}
	out.Known, out.Final, out.Bound.Void = out.Known && b.Known, out.Final && b.Final, out.Bound.Void || b.Void
	out.SafeAt, out.Quiet = ledger.Later(out.SafeAt, b.SafeAt), ledger.Later(out.Quiet, b.Quiet)
	out.Confirmed = append(out.Confirmed, b.Confirmed...)
	out.Unknown = append(out.Unknown, b.Unknown...)
}

// sinceSaid is what nodes confirmed, as of their latest words: what is final is so by words that were given before other things were, and all of an
// incident is to be confirmed after the latest instant of any of it.
func (w *world) sinceSaid(confirmed []ledger.Confirmation, of subject) []ledger.Confirmation {
	var configured []string
	if w.e.cluster != nil {
		configured = w.e.configuredNames(w.now)
	}
	confirmed = slices.Clone(confirmed)
	for _, s := range w.e.said(of, configured, w.now) {
		k := slices.IndexFunc(confirmed, func(c ledger.Confirmation) bool { return c.Node == s.Node })
		if k >= 0 && s.Verb == ledger.Out && s.After.After(confirmed[k].Given) {
			confirmed[k].Given = s.After
		}
	}
	return confirmed
}

// Serves tells whether a service answers with something that is up.
func (w *world) Serves(zone, service string) bool { return w.e.opts.Publisher.Serves(zone, service) }

// Ramping tells whether a pool is not back with its whole share.
func (w *world) Ramping(zone, pool string) bool {
	zv := w.where.Zone(zone)
	if zv == nil {
		return false
	}
	pi := slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == pool })
	if pi < 0 {
		return false
	}
	view := zv.Pools[pi]
	for _, r := range append([]health.Return{view.Return}, view.ReturnAZ...) {
		for _, f := range zv.Zone.Pools[pi].Failbacks {
			if percent, _ := r.Share(f, w.now); percent < 100 {
				return true
			}
		}
	}
	return false
}

// Answers is how many answers carried an endpoint, and how many of them caches may hold, once it has left for good.
func (w *world) Answers(of *ledger.IncidentEndpoint, zone string) (total uint64, curve ledger.Curve, left bool) {
	book := w.e.issued.book
	for _, rdata := range of.Addresses {
		if of.Service != "" {
			key := ledger.Holding{Owner: of.Service, RData: rdata}.Key()
			if book.Word(key, w.now).Verb != ledger.Out {
				return 0, nil, false
			}
			if s := book.Standing(key); s != nil {
				curve = curve.Plus(book.Curve(s))
			}
			continue
		}
		k := ledger.RDataKeyOf(rdata)
		if book.WordOf(k, w.now).Verb != ledger.Out {
			return 0, nil, false
		}
		if a := book.Absences()[k]; a != nil {
			for _, s := range a.Names {
				curve = curve.Plus(book.Curve(s))
			}
		}
	}
	if of.Service != "" {
		return w.e.incidents.AnswersFor(of.Service, of.Addresses), curve, true
	}
	pool, endpoint, _ := strings.Cut(of.Name, "/")
	if at, ok := w.where.Find(ledger.Label{Zone: zone, Pool: pool, Endpoint: endpoint, Region: of.Region, AZ: of.AZ}); ok {
		zv, _ := w.where.At(at)
		p := zv.Zone.Pools[at.Pool]
		total = w.e.incidents.AnswersOf(zv.Zone, p, p.Endpoints[at.Endpoint])
	}
	return total, curve, true
}

// followIncidents brings open incidents in line with what is known of caches, once a second.
func (e *Engine) followIncidents(now time.Time) {
	e.incidents.Follow(&world{e, now, ledger.NewWhereabouts(e.cur.Model, e.view.Load())}, now)
}

// Incidents are those that are kept, the newest last, as of the last second. They are not to be changed.
func (e *Engine) Incidents() []*ledger.Incident { return e.incidents.Incidents() }

// Amend changes what others know of an incident: what was seen to arrive late. amend must replace what it changes.
func (e *Engine) Amend(id string, amend func(*ledger.Incident)) (made *ledger.Incident, err error) {
	err = e.loop.Do(func(now time.Time) error {
		made, err = e.incidents.Amend(id, now, amend)
		return err
	})
	return made, err
}
