package steer

import (
	"math/big"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// limit is the greatest share of the service that the pool may get: its max_share, or what its capacity is of the service's demand, whichever is
// less; nil where nothing limits it. What is left of the pool's endpoints carries its part of the capacity.
func (o *offer) limit() *big.Rat {
	var limit *big.Rat
	if o.cfg.MaxShare > 0 {
		limit = ratio(uint64(o.cfg.MaxShare), 100)
	}
	if carries := o.carries(); carries != nil {
		share := new(big.Rat).Quo(carries, new(big.Rat).SetInt64(int64(o.svc.Demand)))
		if share.Cmp(big.NewRat(1, 1)) < 0 && (limit == nil || share.Cmp(limit) < 0) {
			limit = share
		}
	}
	return limit
}

// carries is how many requests a second the members carry; nil where that, or the demand, is not known.
func (o *offer) carries() *big.Rat {
	if o.cfg.Capacity == 0 || o.svc.Demand == 0 {
		return nil
	}
	var all, here uint64
	for i := range o.cfg.Endpoints {
		all += uint64(o.cfg.Endpoints[i].Weight) * 100
	}
	for _, i := range o.members {
		here += min(o.endpointWeight(i), uint64(o.cfg.Endpoints[i].Weight)*100)
	}
	if all == 0 {
		return nil
	}
	c := new(big.Rat).SetInt64(int64(o.cfg.Capacity))
	return c.Mul(c, ratio(here, all))
}

// PoolShares are the parts of all answers that the pools of a plan have, by index of Zone.Pools: those of the family in which most endpoints answer.
func PoolShares(p *Plan) map[int]float64 {
	var most []Member
	for _, set := range p.Sets {
		if len(set) > len(most) {
			most = set
		}
	}
	shares := make(map[int]float64)
	for ref, share := range sharesOf(most) {
		shares[ref.Pool] += share
	}
	return shares
}

// Carries is how many requests a second what is left of a pool carries for a service; 0 where that is not known.
func Carries(zv *health.ZoneView, svc *config.Service, index, pool int) float64 {
	s := &subject{zv: zv, svc: svc, index: index}
	o, _ := s.usable(pool, evenBelowMin, eldest{pool})
	if o.members == nil {
		return 0
	}
	c := o.carries()
	if c == nil {
		return 0
	}
	f, _ := c.Float64()
	return f
}
