package judge

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// shardsIn is the service of z, by index, whose shards an order is about, and the pool that is to be their home, -1 for none; the service is
// -1 if the order is about no shards of z.
func shardsIn(z *config.Zone, i *health.Intent) (service, to int) {
	if i.Scope.Kind != health.ScopeShards || i.Kind != health.IntentDrain {
		return -1, -1
	}
	service = slices.IndexFunc(z.Services, func(s *config.Service) bool { return s.Name == i.Service })
	if service < 0 || z.Services[service].Cells == nil || i.Scope.Shards().Last() >= z.Services[service].Cells.Shards {
		return -1, -1
	}
	if i.Scope.Pool == "" {
		return service, -1
	}
	to = slices.IndexFunc(z.Services[service].Cells.Pools(), func(p int) bool { return z.Pools[p].Name == i.Scope.Pool })
	if to < 0 {
		return -1, -1
	}
	return service, z.Services[service].Cells.Pools()[to]
}

// shardsInNone tells whether an order about shards names none of any zone.
func shardsInNone(zones []*config.Zone, i *health.Intent) bool {
	return !slices.ContainsFunc(zones, func(z *config.Zone) bool {
		service, _ := shardsIn(z, i)
		return service >= 0
	})
}

// settleShards applies intent n, which is about shards, unless it leaves somebody to nobody.
func (l *settlement) settleShards(n int) Fate {
	d := l.intents[n]
	for zi, z := range l.zones {
		si, to := shardsIn(z, d)
		if si < 0 {
			continue
		}
		s := serviceRef{zi, si}
		l.cover(s)
		c := l.services[s]
		homes := c.service.Cells.Homes()
		if to >= 0 {
			homes = []int{to}
		}
		var moved []audience
		for _, home := range homes {
			shards := d.Scope.Shards()
			pools := cellPools(c.service.Cells, home)
			if to < 0 {
				shards = config.ShardsWhere(c.service.Cells.Shards, func(shard int) bool {
					return d.Scope.Shards().Has(shard) && c.service.Cells.HomeOf(shard) == home
				})
				pools = pools[1:]
			}
			if len(shards) > 0 {
				moved = append(moved, audience{"the shards " + shards.Short() + ", which an order takes away from their home", pools})
			}
		}
		if !d.Overrides(health.RuleNeverEmpty) {
			for i := range moved {
				if !c.left(&moved[i], c.drained) {
					return Fate{
						Suspension: health.Suspension{Rule: health.RuleNeverEmpty, Service: c.service.Name},
						Why:        "nothing would be left to answer " + moved[i].name + c.shut(),
					}
				}
			}
		}
		c.moved = append(c.moved, moved...)
	}
	return Fate{}
}
