package table

import (
	"maps"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// A poolOverlay is what intents make of one pool. The zero one changes nothing.
type poolOverlay struct {
	drained  map[int]bool
	forced   map[int]forced
	weight   *int
	weights  map[int]int
	ready    bool
	admitted time.Time
	// planned is when the first order begins that is to take a member out; zero for none.
	planned time.Time
}

// forced is what an endpoint counts as, and until when; zero is forever.
type forced struct {
	state health.State
	until time.Time
}

// noOverlay changes nothing.
var noOverlay poolOverlay

// or is o, which may be nil, for reading.
func (o *poolOverlay) or() *poolOverlay {
	if o == nil {
		return &noOverlay
	}
	return o
}

func (o *poolOverlay) equal(p *poolOverlay) bool {
	return maps.Equal(o.drained, p.drained) && maps.EqualFunc(o.forced, p.forced, forced.equal) && maps.Equal(o.weights, p.weights) && o.ready == p.ready && o.admitted.Equal(p.admitted) && o.planned.Equal(p.planned) &&
		(o.weight == p.weight || o.weight != nil && p.weight != nil && *o.weight == *p.weight)
}

func (f forced) equal(g forced) bool { return f.state == g.state && f.until.Equal(g.until) }

// A zoneOverlay is what intents make of one zone.
type zoneOverlay struct {
	pools  map[int]*poolOverlay
	scoped map[int]*health.ServiceView
}

func (o *zoneOverlay) pool(i int) *poolOverlay {
	if o.pools[i] == nil {
		o.pools[i] = new(poolOverlay)
	}
	return o.pools[i]
}

func (o *zoneOverlay) service(i int) *health.ServiceView {
	if o.scoped[i] == nil {
		o.scoped[i] = &health.ServiceView{
			Drained: make(map[health.EndpointRef]bool), PoolWeights: make(map[int]int), EndpointWeights: make(map[health.EndpointRef]int),
		}
	}
	return o.scoped[i]
}

// Overlay reckons what the intents that are effective at now change, and marks the pools for which that is new. What did not
// change keeps its pointers.
func (t *Table) Overlay(open []health.Intent, now time.Time) (changed bool) {
	next := make([]zoneOverlay, len(t.zones))
	for zi := range next {
		next[zi] = zoneOverlay{pools: make(map[int]*poolOverlay), scoped: make(map[int]*health.ServiceView)}
	}
	active := health.ActiveAt(open, now)
	resolved := judge.Resolve(t.Model.Zones, active)
	for n, fate := range judge.Drains(t.Model.Zones, active, nil) {
		if fate.Effective() {
			for zi := range next {
				t.apply(&next[zi], zi, active[n], resolved[n][zi])
			}
		}
	}
	var planned []*health.Intent
	for n := range open {
		if i := &open[n]; i.TakesOut() && i.Start.After(now) {
			planned = append(planned, i)
		}
	}
	for n, byZone := range judge.Resolve(t.Model.Zones, planned) {
		for zi := range next {
			next[zi].plan(byZone[zi], planned[n].Start)
		}
	}
	for zi := range t.zones {
		zt := &t.zones[zi]
		for pi := range zt.pools {
			was, is := zt.pools[pi].overlay, next[zi].pools[pi]
			if !was.or().equal(is.or()) {
				zt.pools[pi].overlay = is
				t.dirty[Ref{zi, pi}] = true
				// The end of a force may have moved, which nothing but the horizon shows.
				t.moves(Ref{zi, pi})
				changed = true
			}
		}
		for si, is := range next[zi].scoped {
			if was := zt.scoped[si]; was != nil && sameService(was, is) {
				next[zi].scoped[si] = was
			}
		}
		if !maps.Equal(zt.scoped, next[zi].scoped) {
			zt.scoped, changed = next[zi].scoped, true
			if len(zt.scoped) == 0 {
				zt.scoped = nil
			}
		}
	}
	return changed
}

// plan notes when an order begins that is to take endpoints out.
func (o *zoneOverlay) plan(refs []health.EndpointRef, start time.Time) {
	for _, ref := range refs {
		if p := o.pool(ref.Pool); p.planned.IsZero() || start.Before(p.planned) {
			p.planned = start
		}
	}
}

func sameService(a, b *health.ServiceView) bool {
	return maps.Equal(a.Drained, b.Drained) && maps.Equal(a.PoolWeights, b.PoolWeights) && maps.Equal(a.EndpointWeights, b.EndpointWeights)
}

// apply adds what i, which is about refs, changes in zone zi. The weight 0 of a pool is that of the endpoint for one that stands in another
// pool by now.
func (t *Table) apply(o *zoneOverlay, zi int, i *health.Intent, refs []health.EndpointRef) {
	z := t.Model.Zones[zi]
	for _, ref := range refs {
		of := i
		if i.Scope.Kind == health.ScopePool && i.Scope.Pool != z.Pools[ref.Pool].Name {
			moved := *i
			moved.Scope.Kind, of = health.ScopeEndpoint, &moved
		}
		if i.Service == "" {
			applyPool(o.pool(ref.Pool), ref.Endpoint, of)
			continue
		}
		for _, si := range z.Pools[ref.Pool].Services {
			if z.Services[si].Name == i.Service {
				applyService(o.service(si), ref, of)
			}
		}
	}
}

func applyPool(p *poolOverlay, endpoint int, i *health.Intent) {
	switch {
	case i.Kind == health.IntentDrain:
		if p.drained == nil {
			p.drained = make(map[int]bool)
		}
		p.drained[endpoint] = true
	case i.Kind == health.IntentForce:
		if p.forced == nil {
			p.forced = make(map[int]forced)
		}
		p.forced[endpoint] = forced{i.State, i.End}
	case i.Kind == health.IntentReady:
		p.ready = true
	case i.Kind == health.IntentFailback:
		if i.Start.After(p.admitted) {
			p.admitted = i.Start
		}
	case i.Scope.Kind == health.ScopePool:
		p.weight = &i.Weight
	default:
		if p.weights == nil {
			p.weights = make(map[int]int)
		}
		p.weights[endpoint] = i.Weight
	}
}

func applyService(s *health.ServiceView, ref health.EndpointRef, i *health.Intent) {
	switch {
	case i.Kind == health.IntentDrain:
		s.Drained[ref] = true
	case i.Scope.Kind == health.ScopePool:
		s.PoolWeights[ref.Pool] = i.Weight
	default:
		s.EndpointWeights[ref] = i.Weight
	}
}
