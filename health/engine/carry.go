package engine

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// poolsBefore is what the table before knew of one zone. The zero value knows nothing.
type poolsBefore struct {
	zone  *config.Zone
	index int
	table *zoneTable
	pools map[string]int
}

// poolsOf is what t, which may be nil, knows of the zone.
func (t *table) poolsOf(name string) *poolsBefore {
	if t == nil {
		return &poolsBefore{}
	}
	for zi, z := range t.model.Zones {
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

// reloaded is when z replaced another version of the zone file; zero if there was none.
func (b *poolsBefore) reloaded(z *config.Zone) time.Time {
	switch b.zone {
	case nil:
		return time.Time{}
	case z:
		return b.table.reloaded
	}
	return time.Now()
}

// carry is the view with which p starts: an endpoint keeps its verdict while its name and what is dialled stay the same,
// else it starts from what was persisted. nil means that nothing at all is known.
func (b *poolsBefore) carry(z *config.Zone, p *config.Pool, pt *poolTable, state *stateFile) *health.PoolView {
	pi, ok := b.pools[p.Name]
	if !ok {
		return state.carry(z, p, pt)
	}
	old, was := b.zone.Pools[pi], &b.table.pools[pi]
	if was.view == nil || old == p {
		return was.view
	}
	byName := make(map[string]int, len(old.Endpoints))
	for i, e := range old.Endpoints {
		byName[e.Name] = i
	}
	view := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints)), At: was.view.At, Return: was.view.Return}
	for i, e := range p.Endpoints {
		j, ok := byName[e.Name]
		if ok && slices.Equal(pt.dialled(i), was.dialled(j)) {
			view.Endpoints[i] = was.view.Endpoints[j]
		} else if v, ok := state.endpoint(z, p, pt, i); ok {
			view.Endpoints[i].Verdict = v
		}
	}
	if was.view.ReturnAZ != nil {
		view.ReturnAZ = b.returnAZ(old, was.view, z, p)
	}
	return view
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
