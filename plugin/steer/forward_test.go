package steer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// What a pool that takes over may not have yet goes to the tiers after it; where there is none it gets all.
func TestForward(t *testing.T) {
	const text = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80}}
pools:
  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.3]}]}
  sorry: {region: eu, endpoints: [{name: x, az: a, addresses: [192.0.2.9]}]}
services:
  www: {tiers: [{main: 1}, {spare: 1}, {sorry: 1}], failover: {ramp: [10%, 100%]}}
  two: {tiers: [{main: 1}, {spare: 1}], failover: {ramp: [10%, 100%]}}
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
	shares := func(service int) map[int]float64 {
		return PoolShares(Decide(zv, z.Services[service], service).Plans[0])
	}
	long := now.Add(-time.Hour)
	zv.Pools[0].Endpoints[0].Verdict = health.Verdict{State: health.Down, Since: long, Left: long}
	zv.Pools[1].Forward = map[int]health.Forward{0: {Percent: 10}, 1: {Percent: 10}}
	require.InDeltaMapValues(t, map[int]float64{1: 0.1, 2: 0.9}, shares(0), 1e-9)
	require.InDeltaMapValues(t, map[int]float64{1: 1}, shares(1), 1e-9)
	zv.Pools[1].Forward = map[int]health.Forward{0: {Percent: health.Whole}}
	require.InDeltaMapValues(t, map[int]float64{1: 1}, shares(0), 1e-9)
}
