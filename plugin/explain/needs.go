package explain

import (
	"maps"
	"math"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// maxCuts bounds the pairs that are listed.
const maxCuts = 50

// cuts are the services that would be answered where one that they need is not, for more of their answers than now: by the shares of those whom no
// client rule names.
func (x *Explainer) cuts(then *answer.Snapshot) (list []api.Cut) {
	if !needsAny(then) {
		return nil
	}
	was, is := placesOf(x.Snapshot), placesOf(then)
	for _, zv := range then.View.Zones {
		for _, svc := range zv.Zone.Services {
			for _, need := range svc.Needs {
				before, after := apart(was, svc.Name, need), apart(is, svc.Name, need)
				if after == nil || before != nil && after.Percent <= before.Percent && after.Dark == before.Dark {
					continue
				}
				if before != nil {
					after.PercentBefore = before.Percent
				}
				if list = append(list, *after); len(list) == maxCuts {
					return list
				}
			}
		}
	}
	return list
}

func needsAny(s *answer.Snapshot) bool {
	return slices.ContainsFunc(s.View.Model.Zones, func(z *config.Zone) bool {
		return slices.ContainsFunc(z.Services, func(s *config.Service) bool { return len(s.Needs) > 0 })
	})
}

// places are the parts of a service's answers by region. None is there while nothing that is up is answered.
type places map[string]float64

// lastResorts are the sources of plans whose members nobody knows to be up.
var lastResorts = []steer.Source{steer.FromLastGood, steer.FromAll, steer.FromFixed, steer.FromNothing, steer.FromYielded}

func placesOf(s *answer.Snapshot) map[string]places {
	out := make(map[string]places)
	for _, zv := range s.View.Zones {
		for si, svc := range zv.Zone.Services {
			p, plan := make(places), s.Plan(zv.Zone, si)
			if !slices.Contains(lastResorts, plan.Source) {
				for pool, share := range steer.PoolShares(plan) {
					p[zv.Zone.Regions[zv.Zone.Pools[pool].Region].Name] += share
				}
			}
			out[svc.Name] = p
		}
	}
	return out
}

// apart tells how much of a service's answers lead where one that it needs has none; nil where none do, where the service has none itself, and where
// what it needs is not served here.
func apart(by map[string]places, service, need string) *api.Cut {
	n, served := by[need]
	if !served || len(by[service]) == 0 {
		return nil
	}
	c := &api.Cut{Service: service, Needs: need, Dark: len(n) == 0}
	share := 0.0
	for region, part := range by[service] {
		if _, there := n[region]; part > 0 && !there {
			share += part
			c.Regions = append(c.Regions, region)
		}
	}
	if share == 0 {
		return nil
	}
	slices.Sort(c.Regions)
	if !c.Dark {
		c.NeedsRegions = slices.Sorted(maps.Keys(n))
	}
	c.Percent = math.Round(share * 100)
	return c
}
