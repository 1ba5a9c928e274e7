package steer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// fiveRanges are 1,000 shards over three pools with five ranges each.
func fiveRanges() (home []config.CellRange) {
	for k := range 15 {
		home = append(home, config.CellRange{Pool: k % 3, First: k * 1000 / 15, Last: (k+1)*1000/15 - 1})
	}
	return home
}

// TestOrdersMoveTheirShards: orders about 100 of 1,000 shards move exactly those, to the pool that they name or to what takes over from their
// home, whatever health makes of the pools, and the hash tells.
func TestOrdersMoveTheirShards(t *testing.T) {
	z := movedZone()
	svc := movedService()
	svc.Sticky, svc.OnAllDown.Policy = nil, config.NoData
	svc.Cells = &config.Cells{Shards: 1000, Failover: map[int][]int{0: {1, 2}, 1: {0}}, Home: fiveRanges()}
	shards := func(text string) config.Shards {
		s, err := config.ParseShards(text)
		require.NoError(t, err)
		return s
	}
	decide := func(states string, orders ...health.ShardOrder) (*Decision, []int) {
		zv := viewOf(z, states)
		if orders != nil {
			zv.Scoped = map[int]*health.ServiceView{0: {Shards: orders}}
		}
		d, out := Decide(zv, svc, 0), make([]int, 1000)
		for shard := range out {
			out[shard] = -1
			for _, m := range d.Plans[d.Cell(shard)].Sets[V4] {
				require.True(t, out[shard] < 0 || out[shard] == int(m.Pool), "shard %d has two pools", shard)
				out[shard] = int(m.Pool)
			}
		}
		return d, out
	}
	before, whole := decide(movedAllUp)
	orders := []health.ShardOrder{{Shards: shards("5-24,205-224,405-414"), To: 1}, {Shards: shards("70-99"), To: 2}, {Shards: shards("270-289"), To: -1}}
	moved := func(shard int) int {
		switch {
		case orders[0].Shards.Has(shard):
			return 1
		case orders[1].Shards.Has(shard):
			return 2
		case orders[2].Shards.Has(shard):
			return 0
		}
		return whole[shard]
	}
	after, got := decide(movedAllUp, orders...)
	count := 0
	for shard, pool := range got {
		require.Equal(t, moved(shard), pool, "shard %d", shard)
		if pool != whole[shard] {
			count++
		}
	}
	require.Equal(t, 100, count)
	require.NotEqual(t, before.Hash(), after.Hash())

	_, got = decide("UUUUUU OOOOOO UUUU", orders...)
	for shard, pool := range got {
		want := map[int]int{0: 0, 1: 0, 2: 2}[moved(shard)]
		require.Equal(t, want, pool, "pool 0 takes over from 1: shard %d", shard)
	}
	_, got = decide("OOOOOO UUUUUU UUUU", orders...)
	for shard, pool := range got {
		switch {
		case orders[2].Shards.Has(shard):
			require.Equal(t, -1, pool, "its home is drained for shard %d, and nobody else takes over", shard)
		case moved(shard) == 0:
			require.Equal(t, 1, pool, "shard %d", shard)
		}
	}
	_, got = decide(movedAllUp, append(orders, health.ShardOrder{Shards: shards("5-24"), To: 0})...)
	require.Equal(t, whole[7], got[7], "the last order about a shard holds")
}
