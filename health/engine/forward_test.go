package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

// What a takeover begins with is told before it is published, and thus before the news that the pool before it is out; so is each step
// that time alone brings.
func TestForwardIsToldFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
checks: {up: {type: tcp, port: 80, interval: 2s, timeout: 1s}}
pools:
  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}
  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.3]}]}
services: {www: {tiers: [{main: 1}, {spare: 1}], failover: {ramp: [10%, 100%], step: 3s}}}
`), config.ParseOptions{})
		require.NotNil(t, z, problems.String())
		log := event.Open(event.Options{Node: "n1"})
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), Node: "n1", Events: log})
		report := func(pool int, state health.State, failures int) {
			b.tell(health.TargetOf(z.Name, z.Checks[0], z.Pools[pool].Endpoints[0]), state, failures)
		}
		told := func() (list []string) {
			for _, e := range log.Last(100, event.Filter{Types: []string{"pool.forward", "pool.out"}}) {
				list = append(list, e.Type+" "+e.Subject)
			}
			return list
		}
		report(0, health.Up, 0)
		report(1, health.Up, 0)
		require.Empty(t, told())
		report(0, health.Down, 3)
		require.Equal(t, []string{"pool.forward example.org/spare", "pool.out example.org/main"}, told())
		time.Sleep(4 * time.Second) // in a bubble
		require.Equal(t, []string{"pool.forward example.org/spare", "pool.out example.org/main", "pool.forward example.org/spare"}, told())
	})
}
