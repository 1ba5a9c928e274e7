package explain

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
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

func (w *world) fail(at endpointAt) {
	p := w.pool(at.zone, at.pool)
	e := &p.Endpoints[at.endpoint]
	if e.InService() || e.Pending() {
		e.Verdict = health.Verdict{State: health.Down, Since: p.At.Add(-health.RemovalWindow), Left: p.At.Add(-health.RemovalWindow), Reason: "assumed to be down"}
	}
}

func (w *world) drain(at endpointAt) {
	w.orderAt(at.zone, health.EndpointRef{Pool: at.pool, Endpoint: at.endpoint}, health.Intent{Kind: health.IntentDrain})
}

// each calls f for every endpoint that KIND=NAME names, in all zones.
func (w *world) each(flag, text string, f func(endpointAt)) error {
	kind, name, _ := strings.Cut(text, "=")
	if !slices.Contains([]string{"endpoint", "pool", "az", "region", "cluster"}, kind) || name == "" {
		return fmt.Errorf("%w: %s %q: want endpoint=ENDPOINT, pool=POOL, az=AZ, region=REGION or cluster=CLUSTER", ErrInvalid, flag, text)
	}
	found, err := w.named(kind, name)
	if err != nil {
		return fmt.Errorf("%w: %s %q: %w", ErrInvalid, flag, text, err)
	}
	for _, at := range found {
		f(at)
	}
	return nil
}

// An endpointAt is an endpoint of a view: the indices of its zone, its pool and itself.
type endpointAt struct{ zone, pool, endpoint int }

// named are the endpoints of what a name means: the full name, or the end of one that is alone in having it. AZs and regions are those of
// all zones.
func (w *world) named(kind, name string) ([]endpointAt, error) {
	found, all := make(map[string][]endpointAt), make(map[string]bool)
	for zi, zv := range w.view.Zones {
		z := zv.Zone
		zone := strings.TrimSuffix(z.Name, ".")
		for pi, pool := range z.Pools {
			for i, e := range pool.Endpoints {
				full := map[string]string{
					"endpoint": zone + "/" + pool.Name + "/" + e.Name, "pool": zone + "/" + pool.Name, "az": z.AZs[e.AZ].Name,
					"region": z.Regions[pool.Region].Name, "cluster": e.Cluster,
				}[kind]
				if full == "" {
					continue
				}
				all[full], all[full[strings.LastIndex(full, "/")+1:]] = true, true
				if full == strings.Replace(name, "./", "/", 1) || strings.HasSuffix(full, "/"+name) {
					found[full] = append(found[full], endpointAt{zi, pi, i})
				}
			}
		}
	}
	names := slices.Sorted(maps.Keys(found))
	switch len(names) {
	case 0:
		if hint := config.DidYouMean(name, slices.Sorted(maps.Keys(all))); hint != "" {
			return nil, fmt.Errorf("no %s of that name: %s", kind, hint)
		}
		return nil, fmt.Errorf("no %s of that name", kind)
	case 1:
		return found[names[0]], nil
	}
	return nil, fmt.Errorf("that is any of %s", strings.Join(names, ", "))
}

// weigh overrides the weight of a pool or an endpoint.
func (w *world) weigh(text string) error {
	name, number, _ := strings.Cut(text, "=")
	weight, err := strconv.ParseUint(number, 10, 16)
	if err != nil {
		return fmt.Errorf("%w: weight %q: want POOL=N or ENDPOINT=N with N in 0..65535", ErrInvalid, text)
	}
	order := health.Intent{Kind: health.IntentWeight, Weight: int(weight)}
	found, poolErr := w.named("pool", name)
	if poolErr == nil {
		order.Scope = health.Scope{Kind: health.ScopePool, Pool: w.view.Zones[found[0].zone].Zone.Pools[found[0].pool].Name}
	} else if found, err = w.named("endpoint", name); err != nil {
		return fmt.Errorf("%w: weight %q: %w, and no endpoint either", ErrInvalid, text, poolErr)
	}
	w.orderAt(found[0].zone, health.EndpointRef{Pool: found[0].pool, Endpoint: found[0].endpoint}, order)
	return nil
}
