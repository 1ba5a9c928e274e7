package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A level is how much chooser overlooks to find somebody who answers. Drains are never overlooked.
type level uint8

const (
	// ordinary asks for health, failback and min_healthy.
	ordinary level = iota
	// evenHeld overlooks failback, but for pools with data that wait for a person: nobody is up, and who is held was never judged.
	evenHeld
	// evenBelowMin overlooks min_healthy too.
	evenBelowMin
)

// A draft is a plan in the making.
type draft struct {
	*Plan
	// offers are the pools that answer, with what each gives. They lead to the whole view of this instant, so no plan keeps
	// them.
	offers []offer
	// relief are pools of a later tier that answer for IPv4, of which the tier has lost every address.
	relief []offer
}

// members counts the endpoints in p, each once whatever its families.
func (p *draft) members() int {
	n := 0
	for _, o := range p.offers {
		n += len(o.members)
	}
	return n
}

// pending tells whether none of the members has ever been judged, whatever else is overlooked for them.
func (p *draft) pending() bool {
	return !slices.ContainsFunc(p.offers, func(o offer) bool { return !o.pending })
}

// A chooser makes one plan: that of one class.
type chooser struct {
	*subject
	steps   []step
	skipped []Skip
	// cell is set for the plan of a cell: the pools that may take its shards over are no standby of the service, and its data
	// is at its home, whatever max_share says.
	cell bool
	// turn is that of the shards of the cell, 0..99: a pool on its way back takes those whose turn is below its percentage.
	turn int
	// near is set for clients whose location splits the tiers: panic is decided over whole tiers, where it is not known.
	near bool
	// last is the first tier whose only members are kept.
	last *draft
	// eldest is the pool that is free from failback.
	eldest eldest
}

// plan is the plan of the class.
func (c *chooser) plan() *draft {
	c.eldest = c.findEldest()
	for _, attempt := range []struct {
		source Source
		level  level
	}{
		{FromTier, ordinary}, {FromHeld, evenHeld}, {FromBelowMin, evenBelowMin},
	} {
		if p, at := c.firstTier(attempt.source, attempt.level); p != nil {
			return c.panicOver(p, at)
		}
	}
	if c.last != nil {
		return c.last
	}
	return c.allDown()
}

// firstTier is the plan from the first step that has an available pool at level l, and which one that is; nil if none has. A
// tier in which nobody is up but for the speed limit waits in c.last: whoever is really up goes before it.
func (c *chooser) firstTier(source Source, l level) (*draft, int) {
	c.skipped = nil
	away := false
	for at, st := range c.steps {
		offers, why := c.offers(st, l)
		if offers == nil {
			c.skip(st.ref, why)
			continue
		}
		if away && offers[0].cfg.Kind() != config.Targets {
			c.skip(st.ref, SkipNoIPv4)
			continue
		}
		p := c.planFrom(at, offers, l)
		if p.Kept == p.members() {
			if c.last == nil {
				c.last = p
			}
			c.skip(st.ref, SkipNothingUp)
			continue
		}
		p.Skipped = c.skipped
		if p.Source != FromPending || source != FromTier {
			p.Source = source
		}
		if slices.ContainsFunc(offers, func(o offer) bool { return o.early }) && l == ordinary {
			p.Source = FromHeld
		}
		p.Floor = p.Floor || p.Source != FromTier
		c.relieve(p, at)
		if away = c.deaf(p, at, l); away {
			c.skip(st.ref, SkipNoIPv4)
			continue
		}
		return p, at
	}
	return nil, 0
}

// deaf tells whether p, the plan of c.steps[at], has lost every IPv4 address, nobody relieves it, and a later tier has CNAME targets: a name has
// addresses or a CNAME, so that tier answers whole, to those too who still reached an IPv6 address.
func (c *chooser) deaf(p *draft, at int, l level) bool {
	if c.cell || len(p.Sets[V4]) > 0 || !slices.ContainsFunc(p.offers, offer.withholdsIPv4) {
		return false
	}
	for next := at + 1; next < len(c.steps); next++ {
		if len(c.spare(next, l, config.Targets)) > 0 {
			return true
		}
	}
	return false
}

// skip notes why a tier is passed over. A tier that is split by distance is noted once.
func (c *chooser) skip(ref TierRef, why SkipReason) {
	if n := len(c.skipped); n > 0 && c.skipped[n-1].Tier == ref {
		c.skipped[n-1].Why = max(c.skipped[n-1].Why, why)
		return
	}
	c.skipped = append(c.skipped, Skip{Tier: ref, Why: why})
}

// offers are the pools of a step that are available at level l, or why there are none.
func (c *chooser) offers(st step, l level) ([]offer, SkipReason) {
	why := SkipNothingUp
	var offers []offer
	for _, share := range st.tier {
		weight := c.zv.PoolWeight(c.index, share.Pool, share.Weight)
		if weight == 0 {
			if share.Weight > 0 {
				why = max(why, SkipWeight)
			}
			continue
		}
		o, w := c.usable(share.Pool, l, c.eldest)
		if c.cell && o.members != nil && l == ordinary {
			o, w = c.wholly(o)
		}
		if o.members == nil {
			why = max(why, w)
			continue
		}
		o.weight, o.ref, o.rest = uint64(weight), st.ref, st.rest
		offers = append(offers, o)
	}
	return offers, why
}

// planFrom is the plan of c.steps[at], whose offers these are.
func (c *chooser) planFrom(at int, offers []offer, l level) *draft {
	p := &draft{Plan: &Plan{Service: c.svc, Tier: c.steps[at].ref}}
	pending := true
	for _, o := range offers {
		pending = pending && o.pending
	}
	if !pending && l == ordinary {
		offers = c.distribute(at, offers)
	}
	for _, o := range offers {
		p.Kept += o.kept
		// A member that was never judged answers at the floor, also beside a pool that is up.
		p.Floor = p.Floor || o.untold
	}
	p.Floor = p.Floor || p.Kept > 0
	p.fill(offers)
	if pending {
		p.Source, p.Floor = FromPending, true
	}
	return p
}

// fill flattens the offers, all of one kind, into the sets of p.
func (p *draft) fill(offers []offer) {
	p.offers = offers
	if len(offers) > 0 && offers[0].cfg.Kind() == config.Targets {
		p.Sets[Target] = flatten(offers, Target)
		return
	}
	p.Sets[V4] = flatten(offers, V4)
	p.Sets[V6] = flatten(offers, V6)
	if p.Service.SRV != nil || p.Service.HTTPS != nil {
		p.Sets[Any] = flatten(offers, Any)
	}
}

// relieve has the next tier that can answer for IPv4 where that of p, c.steps[at], has lost every IPv4 address and lives by IPv6 alone: most
// clients have nothing else, while those that have IPv6 alone reach IPv4 too, by NAT64. So no other tier answers for a lost IPv6. Pools that
// keep data never answer outside their turn. Where nobody else is there, pools answer that wait for their hold, and then those below their
// min_healthy, as they do for the whole.
func (c *chooser) relieve(p *draft, at int) {
	if c.cell || len(p.Sets[V4]) > 0 || !slices.ContainsFunc(p.offers, offer.withholdsIPv4) {
		return
	}
	for _, l := range []level{ordinary, evenHeld, evenBelowMin} {
		if kept := c.relieveAt(p, at, l); len(p.Sets[V4]) > 0 {
			p.Kept += kept
			p.Floor = p.Floor || kept > 0 || l != ordinary
			return
		}
	}
}

// relieveAt is relieve with what pools offer at level l; it returns how many of those that answer the speed limit alone keeps.
func (c *chooser) relieveAt(p *draft, at int, l level) (kept int) {
	for next := at + 1; next < len(c.steps); next++ {
		spare := c.spare(next, l, config.Addresses)
		set := flatten(spare, V4)
		// Where the speed limit alone has somebody there, whoever is really up goes before it.
		if n := c.keptIn(set); n < len(set) || len(p.relief) == 0 && n > 0 {
			p.Sets[V4], p.relief, kept = set, spare, n
		}
		if kept < len(p.Sets[V4]) {
			break
		}
	}
	return kept
}

// keptIn counts the members of a set that are down and answer all the same.
func (c *chooser) keptIn(set []Member) (n int) {
	for _, m := range set {
		if c.kept[health.EndpointRef{Pool: int(m.Pool), Endpoint: int(m.Endpoint)}] {
			n++
		}
	}
	return n
}

// withholdsIPv4 tells whether an IPv4 address of a member is dead.
func (o offer) withholdsIPv4() bool {
	return slices.ContainsFunc(o.members, func(i int) bool { return o.view.Endpoints[i].Withheld(config.IPv4) })
}

// usable is what a pool offers at level l: nothing, with the reason, if it is not available. free is who is free from failback.
func (s *subject) usable(pool int, l level, free eldest) (offer, SkipReason) {
	cfg, view := s.zv.Zone.Pools[pool], s.zv.Pools[pool]
	o := offer{subject: s, pool: pool, cfg: cfg, view: view, percent: health.Whole}
	if s.barred != nil && s.barred(pool) {
		return offer{}, SkipIsland
	}
	if view.GateClosed {
		return offer{}, SkipGate
	}
	if view.RPO[s.index].Held {
		return offer{}, SkipLag
	}
	o.percent = s.returned(cfg, view, &view.Return, l)
	if o.free = free.pool == pool; o.free {
		o.early, o.percent = o.percent == 0, health.Whole
	}
	if o.percent == 0 {
		return offer{}, SkipHeld
	}
	if f, ok := view.Forward[s.index]; ok && l == ordinary {
		o.percent = min(o.percent, f.Percent)
	}
	up, drained, held := 0, 0, 0
	for i, e := range view.Endpoints {
		ref := health.EndpointRef{Pool: pool, Endpoint: i}
		switch {
		case s.zv.Drained(s.index, ref):
			drained++
		case !e.InService() && s.kept[ref]:
			up++
			if o.answerable(i) {
				o.kept++
			}
			o.add(i)
		case !e.InService() && !e.Untried():
		case s.heldAZ(cfg, view, cfg.Endpoints[i].AZ, o.levelOfAZs(l)):
			if o.answerable(i) {
				held++
			}
		default:
			up++
			o.add(i)
		}
	}
	// One that is up and weighs nothing answers nobody: it keeps no doubted one from answering.
	if len(o.members) == 0 && held == 0 {
		for i, e := range view.Endpoints {
			if e.Pending() && !s.zv.Drained(s.index, health.EndpointRef{Pool: pool, Endpoint: i}) {
				up++
				o.add(i)
			}
		}
	}
	o.untold, o.pending = o.pendings()
	switch {
	case len(o.members) == 0 && held > 0:
		return offer{}, SkipHeld
	case len(o.members) == 0 && drained > 0:
		return offer{}, SkipDrained
	case len(o.members) == 0:
		return offer{}, SkipNothingUp
	case l != evenBelowMin && up < cfg.MinHealthy.Of(len(cfg.Endpoints)):
		return offer{}, SkipBelowMin
	}
	return o, 0
}

// returned is how much of its share a pool or AZ on its way back gives at level l, in percent. A pool with data that waits
// for a person is let in by nobody else: it may lack what was written while it was away.
func (s *subject) returned(cfg *config.Pool, view *health.PoolView, r *health.Return, l level) int {
	f := s.svc.FailbackOf(cfg)
	percent, _ := r.Share(f, view.At)
	if percent == 0 && l != ordinary && !(cfg.KeepsData() && f.Mode != config.FailbackAuto) {
		return health.Whole
	}
	return percent
}

func (s *subject) heldAZ(cfg *config.Pool, view *health.PoolView, az int, l level) bool {
	for i := range view.ReturnAZ {
		if cfg.AZWeights[i].AZ == az {
			return s.returned(cfg, view, &view.ReturnAZ[i], l) == 0
		}
	}
	return false
}
