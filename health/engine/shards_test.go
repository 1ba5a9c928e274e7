package engine

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
)

func shardDrain(shards, to string, start, end time.Time) health.Intent {
	return health.Intent{
		Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeShards, Name: shards, Pool: to}, Service: "ord.example.org.", Reason: "t",
		Override: []string{health.RuleNeverEmpty}, Start: start, End: end,
	}
}

// movedOf are the moves that stand, in words, with how long after the move caches may hold it.
func movedOf(b *bed, held map[string]time.Duration) (what []string) {
	for _, d := range b.Departures() {
		if d.Moved {
			what = append(what, d.RData)
			held[d.RData] = d.Bound.SafeAt.Sub(d.Since)
		}
	}
	slices.Sort(what)
	return what
}

// TestShardOrders: an order at once leaves caches what they hold for ttl.max; a planned one leaves them the floor; so does the end that was
// known, and none that came early; a file that says what the order says moves nothing, nor does the end of the order then.
func TestShardOrders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: cellsModel(t, 49, "")})
		time.Sleep(time.Minute) // in a bubble
		held := make(map[string]time.Duration)

		_, err := b.Intend(shardDrain("10-11", "us", time.Time{}, time.Time{}))
		require.NoError(t, err)
		time.Sleep(3 * time.Second) // in a bubble
		at := "cells 10-11 from eu to us"
		require.Equal(t, []string{at}, movedOf(b, held))
		require.InDelta(t, 30+5, held[at].Seconds(), 4, "ttl.max and transit")

		planned, err := b.Intend(shardDrain("20-24,40", "us", time.Now().Add(2*time.Minute), time.Now().Add(10*time.Minute)))
		require.NoError(t, err)
		time.Sleep(time.Minute + 55*time.Second) // in a bubble
		require.NotContains(t, movedOf(b, held), "cells 20-24, 40 from eu to us")
		time.Sleep(10 * time.Second) // in a bubble
		at = "cells 20-24, 40 from eu to us"
		require.Contains(t, movedOf(b, held), at)
		require.InDelta(t, 2+5, held[at].Seconds(), 4, "the floor and transit")
		time.Sleep(10 * time.Second) // in a bubble
		require.True(t, slices.ContainsFunc(b.Departures(), func(d departure.Departure) bool { return d.RData == at && d.Bound.Final }))

		time.Sleep(8 * time.Minute) // in a bubble
		back := "cells 20-24, 40 from us to eu"
		require.Contains(t, movedOf(b, held), back, "the order has ended")
		require.NotContains(t, movedOf(b, held), at, "what went back has not been forgotten")
		require.InDelta(t, 2+5, held[back].Seconds(), 4, "its end was known")
		require.Error(t, b.EndIntent([]health.IntentID{planned}, "a", "over"))

		early, err := b.Intend(shardDrain("60", "eu", time.Now().Add(time.Minute), time.Now().Add(time.Hour)))
		require.NoError(t, err)
		time.Sleep(2 * time.Minute) // in a bubble
		require.NoError(t, b.EndIntent([]health.IntentID{early}, "a", "over"))
		time.Sleep(3 * time.Second) // in a bubble
		back = "cells 60 from eu to us"
		require.Contains(t, movedOf(b, held), back)
		require.InDelta(t, 30+5, held[back].Seconds(), 4, "nobody knew of this end")
	})
}

// TestShardsFollowTheFile: once the file says what the order says, neither it nor the end of the order moves a shard.
func TestShardsFollowTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: cellsModel(t, 49, "")})
		time.Sleep(time.Minute) // in a bubble
		id, err := b.Intend(shardDrain("40-49", "us", time.Time{}, time.Time{}))
		require.NoError(t, err)
		time.Sleep(10 * time.Second) // in a bubble
		held := make(map[string]time.Duration)
		want := []string{"cells 40-49 from eu to us"}
		require.Equal(t, want, movedOf(b, held))
		b.SetModel(cellsModel(t, 39, ""))
		time.Sleep(10 * time.Second) // in a bubble
		require.Equal(t, want, movedOf(b, held))
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "a", "the file says so"))
		time.Sleep(10 * time.Second) // in a bubble
		require.Equal(t, want, movedOf(b, held))
	})
}

// TestShardsRefused: shards that are not there, a pool that has none, and a home that nobody takes over from.
func TestShardsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: cellsModel(t, 49, "")})
		for _, tt := range []struct {
			name, shards, to string
			want             error
		}{
			{"too many", "90-100", "us", health.ErrNothingNamed},
			{"another pool", "1", "mars", health.ErrNothingNamed},
		} {
			_, err := b.Intend(shardDrain(tt.shards, tt.to, time.Time{}, time.Time{}))
			require.ErrorIs(t, err, tt.want, tt.name)
		}
		alone := shardDrain("1", "", time.Time{}, time.Time{})
		alone.Override = nil
		_, err := b.Intend(alone)
		refused := new(health.RuleError)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "never_empty", refused.Rule)
		require.Contains(t, refused.Why, "nothing would be left to answer the shards 1,")
		to := shardDrain("1", "us", time.Time{}, time.Time{})
		to.Override = nil
		_, err = b.Intend(to)
		require.NoError(t, err)
		pool := health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "us"}, Reason: "t"}
		_, err = b.Intend(pool)
		require.ErrorAs(t, err, &refused, "us alone answers its own shards, and those that moved")
	})
}
