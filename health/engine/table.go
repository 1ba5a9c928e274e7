package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// A table is the working state for one model: which target stands behind which endpoint, and the latest view of each pool.
// It is owned by the engine's goroutine.
type table struct {
	model *config.Model
	obs   *observations
	// targets are those that are probed, with the pools that depend on each.
	targets map[health.TargetID]*targetUse
	zones   []zoneTable
	// dirty pools are judged by the next judge; wakes are pools that change without new input.
	dirty map[poolRef]bool
	wakes map[poolRef]time.Time
	// moved are pools whose horizon may have moved since the last horizons.
	moved map[poolRef]bool
	// sent is the horizon that was last sent for a pool.
	sent map[poolRef]time.Time
}

type zoneTable struct {
	view  *health.ZoneView
	pools []poolTable
}

// poolTable is one pool: its check and its endpoints' targets.
type poolTable struct {
	check   *config.Check
	targets []health.TargetID
	view    *health.PoolView
	// horizon is set when a service that uses the pool is in horizon mode.
	horizon bool
}

// poolRef indexes Model.Zones and Zone.Pools.
type poolRef struct{ zone, pool int }

type targetUse struct {
	target health.Target
	pools  []poolRef
}

// newTable makes the table for m. What old, which may be nil, believed of the same endpoints goes on; endpoints that are
// new start from the persisted verdicts.
func newTable(m *config.Model, old *table, state *stateFile, obs *observations) *table {
	t := &table{
		model: m, obs: obs,
		targets: make(map[health.TargetID]*targetUse),
		zones:   make([]zoneTable, len(m.Zones)),
		dirty:   make(map[poolRef]bool),
		wakes:   make(map[poolRef]time.Time),
		moved:   make(map[poolRef]bool),
		sent:    make(map[poolRef]time.Time),
	}
	for zi, z := range m.Zones {
		t.zones[zi].pools = make([]poolTable, len(z.Pools))
		before := old.poolsOf(z.Name)
		for pi, p := range z.Pools {
			pt := &t.zones[zi].pools[pi]
			ref := poolRef{zi, pi}
			t.addPool(pt, z, p, ref)
			pt.view = before.carry(p, pt, state)
			t.dirty[ref], t.moved[ref] = true, true
			if flip, ok := old.horizonOf(before, z, pi); ok {
				t.sent[ref] = flip
			}
		}
	}
	return t
}

// addPool notes which targets stand behind p.
func (t *table) addPool(pt *poolTable, z *config.Zone, p *config.Pool, ref poolRef) {
	for _, s := range p.Services {
		pt.horizon = pt.horizon || z.Services[s].TTL.Mode == config.Horizon
	}
	if p.Check < 0 {
		return
	}
	pt.check = z.Checks[p.Check]
	pt.targets = make([]health.TargetID, len(p.Endpoints))
	for i, e := range p.Endpoints {
		target := health.TargetOf(pt.check, e)
		pt.targets[i] = target.ID
		use := t.targets[target.ID]
		if use == nil {
			use = &targetUse{target: target}
			t.targets[target.ID] = use
		}
		if n := len(use.pools); n == 0 || use.pools[n-1] != ref {
			use.pools = append(use.pools, ref)
		}
	}
}

func (t *table) targetList() []health.Target {
	list := make([]health.Target, 0, len(t.targets))
	for _, u := range t.targets {
		list = append(list, u.target)
	}
	return list
}

// observed notes that a target was probed; moved tells whether a verdict may depend on it.
func (t *table) observed(id health.TargetID, moved bool) {
	use := t.targets[id]
	if use == nil {
		return
	}
	for _, ref := range use.pools {
		t.moved[ref] = true
		if moved {
			t.dirty[ref] = true
		}
	}
}

// endHolds marks the pools for which a failback hold ended.
func (t *table) endHolds(now time.Time) {
	for ref, at := range t.wakes {
		if !now.Before(at) {
			t.dirty[ref] = true
		}
	}
}

// endFreshness marks the pools of which an observation no longer counts.
func (t *table) endFreshness(now time.Time) {
	for id, use := range t.targets {
		if o, ok := t.obs.get(id); ok && !now.Before(judge.FreshUntil(use.target.Check, o)) {
			t.observed(id, true)
		}
	}
}

// judge reckons the dirty pools anew and returns the endpoints that changed. A pool that did not change keeps its view.
func (t *table) judge(now time.Time) []change {
	var changes []change
	for ref := range t.dirty {
		z := t.model.Zones[ref.zone]
		pt := &t.zones[ref.zone].pools[ref.pool]
		view, wake := judge.Pool(judge.PoolInput{
			Pool: z.Pools[ref.pool], Check: pt.check, Prev: pt.view, Now: now,
			Observations: func(i int) []health.Observation {
				if o, ok := t.obs.get(pt.targets[i]); ok {
					return []health.Observation{o}
				}
				return nil
			},
		})
		if wake.IsZero() {
			delete(t.wakes, ref)
		} else {
			t.wakes[ref] = wake
		}
		if !same(pt.view, view) {
			changes = append(changes, diff(z, z.Pools[ref.pool], pt.view, view)...)
			pt.view = view
			t.moved[ref] = true
		}
	}
	clear(t.dirty)
	return changes
}

// same tells whether nothing that anybody could see differs. While a hold runs each view differs: time itself is in it.
func same(a, b *health.PoolView) bool {
	if a == nil || a.Calm != b.Calm || a.Returned != b.Returned || (a.ReturnedAZ == nil) != (b.ReturnedAZ == nil) {
		return false
	}
	if !b.Returned.IsZero() || b.ReturnedAZ != nil {
		return false
	}
	for i := range a.Endpoints {
		if a.Endpoints[i] != b.Endpoints[i] {
			return false
		}
	}
	return true
}

func diff(z *config.Zone, p *config.Pool, a, b *health.PoolView) []change {
	var changes []change
	for i, e := range b.Endpoints {
		var was health.EndpointView
		if a != nil {
			was = a.Endpoints[i]
		}
		if was != e {
			changes = append(changes, change{zone: z, pool: p, endpoint: p.Endpoints[i], old: was, new: e})
		}
	}
	if changes == nil {
		// The holds moved, nothing else.
		changes = []change{{zone: z, pool: p, endpoint: p.Endpoints[0], old: b.Endpoints[0], new: b.Endpoints[0]}}
	}
	return changes
}

// newView freezes the present state.
func (t *table) newView(generation uint64, now time.Time) *health.View {
	v := &health.View{Generation: generation, At: now, Model: t.model, Zones: make([]*health.ZoneView, len(t.zones))}
	for zi := range t.zones {
		zt := &t.zones[zi]
		if zt.view == nil || zt.stale() {
			zt.view = &health.ZoneView{Zone: t.model.Zones[zi], Pools: make([]*health.PoolView, len(zt.pools))}
			for pi := range zt.pools {
				zt.view.Pools[pi] = zt.pools[pi].view
			}
		}
		v.Zones[zi] = zt.view
	}
	return v
}

// stale tells whether the zone's view no longer shows its pools.
func (zt *zoneTable) stale() bool {
	for pi := range zt.pools {
		if zt.pools[pi].view != zt.view.Pools[pi] {
			return true
		}
	}
	return false
}
