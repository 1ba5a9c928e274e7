package judge

import (
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// shardsIn is the service of z, by index, whose shards an order is about, with those shards and the pool that is to be their home, -1 for none;
// the service is -1 if the order is about no shards of z.
func shardsIn(z *config.Zone, i *health.Intent) (service, to int, shards config.Shards) {
	if i.Scope.Kind != health.ScopeShards || i.Kind != health.IntentDrain {
		return -1, -1, nil
	}
	service = slices.IndexFunc(z.Services, func(s *config.Service) bool { return s.Name == i.Service })
	if service < 0 || z.Services[service].Cells == nil {
		return -1, -1, nil
	}
	cells := z.Services[service].Cells
	if shards = i.Scope.Shards(); shards.Last() >= cells.Shards {
		return -1, -1, nil
	}
	if i.Scope.Pool == "" {
		return service, -1, shards
	}
	to = slices.IndexFunc(cells.Pools(), func(p int) bool { return z.Pools[p].Name == i.Scope.Pool })
	if to < 0 {
		return -1, -1, nil
	}
	return service, cells.Pools()[to], shards
}

// shardsInNone tells whether an order about shards names none of any zone.
func shardsInNone(zones []*config.Zone, i *health.Intent) bool {
	return !slices.ContainsFunc(zones, func(z *config.Zone) bool {
		service, _, _ := shardsIn(z, i)
		return service >= 0
	})
}

// settleShards applies intent n, which is about shards, unless it leaves somebody to nobody.
func (l *settlement) settleShards(n int) Fate {
	d := l.intents[n]
	for zi, z := range l.zones {
		si, to, shards := shardsIn(z, d)
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
			these, pools := shards, cellPools(c.service.Cells, home)
			if to < 0 {
				these, pools = shards.Both(c.service.Cells.ShardsAt(home)), pools[1:]
			}
			if len(these) > 0 {
				moved = append(moved, audience{"the shards " + these.Short() + ", which an order takes away from their home", pools})
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
