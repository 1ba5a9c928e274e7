package table

import (
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// poolsBefore is what the table before knew of one zone. The zero value knows nothing.
type poolsBefore struct {
	zone    *config.Zone
	index   int
	table   *zoneTable
	pools   map[string]int
	without health.Guards
	// names, places and stays are made by find: the endpoints of zone by name and by address, and the names of the zone that takes
	// its place.
	names  map[placeName]int
	places map[address][]health.EndpointRef
	stays  map[placeName]bool
}

// poolsOf is what t, which may be nil, knows of the zone.
func (t *Table) poolsOf(name string) *poolsBefore {
	if t == nil {
		return &poolsBefore{}
	}
	for zi, z := range t.Model.Zones {
		if z.Name == name {
			b := &poolsBefore{zone: z, index: zi, table: &t.zones[zi], pools: make(map[string]int, len(z.Pools))}
			for pi, p := range z.Pools {
				b.pools[p.Name] = pi
			}
			return b
		}
	}
	return &poolsBefore{}
}

// reloaded is when z replaced another version of the zone file; zero if there was none. That clusters give its pools other endpoints is no new version.
func (b *poolsBefore) reloaded(z *config.Zone, now time.Time) time.Time {
	switch {
	case b.zone == nil:
		return time.Time{}
	case b.zone.FileHash == z.FileHash:
		return b.table.reloaded
	}
	return now
}

// carry is the view with which p starts: an endpoint keeps its verdict while it is answered with the same address, whatever became
// of its name, its pool and its checks, until they have evidence of their own; else it starts from what was persisted. nil means that
// nothing at all is known.
func (b *poolsBefore) carry(z *config.Zone, p *config.Pool, pt *poolTable, memory Memory, now time.Time) *health.PoolView {
	pi, ok := b.pools[p.Name]
	if ok && b.zone.Pools[pi] == p {
		return b.table.pools[pi].view
	}
	if !ok {
		pi, ok = b.renamed(z, p)
	}
	view := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints))}
	known := false
	for i, e := range p.Endpoints {
		if was := b.endpoint(z, pi, ok, e, pt.dialled(i)); was != nil {
			view.Endpoints[i], known = *was, true
		} else if v, ok := memory.Endpoint(z, p, i, pt.dialled(i)); ok {
			view.Endpoints[i], known = v, true
		}
	}
	if !ok || b.table.pools[pi].view == nil {
		if !known {
			view = nil
		}
		return memory.Returns(z, p, view, now)
	}
	was := b.table.pools[pi].view
	view.At, view.Return, view.RPO, view.Forward = was.At, was.Return, b.rpo(was, z), b.forward(was, z)
	if was.ReturnAZ != nil {
		view.ReturnAZ = b.returnAZ(b.zone.Pools[pi], was, z, p)
	}
	return view
}

// endpoint is what was last seen of e, of which dialled is dialled now; nil for nothing. Its own pool before, if any, is asked first: there the
// name says who it is, so that another port to probe makes nobody new of it.
func (b *poolsBefore) endpoint(z *config.Zone, before int, ok bool, e *config.Endpoint, dialled []health.TargetID) *health.EndpointView {
	if b.zone == nil {
		return nil
	}
	b.find(z)
	if ok && !b.without.Without(health.GuardIdentity) && b.table.pools[before].view != nil {
		if i, named := b.names[placeName{b.zone.Pools[before].Name, e.Name}]; named && sameAddress(b.zone.Pools[before].Endpoints[i], e) {
			view := readdressed(b.zone.Pools[before].Endpoints[i], e, b.table.pools[before].view.Endpoints[i])
			return &view
		}
	}
	var other *health.EndpointView
	for _, at := range b.places[addressOf(e)] {
		old, was := b.zone.Pools[at.Pool], &b.table.pools[at.Pool]
		if was.view == nil || was.view.Endpoints[at.Endpoint].Verdict.Pending() {
			continue
		}
		view := readdressed(old.Endpoints[at.Endpoint], e, was.view.Endpoints[at.Endpoint])
		if slices.Equal(dialled, was.dialled(at.Endpoint)) {
			return &view
		}
		if _, stays := b.stays[placeName{old.Name, old.Endpoints[at.Endpoint].Name}]; !stays && other == nil {
			other = &view
		}
	}
	return other
}

// renamed is the pool before that p was, under a name that is gone: where its first endpoint stood.
func (b *poolsBefore) renamed(z *config.Zone, p *config.Pool) (pool int, ok bool) {
	if b.zone == nil || len(p.Endpoints) == 0 {
		return 0, false
	}
	b.find(z)
	for _, at := range b.places[addressOf(p.Endpoints[0])] {
		if !slices.ContainsFunc(z.Pools, func(q *config.Pool) bool { return q.Name == b.zone.Pools[at.Pool].Name }) {
			return at.Pool, true
		}
	}
	return 0, false
}

// A placeName is an endpoint of a zone by names.
type placeName struct{ pool, endpoint string }

// An address is what an endpoint is answered with, and the port that it names.
type address struct {
	v4, v6 netip.Addr
	target string
	port   uint16
}

func addressOf(e *config.Endpoint) address { return address{e.V4, e.V6, e.Target, e.ProbePort} }

// sameAddress tells whether a and b are answered with the same, in one family at least.
func sameAddress(a, b *config.Endpoint) bool {
	return a.V4.IsValid() && a.V4 == b.V4 || a.V6.IsValid() && a.V6 == b.V6 || a.Target != "" && a.Target == b.Target
}

// find finds the endpoints of the zone before by name and by address, and notes the names of z, once.
func (b *poolsBefore) find(z *config.Zone) {
	if b.names != nil {
		return
	}
	b.names, b.places, b.stays = make(map[placeName]int), make(map[address][]health.EndpointRef), make(map[placeName]bool)
	for pi, p := range b.zone.Pools {
		for i, e := range p.Endpoints {
			b.names[placeName{p.Name, e.Name}] = i
			b.places[addressOf(e)] = append(b.places[addressOf(e)], health.EndpointRef{Pool: pi, Endpoint: i})
		}
	}
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			b.stays[placeName{p.Name, e.Name}] = true
		}
	}
}

// returnAZ carries the holds of AZs over by their names: places in the file move.
func (b *poolsBefore) returnAZ(old *config.Pool, was *health.PoolView, z *config.Zone, p *config.Pool) []health.Return {
	byName := make(map[string]health.Return, len(old.AZWeights))
	for i, w := range old.AZWeights {
		byName[b.zone.AZs[w.AZ].Name] = was.ReturnAZ[i]
	}
	returned := make([]health.Return, len(p.AZWeights))
	for i, w := range p.AZWeights {
		returned[i] = byName[z.AZs[w.AZ].Name]
	}
	return returned
}

// rpo carries over how the pool stood to the rpo of services, and forward how far it had taken them over, by their names.
func (b *poolsBefore) rpo(was *health.PoolView, z *config.Zone) map[int]health.RPOView {
	return byService(b.zone, z, was.RPO)
}

func (b *poolsBefore) forward(was *health.PoolView, z *config.Zone) map[int]health.Forward {
	return byService(b.zone, z, was.Forward)
}

// byService has what is said of services of one version of a zone under their places in another one; nil where nothing is.
func byService[T any](from, to *config.Zone, was map[int]T) (out map[int]T) {
	for si, v := range was {
		at := slices.IndexFunc(to.Services, func(s *config.Service) bool { return s.Name == from.Services[si].Name })
		if at < 0 {
			continue
		}
		if out == nil {
			out = make(map[int]T)
		}
		out[at] = v
	}
	return out
}
