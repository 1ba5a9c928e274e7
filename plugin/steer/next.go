package steer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/health"
)

// Next is what the clients of a plan of d would be answered if nothing that answers them now were left: for those who can turn there by
// themselves, before anybody has judged. d was decided for zv, and index is where its service stands. It is nil where that would be a last resort,
// and never has a pool that keeps data: whoever turned to one outside its turn would lose data.
func (d *Decision) Next(zv *health.ZoneView, index int, plan *Plan) *Plan {
	if plan.Source == FromFixed || plan.Source == FromNothing {
		return nil
	}
	without := *zv
	without.Pools = slices.Clone(zv.Pools)
	for _, set := range plan.Sets {
		for _, m := range set {
			p := without.Pools[m.Pool]
			if p == zv.Pools[m.Pool] {
				clone := *p
				clone.Endpoints = slices.Clone(p.Endpoints)
				p, without.Pools[m.Pool] = &clone, &clone
			}
			p.Endpoints[m.Endpoint].Drained = true
		}
	}
	next := *Decide(&without, d.Service, index).PlanOf(plan.Key)
	if next.Source != FromTier && next.Source != FromHeld && next.Source != FromBelowMin {
		return nil
	}
	for f := range next.Sets {
		next.Sets[f] = slices.DeleteFunc(slices.Clone(next.Sets[f]), func(m Member) bool { return zv.Zone.Pools[m.Pool].KeepsData() })
	}
	if next.empty() {
		return nil
	}
	return &next
}
