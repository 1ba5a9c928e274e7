package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Trace is how one plan came about: every tier that its clients may get to, in the order in which they are tried.
type Trace struct {
	Plan  *Plan
	Tiers []TierTrace
}

// A TierTrace is one tier, or the part of it in one region where distance splits it.
type TierTrace struct {
	Ref TierRef
	// Answers is set when a member of it answers. Else Why says why not, unless an earlier tier answers already: then
	// Reached is unset.
	Answers, Reached bool
	Why              SkipReason
	Pools            []PoolTrace
}

// A PoolTrace is one pool of a tier.
type PoolTrace struct {
	// Pool indexes Zone.Pools.
	Pool int
	// Configured is the weight in the file, Weight the one in force: an operator's override, if there is one.
	Configured, Weight int
	// Share is its part of the answers, 0..1.
	Share float64
	// Available is set when it could answer in the ordinary way; else Why says why not.
	Available bool
	Why       SkipReason
	// Returned is how many percent of its share a pool on its way back may have.
	Returned int
	// Capped is set when the share stands at the pool's max_share or capacity, or above it because nobody else can take the rest.
	Capped bool
	AZs    []AZTrace
}

// An AZTrace is one AZ of a pool.
type AZTrace struct {
	// AZ indexes Zone.AZs.
	AZ int
	// Configured is the weight in the file; -1 where it weighs the sum of its endpoints.
	Configured int
	Share      float64
	Returned   int
	Endpoints  []EndpointTrace
}

// An EndpointTrace is one endpoint of an AZ.
type EndpointTrace struct {
	// Endpoint indexes Pool.Endpoints.
	Endpoint int
	// Configured is the weight in the file, Weight the one in force in hundredths: with an override, and less what the
	// endpoint asks to be relieved of.
	Configured int
	Weight     uint64
	Share      float64
	// Kept is set for one that is down and answers all the same, because the speed limit holds; Drained while an intent
	// keeps it out.
	Kept, Drained bool
}

// Explain makes the decision for svc, which is zv.Zone.Services[index], once more and notes how its plan with that key came
// about, with shares for family f; nil if there is no such plan. Places are not explained: they have but one rule.
func Explain(zv *health.ZoneView, svc *config.Service, index int, key string, f Family) *Trace {
	var t *Trace
	decide(zv, svc, index, func(c *chooser, p *draft, made string) {
		if made == key && t == nil {
			t = c.trace(p, f)
		}
	})
	return t
}

// trace notes what c made of its steps.
func (c *chooser) trace(p *draft, f Family) *Trace {
	t := &Trace{Plan: p.Plan}
	shares := sharesOf(p.Sets[f])
	l := levelOf(p.Source, c.eldest)
	reached, seen := true, make(map[int]bool)
	for _, st := range c.steps {
		tt := TierTrace{Ref: st.ref, Reached: reached}
		_, tt.Why = c.offers(st, l)
		if i := slices.IndexFunc(p.Skipped, func(s Skip) bool { return s.Tier == st.ref && s.Why == SkipNoIPv4 }); i >= 0 {
			tt.Why = SkipNoIPv4
		}
		for _, share := range st.tier {
			pt := c.tracePool(share, st, shares, p, l)
			if seen[share.Pool] && p.Source.lastResort() {
				pt = c.tracePool(share, st, nil, p, l)
			}
			seen[share.Pool] = true
			tt.Answers = tt.Answers || pt.Share > 0
			tt.Pools = append(tt.Pools, pt)
		}
		reached = reached && !tt.Answers
		t.Tiers = append(t.Tiers, tt)
	}
	return t
}

// levelOf is the level at which a plan was found whose class has the eldest free.
func levelOf(s Source, free eldest) level {
	switch s {
	case FromTier, FromPending:
		return ordinary
	case FromHeld:
		if free != nobody {
			return ordinary
		}
		return evenHeld
	default:
		return evenBelowMin
	}
}

// sharesOf are the parts that members have of all answers.
func sharesOf(members []Member) map[health.EndpointRef]float64 {
	shares, sum := make(map[health.EndpointRef]float64, len(members)), 0.0
	for _, m := range members {
		sum += float64(m.Weight)
	}
	for _, m := range members {
		shares[health.EndpointRef{Pool: int(m.Pool), Endpoint: int(m.Endpoint)}] = float64(m.Weight) / sum
	}
	return shares
}

func (c *chooser) tracePool(share config.Share, st step, shares map[health.EndpointRef]float64, p *draft, l level) PoolTrace {
	cfg, view := c.zv.Zone.Pools[share.Pool], c.zv.Pools[share.Pool]
	pt := PoolTrace{Pool: share.Pool, Configured: share.Weight, Weight: c.zv.PoolWeight(c.index, share.Pool, share.Weight)}
	o, why := c.usable(share.Pool, l, c.eldest)
	pt.Available, pt.Why = o.members != nil, why
	pt.Returned = c.returned(cfg, view, &view.Return, ordinary)
	if f, ok := view.Forward[c.index]; ok {
		pt.Returned = min(pt.Returned, f.Percent)
	}
	here := p.standsIn(share.Pool, st)
	if o.members == nil {
		o = offer{subject: c.subject, pool: share.Pool, cfg: cfg, view: view}
	}
	for i := range cfg.Endpoints {
		ref := health.EndpointRef{Pool: share.Pool, Endpoint: i}
		e := EndpointTrace{
			Endpoint: i, Configured: cfg.Endpoints[i].Weight, Weight: o.endpointWeight(i),
			Kept: c.kept[ref], Drained: c.zv.Drained(c.index, ref),
		}
		if here {
			e.Share = shares[ref]
		}
		pt.Share += e.Share
		az := pt.az(&o, cfg.Endpoints[i].AZ)
		az.Share += e.Share
		az.Endpoints = append(az.Endpoints, e)
	}
	if limit := o.limit(); limit != nil && !c.cell && pt.Share > 0 {
		most, _ := limit.Float64()
		pt.Capped = pt.Share >= most-1e-9
	}
	return pt
}

// standsIn tells whether the pool answers as a part of st. Last resorts take whole tiers, or all of them.
func (p *draft) standsIn(pool int, st step) bool {
	for _, o := range slices.Concat(p.offers, p.relief) {
		if o.pool != pool {
			continue
		}
		if p.Source.lastResort() {
			return p.Tier == noTier || p.Tier == st.ref
		}
		if o.ref == st.ref && o.rest == st.rest {
			return true
		}
	}
	return false
}

// az is the trace of one AZ of the pool, which it makes if need be.
func (pt *PoolTrace) az(o *offer, az int) *AZTrace {
	for i := range pt.AZs {
		if pt.AZs[i].AZ == az {
			return &pt.AZs[i]
		}
	}
	t := AZTrace{AZ: az, Configured: -1, Returned: health.Whole}
	if o.cfg.Explicit {
		t.Configured = int(o.explicitWeight(az))
	}
	for i := range o.view.ReturnAZ {
		if o.cfg.AZWeights[i].AZ == az {
			t.Returned = o.returned(o.cfg, o.view, &o.view.ReturnAZ[i], ordinary)
		}
	}
	pt.AZs = append(pt.AZs, t)
	return &pt.AZs[len(pt.AZs)-1]
}
