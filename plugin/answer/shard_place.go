package answer

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// shardPlaces are from where the shards of a service with cells are answered.
type shardPlaces struct {
	// plans are those of the shards, by index of Decision.Plans.
	plans []int32
	at    []ledger.ShardsAt
	hash  uint64
}

// fixedPlace stands for addresses that are answered once all pools are out.
const fixedPlace = "fixed addresses"

func newShardPlaces(z *config.Zone, d *steer.Decision) *shardPlaces {
	p := &shardPlaces{plans: make([]int32, d.Service.Cells.Shards)}
	pools, byPlace := make([][]string, len(d.Plans)), make([]int, len(d.Plans))
	for i, plan := range d.Plans {
		pools[i], byPlace[i] = poolsOf(z, plan), -1
	}
	for shard := range p.plans {
		plan := d.Cell(shard)
		p.plans[shard] = int32(plan)
		if byPlace[plan] < 0 {
			byPlace[plan] = slices.IndexFunc(p.at, func(at ledger.ShardsAt) bool { return slices.Equal(at.Pools, pools[plan]) })
		}
		if byPlace[plan] < 0 {
			byPlace[plan] = len(p.at)
			p.at = append(p.at, ledger.ShardsAt{Pools: pools[plan]})
		}
		at := &p.at[byPlace[plan]]
		if n := len(at.Shards); n > 0 && at.Shards[n-1].Last+1 == shard {
			at.Shards[n-1].Last = shard
		} else {
			at.Shards = append(at.Shards, config.ShardRange{First: shard, Last: shard})
		}
	}
	h := fnv.New64a()
	for i := range p.at {
		// An FNV does not fail.
		_, _ = fmt.Fprintf(h, "%q %s\n", p.at[i].Pools, p.at[i].Shards)
	}
	p.hash = h.Sum64()
	return p
}

// poolsOf are the pools that a plan answers from, by name, sorted.
func poolsOf(z *config.Zone, p *steer.Plan) (pools []string) {
	if p.Source == steer.FromFixed {
		return []string{fixedPlace}
	}
	for _, set := range p.Sets {
		for _, m := range set {
			if name := z.Pools[m.Pool].Name; !slices.Contains(pools, name) {
				pools = append(pools, name)
			}
		}
	}
	slices.Sort(pools)
	return pools
}

// shardsSince notes the services with cells of z, and the shards of which that have moved since old, which may be nil.
func (z *zone) shardsSince(old *zone, swap *ledger.Swap) {
	for i, s := range z.services {
		if s.shards == nil {
			continue
		}
		one := ledger.ServiceShards{Zone: z.cfg.Name, Service: s.cfg.Name, At: s.shards.at, Hash: s.shards.hash}
		if was := old.sameService(z, i); was != nil && was != s && was.shards != nil && len(was.shards.plans) == len(s.shards.plans) {
			one.Moved = s.shardsMoved(z, was, old)
		}
		swap.Shards = append(swap.Shards, one)
	}
}

// sameService is the service of the older zone z that has the name of service i of is; nil for none.
func (z *zone) sameService(is *zone, i int) *service {
	switch {
	case z == nil:
		return nil
	case z.cfg == is.cfg:
		return z.services[i]
	}
	at := slices.IndexFunc(z.services, func(s *service) bool { return s.cfg.Name == is.services[i].cfg.Name })
	if at < 0 {
		return nil
	}
	return z.services[at]
}

// shardsMoved are the shards of s whose answers lack what they had in was, and the service carries still.
func (s *service) shardsMoved(z *zone, was *service, old *zone) (moved []ledger.ShardsMoved) {
	lost := make(map[[2]int32]int)
	for shard, to := range s.shards.plans {
		pair := [2]int32{was.shards.plans[shard], to}
		at, known := lost[pair]
		if !known {
			at = -1
			if s.loses(&was.plans[pair[0]], &s.plans[to]) {
				at = len(moved)
				from, now := poolsOf(old.cfg, was.plans[pair[0]].plan), poolsOf(z.cfg, s.plans[to].plan)
				if gone := slices.DeleteFunc(slices.Clone(from), func(pool string) bool { return slices.Contains(now, pool) }); len(gone) > 0 {
					from = gone
				}
				moved = append(moved, ledger.ShardsMoved{From: from, To: now})
			}
			lost[pair] = at
		}
		if at < 0 {
			continue
		}
		m := &moved[at]
		if n := len(m.Shards); n > 0 && m.Shards[n-1].Last+1 == shard {
			m.Shards[n-1].Last = shard
		} else {
			m.Shards = append(m.Shards, config.ShardRange{First: shard, Last: shard})
		}
	}
	return moved
}

// loses tells whether a plan of before has a holding that another one lacks, and s has all the same: what s lacks has departed.
func (s *service) loses(before, after *compiledPlan) bool {
	return slices.ContainsFunc(before.sets, func(set rrset) bool {
		return slices.ContainsFunc(set.slots, func(slot ledger.Slot) bool {
			_, stays := slices.BinarySearch(s.slots, slot)
			return slot != 0 && stays && !slices.ContainsFunc(after.sets, func(set rrset) bool { return slices.Contains(set.slots, slot) })
		})
	})
}

// Shards are from where the shards of a service with cells are answered; nil for another one.
func (s *Snapshot) Shards(service string) *ledger.ServiceShards {
	for _, z := range s.zones {
		for _, svc := range z.services {
			if svc.shards != nil && svc.cfg.Name == service {
				return &ledger.ServiceShards{Zone: z.cfg.Name, Service: service, At: svc.shards.at, Hash: svc.shards.hash}
			}
		}
	}
	return nil
}
