package incident

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A Caches is what is known at one instant of caches and of what is served: it implements World.
type Caches struct {
	Departures *departure.Set
	Words      departure.Words
	Where      *ledger.Whereabouts
	Watch      *Watch
	Now        time.Time
}

// Forgetting is how far caches have forgotten an endpoint: under all names, or under those of one service.
func (w *Caches) Forgetting(i *ledger.Incident, of *ledger.IncidentEndpoint, service string) Forgetting {
	out := Forgetting{Bound: ledger.Bound{Known: len(of.Addresses) > 0, Final: len(of.Addresses) > 0}}
	hosts := service != "" && w.leadsToHosts(i.Zone, service)
	for _, rdata := range of.Addresses {
		for _, s := range w.subjects(rdata, service, hosts) {
			w.add(&out, s, of, rdata, i.OpenedAt)
		}
	}
	return out
}

// leadsToHosts tells whether answers for a service lead to host names; for one that no file has any more nobody knows.
func (w *Caches) leadsToHosts(zone, service string) bool {
	zv := w.Where.Zone(zone)
	if zv == nil {
		return true
	}
	k := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == service })
	return k < 0 || zv.Zone.Services[k].SRV != nil
}

// subjects are what is to be forgotten of RDATA: under all names, or under those of a service, and under host names, whose answers are of no
// service, where those of the service lead there.
func (w *Caches) subjects(rdata, service string, hosts bool) []ledger.Key {
	whole := ledger.Key{RData: ledger.RDataKeyOf(rdata)}
	book := w.Departures.Book()
	if service == "" {
		return []ledger.Key{whole}
	}
	all := []ledger.Key{ledger.Holding{Owner: service, RData: rdata}.Key()}
	if a := book.Absences()[whole.RData]; a != nil {
		for owner, s := range a.Names {
			if (s.Service == service || s.Service == "" && hosts) && owner != all[0].Owner {
				all = append(all, ledger.Key{Owner: owner, RData: whole.RData})
			}
		}
	}
	return all
}

// add takes in the bound of one subject for an incident that was opened at since.
func (w *Caches) add(out *Forgetting, of ledger.Key, endpoint *ledger.IncidentEndpoint, rdata string, since time.Time) {
	b, void, again, stands := w.Departures.BoundOf(of, w.Words, since, w.Now)
	if stands {
		b.Confirmed = w.sinceSaid(b.Confirmed, of)
	}
	for _, v := range void {
		out.Void = append(out.Void, ledger.VoidWord{Node: v.Node, Endpoint: endpoint.Name, At: v.At})
	}
	for _, v := range again {
		out.Answered = append(out.Answered, ledger.StillAnswered{Endpoint: endpoint.Name, Address: rdata, Node: v.Node})
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
func (w *Caches) sinceSaid(confirmed []ledger.Confirmation, of ledger.Key) []ledger.Confirmation {
	confirmed = slices.Clone(confirmed)
	for _, s := range w.Words.Said(of) {
		k := slices.IndexFunc(confirmed, func(c ledger.Confirmation) bool { return c.Node == s.Node })
		if k >= 0 && s.Verb == ledger.Out && s.After.After(confirmed[k].Given) {
			confirmed[k].Given = s.After
		}
	}
	return confirmed
}

// Serves tells whether a service answers with something that is up.
func (w *Caches) Serves(zone, service string) bool { return w.Watch.answers.Serves(zone, service) }

// Ramping tells whether a pool is not back with its whole share.
func (w *Caches) Ramping(zone, pool string) bool {
	zv := w.Where.Zone(zone)
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
			if percent, _ := r.Share(f, w.Now); percent < 100 {
				return true
			}
		}
	}
	return false
}

// Answers is how many answers carried an endpoint, and how many of them caches may hold, once it has left for good.
func (w *Caches) Answers(of *ledger.IncidentEndpoint, zone string) (total uint64, curve ledger.Curve, left bool) {
	book := w.Departures.Book()
	for _, rdata := range of.Addresses {
		if of.Service != "" {
			key := ledger.Holding{Owner: of.Service, RData: rdata}.Key()
			if book.Word(key, w.Now).Verb != ledger.Out {
				return 0, nil, false
			}
			if s := book.Standing(key); s != nil {
				curve = curve.Plus(book.Curve(s))
			}
			continue
		}
		k := ledger.RDataKeyOf(rdata)
		if book.WordOf(k, w.Now).Verb != ledger.Out {
			return 0, nil, false
		}
		if a := book.Absences()[k]; a != nil {
			for _, s := range a.Names {
				curve = curve.Plus(book.Curve(s))
			}
		}
	}
	if of.Service != "" {
		return w.Watch.AnswersFor(of.Service, of.Addresses), curve, true
	}
	pool, endpoint, _ := strings.Cut(of.Name, "/")
	if at, ok := w.Where.Find(ledger.Label{Zone: zone, Pool: pool, Endpoint: endpoint, Region: of.Region, AZ: of.AZ}); ok {
		zv, _ := w.Where.At(at)
		p := zv.Zone.Pools[at.Pool]
		total = w.Watch.AnswersOf(zv.Zone, p, p.Endpoints[at.Endpoint])
	}
	return total, curve, true
}
