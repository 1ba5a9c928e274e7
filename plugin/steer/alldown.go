package steer

import (
	"math/bits"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// lastGoodWindow joins departures into one outage: probes have phases and jitter, so endpoints that died together are
// seen to go one after the other, and the last to be noticed is not the only one worth answering.
const lastGoodWindow = time.Minute

// panicOver replaces p by all non-drained members of its tier if that is the last eligible one and less than
// health.panic_below percent of its weight is up.
func (c *chooser) panicOver(p *Plan) *Plan {
	below := uint64(c.svc.Health.PanicBelow)
	if below == 0 || p.Source == FromPending || c.laterTier(p.Tier) {
		return p
	}
	all := c.everyone(c.open(c.svc.Tiers[p.Tier]), anyHealth)
	for f := range families {
		var up, total uint64
		for _, m := range flatten(all, f) {
			total += m.Weight
			if c.zv.Pools[m.Pool].Endpoints[m.Endpoint].InService() {
				up += m.Weight
			}
		}
		if lessProduct(up, 100, below, total) {
			q := &Plan{Service: c.svc, Source: FromPanic, Tier: p.Tier, Skipped: p.Skipped, Floor: true}
			c.fill(q, all)
			return q
		}
	}
	return p
}

// lessProduct tells whether a·b < c·d, without overflow.
func lessProduct(a, b, c, d uint64) bool {
	h1, l1 := bits.Mul64(a, b)
	h2, l2 := bits.Mul64(c, d)
	return h1 < h2 || h1 == h2 && l1 < l2
}

// laterTier tells whether a tier after t could answer.
func (c *chooser) laterTier(t int) bool {
	for i := t + 1; i < len(c.svc.Tiers); i++ {
		if p, _ := c.tierPlan(i, c.svc.Tiers[i], ordinary); p != nil {
			return true
		}
	}
	return false
}

// everyone is each pool of tier with the non-drained endpoints that ok admits, whatever their health.
func (c *chooser) everyone(tier config.Tier, ok func(health.EndpointView) bool) []usablePool {
	var pools []usablePool
	for _, share := range tier {
		if share.Weight == 0 {
			continue
		}
		pool := c.zv.Zone.Pools[share.Pool]
		u := usablePool{index: share.Pool, weight: share.Weight, pool: pool, view: c.zv.Pools[share.Pool]}
		for i, e := range c.zv.Pools[share.Pool].Endpoints {
			if !e.Drained && ok(e) {
				u.add(i)
			}
		}
		if u.members != nil {
			pools = append(pools, u)
		}
	}
	return pools
}

// allDown is the plan when nothing is up: the service's on_all_down.
func (c *chooser) allDown() *Plan {
	p := &Plan{Service: c.svc, Tier: -1, Skipped: c.skipped, Floor: true}
	switch c.svc.OnAllDown.Policy {
	case config.NoData:
		p.Source = FromNothing
		return p
	case config.Fixed:
		p.Source = FromFixed
		return p
	case config.AnswerAll:
		p.Source = FromAll
		var tier config.Tier
		for _, t := range c.svc.Tiers {
			tier = append(tier, t...)
		}
		pools := c.everyone(c.open(tier), anyHealth)
		if pools == nil {
			pools = c.everyone(tier, anyHealth)
		}
		c.fill(p, merge(pools))
	default:
		c.lastGood(p)
	}
	if p.empty() {
		p.Source, p.Tier = FromNothing, -1
	}
	return p
}

// open is tier without the pools that a gate keeps out: what never stood in service is no last resort, unless there is
// nothing else at all.
func (c *chooser) open(tier config.Tier) config.Tier {
	var open config.Tier
	for _, share := range tier {
		if !c.zv.Pools[share.Pool].GateClosed {
			open = append(open, share)
		}
	}
	return open
}

// lastGood fills p with the last set that had something up. It follows from the verdicts alone: an endpoint that left
// within lastGoodWindow of the last one to leave was part of that outage. The first tier with such an endpoint answers.
// Where nobody is known to have left, because all were down from the start, whoever was judged last counts.
func (c *chooser) lastGood(p *Plan) {
	p.Source = FromLastGood
	left := func(e health.EndpointView) (time.Time, bool) { return e.Left, !e.Left.IsZero() }
	judged := func(e health.EndpointView) (time.Time, bool) { return e.Since, true }
	if !c.lastOutage(p, c.open, left) && !c.lastOutage(p, c.open, judged) {
		c.lastOutage(p, func(t config.Tier) config.Tier { return t }, judged)
	}
}

// lastOutage fills p from the first of the tiers, as seen through pick, in which an endpoint that could answer has a stamp
// close to the latest one. It tells whether there is such a tier.
func (c *chooser) lastOutage(p *Plan, pick func(config.Tier) config.Tier, stamp func(health.EndpointView) (time.Time, bool)) bool {
	var last time.Time
	for _, tier := range c.svc.Tiers {
		for _, u := range c.everyone(pick(tier), anyHealth) {
			for _, i := range u.members {
				if at, ok := stamp(u.view.Endpoints[i]); ok && at.After(last) {
					last = at
				}
			}
		}
	}
	recent := func(e health.EndpointView) bool {
		at, ok := stamp(e)
		return ok && !at.Before(last.Add(-lastGoodWindow))
	}
	for t, tier := range c.svc.Tiers {
		if pools := c.everyone(pick(tier), recent); pools != nil {
			p.Tier = t
			c.fill(p, pools)
			return true
		}
	}
	return false
}

// merge joins entries of the same pool, which happen when a pool stands in several tiers: the first one counts.
func merge(pools []usablePool) []usablePool {
	seen := make(map[int]bool, len(pools))
	out := pools[:0]
	for _, u := range pools {
		if !seen[u.index] {
			seen[u.index] = true
			out = append(out, u)
		}
	}
	return out
}

func (p *Plan) empty() bool {
	for _, s := range p.Sets {
		if len(s) > 0 {
			return false
		}
	}
	return true
}
