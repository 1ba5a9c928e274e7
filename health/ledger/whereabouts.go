package ledger

import (
	"cmp"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Whereabouts find the endpoints of a model that labels name. It reads the model as it goes, so that nothing is made for those that are in
// service. Make them with NewWhereabouts; they belong to one goroutine.
type Whereabouts struct {
	view     *health.View
	services map[string]bool
	zones    map[string]int
	found    map[Label]Place
}

// A Place indexes View.Zones, Zone.Pools and Pool.Endpoints.
type Place struct{ Zone, Pool, Endpoint int }

// NewWhereabouts find the endpoints of m in v, which may be nil; in the view of another model nothing is found.
func NewWhereabouts(m *config.Model, v *health.View) *Whereabouts {
	w := &Whereabouts{view: v, services: make(map[string]bool), zones: make(map[string]int), found: make(map[Label]Place)}
	if v == nil || v.Model != m {
		return w
	}
	for i, zv := range v.Zones {
		w.zones[zv.Zone.Name] = i
	}
	return w
}

// Find is where the endpoint of a label stands now.
func (w *Whereabouts) Find(l Label) (at Place, ok bool) {
	if at, ok = w.found[l]; ok {
		return at, at.Zone >= 0
	}
	at = Place{Zone: -1}
	if zi, ok := w.zones[l.Zone]; ok && l.Pool != "" {
		z := w.view.Zones[zi].Zone
		if pi := slices.IndexFunc(z.Pools, func(p *config.Pool) bool { return p.Name == l.Pool }); pi >= 0 {
			if ei := slices.IndexFunc(z.Pools[pi].Endpoints, func(e *config.Endpoint) bool { return e.Name == l.Endpoint }); ei >= 0 {
				at = Place{zi, pi, ei}
			}
		}
	}
	w.found[l] = at
	return at, at.Zone >= 0
}

// HasRData tells whether answers can carry RDATA of the endpoint at a place.
func (w *Whereabouts) HasRData(at Place, rdata string) bool {
	z := w.view.Zones[at.Zone].Zone
	return slices.Contains(z.Pools[at.Pool].Endpoints[at.Endpoint].RData(), rdata) || z.HostName(at.Pool, at.Endpoint) == rdata
}

// Carrying finds an endpoint of a zone that has one of the RDATA, under any name.
func (w *Whereabouts) Carrying(zone string, rdata []string) (at Place, ok bool) {
	zi, ok := w.zones[zone]
	if !ok {
		return at, false
	}
	for pi, p := range w.view.Zones[zi].Zone.Pools {
		for ei := range p.Endpoints {
			if slices.ContainsFunc(rdata, func(r string) bool { return w.HasRData(Place{zi, pi, ei}, r) }) {
				return Place{zi, pi, ei}, true
			}
		}
	}
	return at, false
}

// Of is the endpoint that what stands is of, if it still has that RDATA; else nil.
func (w *Whereabouts) Of(s *Standing) *health.EndpointView {
	at, ok := w.Find(s.Label)
	if !ok {
		return nil
	}
	zv := w.view.Zones[at.Zone]
	if !w.HasRData(at, s.RData) {
		return nil
	}
	if s.Service != "" && !w.services[s.Service] {
		w.services[s.Service] = slices.ContainsFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == s.Service })
	}
	return &zv.Pools[at.Pool].Endpoints[at.Endpoint]
}

// DrainedFor tells whether an order takes the endpoint out of the answers of one service.
func (w *Whereabouts) DrainedFor(s *Standing) bool {
	at, ok := w.Find(s.Label)
	if !ok {
		return false
	}
	zv := w.view.Zones[at.Zone]
	si := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == s.Service })
	return si >= 0 && zv.Drained(si, health.EndpointRef{Pool: at.Pool, Endpoint: at.Endpoint})
}

// Zone is the view of the zone of that name; nil for none.
func (w *Whereabouts) Zone(name string) *health.ZoneView {
	zi, ok := w.zones[name]
	if !ok {
		return nil
	}
	return w.view.Zones[zi]
}

// At is what stands at a place: the view of its zone, and that of the endpoint.
func (w *Whereabouts) At(at Place) (zv *health.ZoneView, v *health.EndpointView) {
	zv = w.view.Zones[at.Zone]
	return zv, &zv.Pools[at.Pool].Endpoints[at.Endpoint]
}

// Serves tells whether the model has a service, of those that stand in what Of was asked for.
func (w *Whereabouts) Serves(service string) bool { return w.services[service] }

// Compare orders labels by zone, pool and endpoint.
func (l Label) Compare(o Label) int {
	return cmp.Or(cmp.Compare(l.Zone, o.Zone), cmp.Compare(l.Pool, o.Pool), cmp.Compare(l.Endpoint, o.Endpoint))
}
