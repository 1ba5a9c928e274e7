package health

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A ShardOrder takes shards of one service away from their homes.
type ShardOrder struct {
	ID     IntentID
	Shards config.Shards
	// To is the pool, by index of Zone.Pools, at which they are at home while the order stands; -1 where those take over that take over from
	// their home.
	To int
}

// A ShardMove is an instant at which shards move.
type ShardMove struct {
	Shards config.Shards
	At     time.Time
}

// SameShards tells whether two views make the same of the shards of a service.
func (s *ServiceView) SameShards(t *ServiceView) bool {
	return slices.EqualFunc(s.Shards, t.Shards, func(a, b ShardOrder) bool {
		return a.ID == b.ID && a.To == b.To && slices.Equal(a.Shards, b.Shards)
	}) && slices.EqualFunc(s.ShardMoves, t.ShardMoves, func(a, b ShardMove) bool {
		return a.At.Equal(b.At) && slices.Equal(a.Shards, b.Shards)
	})
}

// ShardOrder is the order that holds for a shard; nil for none. It may be called without a view.
func (s *ServiceView) ShardOrder(shard int) *ShardOrder {
	if s == nil {
		return nil
	}
	for i := len(s.Shards) - 1; i >= 0; i-- {
		if s.Shards[i].Shards.Has(shard) {
			return &s.Shards[i]
		}
	}
	return nil
}

// ShardMove is the first instant at which a shard will be answered from elsewhere by an order; zero for none. It may be called without a view.
func (s *ServiceView) ShardMove(shard int) (at time.Time) {
	if s == nil {
		return at
	}
	for _, m := range s.ShardMoves {
		if (at.IsZero() || m.At.Before(at)) && m.Shards.Has(shard) {
			at = m.At
		}
	}
	return at
}

// A ShardGroup is shards that orders make the same of.
type ShardGroup struct {
	Shards config.Shards
	// Pool is where they are at home, by index of Zone.Pools: the pool that an order gives them to, or the one in the file. Drained is set
	// where an order keeps them from there.
	Pool    int
	Drained bool
}

// ShardAt is the pool at which a shard is at home by files and orders, and whether an order keeps it from there.
func (s *ServiceView) ShardAt(c *config.Cells, shard int) (pool int, drained bool) {
	o := s.ShardOrder(shard)
	switch {
	case o == nil:
		return c.HomeOf(shard), false
	case o.To < 0:
		return c.HomeOf(shard), true
	}
	return o.To, false
}

// ShardGroups are the shards that orders take away from their homes, each in one group, in a fixed order. An order that gives a shard to the
// pool at which it is at home changes nothing.
func (s *ServiceView) ShardGroups(c *config.Cells) (groups []ShardGroup) {
	if len(s.Shards) == 0 {
		return nil
	}
	type place struct {
		pool    int
		drained bool
	}
	var order []place
	for shard := range c.Shards {
		pool, drained := s.ShardAt(c, shard)
		if at := (place{pool, drained}); (drained || pool != c.HomeOf(shard)) && !slices.Contains(order, at) {
			order = append(order, at)
		}
	}
	for _, at := range order {
		groups = append(groups, ShardGroup{Pool: at.pool, Drained: at.drained, Shards: config.ShardsWhere(c.Shards, func(shard int) bool {
			pool, drained := s.ShardAt(c, shard)
			return pool == at.pool && drained == at.drained && (drained || pool != c.HomeOf(shard))
		})})
	}
	return groups
}
