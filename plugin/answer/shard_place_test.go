package answer

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const shardZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {centre: {azs: [c]}, a: {azs: [a1]}}
checks: {ready: {type: tcp, port: 80}}
pools:
  centre: {region: centre, check: ready, endpoints: [{name: c, addresses: [192.0.2.1], az: c}]}
  unit-a: {region: a, check: ready, endpoints: [{name: a, addresses: [192.0.2.2], az: a1}]}
services:
  orders:
    tiers: [{centre: 1}]
    cells: {shards: 100, home: {unit-a: [0-29, 60-79], centre: [30-59, 80-99]}, failover: {unit-a: [centre]}}
    failback: {hold: 0s}
`

// TestShardsMoved: shards that fail over leave an address that nobody answers any more, which has departed; those that fail back leave one that
// others carry still. Nodes that answer all shards from the same pools say so.
func TestShardsMoved(t *testing.T) {
	z, problems := config.Parse("zone.yaml", []byte(shardZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	model := config.NewModel([]*config.Zone{z})
	c := NewCompiler("n1", base)
	var prev *Snapshot
	publish := func(after time.Duration, unit health.State, scoped map[int]*health.ServiceView) *ledger.Swap {
		zv := &health.ZoneView{Zone: z, Scoped: scoped}
		for i, p := range z.Pools {
			pv := &health.PoolView{At: base.Add(after), Calm: true, Endpoints: make([]health.EndpointView, len(p.Endpoints))}
			pv.Endpoints[0].State = health.Up
			if z.Pools[i].Name == "unit-a" {
				pv.Endpoints[0].State = unit
			}
			zv.Pools = append(zv.Pools, pv)
		}
		next := c.Compile(prev, &health.View{At: base.Add(after), Model: model, Zones: []*health.ZoneView{zv}})
		swap := next.Since(prev)
		prev = next
		require.Len(t, swap.Shards, 1)
		d := next.zones[0].services[0].decision
		for shard := range 100 {
			at := slices.IndexFunc(swap.Shards[0].At, func(at ledger.ShardsAt) bool { return at.Shards.Has(shard) })
			require.Equal(t, poolsOf(z, d.Plans[d.Cell(shard)]), swap.Shards[0].At[at].Pools, shard)
		}
		require.Equal(t, "orders.example.org.", swap.Shards[0].Service)
		require.Equal(t, &ledger.ServiceShards{Zone: "example.org.", Service: "orders.example.org.", At: swap.Shards[0].At, Hash: swap.Shards[0].Hash}, next.Shards("orders.example.org."))
		return &swap
	}
	shards := func(text string) config.Shards {
		s, err := config.ParseShards(text)
		require.NoError(t, err)
		return s
	}
	atHome := publish(0, health.Up, nil)
	require.Equal(t, []ledger.ShardsAt{{Shards: shards("0-29,60-79"), Pools: []string{"unit-a"}}, {Shards: shards("30-59,80-99"), Pools: []string{"centre"}}}, atHome.Shards[0].At)
	require.Empty(t, atHome.Shards[0].Moved)

	over := publish(time.Minute, health.Down, nil)
	require.Equal(t, []ledger.ShardsAt{{Shards: shards("0-99"), Pools: []string{"centre"}}}, over.Shards[0].At)
	require.Empty(t, over.Shards[0].Moved)
	require.Len(t, over.Left, 1, "it has departed")
	require.NotEqual(t, atHome.Shards[0].Hash, over.Shards[0].Hash)

	back := publish(2*time.Minute, health.Up, nil)
	require.Equal(t, []ledger.ShardsMoved{{Shards: shards("0-29,60-79"), From: []string{"centre"}, To: []string{"unit-a"}}}, back.Shards[0].Moved)
	require.Empty(t, back.Left)
	require.Equal(t, atHome.Shards[0].Hash, back.Shards[0].Hash)

	ordered := publish(3*time.Minute, health.Up, map[int]*health.ServiceView{0: {Shards: []health.ShardOrder{{Shards: shards("5-6"), To: 0}}}})
	require.Equal(t, []ledger.ShardsMoved{{Shards: shards("5-6"), From: []string{"unit-a"}, To: []string{"centre"}}}, ordered.Shards[0].Moved)
	require.Empty(t, publish(4*time.Minute, health.Up, prev.View.Zones[0].Scoped).Shards[0].Moved)
	require.Nil(t, prev.Shards("another.example.org."))
}
