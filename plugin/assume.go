package fairlead

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Peace is the view in which every endpoint of m is up, every gate open and nobody on the way back: what holds where no node
// is asked.
func Peace(m *config.Model, now time.Time) *health.View {
	v := &health.View{At: now, Model: m}
	for _, z := range m.Zones {
		zv := &health.ZoneView{Zone: z}
		for _, p := range z.Pools {
			pv := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints)), At: now, Calm: true}
			for i := range pv.Endpoints {
				pv.Endpoints[i].Verdict = health.Verdict{State: health.Up, Unmonitored: len(p.Watched()) == 0, Since: now}
			}
			zv.Pools = append(zv.Pools, pv)
		}
		v.Zones = append(v.Zones, zv)
	}
	return v
}

// assume is v under assumptions; v itself where there are none. What is assumed to be down has been so for longer than the
// speed limit looks back: this is what clients get in the end.
func assume(v *health.View, a api.Assumptions) (*health.View, error) {
	w := world{view: *v}
	w.view.Zones = slices.Clone(v.Zones)
	for _, text := range a.Down {
		if err := w.each("down", text, w.fail); err != nil {
			return nil, err
		}
	}
	for _, text := range a.Drain {
		if err := w.each("drain", text, w.drain); err != nil {
			return nil, err
		}
	}
	for _, text := range a.Weight {
		if err := w.weigh(text); err != nil {
			return nil, err
		}
	}
	if w.changed == nil {
		return v, nil
	}
	return &w.view, nil
}

// A world is a view in the making. What changes is copied first.
type world struct {
	view health.View
	// changed are the pools that are copies already.
	changed map[*health.PoolView]bool
}

// pool is a pool that may be written to.
func (w *world) pool(zone, pool int) *health.PoolView {
	old := w.view.Zones[zone].Pools[pool]
	if w.changed[old] {
		return old
	}
	if w.changed == nil {
		w.changed = make(map[*health.PoolView]bool)
	}
	p := *old
	p.Endpoints = slices.Clone(old.Endpoints)
	zv := *w.view.Zones[zone]
	zv.Pools = slices.Clone(zv.Pools)
	zv.Pools[pool] = &p
	w.view.Zones[zone] = &zv
	w.changed[&p] = true
	return &p
}

func (w *world) fail(p *health.PoolView, i int) {
	e := &p.Endpoints[i]
	if e.InService() || e.Pending() {
		e.Verdict = health.Verdict{State: health.Down, Since: p.At.Add(-health.RemovalWindow), Left: p.At.Add(-health.RemovalWindow), Reason: "assumed to be down"}
	}
}

func (w *world) drain(p *health.PoolView, i int) { p.Endpoints[i].Drained = true }

// each calls f for every endpoint that KIND=NAME names, in all zones.
func (w *world) each(flag, text string, f func(p *health.PoolView, endpoint int)) error {
	kind, name, _ := strings.Cut(text, "=")
	if !slices.Contains([]string{"endpoint", "pool", "az", "region", "cluster"}, kind) || name == "" {
		return fmt.Errorf("%w: %s %q: want endpoint=POOL/ENDPOINT, pool=POOL, az=AZ, region=REGION or cluster=CLUSTER", admin.ErrInvalid, flag, text)
	}
	found := false
	for zi, zv := range w.view.Zones {
		z := zv.Zone
		for pi, pool := range z.Pools {
			for i, e := range pool.Endpoints {
				at := map[string]string{
					"endpoint": pool.Name + "/" + e.Name, "pool": pool.Name, "az": z.AZs[e.AZ].Name, "region": z.Regions[pool.Region].Name,
					"cluster": e.Cluster,
				}[kind]
				if at == name || z.Name+"/"+at == name || strings.TrimSuffix(z.Name, ".")+"/"+at == name {
					f(w.pool(zi, pi), i)
					found = true
				}
			}
		}
	}
	if !found {
		return fmt.Errorf("%w: %s %q: no %s of that name", admin.ErrInvalid, flag, text, kind)
	}
	return nil
}

// weigh overrides the weight of a pool or an endpoint.
func (w *world) weigh(text string) error {
	name, number, _ := strings.Cut(text, "=")
	weight, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("%w: weight %q: want POOL=N or POOL/ENDPOINT=N with N in 0..65535", admin.ErrInvalid, text)
	}
	found := false
	for zi, zv := range w.view.Zones {
		for pi, pool := range zv.Zone.Pools {
			if pool.Name == name {
				n := int(weight)
				w.pool(zi, pi).Weight = &n
				found = true
			}
			for i, e := range pool.Endpoints {
				if pool.Name+"/"+e.Name != name {
					continue
				}
				p := w.pool(zi, pi)
				weights := map[int]int{i: int(weight)}
				for k, v := range p.EndpointWeights {
					if k != i {
						weights[k] = v
					}
				}
				p.EndpointWeights = weights
				found = true
			}
		}
	}
	if !found {
		return fmt.Errorf("%w: weight %q: no pool or endpoint of that name", admin.ErrInvalid, text)
	}
	return nil
}
