package steer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A pool gets no greater share than what is left of it carries; the rest overflows by tiers.
func TestCapacity(t *testing.T) {
	const text = `zone: example.org
nameservers: [ns1.example.net]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80}}
pools:
  main: {region: eu, check: up, capacity: 1000, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: a, addresses: [192.0.2.2]}]}
  spare: {region: eu, check: up, capacity: 100, endpoints: [{name: s, az: a, addresses: [192.0.2.3]}]}
  sorry: {region: eu, endpoints: [{name: x, az: a, addresses: [192.0.2.9]}]}
services:
  www: {tiers: [{main: 1}, {spare: 1}, {sorry: 1}], demand: 1000}
  two: {tiers: [{main: 1}, {spare: 1}], demand: 1000}
  any: {tiers: [{main: 1}, {spare: 1}, {sorry: 1}]}
  few: {tiers: [{spare: 1}, {main: 1}], demand: 50}
`
	z, problems := config.Parse("z", []byte(text), config.ParseOptions{})
	require.NotNil(t, z, problems.String())
	tests := []struct {
		name    string
		service int
		down    [][2]int
		// want are the shares of main, spare and sorry in percent.
		want [3]float64
	}{
		{"all up", 0, nil, [3]float64{100, 0, 0}},
		{"half of the first", 0, [][2]int{{0, 0}}, [3]float64{50, 10, 40}},
		{"a spare of a tenth", 0, [][2]int{{0, 0}, {0, 1}}, [3]float64{0, 10, 90}},
		{"nobody takes the rest", 1, [][2]int{{0, 0}, {0, 1}}, [3]float64{0, 100, 0}},
		{"nobody takes the rest, and two have too little", 1, [][2]int{{0, 0}}, [3]float64{100 * 5 / 6.0, 100 / 6.0, 0}},
		{"without a demand", 2, [][2]int{{0, 0}, {0, 1}}, [3]float64{0, 100, 0}},
		{"more capacity than demand", 3, nil, [3]float64{0, 100, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now()
			zv := &health.ZoneView{Zone: z}
			for _, p := range z.Pools {
				view := &health.PoolView{Endpoints: make([]health.EndpointView, len(p.Endpoints)), At: now}
				for i := range view.Endpoints {
					view.Endpoints[i].Verdict = health.Verdict{State: health.Up, Since: now.Add(-time.Hour)}
				}
				zv.Pools = append(zv.Pools, view)
			}
			for _, d := range tt.down {
				long := now.Add(-time.Hour)
				zv.Pools[d[0]].Endpoints[d[1]].Verdict = health.Verdict{State: health.Down, Since: long, Left: long}
			}
			shares := PoolShares(Decide(zv, z.Services[tt.service], tt.service).Plans[0])
			for pool, want := range tt.want {
				require.InDelta(t, want, 100*shares[pool], 1e-6, z.Pools[pool].Name)
			}
		})
	}
}
