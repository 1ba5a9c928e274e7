package steer

import (
	"math/big"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// distribute sets the weights of the offers of c.steps[at] to what they get of the service's traffic, and adds those of
// later steps that get the rest: what max_share, or the capacity, leaves over goes to the next tiers; what a pool on its way back may not have
// yet goes to the others of its tier, else to the next ones; the standby trickle goes to the second tier. A pool that stands
// in several tiers has what the first of them gives it. A tier of another kind takes nothing: a name has addresses or a CNAME, never both. What no later tier takes goes to those with room below their
// limit, and only where nobody has any do all share it. Cells know no max_share, and no parts of a pool: a shard's data is in
// one place.
func (c *chooser) distribute(at int, offers []offer) []offer {
	trickle := c.trickle(at, offers[0].cfg.Kind())
	simple := trickle == nil
	for _, o := range offers {
		simple = simple && o.percent == health.Whole && o.limit() == nil
	}
	if simple || c.cell {
		return offers
	}
	s := &spread{share: make(map[int]*big.Rat)}
	rest := s.pour(big.NewRat(1, 1), offers)
	for next := at + 1; next < len(c.steps) && rest.Sign() > 0; next++ {
		rest = s.pour(rest, s.fresh(c.spare(next, ordinary, offers[0].cfg.Kind())))
	}
	for roomy := s.roomy(); rest.Sign() > 0 && roomy != nil; roomy = s.roomy() {
		rest = s.pour(rest, roomy)
	}
	if trickle != nil {
		s.trickle(trickle, big.NewRat(int64(c.svc.Standby.Trickle), 10000))
	}
	return s.offers()
}

// trickle are the offers of the second tier that get the standby trickle while the first one answers; nil for none. A pool
// that stands in the first tier too has its share there.
func (c *chooser) trickle(at int, kind config.AnswerKind) []offer {
	if c.svc.Standby.Trickle == 0 || c.cell || c.steps[at].ref != (TierRef{Rule: -1}) {
		return nil
	}
	for next := at + 1; next < len(c.steps); next++ {
		if c.steps[next].ref == (TierRef{Rule: -1, Index: 1}) {
			if spare := slices.DeleteFunc(c.spare(next, ordinary, kind), c.inFirst); len(spare) > 0 {
				return spare
			}
		}
	}
	return nil
}

func (c *chooser) inFirst(o offer) bool {
	return slices.ContainsFunc(c.svc.Tiers[0], func(share config.Share) bool {
		return share.Pool == o.pool && c.zv.PoolWeight(c.index, share.Pool, share.Weight) > 0
	})
}

// spare are the offers of a later step that may take a part of the traffic before its turn: pools that are judged and really
// up at level l, that are of the kind of those whose turn it is, and that keep no data.
func (c *chooser) spare(at int, l level, kind config.AnswerKind) []offer {
	offers, _ := c.offers(c.steps[at], l)
	var spare []offer
	for _, o := range offers {
		if !o.pending && o.kept < len(o.members) && !o.cfg.KeepsData() && o.cfg.Kind() == kind {
			spare = append(spare, o)
		}
	}
	return spare
}

// A spread is traffic that is being given to pools.
type spread struct {
	// given are the pools in the order in which they first got a share.
	given []offer
	share map[int]*big.Rat
}

// fresh are the offers of pools that were not asked yet.
func (s *spread) fresh(offers []offer) []offer {
	return slices.DeleteFunc(offers, func(o offer) bool { return s.share[o.pool] != nil })
}

// roomy are the pools that may take more: wholly there, and below their limit.
func (s *spread) roomy() []offer {
	var roomy []offer
	for _, o := range s.given {
		limit := o.limit()
		if o.percent == health.Whole && (limit == nil || s.share[o.pool].Cmp(limit) < 0) {
			roomy = append(roomy, o)
		}
	}
	return roomy
}

// pour gives amount, a part of 1, to the offers by their weights and returns what they may not take.
func (s *spread) pour(amount *big.Rat, offers []offer) (rest *big.Rat) {
	var all, whole uint64
	for _, o := range offers {
		all += o.weight
		if o.percent == health.Whole {
			whole += o.weight
		}
	}
	if all == 0 {
		return amount
	}
	// less is what pools on their way back leave to the others.
	less, wants := new(big.Rat), make([]*big.Rat, len(offers))
	for i, o := range offers {
		full := new(big.Rat).Mul(amount, ratio(o.weight, all))
		wants[i] = new(big.Rat).Mul(full, ratio(uint64(o.percent), health.Whole))
		less.Add(less, full.Sub(full, wants[i]))
	}
	rest = new(big.Rat)
	if whole == 0 {
		rest.Set(less)
	}
	for i, o := range offers {
		if whole > 0 && o.percent == health.Whole {
			wants[i].Add(wants[i], new(big.Rat).Mul(less, ratio(o.weight, whole)))
		}
		rest.Add(rest, s.give(o, wants[i]))
	}
	return rest
}

// give gives a pool up to want, and returns what its max_share forbids.
func (s *spread) give(o offer, want *big.Rat) (over *big.Rat) {
	has := s.share[o.pool]
	if has == nil {
		has = new(big.Rat)
		s.share[o.pool] = has
		s.given = append(s.given, o)
	}
	over = new(big.Rat)
	if limit := o.limit(); limit != nil {
		room := new(big.Rat).Sub(limit, has)
		if want.Cmp(room) > 0 {
			over.Sub(want, room)
			want = room
		}
	}
	has.Add(has, want)
	return over
}

// trickle gives part of everything to the standby offers.
func (s *spread) trickle(offers []offer, part *big.Rat) {
	total := new(big.Rat)
	for _, share := range s.share {
		total.Add(total, share)
	}
	remain := new(big.Rat).Sub(big.NewRat(1, 1), part)
	for _, share := range s.share {
		share.Mul(share, remain).Quo(share, total)
	}
	var all uint64
	for _, o := range offers {
		all += o.weight
	}
	for _, o := range offers {
		if s.share[o.pool] == nil {
			s.share[o.pool] = new(big.Rat)
			s.given = append(s.given, o)
		}
		s.share[o.pool].Add(s.share[o.pool], new(big.Rat).Mul(part, ratio(o.weight, all)))
	}
}

// maxCommon bounds the sum of the weights of pools. A family in which only the smallest of them has members still has their
// shares to within 2^-16, for weights of 1 beside 65535.
const maxCommon = 1 << 48

// offers are the pools that got something, with whole numbers as weights: exact unless they would pass maxCommon.
func (s *spread) offers() []offer {
	lcm := big.NewInt(1)
	for _, share := range s.share {
		g := new(big.Int).GCD(nil, nil, lcm, share.Denom())
		lcm.Mul(lcm, new(big.Int).Quo(share.Denom(), g))
	}
	if lcm.Cmp(big.NewInt(maxCommon)) > 0 {
		lcm.SetInt64(maxCommon)
	}
	var out []offer
	for _, o := range s.given {
		share := s.share[o.pool]
		if share.Sign() <= 0 {
			continue
		}
		scaled := new(big.Rat).Mul(share, new(big.Rat).SetInt(lcm))
		o.weight = max(1, new(big.Int).Quo(scaled.Num(), scaled.Denom()).Uint64())
		out = append(out, o)
	}
	return out
}

func ratio(a, b uint64) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b))
}
