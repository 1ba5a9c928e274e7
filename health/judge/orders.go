package judge

import (
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Orders are what orders make of one pool, by its endpoints. The zero value changes nothing, and so does a nil pointer.
type Orders struct {
	// Drained are the endpoints that are out, Forced what others count as, and Weights what weight they have.
	Drained map[int]bool
	Forced  map[int]Force
	Weights map[int]int
	// Weight is the pool's own; nil for that of the file.
	Weight *int
	// Ready tells whether somebody has opened the gate of a pool whose gate is manual. Admitted is the latest time at which somebody let the
	// pool return, which concerns returns that began before; zero for never.
	Ready    bool
	Admitted time.Time
	// Regardless is set while somebody has let the pool in whatever its lag: by an order that overrides the rpo.
	Regardless bool
	// Planned is when the first order begins that is to take a member out; zero for none.
	Planned time.Time
}

// A Force is what an endpoint counts as, and until when; zero is forever.
type Force struct {
	State health.State
	Until time.Time
}

// noOrders changes nothing.
var noOrders Orders

// Or is o, or what changes nothing where o is nil.
func (o *Orders) Or() *Orders {
	if o == nil {
		return &noOrders
	}
	return o
}

// Equal tells whether both make the same of a pool.
func (o *Orders) Equal(p *Orders) bool {
	return maps.Equal(o.Drained, p.Drained) && maps.EqualFunc(o.Forced, p.Forced, Force.equal) && maps.Equal(o.Weights, p.Weights) &&
		o.Ready == p.Ready && o.Regardless == p.Regardless && o.Admitted.Equal(p.Admitted) && o.Planned.Equal(p.Planned) &&
		(o.Weight == p.Weight || o.Weight != nil && p.Weight != nil && *o.Weight == *p.Weight)
}

func (f Force) equal(g Force) bool { return f.State == g.State && f.Until.Equal(g.Until) }

// add adds what an order makes of an endpoint.
func (o *Orders) add(endpoint int, i *health.Intent) {
	// Not Overrides: that every node has confirmed an order overrides nothing that the pool lacks.
	o.Regardless = o.Regardless || !i.TakesOut() && slices.Contains(i.Override, health.RuleRPO)
	switch {
	case i.Kind == health.IntentDrain:
		if o.Drained == nil {
			o.Drained = make(map[int]bool)
		}
		o.Drained[endpoint] = true
	case i.Kind == health.IntentForce:
		if o.Forced == nil {
			o.Forced = make(map[int]Force)
		}
		o.Forced[endpoint] = Force{i.State, i.End}
	case i.Kind == health.IntentReady:
		o.Ready = true
	case i.Kind == health.IntentFailback:
		if i.Start.After(o.Admitted) {
			o.Admitted = i.Start
		}
	case i.Scope.Kind == health.ScopePool:
		o.Weight = &i.Weight
	default:
		if o.Weights == nil {
			o.Weights = make(map[int]int)
		}
		o.Weights[endpoint] = i.Weight
	}
}

// show shows on e, the view of endpoint i, what orders make of it: they overlay its verdict.
func (o *Orders) show(i int, e *health.EndpointView) {
	e.Drained = e.Drained || o.Drained[i]
	if f := o.Forced[i]; f.State != health.Unknown {
		e.Forced = f.State
	}
}

// On changes p, which is the view of the pool cfg and nobody else's, as orders alone would: what health and failback make of that is as it
// was. An order that lets a pool in ends its hold.
func (o *Orders) On(cfg *config.Pool, p *health.PoolView) {
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		o.show(i, e)
		if f, forced := o.Forced[i]; forced {
			p.Calm = p.Calm && !e.Uneasy()
			if f.State == health.Up && !e.Drained {
				letIn(cfg, p, i)
			}
		}
	}
	if o.Weight != nil {
		p.Weight = o.Weight
	}
	if len(o.Weights) > 0 {
		weights := make(map[int]int)
		maps.Copy(weights, p.EndpointWeights)
		maps.Copy(weights, o.Weights)
		p.EndpointWeights = weights
	}
	p.GateClosed = p.GateClosed && !o.Ready
	if !o.Admitted.IsZero() {
		Admit(p, o.Admitted)
	}
}

// Admit changes p, which is nobody else's, as `fairlead failback` at an instant does: holds end, ramps begin, and what returns only with a new
// version of its zone file goes on waiting.
func Admit(p *health.PoolView, at time.Time) {
	if p.At.Before(at) {
		p.At = at
	}
	p.Return = p.Return.Let(at, time.Time{})
	p.ReturnAZ = slices.Clone(p.ReturnAZ)
	for i, r := range p.ReturnAZ {
		p.ReturnAZ[i] = r.Let(at, time.Time{})
	}
}

// letIn ends the way back of a pool and of the AZ of its endpoint i.
func letIn(cfg *config.Pool, p *health.PoolView, i int) {
	p.Return = health.Return{}
	p.ReturnAZ = slices.Clone(p.ReturnAZ)
	for a := range p.ReturnAZ {
		if cfg.AZWeights[a].AZ == cfg.Endpoints[i].AZ {
			p.ReturnAZ[a] = health.Return{}
		}
	}
}

// ZoneOrders are what orders make of one zone: of its pools, and of its services alone, both by their indices. Whatever stands in neither is
// as it would be without orders.
type ZoneOrders struct {
	Pools    map[int]*Orders
	Services map[int]*health.ServiceView
}

func (o *ZoneOrders) pool(i int) *Orders {
	if o.Pools == nil {
		o.Pools = make(map[int]*Orders)
	}
	if o.Pools[i] == nil {
		o.Pools[i] = new(Orders)
	}
	return o.Pools[i]
}

func (o *ZoneOrders) service(i int) *health.ServiceView {
	if o.Services == nil {
		o.Services = make(map[int]*health.ServiceView)
	}
	if o.Services[i] == nil {
		o.Services[i] = newService()
	}
	return o.Services[i]
}

func newService() *health.ServiceView {
	return &health.ServiceView{Drained: make(map[health.EndpointRef]bool), PoolWeights: make(map[int]int), EndpointWeights: make(map[health.EndpointRef]int)}
}

// Add adds what an order, which is about ref of zone z, makes of it. The weight of a pool is that of the endpoint for one that stands in
// another pool by now.
func (o *ZoneOrders) Add(z *config.Zone, ref health.EndpointRef, i *health.Intent) {
	if i.Scope.Kind == health.ScopePool && i.Scope.Pool != z.Pools[ref.Pool].Name {
		moved := *i
		moved.Scope.Kind, i = health.ScopeEndpoint, &moved
	}
	if i.Service == "" {
		o.pool(ref.Pool).add(ref.Endpoint, i)
		return
	}
	for _, si := range z.Pools[ref.Pool].Services {
		if z.Services[si].Name != i.Service {
			continue
		}
		s := o.service(si)
		switch {
		case i.Kind == health.IntentDrain:
			s.Drained[ref] = true
		case i.Scope.Kind == health.ScopePool:
			s.PoolWeights[ref.Pool] = i.Weight
		default:
			s.EndpointWeights[ref] = i.Weight
		}
	}
}

// plan notes when an order begins that is to take endpoints out.
func (o *ZoneOrders) plan(refs []health.EndpointRef, start time.Time) {
	for _, ref := range refs {
		if p := o.pool(ref.Pool); p.Planned.IsZero() || start.Before(p.Planned) {
			p.Planned = start
		}
	}
}

// AddShards adds what an order, which is effective at now, makes of shards of zone z, and when it begins or ends.
func (o *ZoneOrders) AddShards(z *config.Zone, i *health.Intent, now time.Time) {
	si, to, shards := shardsIn(z, i)
	if si < 0 {
		return
	}
	s := o.service(si)
	if i.Start.After(now) {
		s.ShardMoves = append(s.ShardMoves, health.ShardMove{ID: i.ID, Shards: shards, At: i.Start})
		return
	}
	s.Shards = append(s.Shards, health.ShardOrder{ID: i.ID, Shards: shards, To: to})
	if !i.Forever {
		s.ShardMoves = append(s.ShardMoves, health.ShardMove{ID: i.ID, Shards: shards, At: i.End})
	}
}

// Scoped is what services alone have by orders, was included, which is not written to.
func (o *ZoneOrders) Scoped(was map[int]*health.ServiceView) map[int]*health.ServiceView {
	if len(o.Services) == 0 {
		return was
	}
	out := maps.Clone(was)
	if out == nil {
		out = make(map[int]*health.ServiceView)
	}
	for si, is := range o.Services {
		s := newService()
		for _, from := range []*health.ServiceView{out[si], is} {
			if from != nil {
				maps.Copy(s.Drained, from.Drained)
				maps.Copy(s.PoolWeights, from.PoolWeights)
				maps.Copy(s.EndpointWeights, from.EndpointWeights)
				s.Shards = append(s.Shards, from.Shards...)
				s.ShardMoves = append(s.ShardMoves, from.ShardMoves...)
			}
		}
		out[si] = s
	}
	return out
}

// Overlay is what the intents that are effective at now make of the zones, with the beginnings of those that are planned.
func Overlay(zones []*config.Zone, open []health.Intent, now time.Time) []ZoneOrders {
	next := make([]ZoneOrders, len(zones))
	active := health.ActiveAt(open, now)
	resolved := Resolve(zones, active)
	for n, fate := range Drains(zones, active, nil) {
		if !fate.Effective() {
			continue
		}
		for zi, z := range zones {
			for _, ref := range resolved[n][zi] {
				next[zi].Add(z, ref, active[n])
			}
			next[zi].AddShards(z, active[n], now)
		}
	}
	var planned []*health.Intent
	for n := range open {
		if i := &open[n]; i.TakesOut() && i.Start.After(now) {
			planned = append(planned, i)
		}
	}
	for n, byZone := range Resolve(zones, planned) {
		for zi := range next {
			next[zi].plan(byZone[zi], planned[n].Start)
			next[zi].AddShards(zones[zi], planned[n], now)
		}
	}
	return next
}
