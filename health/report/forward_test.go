package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

// TestForward: each step of a takeover is told once, with the share that comes next, and again when the pool begins anew.
func TestForward(t *testing.T) {
	zone, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80}}
pools:
  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.3]}]}
services: {www: {tiers: [{main: 1}, {spare: 1}], failover: {ramp: [10%, 100%]}}}
`), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	r := newReading()
	at := func(forward map[int]health.Forward) {
		r.Forward(&health.View{Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{{}, {Forward: forward}}}}})
	}
	first, second := map[int]health.Forward{0: {Percent: 10}}, map[int]health.Forward{0: {Percent: 100, Step: 1}}
	const ten, all = "example.org/spare: may have 10% of www.example.org, step 1 of 2", "example.org/spare: may have 100% of www.example.org, step 2 of 2"
	at(nil)
	require.Empty(t, r.told("pool.*"))
	at(first)
	at(first)
	require.Equal(t, []string{ten}, r.told("pool.forward"))
	at(second)
	at(second)
	require.Equal(t, []string{ten, all}, r.told("pool.forward"))
	at(nil)
	at(first)
	require.Equal(t, []string{ten, all, ten}, r.told("pool.forward"))
	events := r.events.Last(10, event.Filter{Types: []string{"pool.forward"}})
	require.Equal(t, map[string]any{"service": "www.example.org", "percent": 10, "next_percent": 100, "step": 1, "steps": 2}, events[0].Data)
	require.Equal(t, map[string]any{"service": "www.example.org", "percent": 100, "step": 2, "steps": 2}, events[1].Data)
}
