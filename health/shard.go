package health

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// toPool stands between shards and the pool that is to be their home.
	toPool = " to "
	// maxShardsText bounds the text of shards in octets: with the longest names an intent fits a block of gossip.
	maxShardsText = 240
)

// parseShardScope is the scope of SHARDS, or SHARDS to POOL.
func parseShardScope(name string) (Scope, error) {
	text, pool, moved := strings.Cut(name, toPool)
	shards, err := config.ParseShards(text)
	switch {
	case err != nil:
		return Scope{}, fmt.Errorf("%w: shards %q: %w", ErrInvalidIntent, text, err)
	case moved && (pool == "" || strings.ContainsAny(pool, "/ ")):
		return Scope{}, fmt.Errorf("%w: shards %q: want SHARDS or SHARDS to POOL", ErrInvalidIntent, name)
	case len(shards.String()) > maxShardsText:
		return Scope{}, fmt.Errorf("%w: shards of %d octets: want at most %d, or several orders", ErrInvalidIntent, len(shards.String()), maxShardsText)
	}
	return Scope{Kind: ScopeShards, Name: shards.String(), Pool: pool}, nil
}

// Shards are those of a scope of shards; nil for another one.
func (s Scope) Shards() config.Shards {
	if s.Kind != ScopeShards {
		return nil
	}
	shards, _ := config.ParseShards(s.Name)
	return shards
}

// A ShardOrder takes shards of one service away from their homes.
type ShardOrder struct {
	ID     IntentID
	Shards config.Shards
	// To is the pool, by index of Zone.Pools, at which they are at home while the order stands; -1 where those take over that take over from
	// their home.
	To int
}

// A ShardMove is an instant at which an order moves shards.
type ShardMove struct {
	ID     IntentID
	Shards config.Shards
	At     time.Time
}

// SameShards tells whether two views make the same of the shards of a service.
func (s *ServiceView) SameShards(t *ServiceView) bool {
	return s.SameHomes(t) && slices.EqualFunc(s.ShardMoves, t.ShardMoves, func(a, b ShardMove) bool {
		return a.ID == b.ID && a.At.Equal(b.At) && slices.Equal(a.Shards, b.Shards)
	})
}

// SameHomes tells whether by the same orders shards are at the same homes in both, whenever that ends.
func (s *ServiceView) SameHomes(t *ServiceView) bool {
	return slices.EqualFunc(s.Shards, t.Shards, func(a, b ShardOrder) bool {
		return a.ID == b.ID && a.To == b.To && slices.Equal(a.Shards, b.Shards)
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

// A ShardGroup is shards with one home in the file that orders make the same of.
type ShardGroup struct {
	Shards config.Shards
	// Home is where they are at home by the file, Pool where they are by orders, both by index of Zone.Pools. Drained is set where an order
	// keeps them from their home, and gives them to nobody.
	Home, Pool int
	Drained    bool
}

// ShardAt is the pool at which a shard is at home by files and orders, and whether an order keeps it from there. It may be called without a
// view.
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
	if s == nil || len(s.Shards) == 0 {
		return nil
	}
	type place struct {
		home, pool int
		drained    bool
	}
	var ordered []int
	for _, o := range s.Shards {
		for _, r := range o.Shards {
			for shard := r.First; shard <= r.Last; shard++ {
				ordered = append(ordered, shard)
			}
		}
	}
	slices.Sort(ordered)
	var places []place
	for _, shard := range slices.Compact(ordered) {
		at := place{home: c.HomeOf(shard)}
		if at.pool, at.drained = s.ShardAt(c, shard); !at.drained && at.pool == at.home {
			continue
		}
		i := slices.Index(places, at)
		if i < 0 {
			i, places = len(places), append(places, at)
			groups = append(groups, ShardGroup{Home: at.home, Pool: at.pool, Drained: at.drained})
		}
		groups[i].Shards = groups[i].Shards.Append(shard, shard)
	}
	return groups
}
