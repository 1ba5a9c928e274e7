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
	// runs are all shards in their order.
	runs []shardRun
	at   []ledger.ShardsAt
	hash uint64
}

// A shardRun is the shards from first to last, with their plan by index of Decision.Plans.
type shardRun struct{ first, last, plan int }

// fixedPlace stands for addresses that are answered once all pools are out.
const fixedPlace = "fixed addresses"

func newShardPlaces(z *config.Zone, d *steer.Decision) *shardPlaces {
	p := new(shardPlaces)
	pools, places := make([][]string, len(d.Plans)), make([]int, len(d.Plans))
	for i, plan := range d.Plans {
		pools[i], places[i] = poolsOf(z, plan), -1
	}
	d.EachCell(func(first, last, plan int) {
		if n := len(p.runs); n > 0 && p.runs[n-1].plan == plan {
			p.runs[n-1].last = last
		} else {
			p.runs = append(p.runs, shardRun{first, last, plan})
		}
		if places[plan] < 0 {
			places[plan] = slices.IndexFunc(p.at, func(at ledger.ShardsAt) bool { return slices.Equal(at.Pools, pools[plan]) })
		}
		if places[plan] < 0 {
			places[plan] = len(p.at)
			p.at = append(p.at, ledger.ShardsAt{Pools: pools[plan]})
		}
		at := &p.at[places[plan]]
		at.Shards = at.Shards.Append(first, last)
	})
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
		if was := old.sameService(z, i); was != nil && was != s && was.shards != nil && was.cfg.Cells.Shards == s.cfg.Cells.Shards {
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
	lost := make(map[[2]int]int)
	before := was.shards.runs
	for _, run := range s.shards.runs {
		for first := run.first; first <= run.last; {
			last, pair := min(run.last, before[0].last), [2]int{before[0].plan, run.plan}
			at, known := lost[pair]
			if !known {
				at = -1
				if s.loses(&was.plans[pair[0]], &s.plans[run.plan]) {
					at = len(moved)
					moved = append(moved, movedBetween(poolsOf(old.cfg, was.plans[pair[0]].plan), poolsOf(z.cfg, s.plans[run.plan].plan)))
				}
				lost[pair] = at
			}
			if at >= 0 {
				moved[at].Shards = moved[at].Shards.Append(first, last)
			}
			if first = last + 1; last == before[0].last {
				before = before[1:]
			}
		}
	}
	return moved
}

// movedBetween are shards that were answered from pools, and are from others: from those of the first that are not among them.
func movedBetween(from, to []string) ledger.ShardsMoved {
	if gone := slices.DeleteFunc(slices.Clone(from), func(pool string) bool { return slices.Contains(to, pool) }); len(gone) > 0 {
		from = gone
	}
	return ledger.ShardsMoved{From: from, To: to}
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
