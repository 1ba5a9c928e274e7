package steer

import (
	"math/big"
	"net/netip"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// panics are all members of tiers[at], if no later tier could answer and too little of it is up in one family.
func (t *dumbTwin) panics(tiers []twinTier, at int, pools []twinPool) []twinPool {
	if tiers[at].part {
		return nil
	}
	for _, later := range tiers[at+1:] {
		if t.tier(later.tier, 0) != nil {
			return nil
		}
	}
	inTurn := func(_, p int) bool {
		answers := slices.ContainsFunc(pools, func(o twinPool) bool { return o.pool == p })
		held := t.waitsForPerson(p) && t.percent(p, t.view(p).Return) == 0
		return answers || !t.view(p).GateClosed && (!t.keepsData(p) || at == 0 && !held)
	}
	all := t.everybody(filter(tiers[at].tier, at, inTurn), func(int, int) bool { return true })
	for _, f := range []Family{V4, V6, Any} {
		up, whole := new(big.Rat), &dumbTwin{zv: t.zv, svc: t.svc, index: t.index, f: f}
		members := whole.split(byWeight(all), all)
		for ref, part := range members {
			if v := t.view(ref.Pool).Endpoints[ref.Endpoint]; v.InService() || v.Pending() && !v.Doubted {
				up.Add(up, part)
			}
		}
		if len(members) > 0 && up.Cmp(big.NewRat(int64(t.svc.Health.PanicBelow), 100)) < 0 {
			return all
		}
	}
	return nil
}

// everybody are the pools of a tier with all endpoints that are not drained and that ok admits.
func (t *dumbTwin) everybody(tier config.Tier, ok func(p, e int) bool) []twinPool {
	var out []twinPool
	for _, s := range tier {
		p := twinPool{pool: s.Pool, weight: t.poolWeight(s)}
		for e := range t.view(s.Pool).Endpoints {
			if p.weight > 0 && !t.drained(s.Pool, e) && !t.never(s.Pool, e) && ok(s.Pool, e) {
				p.who = append(p.who, e)
			}
		}
		if p.who != nil {
			out = append(out, p)
		}
	}
	return out
}

// allDown is who answers when nobody is up.
func (t *dumbTwin) allDown(tiers []twinTier) (shares, Source) {
	anybody := func(int, int) bool { return true }
	gated := true
	for _, step := range tiers {
		for _, s := range step.tier {
			gated = gated && (s.Weight == 0 || t.view(s.Pool).GateClosed)
		}
	}
	inTurn := func(at, p int) bool {
		if t.view(p).GateClosed && (!gated || t.zv.Zone.Pools[p].Gate.Manual) {
			return false
		}
		return !t.keepsData(p) || at == 0 && !(t.waitsForPerson(p) && t.percent(p, t.view(p).Return) == 0)
	}
	open := func(at, p int) bool { return inTurn(at, p) && !t.view(p).GateClosed }
	served := func(_, p int) bool { return !t.view(p).GateClosed }
	switch t.svc.OnAllDown.Policy {
	case config.NoData:
		return shares{}, FromNothing
	case config.Fixed:
		return shares{}, FromFixed
	case config.AnswerAll:
		for _, may := range []func(int, int) bool{open, inTurn} {
			var all config.Tier
			for at := range tiers {
				for _, s := range tiers[at].tier {
					if may(at, s.Pool) && !slices.ContainsFunc(all, func(o config.Share) bool { return o.Pool == s.Pool }) {
						all = append(all, s)
					}
				}
			}
			if pools := t.everybody(all, anybody); pools != nil {
				first := t.target(pools[0].pool)
				pools = slices.DeleteFunc(pools, func(p twinPool) bool { return t.target(p.pool) != first })
				return t.split(byWeight(pools), pools), FromAll
			}
		}
		return shares{}, FromNothing
	}
	left := func(p, e int) time.Time { return t.view(p).Endpoints[e].Left }
	judged := func(p, e int) time.Time { return t.view(p).Endpoints[e].Since }
	for _, try := range []struct {
		may   func(at, p int) bool
		stamp func(p, e int) time.Time
		known bool
	}{{served, left, true}, {open, judged, false}, {inTurn, judged, false}} {
		var last time.Time
		seen := false
		for at := range tiers {
			for _, p := range t.everybody(filter(tiers[at].tier, at, try.may), anybody) {
				for _, e := range p.who {
					if s := try.stamp(p.pool, e); !try.known || !s.IsZero() {
						seen = true
						if s.After(last) {
							last = s
						}
					}
				}
			}
		}
		for at := 0; seen && at < len(tiers); at++ {
			pools := t.everybody(filter(tiers[at].tier, at, try.may), func(p, e int) bool {
				s := try.stamp(p, e)
				return !(try.known && s.IsZero()) && last.Sub(s) <= time.Minute
			})
			if pools != nil {
				return t.split(byWeight(pools), pools), FromLastGood
			}
		}
	}
	return shares{}, FromNothing
}

func filter(tier config.Tier, at int, may func(at, p int) bool) config.Tier {
	return slices.DeleteFunc(slices.Clone(tier), func(s config.Share) bool { return !may(at, s.Pool) })
}

// tiersOf are the tiers for a client: those of its rule, then the service's own, each by distance if that is known.
func (t *dumbTwin) tiersOf(client netip.Addr, loc *Location) []twinTier {
	var tiers []twinTier
	rule := t.rule(client, loc)
	if rule >= 0 {
		for _, tier := range t.svc.Clients[rule].Tiers {
			tiers = append(tiers, twinTier{tier: tier, own: -1})
		}
	}
	if rule < 0 || !t.svc.Clients[rule].Strict {
		for i, tier := range t.svc.Tiers {
			tiers = append(tiers, twinTier{tier: tier, own: i})
		}
	}
	if !t.svc.Nearest || !loc.HasPoint {
		return tiers
	}
	if _, source := t.answer(tiers); source > FromBelowMin {
		// Nobody is up: distance is no reason to prefer anybody.
		return tiers
	}
	regions := make([]int, len(t.zv.Zone.Regions))
	for i := range regions {
		regions[i] = i
	}
	here := pointOf(loc.Latitude, loc.Longitude)
	slices.SortStableFunc(regions, func(a, b int) int {
		switch x, y := t.zv.Zone.Regions[a].HasLocation, t.zv.Zone.Regions[b].HasLocation; {
		case x && !y:
			return -1
		case y && !x:
			return 1
		case !x:
			return 0
		}
		return -cmpFloat(here.dot(t.point(a)), here.dot(t.point(b)))
	})
	var near []twinTier
	for _, tier := range tiers {
		part := func(in func(region int) bool) {
			if part := slices.DeleteFunc(slices.Clone(tier.tier), func(s config.Share) bool { return !in(t.cfg(s.Pool).Region) }); len(part) > 0 {
				near = append(near, twinTier{part, tier.own, true})
			}
		}
		for _, r := range regions {
			if t.zv.Zone.Regions[r].HasLocation {
				part(func(region int) bool { return region == r })
			}
		}
		// Who stands nowhere comes last, all together.
		part(func(region int) bool { return !t.zv.Zone.Regions[region].HasLocation })
	}
	return near
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (t *dumbTwin) point(region int) point {
	r := t.zv.Zone.Regions[region]
	return pointOf(r.Latitude, r.Longitude)
}

// rule is the rule for a client: the longest prefix, else the first of network, subdivision, country, continent.
func (t *dumbTwin) rule(client netip.Addr, loc *Location) int {
	best, bits := -1, -1
	for r, rule := range t.svc.Clients {
		for _, p := range rule.CIDR {
			if p.Contains(client) && p.Bits() > bits {
				best, bits = r, p.Bits()
			}
		}
	}
	if best >= 0 {
		return best
	}
	smallest := slices.Clone(loc.Subdivisions)
	slices.Reverse(smallest)
	matches := []func(rule config.ClientRule) bool{func(rule config.ClientRule) bool { return slices.Contains(rule.ASN, loc.ASN) }}
	for _, s := range smallest {
		matches = append(matches, func(rule config.ClientRule) bool { return slices.Contains(rule.Subdivision, s) })
	}
	matches = append(matches,
		func(rule config.ClientRule) bool { return slices.Contains(rule.Country, loc.Country) },
		func(rule config.ClientRule) bool { return slices.Contains(rule.Continent, loc.Continent) })
	for _, m := range matches {
		if r := slices.IndexFunc(t.svc.Clients, m); r >= 0 {
			return r
		}
	}
	return -1
}

// cell is who answers for the shards of one home.
func (t *dumbTwin) cell(home, turn int) (shares, Source) {
	pool := t.svc.Cells.Homes()[home]
	tiers := []twinTier{{tier: config.Tier{{Pool: pool, Weight: 1}}, own: -1}}
	for _, p := range t.svc.Cells.Failover[pool] {
		tiers = append(tiers, twinTier{tier: config.Tier{{Pool: p, Weight: 1}}, own: -1})
	}
	at := *t
	at.home, at.turn = true, turn
	return at.answer(tiers)
}

// place is who answers for one region or AZ alone; served are the pools that answer for the service.
func (t *dumbTwin) place(place config.Place, served map[int]bool) (shares, Source) {
	var tiers []config.Tier
	tiers = append(tiers, t.svc.Tiers...)
	for _, rule := range t.svc.Clients {
		tiers = append(tiers, rule.Tiers...)
	}
	for _, pending := range []bool{false, true} {
		for _, tier := range tiers {
			local := func(ok func(health.EndpointView) bool) []twinPool {
				return t.everybody(filter(tier, 0, func(_, p int) bool { return !t.keepsData(p) || served[p] }), func(p, e int) bool {
					here := t.cfg(p).Region == place.Region && (place.AZ < 0 || t.cfg(p).Endpoints[e].AZ == place.AZ)
					return here && ok(t.view(p).Endpoints[e])
				})
			}
			switch pools := local(health.EndpointView.InService); {
			case !pending && pools != nil:
				pools = local(func(v health.EndpointView) bool { return v.InService() || v.Pending() && !v.Doubted })
				return t.split(byWeight(pools), pools), FromTier
			case pending:
				if pools = local(health.EndpointView.Pending); pools != nil {
					return t.split(byWeight(pools), pools), FromPending
				}
			}
		}
	}
	return shares{}, FromNothing
}
