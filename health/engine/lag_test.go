package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestLagsOfACluster: what one node has measured decides on all of them, the latest measurement of any before the others, and what is not measured
// any more is not known to any.
func TestLagsOfACluster(t *testing.T) {
	z, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
checks:
  up: {type: tcp, port: 80, interval: 2s, timeout: 1s}
  behind: {type: lag, command: [/bin/lag], interval: 2s, timeout: 1s}
pools:
  main: {region: eu, check: up, lag: behind, stateful: true, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, lag: behind, stateful: true, endpoints: [{name: s, az: a, addresses: [192.0.2.9]}]}
services:
  db: {tiers: [{main: 1}, {spare: 1}], rpo: 10s}
`), config.ParseOptions{})
	require.NotNil(t, z, problems.String())
	synctest.Test(t, func(t *testing.T) {
		s := startSharing(t, nil)
		for _, b := range s.beds {
			b.SetModel(config.NewModel([]*config.Zone{z}))
		}
		target := func(pool, check int) health.Target {
			return health.TargetOf(z.Name, z.Checks[check], z.Pools[pool].Endpoints[0])
		}
		main := health.Up
		lags := make([]health.Lag, len(s.beds))
		// pass has every node probe for a while.
		pass := func(seconds int) {
			for range seconds {
				for i, b := range s.beds {
					failures := 0
					if main == health.Down {
						failures = 3
					}
					b.tell(target(0, 0), main, failures)
					b.tell(target(1, 0), health.Up, 0)
					if lags[i].Known() {
						b.Observe(health.Observation{Target: target(1, 1).ID, State: health.Up, At: time.Now(), Next: time.Now().Add(2 * time.Second), Lag: lags[i]})
					}
				}
				time.Sleep(time.Second) // in a bubble
			}
			synctest.Wait()
		}
		measured := func(node int, value float64) { lags[node] = lags[node].Next(value, time.Now()) }
		all := func(want health.RPOView) {
			t.Helper()
			for i, b := range s.beds {
				require.Equal(t, want, b.View().Zones[0].Pools[1].RPO[0], "node %d", i+1)
			}
		}
		pass(20)
		all(health.RPOView{State: health.LagUnknown})
		measured(0, 3)
		pass(3)
		all(health.RPOView{State: health.LagWithin})
		measured(1, 42)
		pass(3)
		all(health.RPOView{State: health.LagExceeds})
		lag := s.beds[2].Lag(z, z.Pools[1], nil, time.Now())
		require.Equal(t, "n2", lag.Vantage)
		require.Equal(t, 42.0, lag.Value)

		measured(1, 42)
		main = health.Down
		pass(4)
		all(health.RPOView{State: health.LagExceeds, Held: true})
		measured(2, 2)
		pass(3)
		all(health.RPOView{State: health.LagWithin, Entered: true})
		pass(15)
		all(health.RPOView{State: health.LagUnknown, Entered: true})
	})
}
