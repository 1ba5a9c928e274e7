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

// A lack is an endpoint that a service does not answer with and others do, by their numbers in the book.
type lack struct{ service, endpoint int }

// servicesPart is what this node tells of endpoints that some services lack.
func (e *Engine) servicesPart(now time.Time) []byte {
	book, run := e.issued.book, uint32(e.incarnation())
	var all []round.ServiceIssued
	for _, p := range e.opts.Publisher.Partials() {
		k := book.ServiceNumber(p.Zone, p.Service)
		for _, m := range p.Missing {
			n := book.Number(m)
			if s := book.Lacking(k, n); s.State == ledger.Left {
				all = append(all, round.ServiceIssued{Service: k, Endpoint: n, Issued: round.Issued{
					Left: true, Remaining: s.Until.Sub(now) + e.skew(), Age: now.Sub(s.Quiet), Epoch: round.Epoch{Run: run, Number: s.Swap()},
				}})
			}
		}
	}
	return round.EncodeServices(e.cur.model.Hash, run, all)
}

// followServices puts together what is known of endpoints that a service lacks and others answer with.
func (e *Engine) followServices(configured []string, now time.Time) (shown []Departure) {
	i := &e.issued
	kept := make(map[lack]bool)
	partials := e.opts.Publisher.Partials()
	for _, p := range partials {
		z, view := e.cur.model.Zones[p.Zone], e.view.Load().Zones[p.Zone]
		k := i.book.ServiceNumber(p.Zone, p.Service)
		for _, m := range p.Missing {
			at := lack{k, i.book.Number(m)}
			svc, pool := z.Services[p.Service], z.Pools[m.Pool]
			d := e.brought(i.lacking[at], e.lackSubject(at, z, svc, pool, pool.Endpoints[m.Endpoint], now), configured, now)
			i.lacking[at], kept[at] = d, true
			v := view.Pools[m.Pool].Endpoints[m.Endpoint]
			shown = append(shown, Departure{
				Zone: z, Pool: m.Pool, Endpoint: m.Endpoint, Service: svc,
				Drained: view.Drained(p.Service, health.EndpointRef{Pool: m.Pool, Endpoint: m.Endpoint}), Down: !v.InService() && !v.Pending(),
				Since: d.since, Bound: d.bound, Void: slices.Clone(d.void),
			})
		}
	}
	maps.DeleteFunc(i.lacking, func(at lack, _ *departure) bool { return !kept[at] })
	e.lacks(partials, now)
	return shown
}

// lackSubject is what the nodes say of an endpoint and a service. One that is heard and says nothing of them has not left it.
func (e *Engine) lackSubject(at lack, z *config.Zone, svc *config.Service, p *config.Pool, of *config.Endpoint, now time.Time) subject {
	said := func(p *peer) (round.Issued, time.Time, bool) {
		said, heard, ok := p.services.Look(e.cur.model.Hash, at.service, at.endpoint)
		if !ok && p.fresh && !p.statusAt.IsZero() && p.status.Config == e.cur.model.Hash && now.Sub(p.statusAt) < freshFor {
			return round.Issued{}, p.statusAt, true
		}
		return said, heard, ok
	}
	book := e.issued.book
	return subject{book.Lacking(at.service, at.endpoint), book.ServiceCeiling(at.service), said, e.heldBy(z, p, of, svc.Name, now)}
}
