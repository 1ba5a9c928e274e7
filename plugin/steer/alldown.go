package steer

import (
	"math/bits"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// lastGoodWindow joins departures into one outage: probes have phases and jitter, so endpoints that died together are
// seen to go one after the other, and the last to be noticed is not the only one worth answering.
const lastGoodWindow = time.Minute

// panicOver replaces p, the plan of c.steps[at], by all non-drained members of its tier if that is the last eligible one and
// less than health.panic_below percent of its weight is up.
func (c *chooser) panicOver(p *draft, at int) *draft {
	below := uint64(c.svc.Health.PanicBelow)
	if below == 0 || c.near || p.pending() || c.laterTier(at) {
		return p
	}
	all := c.everyone(c.openOr(at, p), anyHealth)
	for f := range families {
		var up, total uint64
		for _, m := range flatten(all, f) {
			total += m.Weight
			if e := &c.zv.Pools[m.Pool].Endpoints[m.Endpoint]; e.InService() || e.Untried() {
				up += m.Weight
			}
		}
		if lessProduct(up, 100, below, total) {
			q := &draft{Plan: &Plan{Service: c.svc, Source: FromPanic, Tier: p.Tier, Skipped: p.Skipped, Floor: true}}
			q.fill(all)
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

// laterTier tells whether a step after at could answer.
func (c *chooser) laterTier(at int) bool {
	for _, st := range c.steps[at+1:] {
		if offers, _ := c.offers(st, ordinary); offers != nil {
			return true
		}
	}
	return false
}

// everyone is each pool of tier with the non-drained endpoints that ok admits, whatever their health and failback.
func (s *subject) everyone(tier config.Tier, ok func(health.EndpointView) bool) []offer {
	var offers []offer
	for _, share := range tier {
		weight := s.zv.PoolWeight(s.index, share.Pool, share.Weight)
		if weight == 0 {
			continue
		}
		view := s.zv.Pools[share.Pool]
		o := offer{subject: s, pool: share.Pool, weight: uint64(weight), cfg: s.zv.Zone.Pools[share.Pool], view: view, regardless: true}
		for i, e := range view.Endpoints {
			if ok(e) && !s.zv.Drained(s.index, health.EndpointRef{Pool: share.Pool, Endpoint: i}) {
				o.add(i)
			}
		}
		if o.members != nil {
			offers = append(offers, o)
		}
	}
	return offers
}

// allDown is the plan when nothing is up: the service's on_all_down.
func (c *chooser) allDown() *draft {
	p := &draft{Plan: &Plan{Service: c.svc, Tier: noTier, Skipped: c.skipped, Floor: true}}
	switch c.svc.OnAllDown.Policy {
	case config.NoData:
		p.Source = FromNothing
		return p
	case config.Fixed:
		p.Source = FromFixed
		return p
	case config.AnswerAll:
		p.Source = FromAll
		offers := c.everyone(c.joined(c.open), anyHealth)
		if offers == nil {
			offers = c.everyone(c.joined(c.inTurn), anyHealth)
		}
		// Of several kinds the one of the earlier tier: a name never has both.
		p.fill(slices.DeleteFunc(offers, func(o offer) bool { return o.cfg.Kind() != offers[0].cfg.Kind() }))
	default:
		c.lastGood(p)
	}
	if p.empty() {
		p.Source, p.Tier = FromNothing, noTier
	}
	return p
}

// joined are the tiers of all steps as pick shows them, taken as one; where a pool stands in several, the first counts.
func (c *chooser) joined(pick func(at int) config.Tier) config.Tier {
	var all config.Tier
	seen := make(map[int]bool)
	for at := range c.steps {
		for _, share := range pick(at) {
			if !seen[share.Pool] {
				seen[share.Pool] = true
				all = append(all, share)
			}
		}
	}
	return all
}

// inTurn is the tier of a step without the pools that must not be answered there even as a last resort: those with data
// outside the first step, those with data that wait for a person, and those behind a gate that holds.
func (c *chooser) inTurn(at int) config.Tier {
	var tier config.Tier
	for _, share := range c.steps[at].tier {
		cfg, view := c.zv.Zone.Pools[share.Pool], c.zv.Pools[share.Pool]
		if cfg.KeepsData() && (at > 0 || view.RPO[c.index].Held || c.returned(cfg, view, &view.Return, evenBelowMin) == 0) {
			continue
		}
		if view.GateClosed && (cfg.Gate.Manual || !c.allGated()) {
			continue
		}
		tier = append(tier, share)
	}
	return tier
}

// allGated tells whether gates keep out every pool that the class has in the file, so that no order and no outage but that of the
// gates' own checks leaves it with nothing. A drain of a pool without a gate never makes it true.
func (c *chooser) allGated() bool {
	for _, st := range c.steps {
		for _, share := range st.tier {
			if share.Weight > 0 && !c.zv.Pools[share.Pool].GateClosed {
				return false
			}
		}
	}
	return true
}

// open is inTurn without the pools that a gate keeps out: what never stood in service is no last resort, unless the checks of
// gates keep out all that there is.
func (c *chooser) open(at int) config.Tier {
	return c.ungated(c.inTurn(at))
}

// openOr is open with the pools that answer in p: those with data are in their turn.
func (c *chooser) openOr(at int, p *draft) config.Tier {
	open := c.open(at)
	return slices.DeleteFunc(slices.Clone(c.steps[at].tier), func(share config.Share) bool {
		return !p.has(share.Pool) && !slices.Contains(open, share)
	})
}

// served is the tier of a step without the pools that a gate keeps out: whoever was the last to leave it has had its turn.
func (c *chooser) served(at int) config.Tier { return c.ungated(c.steps[at].tier) }

func (c *chooser) ungated(tier config.Tier) config.Tier {
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
func (c *chooser) lastGood(p *draft) {
	p.Source = FromLastGood
	left := func(e health.EndpointView) (time.Time, bool) { return e.Left, !e.Left.IsZero() }
	judged := func(e health.EndpointView) (time.Time, bool) { return e.Since, true }
	if !c.lastOutage(p, c.served, left) && !c.lastOutage(p, c.open, judged) {
		c.lastOutage(p, c.inTurn, judged)
	}
}

// lastOutage fills p from the first of the steps, as seen through pick, in which an endpoint that could answer has a stamp
// close to the latest one. It tells whether there is such a step.
func (c *chooser) lastOutage(p *draft, pick func(at int) config.Tier, stamp func(health.EndpointView) (time.Time, bool)) bool {
	var last time.Time
	for at := range c.steps {
		for _, o := range c.everyone(pick(at), anyHealth) {
			for _, i := range o.members {
				if at, ok := stamp(o.view.Endpoints[i]); ok && at.After(last) {
					last = at
				}
			}
		}
	}
	recent := func(e health.EndpointView) bool {
		at, ok := stamp(e)
		return ok && !at.Before(last.Add(-lastGoodWindow))
	}
	for at, st := range c.steps {
		if offers := c.everyone(pick(at), recent); offers != nil {
			p.Tier = st.ref
			p.fill(offers)
			return true
		}
	}
	return false
}
