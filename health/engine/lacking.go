package engine

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// servicesPart is what this node tells of services that lack endpoints which others answer with.
func (e *Engine) servicesPart(now time.Time) []byte {
	book, run := e.issued.book, uint32(e.incarnation())
	var all []round.ServiceIssued
	for _, p := range e.opts.Publisher.Partials() {
		k := book.ServiceNumber(p.Zone, p.Service)
		if s := book.Service(k); s.State == ledger.Left {
			all = append(all, round.ServiceIssued{Number: k, Named: p.Named, Issued: round.Issued{
				Left: true, Remaining: s.Until.Sub(now) + e.skew(), Age: now.Sub(s.Quiet), Epoch: round.Epoch{Run: run, Number: s.Swap()},
			}})
		}
	}
	return round.EncodeServices(e.cur.model.Hash, run, all)
}

// followServices puts together what is known of endpoints that a service lacks and others answer with: all that it dropped is forgotten
// when the last node says so that answers the service with the same endpoints.
func (e *Engine) followServices(configured []string, now time.Time) (shown []Departure) {
	i := &e.issued
	kept := make(map[int]bool)
	partials := e.opts.Publisher.Partials()
	for _, p := range partials {
		k := i.book.ServiceNumber(p.Zone, p.Service)
		kept[k] = true
		d := e.departure(i.lacking, k, i.book.Service(k), configured, e.serviceSubject(k, p.Named, now), now)
		z, view := e.cur.model.Zones[p.Zone], e.view.Load().Zones[p.Zone]
		for _, m := range p.Missing {
			v := view.Pools[m.Pool].Endpoints[m.Endpoint]
			shown = append(shown, Departure{
				Zone: z, Pool: m.Pool, Endpoint: m.Endpoint, Service: z.Services[p.Service],
				Drained: view.Drained(p.Service, health.EndpointRef{Pool: m.Pool, Endpoint: m.Endpoint}), Down: !v.InService() && !v.Pending(),
				Since: d.since, Bound: d.bound, Void: slices.Clone(d.void),
			})
		}
	}
	for k := range i.lacking {
		if !kept[k] {
			delete(i.lacking, k)
		}
	}
	e.lacks(partials, now)
	return shown
}

// serviceSubject is what a service dropped that names what named stands for. A node that is heard and says nothing of the service, or
// names other endpoints, has not left them.
func (e *Engine) serviceSubject(k int, named uint64, now time.Time) subject {
	own := e.issued.book.Service(k)
	return subject{own, e.issued.book.ServiceCeiling(k), true, func(p *peer) (round.Issued, time.Time, bool) {
		said, at, ok := p.services.Look(e.cur.model.Hash, k)
		switch {
		case ok && now.Sub(at) < freshFor && said.Named == named:
			return said.Issued, at, true
		case p.fresh && !p.statusAt.IsZero() && p.status.Config == e.cur.model.Hash && now.Sub(p.statusAt) < freshFor:
			return round.Issued{}, p.statusAt, true
		}
		return round.Issued{}, at, false
	}}
}
