package steer

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// keep finds the endpoints that health took out and that answer all the same, because too much left at once: within
// health.RemovalWindow health alone may remove one endpoint per pool, or one AZ while another AZ of the service has somebody up, or
// one pool while another pool of the service is eligible; beyond that at most health.max_removal percent of the service's weight. Whoever left first is
// removed first, so that nodes with the same verdicts keep the same ones. An address that is withheld removes nobody and counts as nothing: its
// sister goes on, and where all of IPv4 is lost the next tier answers for it (relieve).
func (s *subject) keep() map[health.EndpointRef]bool {
	limit := s.svc.Health.MaxRemoval
	if limit == 0 || limit >= 100 {
		return nil
	}
	leaving := s.leaving()
	if len(leaving) < 2 || s.freeRemoval(leaving) {
		return nil
	}
	weights, total := s.serviceWeights()
	var kept map[health.EndpointRef]bool
	var removed uint64
	for n, ref := range leaving {
		removed += weights[ref]
		if s.freeRemoval(leaving[:n+1]) || !lessProduct(uint64(limit), total, removed, 100) {
			continue
		}
		removed -= weights[ref]
		if kept == nil {
			kept = make(map[health.EndpointRef]bool)
		}
		kept[ref] = true
	}
	return kept
}

// leaving are the service's endpoints that left lately, the earliest first.
func (s *subject) leaving() []health.EndpointRef {
	var refs []health.EndpointRef
	for _, p := range s.svc.Pools {
		view := s.zv.Pools[p]
		for i, e := range view.Endpoints {
			ref := health.EndpointRef{Pool: p, Endpoint: i}
			if !e.InService() && e.Forced == health.Unknown && view.Leaving(i) && !s.zv.Drained(s.index, ref) {
				refs = append(refs, ref)
			}
		}
	}
	left := func(r health.EndpointRef) time.Time { return s.zv.Pools[r.Pool].Endpoints[r.Endpoint].Left }
	slices.SortStableFunc(refs, func(a, b health.EndpointRef) int {
		return cmp.Or(left(a).Compare(left(b)), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Endpoint, b.Endpoint))
	})
	return refs
}

// freeRemoval tells whether refs are so local that no limit holds for them.
func (s *subject) freeRemoval(refs []health.EndpointRef) bool {
	perPool := make(map[int]int)
	azs := make(map[int]bool)
	one := true
	for _, r := range refs {
		perPool[r.Pool]++
		one = one && perPool[r.Pool] == 1
		azs[s.zv.Zone.Pools[r.Pool].Endpoints[r.Endpoint].AZ] = true
	}
	switch {
	case one:
		return true
	case len(azs) == 1 && s.otherAZ(s.zv.Zone.Pools[refs[0].Pool].Endpoints[refs[0].Endpoint].AZ):
		return true
	}
	return len(perPool) == 1 && s.otherPool(refs[0].Pool)
}

// otherAZ tells whether somebody in another AZ than az answers for the service.
func (s *subject) otherAZ(az int) bool {
	for _, share := range s.everyTier() {
		if s.zv.PoolWeight(s.index, share.Pool, share.Weight) == 0 {
			continue
		}
		o, _ := s.usable(share.Pool, ordinary, nobody)
		if o.pending {
			continue
		}
		for _, m := range o.members {
			if s.zv.Zone.Pools[share.Pool].Endpoints[m].AZ != az {
				return true
			}
		}
	}
	return false
}

// otherPool tells whether a pool of the service other than p is available.
func (s *subject) otherPool(p int) bool {
	for _, share := range s.everyTier() {
		if share.Pool == p || s.zv.PoolWeight(s.index, share.Pool, share.Weight) == 0 {
			continue
		}
		if o, _ := s.usable(share.Pool, ordinary, nobody); len(o.members) > 0 && !o.pending {
			return true
		}
	}
	return false
}

// serviceWeights are the weights of all endpoints that are not drained, with all tiers taken as one, and their sum.
func (s *subject) serviceWeights() (map[health.EndpointRef]uint64, uint64) {
	weights, total := make(map[health.EndpointRef]uint64), uint64(0)
	for _, m := range flatten(s.everyone(s.everyTier(), anyHealth), Any) {
		weights[health.EndpointRef{Pool: int(m.Pool), Endpoint: int(m.Endpoint)}] = m.Weight
		total += m.Weight
	}
	return weights, total
}

func anyHealth(health.EndpointView) bool { return true }
