package explain

import (
	"math"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// overloads are the pools that would get more than they carry, by the demand of all services and the shares of those whom no client rule names,
// and more than now.
func (x *Explainer) overloads(then *answer.Snapshot) (list []api.Overload) {
	was, is := loads(x.Snapshot), loads(then)
	for _, zv := range then.View.Zones {
		for _, p := range zv.Zone.Pools {
			name := strings.TrimSuffix(zv.Zone.Name, ".") + "/" + p.Name
			if l := is[name]; l.capacity > 0 && l.percent() > 100+1e-6 && l.percent() > was[name].percent()+1e-6 {
				list = append(list, api.Overload{
					Pool: name, Requests: math.Round(l.requests), Capacity: math.Round(l.capacity), Percent: math.Round(l.percent()), PercentBefore: math.Round(was[name].percent()),
				})
			}
		}
	}
	return list
}

// A load is what a pool gets and carries, in requests a second.
type load struct{ requests, capacity float64 }

func (l load) percent() float64 {
	if l.capacity == 0 {
		return 0
	}
	return 100 * l.requests / l.capacity
}

// loads are those of pools that have a capacity, by ZONE/POOL: by the demand of all services and the shares of those whom no client rule names.
func loads(s *answer.Snapshot) map[string]load {
	out := make(map[string]load)
	for _, zv := range s.View.Zones {
		for si, svc := range zv.Zone.Services {
			if svc.Demand == 0 {
				continue
			}
			for pool, share := range steer.PoolShares(s.Plan(zv.Zone, si)) {
				p := zv.Zone.Pools[pool]
				if p.Capacity == 0 {
					continue
				}
				name := strings.TrimSuffix(zv.Zone.Name, ".") + "/" + p.Name
				l := out[name]
				l.requests += share * float64(svc.Demand)
				l.capacity = steer.Carries(zv, svc, si, pool)
				out[name] = l
			}
		}
	}
	return out
}
