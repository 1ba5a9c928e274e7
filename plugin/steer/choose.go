package steer

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A level is how much chooser overlooks to find somebody who answers. Drains are never overlooked.
type level uint8

const (
	// ordinary asks for health, the failback hold and min_healthy.
	ordinary level = iota
	// evenHeld overlooks the failback hold.
	evenHeld
	// evenBelowMin overlooks min_healthy too.
	evenBelowMin
)

// chooser carries the inputs of one Compute.
type chooser struct {
	zv      *health.ZoneView
	svc     *config.Service
	skipped []Skip
	// kept are the endpoints that the speed limit keeps; nil while it is being found out.
	kept map[endpointRef]bool
	// last is the first tier whose only members are kept.
	last *Plan
}

// firstTier is the plan from the first tier that has an available pool at level l; nil if none has. A tier in which nobody
// is up but for the speed limit waits in c.last: whoever is really up goes before it.
func (c *chooser) firstTier(source Source, l level) *Plan {
	c.skipped = nil
	for t, tier := range c.svc.Tiers {
		p, why := c.tierPlan(t, tier, l)
		if p != nil && p.Kept == p.members {
			if c.last == nil {
				c.last = p
			}
			p, why = nil, SkipNothingUp
		}
		if p == nil {
			c.skipped = append(c.skipped, Skip{Tier: t, Why: why})
			continue
		}
		p.Skipped = c.skipped
		if p.Source != FromPending || source != FromTier {
			p.Source = source
		}
		p.Floor = p.Floor || source != FromTier
		return p
	}
	return nil
}

// tierPlan is the plan from one tier, or why the tier cannot answer at level l.
func (c *chooser) tierPlan(t int, tier config.Tier, l level) (*Plan, SkipReason) {
	why := SkipNothingUp
	var usable []usablePool
	pending := true
	for _, share := range tier {
		if share.Weight == 0 {
			continue
		}
		u, w := c.usable(share, l)
		if u.members == nil {
			why = max(why, w)
			continue
		}
		pending = pending && u.pending
		usable = append(usable, u)
	}
	if len(usable) == 0 {
		return nil, why
	}
	p := &Plan{Service: c.svc, Tier: t}
	for _, u := range usable {
		p.Kept += u.kept
		p.members += len(u.members)
		// A member that was never judged answers at the floor, also beside a pool that is up.
		p.Floor = p.Floor || u.pending
	}
	p.Floor = p.Floor || p.Kept > 0
	c.fill(p, usable)
	if pending {
		p.Source, p.Floor = FromPending, true
	}
	return p, 0
}

// fill flattens the pools into the sets of p.
func (c *chooser) fill(p *Plan, pools []usablePool) {
	if c.svc.Kind == config.Targets {
		p.Sets[Target] = flatten(pools, Target)
		return
	}
	p.Sets[V4] = flatten(pools, V4)
	p.Sets[V6] = flatten(pools, V6)
}

// usablePool is a pool with those of its endpoints that may answer.
type usablePool struct {
	index   int
	weight  int
	pool    *config.Pool
	view    *health.PoolView
	members []int
	pending bool
	kept    int
}

// usable is what share's pool offers at level l: nothing, with the reason, if it is not available.
func (c *chooser) usable(share config.Share, l level) (usablePool, SkipReason) {
	pool, view := c.zv.Zone.Pools[share.Pool], c.zv.Pools[share.Pool]
	u := usablePool{index: share.Pool, weight: share.Weight, pool: pool, view: view}
	if view.GateClosed {
		return u, SkipGate
	}
	if percent, _ := view.Return.Share(c.svc.FailbackOf(pool), view.At); l == ordinary && percent == 0 {
		return u, SkipHeld
	}
	up, drained, held := 0, 0, 0
	for i, e := range view.Endpoints {
		switch {
		case e.Drained:
			drained++
		case !e.InService() && c.kept[endpointRef{share.Pool, i}]:
			up++
			if u.answerable(i) {
				u.kept++
			}
			u.add(i)
		case !e.InService():
		case l == ordinary && c.heldAZ(pool, view, pool.Endpoints[i].AZ):
			if u.answerable(i) {
				held++
			}
		default:
			up++
			u.add(i)
		}
	}
	// One that is up and weighs nothing answers nobody: it keeps no pending one from answering.
	if len(u.members) == 0 && held == 0 {
		u.pending = true
		for i, e := range view.Endpoints {
			if !e.Drained && e.Pending() {
				up++
				u.add(i)
			}
		}
	}
	switch {
	case len(u.members) == 0 && held > 0:
		return usablePool{}, SkipHeld
	case len(u.members) == 0 && drained > 0:
		return usablePool{}, SkipDrained
	case len(u.members) == 0:
		return usablePool{}, SkipNothingUp
	case l != evenBelowMin && up < pool.MinHealthy.Of(len(pool.Endpoints)):
		return usablePool{}, SkipBelowMin
	}
	return u, 0
}

func (c *chooser) heldAZ(pool *config.Pool, view *health.PoolView, az int) bool {
	if view.ReturnAZ == nil {
		return false
	}
	for i, w := range pool.AZWeights {
		if w.AZ == az {
			percent, _ := view.ReturnAZ[i].Share(c.svc.FailbackOf(pool), view.At)
			return percent == 0
		}
	}
	return false
}

// add adds endpoint i unless a weight of 0 keeps it from ever answering.
func (u *usablePool) add(i int) {
	if u.answerable(i) {
		u.members = append(u.members, i)
	}
}

// answerable tells whether the weights let endpoint i answer at all.
func (u *usablePool) answerable(i int) bool {
	return u.endpointWeight(i) > 0 && azWeight(u.pool, u.pool.Endpoints[i].AZ) > 0
}

// endpointWeight is the weight of endpoint i in hundredths, less what it asks to be relieved of.
func (u *usablePool) endpointWeight(i int) uint64 {
	return uint64(u.pool.Endpoints[i].Weight) * uint64(100-u.view.Endpoints[i].Reduction)
}

// azWeight is the explicit weight of an AZ in pool, or 1 where the file gives none.
func azWeight(pool *config.Pool, az int) int {
	if !pool.Explicit {
		return 1
	}
	for _, w := range pool.AZWeights {
		if w.AZ == az {
			return w.Weight
		}
	}
	return 0
}
