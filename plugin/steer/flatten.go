package steer

import (
	"math/big"
	"math/bits"

	"github.com/fairlead-dns/fairlead/config"
)

// flatten multiplies pool weight × AZ weight × endpoint weight for the members that have an address of family f, each
// level renormalised over what is left, into one list of integer weights without a common divisor.
//
// The share of an endpoint is P/ΣP · A/ΣA · E/ΣE. ΣP is common to all, so the weight is P·A·E / (ΣA·ΣE) over the least
// common denominator. It is exact; 64 bits suffice for all but odd weights, which take the big.Int path.
func flatten(offers []offer, f Family) []Member {
	var members []Member
	var w weights
	for k := range offers {
		o := &offers[k]
		azs := o.azShares(f)
		var total uint64
		for _, az := range azs {
			total += az.weight
		}
		for _, i := range o.members {
			e := o.cfg.Endpoints[i]
			if !o.answers(i, f) {
				continue
			}
			az := azs[0]
			for _, other := range azs {
				if other.az == e.AZ {
					az = other
				}
			}
			members = append(members, Member{Pool: int32(o.pool), Endpoint: int32(i)})
			w.add([3]uint64{o.weight, az.weight, o.endpointWeight(i)}, [2]uint64{total, az.sum})
		}
	}
	w.set(members)
	return members
}

// answers tells whether endpoint i has something to answer in family f: an address that is known to be dead is withheld while the other one
// of the endpoint is better.
func (o *offer) answers(i int, f Family) bool {
	e, v := o.cfg.Endpoints[i], &o.view.Endpoints[i]
	switch f {
	case V4:
		return e.V4.IsValid() && !v.Withheld(config.IPv4)
	case V6:
		return e.V6.IsValid() && !v.Withheld(config.IPv6)
	case Target:
		return e.Target != ""
	default:
		return true
	}
}

// weights are rational weights, one for each member: products of nums over products of dens.
type weights struct {
	nums, dens []uint64
	// exact holds them once 64 bits no longer do.
	exact []*big.Rat
}

// add adds one weight, as factors of numerator and denominator.
func (w *weights) add(num [3]uint64, den [2]uint64) {
	if w.exact == nil {
		for i := range num {
			for j := range den {
				g := gcd(num[i], den[j])
				num[i], den[j] = num[i]/g, den[j]/g
			}
		}
		h1, n := bits.Mul64(num[0], num[1])
		h2, n := bits.Mul64(n, num[2])
		h3, d := bits.Mul64(den[0], den[1])
		if h1|h2|h3 == 0 {
			w.nums, w.dens = append(w.nums, n), append(w.dens, d)
			return
		}
		w.grow()
	}
	r := ratio(num[0], den[0])
	r.Mul(r, ratio(num[1], den[1]))
	w.exact = append(w.exact, r.Mul(r, ratio(num[2], 1)))
}

// grow goes on with big numbers.
func (w *weights) grow() {
	w.exact = make([]*big.Rat, len(w.nums))
	for i := range w.nums {
		w.exact[i] = ratio(w.nums[i], w.dens[i])
	}
}

// set sets the members' weights over their least common denominator, reduced.
func (w *weights) set(members []Member) {
	if w.exact == nil && setSmall(members, w.nums, w.dens) {
		return
	}
	if w.exact == nil {
		w.grow()
	}
	setBig(members, w.exact)
}

// setSmall does it in 64 bits, if they suffice.
func setSmall(members []Member, nums, dens []uint64) bool {
	lcm := uint64(1)
	for _, d := range dens {
		hi, lo := bits.Mul64(lcm/gcd(lcm, d), d)
		if hi != 0 {
			return false
		}
		lcm = lo
	}
	var common uint64
	for i := range members {
		hi, lo := bits.Mul64(nums[i], lcm/dens[i])
		if hi != 0 {
			return false
		}
		members[i].Weight = lo
		common = gcd(common, lo)
	}
	var sum, carry uint64
	for i := range members {
		members[i].Weight /= common
		var c uint64
		sum, c = bits.Add64(sum, members[i].Weight, 0)
		carry |= c
	}
	return carry == 0
}

// bigSum is what the weights add up to where the exact ones do not fit: each share is then right to within 2^-40.
const bigSum = 1 << 40

// setBig scales the exact rational weights to a sum near bigSum; nobody falls to 0.
func setBig(members []Member, exact []*big.Rat) {
	sum := new(big.Rat)
	for _, r := range exact {
		sum.Add(sum, r)
	}
	for i, r := range exact {
		r.Quo(r, sum).Mul(r, new(big.Rat).SetInt64(bigSum))
		members[i].Weight = max(1, new(big.Int).Quo(r.Num(), r.Denom()).Uint64())
	}
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
