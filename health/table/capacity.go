package table

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// Short says why what an order leaves cannot carry the demand of a service; nil where it can, where it could not before either, and where the order
// overrides the rule.
func (t *Table) Short(i *health.Intent, now time.Time) error {
	if !i.TakesOut() || slices.Contains(i.Override, health.RuleCapacity) {
		return nil
	}
	for zone, z := range t.Model.Zones {
		if !slices.ContainsFunc(z.Services, func(s *config.Service) bool { return s.Demand > 0 }) {
			continue
		}
		named := make(map[health.EndpointRef]bool)
		for _, ref := range judge.Resolve(t.Model.Zones, []*health.Intent{i})[0][zone] {
			named[ref] = true
		}
		for si, svc := range z.Services {
			if svc.Demand == 0 || len(named) == 0 || i.Service != "" && i.Service != svc.Name {
				continue
			}
			was, _, wasAll := t.carries(zone, si, nil, now)
			is, by, isAll := t.carries(zone, si, named, now)
			if isAll || is >= float64(svc.Demand) || is == 0 || !wasAll && is >= was {
				// That nothing is left is for the other rules to say.
				continue
			}
			what := "what is left would get"
			if len(by) == 1 {
				what = "pool " + by[0] + " would get"
			}
			return &health.RuleError{
				Suspension: health.Suspension{Rule: health.RuleCapacity, Service: svc.Name},
				Why:        fmt.Sprintf("%s %.0f %% of its capacity: %d of %.0f requests/s", what, 100*float64(svc.Demand)/is, svc.Demand, is),
			}
		}
	}
	return nil
}

// carries is how many requests a second the pools carry that a service may answer from without the endpoints named, and which pools those are; all
// is set where one of them has no capacity in the file. A pool that keeps data counts in its turn alone: nothing overflows into it.
func (t *Table) carries(zone, si int, without map[health.EndpointRef]bool, now time.Time) (carry float64, by []string, all bool) {
	z, zt := t.Model.Zones[zone], &t.zones[zone]
	seen, answered := make(map[int]bool), false
	for _, tier := range z.Services[si].Tiers {
		here := false
		for _, share := range tier {
			p := z.Pools[share.Pool]
			if seen[share.Pool] || answered && p.KeepsData() || !t.mayAnswer(zone, si, share, without, now) {
				continue
			}
			seen[share.Pool], here = true, true
			if p.Capacity == 0 {
				return 0, nil, true
			}
			up, weights := 0, 0
			for i, e := range p.Endpoints {
				weights += e.Weight
				v, ref := zt.pools[share.Pool].view.Endpoints[i], health.EndpointRef{Pool: share.Pool, Endpoint: i}
				if s := zt.scoped[si]; (v.InService() || v.Pending()) && !v.Drained && !without[ref] && (s == nil || !s.Drained[ref]) {
					up += e.Weight
				}
			}
			if weights > 0 {
				carry += float64(p.Capacity) * float64(up) / float64(weights)
				by = append(by, p.Name)
			}
		}
		answered = answered || here
	}
	return carry, by, false
}
