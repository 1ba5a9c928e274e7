package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestRestartLetsNobodySlipIn: a pool that waits for a person when it comes back does so also when the node was stopped in
// between, for however long.
func TestRestartLetsNobodySlipIn(t *testing.T) {
	dir := t.TempDir()
	zone := func(mode config.FailbackMode, version byte) *config.Zone {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		z.Pools[0].Failbacks = []config.Failback{{Mode: mode}}
		z.FileHash[1], z.Hash[1] = version, version
		return z
	}
	run := func(name string, after time.Duration, z *config.Zone, f func(*testing.T, *bed)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(after) // in a bubble
				f(t, start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: dir}))
			})
		})
	}
	manual := zone(config.FailbackManual, 0)
	share := func(b *bed, z *config.Zone) int {
		p := b.View().Zones[0].Pools[0]
		percent, _ := p.Return.Share(z.Pools[0].Failbacks[0], time.Now())
		return percent
	}
	run("goes down", 0, manual, func(t *testing.T, b *bed) {
		for i := range 2 {
			b.report(manual, i, health.Up, 0)
			b.report(manual, i, health.Down, 3)
		}
	})
	run("comes back after days", 50*time.Hour, manual, func(t *testing.T, b *bed) {
		require.Equal(t, health.Down, stateOf(b.View(), 0), "what was out is not merely unknown")
		b.report(manual, 0, health.Up, 0)
		require.True(t, b.View().Zones[0].Pools[0].Return.On())
		require.Zero(t, share(b, manual))
	})
	run("and still waits", 100*time.Hour, manual, func(t *testing.T, b *bed) {
		b.report(manual, 0, health.Up, 0)
		require.Zero(t, share(b, manual))
	})
	never := zone(config.FailbackNever, 0)
	run("never, the same file", 101*time.Hour, never, func(t *testing.T, b *bed) {
		b.report(never, 0, health.Up, 0)
		require.Zero(t, share(b, never))
	})
	changed := zone(config.FailbackNever, 1)
	run("never, another file", 102*time.Hour, changed, func(t *testing.T, b *bed) {
		b.report(changed, 0, health.Up, 0)
		require.Equal(t, health.Whole, share(b, changed))
	})
}

func TestReloadLetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		z.Pools[0].Failbacks = []config.Failback{{Mode: config.FailbackNever}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 0, health.Down, 3)
		b.report(z, 0, health.Up, 0)
		require.True(t, b.View().Zones[0].Pools[0].Return.On())
		again := testZone("example.org.", "192.0.2.1")
		again.Pools[0].Failbacks = z.Pools[0].Failbacks
		again.FileHash[1], again.Hash[1] = 1, 1
		b.SetModel(config.NewModel([]*config.Zone{again}))
		time.Sleep(5 * time.Second) // in a bubble
		require.False(t, b.View().Zones[0].Pools[0].Return.On(), "a new version of the file lets it in")
	})
}
