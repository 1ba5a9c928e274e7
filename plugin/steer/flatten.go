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
func flatten(pools []usablePool, f Family) []Member {
	var members []Member
	var nums, dens []uint64
	for _, u := range pools {
		sums, azTotal := azSums(u, f)
		if azTotal == 0 {
			continue
		}
		for _, i := range u.members {
			e := u.pool.Endpoints[i]
			if !hasFamily(e, f) {
				continue
			}
			// At most 65535 · 6553500 · 65535 < 2^55.
			num := uint64(u.weight) * u.endpointWeight(i)
			den := azTotal
			if u.pool.Explicit {
				num *= uint64(azWeight(u.pool, e.AZ))
				den *= sums[e.AZ]
			}
			g := gcd(num, den)
			members = append(members, Member{Pool: u.index, Endpoint: i})
			nums, dens = append(nums, num/g), append(dens, den/g)
		}
	}
	weigh(members, nums, dens)
	return members
}

// azSums is the sum of the endpoint weights in each AZ and the sum over the AZs: of the AZ weights where the file gives
// them, else of the endpoint weights.
func azSums(u usablePool, f Family) (map[int]uint64, uint64) {
	sums := make(map[int]uint64, len(u.pool.AZWeights))
	var total uint64
	for _, i := range u.members {
		e := u.pool.Endpoints[i]
		if !hasFamily(e, f) {
			continue
		}
		if u.pool.Explicit && sums[e.AZ] == 0 {
			total += uint64(azWeight(u.pool, e.AZ))
		} else if !u.pool.Explicit {
			total += u.endpointWeight(i)
		}
		sums[e.AZ] += u.endpointWeight(i)
	}
	return sums, total
}

func hasFamily(e *config.Endpoint, f Family) bool {
	switch f {
	case V4:
		return e.V4.IsValid()
	case V6:
		return e.V6.IsValid()
	case anyFamily:
		return true
	default:
		return e.Target != ""
	}
}

// weigh sets the members' weights to nums/dens over their least common denominator, reduced.
func weigh(members []Member, nums, dens []uint64) {
	lcm := uint64(1)
	for _, d := range dens {
		hi, lo := bits.Mul64(lcm/gcd(lcm, d), d)
		if hi != 0 {
			weighBig(members, nums, dens)
			return
		}
		lcm = lo
	}
	var common uint64
	for i := range members {
		hi, lo := bits.Mul64(nums[i], lcm/dens[i])
		if hi != 0 {
			weighBig(members, nums, dens)
			return
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
	if carry != 0 {
		weighBig(members, nums, dens)
	}
}

// bigSum is what the weights add up to where the exact ones do not fit: each share is then right to within 2^-40.
const bigSum = 1 << 40

// weighBig scales the exact rational weights to a sum near bigSum; nobody falls to 0.
func weighBig(members []Member, nums, dens []uint64) {
	sum := new(big.Rat)
	exact := make([]*big.Rat, len(members))
	for i := range members {
		exact[i] = new(big.Rat).SetFrac(new(big.Int).SetUint64(nums[i]), new(big.Int).SetUint64(dens[i]))
		sum.Add(sum, exact[i])
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
