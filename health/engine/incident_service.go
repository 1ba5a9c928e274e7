package engine

import (
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// memberName is the name of an endpoint of an incident among the members.
func memberName(zone string, n *ledger.IncidentEndpoint) string {
	name := zone + "/" + n.Name
	if n.Service != "" {
		name += "@" + n.Service
	}
	return name
}

// departureOf is that of a member of an incident; nil where it is not out.
func (e *Engine) departureOf(name string) *departure {
	endpoint, service, scoped := strings.Cut(name, "@")
	n, ok := e.issued.book.Find(endpoint)
	if !ok {
		return nil
	}
	if k, ok := e.issued.book.FindService(endpoint, service); scoped && ok && e.issued.lacking[lack{k, n}] != nil {
		return e.issued.lacking[lack{k, n}]
	}
	// Nobody answers with it then.
	return e.issued.departures[n]
}

// lacks opens incidents for orders that take endpoints out of one service alone, and notes what comes back.
func (e *Engine) lacks(partials []ledger.Partial, now time.Time) {
	out := make(map[string]bool)
	var orders []health.Intent
	for _, p := range partials {
		z, view := e.cur.model.Zones[p.Zone], e.view.Load().Zones[p.Zone]
		svc := z.Services[p.Service]
		for _, m := range p.Missing {
			if !view.Drained(p.Service, health.EndpointRef{Pool: m.Pool, Endpoint: m.Endpoint}) {
				continue
			}
			pool := z.Pools[m.Pool]
			note := endpointNote(z, pool, pool.Endpoints[m.Endpoint], now)
			note.Service = svc.Name
			name := memberName(z.Name, &note)
			if out[name] = true; e.incidents.members[name] != nil {
				continue
			}
			if orders == nil {
				orders = e.intents.Set().Open(now)
			}
			made := &ledger.Incident{Kind: ledger.ByIntent, Zone: z.Name, OpenedAt: now}
			for k := range orders {
				o := &orders[k]
				if o.Service == svc.Name && o.TakesOut() && o.Active(now) && judge.Names(z, pool, pool.Endpoints[m.Endpoint], o.Scope) {
					orderedBy(made, o, now)
				}
			}
			if made.Intent == "" {
				continue
			}
			id := e.sameOrder(made).ID
			e.incidents.members[name] = &member{incident: id, left: true}
			e.incidents.out[id]++
			e.change(id, func(i *ledger.Incident) {
				i.LeftAt, i.ReturnedAt = now, time.Time{}
				if len(i.Endpoints) < ledger.MaxIncidentEndpoints {
					i.Endpoints = append(i.Endpoints, note)
				} else {
					i.More++
				}
				concerns(i, svc)
			})
		}
	}
	for name := range e.incidents.members {
		endpoint, service, scoped := strings.Cut(name, "@")
		if n, ok := e.issued.book.Find(endpoint); scoped && !out[name] && ok && e.issued.book.At(n).State == ledger.Serving {
			_, short, _ := strings.Cut(endpoint, "/")
			e.returned(name, short, service, now)
		}
	}
}
