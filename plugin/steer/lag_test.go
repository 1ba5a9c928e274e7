package steer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A pool that is held back by its lag is entered by nothing: not as the last one that is up, and not as a last resort.
func TestHeldByLag(t *testing.T) {
	const text = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80}, lag: {type: lag, lease: 30s}}
pools:
  main: {region: eu, check: up, lag: lag, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, lag: lag, stateful: true, endpoints: [{name: s, az: a, addresses: [192.0.2.2]}]}
  sorry: {region: eu, endpoints: [{name: x, az: a, addresses: [192.0.2.9]}]}
services:
  db: {tiers: [{main: 1}, {spare: 1}], rpo: 10s, on_all_down: all}
  web: {tiers: [{main: 1}, {spare: 1}, {sorry: 1}], rpo: 10s}
`
	z, problems := config.Parse("z", []byte(text), config.ParseOptions{})
	require.NotNil(t, z, problems.String())
	now := time.Now()
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		view := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints)), At: now}
		for i := range view.Endpoints {
			view.Endpoints[i].Verdict = health.Verdict{State: health.Up, Since: now.Add(-time.Hour)}
		}
		zv.Pools = append(zv.Pools, view)
	}
	zv.Pools[0].Endpoints[0].Verdict = health.Verdict{State: health.Down, Since: now, Left: now.Add(-2 * time.Minute)}
	held := health.RPOView{State: health.LagExceeds, Held: true}
	zv.Pools[1].RPO = map[int]health.RPOView{0: held, 1: held}

	alone := Decide(zv, z.Services[0], 0).Plans[0]
	require.Equal(t, FromAll, alone.Source)
	require.Equal(t, []Member{{Pool: 0, Weight: 1}}, alone.Sets[V4], "the data is in the pool that is down, and nowhere else")
	require.Equal(t, Skip{TierRef{-1, 1}, SkipLag}, alone.Skipped[1])
	sorry := Decide(zv, z.Services[1], 1).Plans[0]
	require.Equal(t, FromTier, sorry.Source)
	require.Equal(t, 2, sorry.Tier.Index)

	zv.Pools[1].RPO = map[int]health.RPOView{0: {State: health.LagWithin, Entered: true}}
	require.Equal(t, []Member{{Pool: 1, Weight: 1}}, Decide(zv, z.Services[0], 0).Plans[0].Sets[V4])
}
