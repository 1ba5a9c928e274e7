package explain

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// An Ended is what would be the case after the end of orders.
type Ended struct {
	Snapshot *answer.Snapshot
	// Kept are the orders that go on.
	Kept []health.IntentState
	// touched are the pools that an order which ends, or which is suspended until then, is about.
	touched map[poolAt]bool
}

// Pools are the pools of a zone, by its index in the view, that an order which ends, or which is suspended until then, is about.
func (e *Ended) Pools(zone int) (pools []int) {
	for pool := range e.Snapshot.View.Zones[zone].Pools {
		if e.touched[poolAt{zone, pool}] {
			pools = append(pools, pool)
		}
	}
	return pools
}

// ForeseeEnd is what would be answered after the end of orders, those with the ids of all: the other orders are applied anew, as they would
// be, and what comes back waits for its failback unless admit is set, which lets pools in as `fairlead failback` does.
func (x *Explainer) ForeseeEnd(all []health.IntentState, ids []health.IntentID, admit bool, now time.Time) *Ended {
	e := &ending{world: world{view: *x.Snapshot.View}, touched: make(map[poolAt]bool), admit: admit, now: now}
	e.world.view.Zones = slices.Clone(x.Snapshot.View.Zones)
	for _, s := range all {
		if slices.Contains(ids, s.ID) {
			e.ended = append(e.ended, s)
		} else {
			e.kept = append(e.kept, s)
		}
	}
	e.end()
	return &Ended{Snapshot: x.Compiler.Compile(x.Snapshot, &e.world.view), Kept: e.kept, touched: e.touched}
}

// A poolAt is a pool of a model: the indices of its zone and of itself.
type poolAt struct{ zone, pool int }

// An ending is a world in which some orders have come to their end.
type ending struct {
	world world
	// ended and kept are all orders in force and planned.
	ended, kept []health.IntentState
	// touched are the pools that an order which ends, or which is suspended until then, is about.
	touched map[poolAt]bool
	admit   bool
	now     time.Time
}

// end takes what the orders that end, and those that may be suspended no more, make of pools out of the world, and puts what is
// effective then into it.
func (e *ending) end() {
	v := &e.world.view
	before := slices.Clone(v.Zones)
	ended := active(e.ended)
	for n, zones := range judge.Resolve(v.Model.Zones, ended) {
		for zi, refs := range zones {
			for _, ref := range refs {
				e.lift(zi, ref.Pool, ended[n].Kind == health.IntentReady)
			}
		}
	}
	kept := active(e.kept)
	resolved := judge.Resolve(v.Model.Zones, kept)
	for n, i := range kept {
		if slices.ContainsFunc(e.kept, func(s health.IntentState) bool { return s.ID == i.ID && s.Suspended != nil }) {
			for zi, refs := range resolved[n] {
				for _, ref := range refs {
					e.lift(zi, ref.Pool, false)
				}
			}
		}
	}
	fates := judge.Drains(v.Model.Zones, kept, nil)
	for n, fate := range fates {
		// What a failback let in is in already.
		if !fate.Effective() || kept[n].Kind == health.IntentFailback {
			continue
		}
		for zi, refs := range resolved[n] {
			for _, ref := range refs {
				if e.touched[poolAt{zi, ref.Pool}] {
					e.world.orderAt(zi, ref, *kept[n])
				}
			}
		}
	}
	e.endShards(kept, fates)
	for at := range e.touched {
		z := v.Zones[at.zone].Zone
		next := e.world.pool(at.zone, at.pool)
		judge.Foresee(z, z.Pools[at.pool], before[at.zone].Pools[at.pool], next, e.now)
		if e.admit {
			judge.Admit(next, e.now)
		}
	}
}

// endShards leaves of what orders make of shards what those kept do.
func (e *ending) endShards(kept []*health.Intent, fates []judge.Fate) {
	v := &e.world.view
	for zi, zv := range v.Zones {
		next := *zv
		for si, scoped := range zv.Scoped {
			if len(scoped.Shards) > 0 {
				next.Scoped = without(next.Scoped, si, scoped, -1)
				next.Scoped[si].Shards, next.Scoped[si].ShardMoves = nil, nil
				v.Zones[zi] = &next
			}
		}
	}
	for n, fate := range fates {
		for zi, zv := range v.Zones {
			if fate.Effective() && kept[n].Scope.Kind == health.ScopeShards {
				var orders judge.ZoneOrders
				orders.AddShards(zv.Zone, kept[n], e.now)
				e.world.put(zi, &orders)
			}
		}
	}
}

// active are the orders that have begun.
func active(states []health.IntentState) []*health.Intent {
	var out []*health.Intent
	for i := range states {
		if !states[i].Planned {
			out = append(out, &states[i].Intent)
		}
	}
	return out
}

// lift takes out of the world what orders make of a pool, and with gate that somebody opened its gate.
func (e *ending) lift(zone, pool int, gate bool) {
	p := e.world.pool(zone, pool)
	cfg := e.world.view.Zones[zone].Zone.Pools[pool]
	p.GateClosed = p.GateClosed || gate && cfg.Gate.Manual
	if e.touched[poolAt{zone, pool}] {
		return
	}
	e.touched[poolAt{zone, pool}] = true
	for i := range p.Endpoints {
		p.Endpoints[i].Drained, p.Endpoints[i].Forced = false, health.Unknown
	}
	p.Weight, p.EndpointWeights = nil, nil
	zv := *e.world.view.Zones[zone]
	for si, scoped := range zv.Scoped {
		zv.Scoped = without(zv.Scoped, si, scoped, pool)
	}
	e.world.view.Zones[zone] = &zv
}

// without is all, in which service si has nothing of a pool.
func without(all map[int]*health.ServiceView, si int, was *health.ServiceView, pool int) map[int]*health.ServiceView {
	out := make(map[int]*health.ServiceView, len(all))
	for i, s := range all {
		out[i] = s
	}
	s := health.ServiceView{Drained: map[health.EndpointRef]bool{}, PoolWeights: map[int]int{}, EndpointWeights: map[health.EndpointRef]int{},
		Shards: was.Shards, ShardMoves: was.ShardMoves}
	for ref, on := range was.Drained {
		if ref.Pool != pool {
			s.Drained[ref] = on
		}
	}
	for p, w := range was.PoolWeights {
		if p != pool {
			s.PoolWeights[p] = w
		}
	}
	for ref, w := range was.EndpointWeights {
		if ref.Pool != pool {
			s.EndpointWeights[ref] = w
		}
	}
	out[si] = &s
	return out
}
