package table

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// noteUnclaimed notes whether the pool at ref, or an AZ of it, is out and nobody has taken its turn.
func (t *Table) noteUnclaimed(ref Ref) {
	view := t.zones[ref.Zone].pools[ref.Pool].view
	if view != nil && (view.Return.Unclaimed || slices.ContainsFunc(view.ReturnAZ, func(r health.Return) bool { return r.Unclaimed })) {
		t.unclaimed[ref] = true
	} else {
		delete(t.unclaimed, ref)
	}
}

// claim takes the word from those whose turn another pool has taken. It is called when all pools are judged: what one pool may answer
// depends on the others, and not on which of them was judged first.
func (t *Table) claim() {
	for ref := range t.unclaimed {
		pt := &t.zones[ref.Zone].pools[ref.Pool]
		if slices.ContainsFunc(pt.view.Endpoints, func(e health.EndpointView) bool { return e.Eligible() }) || !t.turnTaken(ref) {
			continue
		}
		view := *pt.view
		view.Return.Unclaimed, view.ReturnAZ = false, slices.Clone(view.ReturnAZ)
		for i := range view.ReturnAZ {
			view.ReturnAZ[i].Unclaimed = false
		}
		pt.view = &view
		delete(t.unclaimed, ref)
	}
}

// turnTaken tells whether another pool answers for some service in the place of the one at ref, which has nothing eligible: not one of an
// earlier tier, which would answer before it anyway.
func (t *Table) turnTaken(ref Ref) bool {
	z := t.Model.Zones[ref.Zone]
	for _, si := range z.Pools[ref.Pool].Services {
		svc := z.Services[si]
		own, earlier, taken := tierIn(svc, ref.Pool), false, false
		for _, pi := range svc.Pools {
			view := t.zones[ref.Zone].pools[pi].view
			if pi == ref.Pool || !t.couldAnswer(z.Pools[pi], view) || view.RPO[si].Held {
				continue
			}
			earlier = earlier || tierIn(svc, pi) < own
			taken = taken || tierIn(svc, pi) >= own
		}
		// Client rules and cells have orders of their own: there whoever answers may have taken the turn.
		if taken && !earlier || (taken || earlier) && (len(svc.Clients) > 0 || svc.Cells != nil) {
			return true
		}
	}
	return false
}

// tierIn is the first tier of a service in which the pool stands; 0 for pools of client rules and cells.
func tierIn(svc *config.Service, pool int) int {
	return max(0, slices.IndexFunc(svc.Tiers, func(tier config.Tier) bool {
		return slices.ContainsFunc(tier, func(share config.Share) bool { return share.Pool == pool })
	}))
}

// couldAnswer tells whether somebody may be sent to a pool, of which view is the view: one that was never judged is answered too.
func (t *Table) couldAnswer(p *config.Pool, view *health.PoolView) bool {
	if view == nil || view.GateClosed || p.KeepsData() && view.AwaitsPerson(p) {
		return false
	}
	return slices.ContainsFunc(view.Endpoints, func(e health.EndpointView) bool { return e.Eligible() || e.Pending() && !e.Drained })
}
