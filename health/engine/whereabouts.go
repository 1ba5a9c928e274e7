package engine

import (
	"cmp"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// whereabouts find the endpoints of a model that labels name. It reads the model as it goes, so that nothing is made for those that are in
// service.
type whereabouts struct {
	view     *health.View
	services map[string]bool
	zones    map[string]int
	found    map[ledger.Label]place
}

type place struct{ zone, pool, endpoint int }

func newWhereabouts(m *config.Model, v *health.View) *whereabouts {
	w := &whereabouts{view: v, services: make(map[string]bool), zones: make(map[string]int), found: make(map[ledger.Label]place)}
	if v == nil || v.Model != m {
		return w
	}
	for i, zv := range v.Zones {
		w.zones[zv.Zone.Name] = i
	}
	return w
}

// find is where the endpoint of a label stands now.
func (w *whereabouts) find(l ledger.Label) (at place, ok bool) {
	if at, ok = w.found[l]; ok {
		return at, at.zone >= 0
	}
	at = place{zone: -1}
	if zi, ok := w.zones[l.Zone]; ok && l.Pool != "" {
		z := w.view.Zones[zi].Zone
		if pi := slices.IndexFunc(z.Pools, func(p *config.Pool) bool { return p.Name == l.Pool }); pi >= 0 {
			if ei := slices.IndexFunc(z.Pools[pi].Endpoints, func(e *config.Endpoint) bool { return e.Name == l.Endpoint }); ei >= 0 {
				at = place{zi, pi, ei}
			}
		}
	}
	w.found[l] = at
	return at, at.zone >= 0
}

// hasRData tells whether answers can carry RDATA of the endpoint at a place.
func (w *whereabouts) hasRData(at place, rdata string) bool {
	z := w.view.Zones[at.zone].Zone
	return slices.Contains(z.Pools[at.pool].Endpoints[at.endpoint].RData(), rdata) || z.HostName(at.pool, at.endpoint) == rdata
}

// of is the endpoint that what stands is of, if it still has that RDATA; else nil.
func (w *whereabouts) of(s *ledger.Standing) *health.EndpointView {
	at, ok := w.find(s.Label)
	if !ok {
		return nil
	}
	zv := w.view.Zones[at.zone]
	if !w.hasRData(at, s.RData) {
		return nil
	}
	if s.Service != "" && !w.services[s.Service] {
		w.services[s.Service] = slices.ContainsFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == s.Service })
	}
	return &zv.Pools[at.pool].Endpoints[at.endpoint]
}

// drainedFor tells whether an order takes the endpoint out of the answers of one service.
func (w *whereabouts) drainedFor(s *ledger.Standing) bool {
	at, ok := w.find(s.Label)
	if !ok {
		return false
	}
	zv := w.view.Zones[at.zone]
	si := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == s.Service })
	return si >= 0 && zv.Drained(si, health.EndpointRef{Pool: at.pool, Endpoint: at.endpoint})
}

func compareLabels(a, b ledger.Label) int {
	return cmp.Or(cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Endpoint, b.Endpoint))
}
