package explain

import (
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// Shares are the parts of the members of each family of a plan for a service of zone, in the order of the file.
func Shares(zone *config.Zone, plan *steer.Plan) []api.Share {
	shares := []api.Share{}
	if plan.Source == steer.FromFixed {
		return fixedShares(plan.Service)
	}
	for f, members := range plan.Sets {
		if steer.Family(f) == steer.Any {
			// The same endpoints once more.
			continue
		}
		var sum float64
		for _, m := range members {
			sum += float64(m.Weight)
		}
		for _, m := range members {
			pool := zone.Pools[m.Pool]
			e := pool.Endpoints[m.Endpoint]
			s := api.Share{Pool: pool.Name, AZ: zone.AZs[e.AZ].Name, Endpoint: e.Name, Fraction: float64(m.Weight) / sum}
			switch steer.Family(f) {
			case steer.V4:
				s.Family, s.Data = "A", e.V4.String()
			case steer.V6:
				s.Family, s.Data = "AAAA", e.V6.String()
			default:
				s.Family, s.Data = "CNAME", e.Target
			}
			shares = append(shares, s)
		}
	}
	return shares
}

// fixedShares are those of on_all_down's addresses, which stand in every answer.
func fixedShares(svc *config.Service) []api.Share {
	shares := []api.Share{}
	count := map[string]int{}
	for _, a := range svc.OnAllDown.Fixed {
		family := "AAAA"
		if a.Is4() {
			family = "A"
		}
		count[family]++
		shares = append(shares, api.Share{Family: family, Data: a.String()})
	}
	for i := range shares {
		shares[i].Fraction = 1 / float64(count[shares[i].Family])
	}
	return shares
}
