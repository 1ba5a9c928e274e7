package steer

import (
	"cmp"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// endpointRef names an endpoint of the zone.
type endpointRef struct{ pool, endpoint int }

// keep finds the endpoints that health took out and that answer all the same, because too much left at once: within
// health.RemovalWindow health alone may remove one endpoint per pool, or one AZ, or one pool while another pool of the
// service is eligible; beyond that at most health.max_removal percent of the service's weight. Whoever left first is
// removed first, so that nodes with the same verdicts keep the same ones.
func (c *chooser) keep() map[endpointRef]bool {
	limit := c.svc.Health.MaxRemoval
	if limit == 0 || limit >= 100 {
		return nil
	}
	leaving := c.leaving()
	if len(leaving) < 2 || c.freeRemoval(leaving) {
		return nil
	}
	weights, total := c.serviceWeights()
	var kept map[endpointRef]bool
	var removed uint64
	for n, ref := range leaving {
		removed += weights[ref]
		if c.freeRemoval(leaving[:n+1]) || !lessProduct(uint64(limit), total, removed, 100) {
			continue
		}
		removed -= weights[ref]
		if kept == nil {
			kept = make(map[endpointRef]bool)
		}
		kept[ref] = true
	}
	return kept
}

// leaving are the service's endpoints that left lately, the earliest first.
func (c *chooser) leaving() []endpointRef {
	var refs []endpointRef
	for _, p := range c.svc.Pools {
		view := c.zv.Pools[p]
		for i, e := range view.Endpoints {
			if !e.Drained && !e.InService() && view.Leaving(i) {
				refs = append(refs, endpointRef{p, i})
			}
		}
	}
	left := func(r endpointRef) time.Time { return c.zv.Pools[r.pool].Endpoints[r.endpoint].Left }
	slices.SortStableFunc(refs, func(a, b endpointRef) int {
		return cmp.Or(left(a).Compare(left(b)), cmp.Compare(a.pool, b.pool), cmp.Compare(a.endpoint, b.endpoint))
	})
	return refs
}

// freeRemoval tells whether refs are so local that no limit holds for them.
func (c *chooser) freeRemoval(refs []endpointRef) bool {
	perPool := make(map[int]int)
	azs := make(map[int]bool)
	one := true
	for _, r := range refs {
		perPool[r.pool]++
		one = one && perPool[r.pool] == 1
		azs[c.zv.Zone.Pools[r.pool].Endpoints[r.endpoint].AZ] = true
	}
	if one || len(azs) == 1 {
		return true
	}
	return len(perPool) == 1 && c.otherPool(refs[0].pool)
}

// otherPool tells whether a pool of the service other than p is available.
func (c *chooser) otherPool(p int) bool {
	for _, tier := range c.svc.Tiers {
		for _, share := range tier {
			if share.Pool == p || share.Weight == 0 {
				continue
			}
			if u, _ := c.usable(share, ordinary); len(u.members) > 0 && !u.pending {
				return true
			}
		}
	}
	return false
}

// serviceWeights are the weights of all endpoints that are not drained, with all tiers taken as one, and their sum.
func (c *chooser) serviceWeights() (map[endpointRef]uint64, uint64) {
	var tier config.Tier
	for _, t := range c.svc.Tiers {
		tier = append(tier, t...)
	}
	weights, total := make(map[endpointRef]uint64), uint64(0)
	for _, m := range flatten(merge(c.everyone(tier, anyHealth)), anyFamily) {
		weights[endpointRef{m.Pool, m.Endpoint}] = m.Weight
		total += m.Weight
	}
	return weights, total
}

func anyHealth(health.EndpointView) bool { return true }
