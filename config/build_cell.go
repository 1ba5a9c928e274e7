package config

import (
	"cmp"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

func (b *builder) cells(s *Service, n *yamlNode, at *yamlPath) {
	if n == nil || n.Kind != yaml.MappingNode {
		return
	}
	c := &Cells{Shards: intOf(field(n, "shards"), 0), Failover: make(map[int][]int)}
	home := field(n, "home")
	broken := c.Shards < 1 || home == nil
	for k, v := range entries(home) {
		pool := b.refer(k, at.at("home", k.Value), "pool", b.pools)
		ranges := items(v)
		if v.Kind == yaml.ScalarNode {
			ranges = []*yamlNode{v}
		}
		if broken = broken || pool < 0; pool >= 0 && len(ranges) == 0 {
			c.Empty = append(c.Empty, pool)
		}
		for _, r := range ranges {
			first, last, err := parseRange(stringOf(r), 0, maxShards-1)
			switch {
			case pool < 0 || err != nil:
				broken = true
			case last >= c.Shards && c.Shards > 0:
				b.errorf(r, at.at("home", k.Value), "", "the shards %s are not within 0-%d", r.Value, c.Shards-1)
				broken = true
			default:
				c.Home = append(c.Home, CellRange{Pool: pool, First: first, Last: last})
			}
		}
	}
	slices.SortFunc(c.Home, func(a, b CellRange) int { return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(a.Last, b.Last)) })
	if !broken {
		b.cellCover(c, home, at.child("home"))
	}
	b.cellFailover(c, field(n, "failover"), at.child("failover"))
	b.cellMap(c, field(n, "map"), at.child("map"))
	s.Cells = c
}

// cellCover reports shards that have no home, or more than one.
func (b *builder) cellCover(c *Cells, n *yamlNode, at *yamlPath) {
	next := 0
	for _, r := range c.Home {
		name := b.zone.Pools[r.Pool].Name
		k, _ := fieldOf(n, name)
		if r.First > next {
			b.errorf(k, at.child(name), "", "no home for %s", shardText(next, r.First-1))
		}
		if r.First < next {
			b.errorf(k, at.child(name), "", "two homes for %s", shardText(r.First, min(next-1, r.Last)))
		}
		next = max(next, r.Last+1)
	}
	if next < c.Shards {
		b.errorf(n, at, "", "no home for %s", shardText(next, c.Shards-1))
	}
}

func shardText(first, last int) string {
	if first == last {
		return fmt.Sprintf("the shard %d", first)
	}
	return fmt.Sprintf("the shards %d-%d", first, last)
}

func (b *builder) cellFailover(c *Cells, n *yamlNode, at *yamlPath) {
	homes := make(map[int]bool)
	for _, pool := range slices.Concat(c.Homes(), c.Empty) {
		homes[pool] = true
	}
	for k, v := range entries(n) {
		at := at.child(k.Value)
		from := b.refer(k, at, "pool", b.pools)
		if from < 0 {
			continue
		}
		if !homes[from] {
			b.errorf(k, at, "", "the pool %q is the home of no shard", k.Value)
		}
		if b.zone.Pools[from].Fence {
			b.errorf(k, at, "without failover its shards answer as on_all_down says while it is down", "the pool %q is fenced: its shards never leave it", k.Value)
			continue
		}
		for i, item := range items(v) {
			to := b.refer(item, at.item(i), "pool", b.pools)
			switch {
			case to < 0:
			case to == from:
				b.errorf(item, at.item(i), "", "the pool %q cannot take over from itself", k.Value)
			case b.zone.Pools[to].Fence:
				b.errorf(item, at.item(i), "", "the pool %q is fenced: it takes no shards but its own", item.Value)
			case slices.Contains(c.Failover[from], to):
				b.errorf(item, at.item(i), "", "duplicate pool %q", item.Value)
			default:
				c.Failover[from] = append(c.Failover[from], to)
			}
		}
	}
}
