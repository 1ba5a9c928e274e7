package steer

import (
	"math/big"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A dumbTwin says who answers whom straight from docs/design.md, sections 5 and 6: in rationals, endpoint by endpoint, from the
// beginning for each client and family. It shares no code with the package but health.Return.Share.
type dumbTwin struct {
	zv    *health.ZoneView
	svc   *config.Service
	index int
	f     Family
	// home is set for the plan of a cell, whose data is at its home whatever max_share says.
	// While a pool ramps it takes the shards whose turn is below its percentage, and no part of the others.
	home bool
	turn int
	// tiers are those of the answer.
	tiers []twinTier
}

func (t *dumbTwin) maxShare(p int) int {
	if t.home {
		return 0
	}
	return t.cfg(p).MaxShare
}

// A twinTier is one step: the pools with their configured weights. own is the number of the service's own tier, -1 for others.
type twinTier struct {
	tier config.Tier
	own  int
	// part is set for what distance left of a tier: panic was decided over the whole of it.
	part bool
}

// A twinPool is a pool that answers.
type twinPool struct {
	pool    int
	weight  int
	percent int
	pending bool
	// who are its endpoints that answer; ramps is unset where AZs on their way back count in full.
	who   []int
	ramps bool
	// early is set where the hold is overlooked, whole where those of AZs are, and ramps.
	early, whole bool
}

type shares map[health.EndpointRef]*big.Rat

func (t *dumbTwin) cfg(p int) *config.Pool      { return t.zv.Zone.Pools[p] }
func (t *dumbTwin) view(p int) *health.PoolView { return t.zv.Pools[p] }

func (t *dumbTwin) poolWeight(s config.Share) int {
	if scoped := t.zv.Scoped[t.index]; scoped != nil {
		if w, ok := scoped.PoolWeights[s.Pool]; ok {
			return w
		}
	}
	if w := t.view(s.Pool).Weight; w != nil {
		return *w
	}
	return s.Weight
}

func (t *dumbTwin) endpointWeight(p, e int) int {
	w := t.cfg(p).Endpoints[e].Weight
	if o, ok := t.view(p).EndpointWeights[e]; ok {
		w = o
	}
	if scoped := t.zv.Scoped[t.index]; scoped != nil {
		if o, ok := scoped.EndpointWeights[health.EndpointRef{Pool: p, Endpoint: e}]; ok {
			w = o
		}
	}
	return w * (100 - t.view(p).Endpoints[e].Reduction)
}

func (t *dumbTwin) azIndex(p, az int) int {
	return slices.IndexFunc(t.cfg(p).AZWeights, func(w config.AZWeight) bool { return w.AZ == az })
}

// never tells whether the weights keep an endpoint from ever answering.
func (t *dumbTwin) never(p, e int) bool {
	cfg := t.cfg(p)
	return t.endpointWeight(p, e) == 0 || cfg.Explicit && cfg.AZWeights[t.azIndex(p, cfg.Endpoints[e].AZ)].Weight == 0
}

func (t *dumbTwin) drained(p, e int) bool {
	scoped := t.zv.Scoped[t.index]
	return t.view(p).Endpoints[e].Drained || scoped != nil && scoped.Drained[health.EndpointRef{Pool: p, Endpoint: e}]
}

func (t *dumbTwin) percent(p int, r health.Return) int {
	percent, _ := r.Share(t.svc.FailbackOf(t.cfg(p)), t.view(p).At)
	return percent
}

func (t *dumbTwin) azPercent(p, e int) int {
	if t.view(p).ReturnAZ == nil {
		return 100
	}
	return t.percent(p, t.view(p).ReturnAZ[t.azIndex(p, t.cfg(p).Endpoints[e].AZ)])
}

func (t *dumbTwin) keepsData(p int) bool { return t.cfg(p).Stateful || t.cfg(p).Fence }

// waitsForPerson tells whether a pool with data may not be let in by anybody but a person.
func (t *dumbTwin) waitsForPerson(p int) bool {
	return t.keepsData(p) && t.svc.FailbackOf(t.cfg(p)).Mode != config.FailbackAuto
}

// available is the pool as it stands in a tier; ok is unset when it gives nothing. Levels: 0 ordinary, 1 overlooks holds, 2
// also min_healthy.
func (t *dumbTwin) available(s config.Share, level int) (out twinPool, ok bool) {
	p, view := s.Pool, t.view(s.Pool)
	out = twinPool{pool: p, weight: t.poolWeight(s), percent: t.percent(p, view.Return), ramps: true}
	if out.weight == 0 || view.GateClosed {
		return out, false
	}
	oldest := t.oldest()
	if out.early = p == oldest && out.percent == 0; p == oldest {
		out.percent, out.whole = 100, true
	}
	overlook := level > 0 && !t.waitsForPerson(p)
	if t.home && level == 0 && out.percent < 100 {
		if t.turn >= out.percent {
			return out, false
		}
		out.percent = 100
	}
	if out.percent == 0 && overlook {
		out.percent = 100
	}
	if out.percent == 0 {
		return out, false
	}
	healthy, held := 0, 0
	for e := range view.Endpoints {
		switch {
		case t.drained(p, e) || !view.Endpoints[e].InService() && !(view.Endpoints[e].Pending() && !view.Endpoints[e].Doubted):
		case t.azPercent(p, e) == 0 && !overlook && !(out.whole && !t.waitsForPerson(p)):
			if !t.never(p, e) {
				held++
			}
		default:
			healthy++
			if !t.never(p, e) {
				out.who = append(out.who, e)
			}
		}
	}
	if len(out.who) == 0 && held == 0 {
		for e := range view.Endpoints {
			if !t.drained(p, e) && view.Endpoints[e].Pending() {
				healthy++
				if !t.never(p, e) {
					out.who = append(out.who, e)
				}
			}
		}
	}
	out.pending = !slices.ContainsFunc(out.who, func(e int) bool { return !view.Endpoints[e].Pending() })
	least := t.cfg(p).MinHealthy
	if level < 2 && (least.Percent && 100*healthy < least.N*len(view.Endpoints) || !least.Percent && healthy < least.N) {
		return out, false
	}
	return out, len(out.who) > 0
}

// oldest is the pool that has had somebody to answer for the longest time; -1 where nobody has come back lately.
func (t *dumbTwin) oldest() (pool int) {
	type one struct {
		since time.Time
		pool  int
	}
	var all []one
	for _, tier := range t.tiers {
		for _, s := range tier.tier {
			view, cfg := t.view(s.Pool), t.cfg(s.Pool)
			if waits := t.waitsForPerson(s.Pool) && t.percent(s.Pool, view.Return) == 0; waits || t.poolWeight(s) == 0 || view.GateClosed {
				continue
			}
			var azs []one
			healthy, free := 0, false
			for e := range view.Endpoints {
				held := t.azPercent(s.Pool, e) == 0
				if !view.Endpoints[e].InService() || t.drained(s.Pool, e) || held && t.waitsForPerson(s.Pool) {
					continue
				}
				if healthy++; !t.never(s.Pool, e) {
					az := one{pool: s.Pool}
					if view.ReturnAZ != nil {
						az.since = view.ReturnAZ[t.azIndex(s.Pool, cfg.Endpoints[e].AZ)].Since
					}
					azs, free = append(azs, az), free || !held
				}
			}
			least := cfg.MinHealthy
			if len(azs) == 0 || least.Percent && 100*healthy < least.N*len(view.Endpoints) || !least.Percent && healthy < least.N {
				continue
			}
			slices.SortStableFunc(azs, func(a, b one) int { return a.since.Compare(b.since) })
			found := azs[0]
			if view.Return.On() {
				found.since = view.Return.Since
			} else if free {
				found.since = time.Time{}
			}
			all = append(all, found)
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return a.since.Compare(b.since) })
	if len(all) == 0 || all[0].since.IsZero() {
		return -1
	}
	return all[0].pool
}

func (t *dumbTwin) tier(tier config.Tier, level int) []twinPool {
	var out []twinPool
	for _, s := range tier {
		if p, ok := t.available(s, level); ok {
			out = append(out, p)
		}
	}
	return out
}

// answer is who answers when these are the tiers, and on what ground.
func (t *dumbTwin) answer(tiers []twinTier) (shares, Source) {
	t.tiers = tiers
	for level, source := range []Source{FromTier, FromHeld, FromBelowMin} {
		for at := range tiers {
			pools := t.tier(tiers[at].tier, level)
			if pools == nil {
				continue
			}
			if !slices.ContainsFunc(pools, func(p twinPool) bool { return !p.pending }) {
				if level == 0 {
					source = FromPending
				}
				return t.split(byWeight(pools), pools), source
			}
			if all := t.panics(tiers, at, pools); all != nil {
				return t.split(byWeight(all), all), FromPanic
			}
			if level > 0 {
				return t.split(byWeight(pools), pools), source
			}
			if slices.ContainsFunc(pools, func(p twinPool) bool { return p.early }) {
				source = FromHeld
			}
			given, all := t.pourAll(tiers, at, pools)
			return t.split(given, all), source
		}
	}
	return t.allDown(tiers)
}

func byWeight(pools []twinPool) map[int]*big.Rat {
	sum, out := 0, map[int]*big.Rat{}
	for _, p := range pools {
		sum += p.weight
	}
	for _, p := range pools {
		out[p.pool] = big.NewRat(int64(p.weight), int64(sum))
	}
	return out
}

// pourAll gives each pool its part of the traffic when the pools of tiers[at] answer.
func (t *dumbTwin) pourAll(tiers []twinTier, at int, pools []twinPool) (map[int]*big.Rat, []twinPool) {
	given, all := map[int]*big.Rat{}, slices.Clone(pools)
	rest := t.pour(big.NewRat(1, 1), pools, given)
	for next := at + 1; next < len(tiers); next++ {
		var fresh []twinPool
		for _, p := range t.standby(tiers[next].tier, pools[0]) {
			if given[p.pool] == nil {
				fresh = append(fresh, p)
			}
		}
		if rest.Sign() > 0 && fresh != nil {
			rest = t.pour(rest, fresh, given)
			all = append(all, fresh...)
		}
	}
	// Nobody else is left: those with room take it, as long as there are any.
	for rest.Sign() > 0 {
		var roomy []twinPool
		for _, p := range all {
			limit := t.maxShare(p.pool)
			if p.percent == 100 && (limit == 0 || given[p.pool].Cmp(big.NewRat(int64(limit), 100)) < 0) {
				roomy = append(roomy, p)
			}
		}
		if roomy == nil {
			break
		}
		rest = t.pour(rest, roomy, given)
	}
	whole := new(big.Rat).Sub(big.NewRat(1, 1), rest)
	for _, g := range given {
		g.Quo(g, whole)
	}
	if part := t.svc.Standby.Trickle; part > 0 && tiers[at].own == 0 {
		for next := at + 1; next < len(tiers); next++ {
			// Who has a share of the first tier needs no trickle.
			standby := slices.DeleteFunc(t.standby(tiers[next].tier, pools[0]), func(p twinPool) bool {
				return slices.ContainsFunc(t.svc.Tiers[0], func(s config.Share) bool { return s.Pool == p.pool && t.poolWeight(s) > 0 })
			})
			if tiers[next].own == 1 && len(standby) > 0 {
				for _, g := range given {
					g.Mul(g, big.NewRat(int64(10000-part), 10000))
				}
				for pool, share := range byWeight(standby) {
					if given[pool] == nil {
						given[pool] = new(big.Rat)
						all = append(all, standby[slices.IndexFunc(standby, func(p twinPool) bool { return p.pool == pool })])
					}
					given[pool].Add(given[pool], share.Mul(share, big.NewRat(int64(part), 10000)))
				}
				break
			}
		}
	}
	return given, all
}

// standby are the pools of a later tier that may take traffic before its turn, which is that of pools of the same kind.
func (t *dumbTwin) standby(tier config.Tier, turn twinPool) []twinPool {
	return slices.DeleteFunc(t.tier(tier, 0), func(p twinPool) bool {
		return p.pending || t.keepsData(p.pool) || t.target(p.pool) != t.target(turn.pool)
	})
}

// target tells whether a pool is answered as CNAME.
func (t *dumbTwin) target(p int) bool { return t.cfg(p).Endpoints[0].Target != "" }

// pour gives amount to the pools and returns what is left of it.
func (t *dumbTwin) pour(amount *big.Rat, pools []twinPool, given map[int]*big.Rat) *big.Rat {
	left := new(big.Rat).Set(amount)
	wants := byWeight(pools)
	var whole []twinPool
	spare := new(big.Rat)
	for _, p := range pools {
		want := wants[p.pool].Mul(wants[p.pool], amount)
		if p.percent == 100 {
			whole = append(whole, p)
			continue
		}
		less := new(big.Rat).Mul(want, big.NewRat(int64(100-p.percent), 100))
		want.Sub(want, less)
		spare.Add(spare, less)
	}
	if whole != nil {
		for pool, part := range byWeight(whole) {
			wants[pool].Add(wants[pool], part.Mul(part, spare))
		}
	}
	for pool, want := range wants {
		if given[pool] == nil {
			given[pool] = new(big.Rat)
		}
		if limit := t.maxShare(pool); limit > 0 {
			if room := new(big.Rat).Sub(big.NewRat(int64(limit), 100), given[pool]); room.Cmp(want) < 0 {
				want = room
			}
		}
		given[pool].Add(given[pool], want)
		left.Sub(left, want)
	}
	return left
}

// split divides the parts of pools among AZs and endpoints, and makes the sum 1 again where the family leaves some out.
func (t *dumbTwin) split(given map[int]*big.Rat, pools []twinPool) shares {
	out, sum := shares{}, new(big.Rat)
	for _, p := range pools {
		if given[p.pool].Sign() == 0 {
			continue
		}
		for e, part := range t.inPool(p) {
			part.Mul(part, given[p.pool])
			sum.Add(sum, part)
			out[health.EndpointRef{Pool: p.pool, Endpoint: e}] = part
		}
	}
	for _, part := range out {
		part.Quo(part, sum)
	}
	return out
}

// inPool is each endpoint's part of its pool.
func (t *dumbTwin) inPool(p twinPool) map[int]*big.Rat {
	byAZ, azWeight, sum := map[int]int{}, map[int]*big.Rat{}, new(big.Rat)
	var who []int
	for _, e := range p.who {
		if t.has(p.pool, e) {
			who = append(who, e)
			byAZ[t.cfg(p.pool).Endpoints[e].AZ] += t.endpointWeight(p.pool, e)
		}
	}
	percent := map[int]int{}
	for az, w := range byAZ {
		if t.cfg(p.pool).Explicit {
			w = t.cfg(p.pool).AZWeights[t.azIndex(p.pool, az)].Weight
		}
		azWeight[az] = big.NewRat(int64(w), 1)
		sum.Add(sum, azWeight[az])
		percent[az] = 100
		if p.ramps && t.view(p.pool).ReturnAZ != nil {
			// One that is held answers only when holds are overlooked, and then in full.
			if r := t.percent(p.pool, t.view(p.pool).ReturnAZ[t.azIndex(p.pool, az)]); r > 0 && !p.whole {
				percent[az] = r
			}
		}
	}
	whole, less := new(big.Rat), new(big.Rat)
	for az, w := range azWeight {
		w.Quo(w, sum)
		if percent[az] == 100 {
			whole.Add(whole, w)
			continue
		}
		give := new(big.Rat).Mul(w, big.NewRat(int64(100-percent[az]), 100))
		w.Sub(w, give)
		less.Add(less, give)
	}
	for az, w := range azWeight {
		switch {
		case whole.Sign() == 0:
			w.Quo(w, new(big.Rat).Sub(big.NewRat(1, 1), less))
		case percent[az] == 100:
			w.Add(w, new(big.Rat).Mul(less, new(big.Rat).Quo(w, whole)))
		}
	}
	out := map[int]*big.Rat{}
	for _, e := range who {
		az := t.cfg(p.pool).Endpoints[e].AZ
		out[e] = new(big.Rat).Mul(azWeight[az], big.NewRat(int64(t.endpointWeight(p.pool, e)), int64(byAZ[az])))
	}
	return out
}

func (t *dumbTwin) has(p, e int) bool {
	switch t.f {
	case V4:
		return t.cfg(p).Endpoints[e].V4.IsValid()
	case V6:
		return t.cfg(p).Endpoints[e].V6.IsValid()
	case Target:
		return t.cfg(p).Endpoints[e].Target != ""
	}
	return true
}
