package steer

import (
	"math/bits"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// An offer is one pool that answers, with those of its endpoints that may.
type offer struct {
	*subject
	pool int
	cfg  *config.Pool
	view *health.PoolView
	// weight is the pool's share among the offers of a plan.
	weight uint64
	// members index Pool.Endpoints; kept of them are down.
	members []int
	kept    int
	// percent is how much of its ordinary share a pool on its way back may give.
	percent int
	// free is set for the eldest pool, for which failback is overlooked; early is set where it would be held back.
	free, early bool
	// untold is set when one of the members has never been judged, pending when none of them has.
	untold, pending bool
	// regardless is set where failback plays no part: AZs on their way back count in full.
	regardless bool
	// ref and rest are those of the step that the pool stands in.
	ref  TierRef
	rest bool
}

// levelOfAZs is at which level AZs are looked at, for the pool at level l.
func (o *offer) levelOfAZs(l level) level {
	if o.free {
		return max(l, evenHeld)
	}
	return l
}

// add adds endpoint i unless a weight of 0 keeps it from ever answering.
func (o *offer) add(i int) {
	if o.answerable(i) {
		o.members = append(o.members, i)
	}
}

// pendings tells whether some of the members, and whether all of them, have never been judged.
func (o *offer) pendings() (some, all bool) {
	all = true
	for _, i := range o.members {
		pending := o.view.Endpoints[i].Pending()
		some, all = some || pending, all && pending
	}
	return some, all
}

// answerable tells whether the weights let endpoint i answer at all.
func (o *offer) answerable(i int) bool {
	return o.endpointWeight(i) > 0 && (!o.cfg.Explicit || o.explicitWeight(o.cfg.Endpoints[i].AZ) > 0)
}

// endpointWeight is the weight of endpoint i in hundredths, less what it asks to be relieved of.
func (o *offer) endpointWeight(i int) uint64 {
	weight := o.zv.EndpointWeight(o.index, health.EndpointRef{Pool: o.pool, Endpoint: i})
	return uint64(weight) * uint64(100-o.view.Endpoints[i].Reduction)
}

// explicitWeight is the weight that the file gives an AZ.
func (o *offer) explicitWeight(az int) uint64 {
	for _, w := range o.cfg.AZWeights {
		if w.AZ == az {
			return uint64(w.Weight)
		}
	}
	return 0
}

// An azShare is the part of a pool that one of its AZs has, in one family.
type azShare struct {
	az int
	// weight is the AZ's share among those of the pool, sum that of its members' endpoint weights.
	weight, sum uint64
}

// azShares are the shares of the AZs that have members of family f, in order of first appearance. An AZ weighs what the file
// says, else the sum of its members; one on its way back gives the rest of that to those that are wholly there.
func (o *offer) azShares(f Family) []azShare {
	var shares []azShare
	for _, i := range o.members {
		e := o.cfg.Endpoints[i]
		if !o.answers(i, f) {
			continue
		}
		at := -1
		for k := range shares {
			if shares[k].az == e.AZ {
				at = k
			}
		}
		if at < 0 {
			at = len(shares)
			shares = append(shares, azShare{az: e.AZ})
		}
		shares[at].sum += o.endpointWeight(i)
	}
	for k := range shares {
		shares[k].weight = shares[k].sum
		if o.cfg.Explicit {
			shares[k].weight = o.explicitWeight(shares[k].az)
		}
	}
	o.rampAZs(shares)
	return shares
}

// rampAZs scales the shares of AZs on their way back.
func (o *offer) rampAZs(shares []azShare) {
	if o.view.ReturnAZ == nil || o.regardless {
		return
	}
	bindShares(shares)
	percents := make([]int, len(shares))
	var all, whole, less uint64
	for k, s := range shares {
		percents[k] = o.azPercent(s.az)
		all += s.weight
		if percents[k] == health.Whole {
			whole += s.weight
		} else {
			less += s.weight * uint64(percents[k])
		}
	}
	if less == 0 {
		return
	}
	for k := range shares {
		switch {
		case whole == 0:
			shares[k].weight *= uint64(percents[k])
		case percents[k] == health.Whole:
			// The share of whole ones is 1 - Σ w·p/(100·all), split by weight: over the common denominator 100·all·whole.
			shares[k].weight *= health.Whole*all - less
		default:
			shares[k].weight *= uint64(percents[k]) * whole
		}
	}
	reduceShares(shares)
}

// maxShares bounds the sum of shares that are to be multiplied by a hundred of it.
const maxShares = 1 << 28

// bindShares makes shares small, exactly if their common divisor suffices.
func bindShares(shares []azShare) {
	reduceShares(shares)
	var all uint64
	for _, s := range shares {
		all += s.weight
	}
	if all <= maxShares {
		return
	}
	for k := range shares {
		hi, lo := bits.Mul64(shares[k].weight, maxShares)
		q, _ := bits.Div64(hi, lo, all)
		shares[k].weight = max(1, q)
	}
}

// reduceShares divides the weights by their common divisor, so that later products stay small.
func reduceShares(shares []azShare) {
	var common uint64
	for _, s := range shares {
		common = gcd(common, s.weight)
	}
	for k := range shares {
		shares[k].weight /= max(common, 1)
	}
}

// azPercent is how much of its share an AZ gives. One that is held stands among the members only when holds are overlooked.
func (o *offer) azPercent(az int) int {
	if o.free {
		return health.Whole
	}
	for i := range o.view.ReturnAZ {
		if o.cfg.AZWeights[i].AZ != az {
			continue
		}
		if percent, _ := o.view.ReturnAZ[i].Share(o.svc.FailbackOf(o.cfg), o.view.At); percent > 0 {
			return percent
		}
	}
	return health.Whole
}
