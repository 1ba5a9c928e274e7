package engine

import (
	"cmp"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A memberKey is an endpoint of an incident, as ZONE/POOL/ENDPOINT, and the service that alone does not answer with it; empty where
// none does.
type memberKey struct{ endpoint, service string }

func memberOf(zone string, n *ledger.IncidentEndpoint) memberKey {
	return memberKey{zone + "/" + n.Name, n.Service}
}

func (k memberKey) compare(o memberKey) int {
	return cmp.Or(cmp.Compare(k.endpoint, o.endpoint), cmp.Compare(k.service, o.service))
}

// String is how reports name it.
func (k memberKey) String() string {
	if k.service == "" {
		return k.endpoint
	}
	return k.endpoint + "@" + k.service
}

// departureOf is that of a member of an incident; nil where it is not out.
func (e *Engine) departureOf(key memberKey) *departure {
	n, ok := e.issued.book.Find(key.endpoint)
	if !ok {
		return nil
	}
	if k, ok := e.issued.book.FindService(key.endpoint, key.service); ok && e.issued.lacking[lack{k, n}] != nil {
		return e.issued.lacking[lack{k, n}]
	}
	// Nobody answers with it then.
	return e.issued.departures[n]
}

// lacks opens incidents for orders that take endpoints out of one service alone, and notes what comes back.
func (e *Engine) lacks(partials []ledger.Partial, now time.Time) {
	out := make(map[memberKey]bool)
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
			key := memberOf(z.Name, &note)
			if out[key] = true; e.incidents.members[key] != nil {
				continue
			}
			if orders == nil {
				orders = e.intents.Set().Open(now)
			}
			if made := orderIncident(z, pool, pool.Endpoints[m.Endpoint], svc.Name, orders, now); made.Intent != "" {
				joins := &member{incident: e.sameOrder(made).ID, left: true}
				e.enlist(joins, z.Name, note, func(i *ledger.Incident) { concerns(i, svc) })
			}
		}
	}
	for key := range e.incidents.members {
		if n, ok := e.issued.book.Find(key.endpoint); key.service != "" && !out[key] && ok && e.issued.book.At(n).State == ledger.Serving {
			e.returned(key, now)
		}
	}
}
