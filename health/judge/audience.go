package judge

import (
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// An audience is clients of a service whom some of its pools alone may answer.
type audience struct {
	// name says who they are.
	name  string
	pools []int
}

// audiences are those that nobody else's pools help out: clients that no rule names, those of strict rules, and the cells of each home.
func audiences(z *config.Zone, s *config.Service) []audience {
	list := []audience{{"clients that no rule names", poolsOf(s.Tiers)}}
	for i, rule := range s.Clients {
		if rule.Strict {
			list = append(list, audience{fmt.Sprintf("clients of rule %d, which is strict", i+1), poolsOf(rule.Tiers)})
		}
	}
	if s.Cells == nil {
		return list
	}
	for _, home := range s.Cells.Homes() {
		list = append(list, audience{"the cells of pool " + z.Pools[home].Name, cellPools(s.Cells, home)})
	}
	return list
}

// cellPools are the pools that may answer for shards that are at home at a pool.
func cellPools(c *config.Cells, home int) []int { return append([]int{home}, c.Failover[home]...) }

// poolsOf are the pools of tiers that have a weight.
func poolsOf(tiers []config.Tier) (pools []int) {
	for _, tier := range tiers {
		for _, share := range tier {
			if share.Weight > 0 && !slices.Contains(pools, share.Pool) {
				pools = append(pools, share.Pool)
			}
		}
	}
	return pools
}

// deserted names an audience that drains of after leave nothing of what before left them; empty for none.
func (c *coverage) deserted(before, after map[health.EndpointRef]bool) string {
	for _, a := range slices.Concat(audiences(c.zone, c.service), c.moved) {
		if c.left(&a, before) && !c.left(&a, after) {
			return a.name
		}
	}
	return ""
}

// left tells whether an audience has an endpoint that is not drained, in a pool that may answer.
func (c *coverage) left(a *audience, drained map[health.EndpointRef]bool) bool {
	return slices.ContainsFunc(c.endpoints, func(ref health.EndpointRef) bool {
		return !drained[ref] && c.closed[ref.Pool] == "" && slices.Contains(a.pools, ref.Pool)
	})
}
