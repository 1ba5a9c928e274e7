package engine

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

var reference = health.Target{ID: health.TargetID{1}, Host: "192.0.2.200", Port: 443}

func TestBlindVantageAbstains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2", "192.0.2.3")
		z.Regions = []config.Region{{Name: "eu"}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), References: []health.Target{reference}})
		require.Equal(t, 4, b.prober.count(), "the reference is probed too")
		all := func(state health.State, failures int) {
			for i := range 3 {
				b.report(z, i, state, failures)
			}
		}
		b.tell(reference, health.Up, 0)
		all(health.Up, 0)

		b.tell(reference, health.Down, 1)
		b.report(z, 0, health.Up, 1)
		require.False(t, b.View().Blind, "a third of the targets is not most of them")
		all(health.Up, 1)
		require.True(t, b.View().Blind)
		all(health.Down, 3)
		require.True(t, b.View().Zones[0].Pools[0].Endpoints[0].InService())
		require.True(t, b.View().Zones[0].Pools[0].Endpoints[0].Stale)

		time.Sleep(10 * time.Second)
		b.tell(reference, health.Up, 0)
		require.False(t, b.View().Blind)
		all(health.Down, 8)
		require.True(t, b.View().Zones[0].Pools[0].Endpoints[0].InService(), "a run of failures that began in the dark is no evidence")
		b.report(z, 0, health.Up, 0)
		require.False(t, b.View().Zones[0].Pools[0].Endpoints[0].Stale, "good news counts at once")
		time.Sleep(7 * time.Second)
		all(health.Down, 11)
		require.Equal(t, health.Down, stateOf(b.View(), 1), "three intervals later failures count again")
	})
}

// TestFirstSight: a vantage that was blind at its start, when nothing had a verdict, is believed from the first probe on that began afterwards.
func TestFirstSight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		z.Regions = []config.Region{{Name: "eu"}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), References: []health.Target{reference}})
		b.tell(reference, health.Down, 1)
		b.report(z, 0, health.Down, 1)
		require.True(t, b.View().Blind)
		time.Sleep(time.Second)
		b.tell(reference, health.Up, 0)
		require.False(t, b.View().Blind)
		require.Equal(t, 1, b.prober.hastened)
		took := func(latency time.Duration, failures int) {
			b.Observe(health.Observation{Target: health.TargetOf(z.Name, z.Checks[0], z.Pools[0].Endpoints[0]).ID, State: health.Down, Failures: failures,
				Latency: latency, At: time.Now(), Next: time.Now().Add(2 * time.Second), Reason: "refused"})
			synctest.Wait()
		}
		time.Sleep(100 * time.Millisecond)
		took(200*time.Millisecond, 2)
		require.Equal(t, health.Unknown, stateOf(b.View(), 0), "that probe began in the dark")
		time.Sleep(100 * time.Millisecond)
		took(50*time.Millisecond, 3)
		require.Equal(t, health.Down, stateOf(b.View(), 0))
		time.Sleep(time.Second)
		require.Equal(t, health.Down, stateOf(b.View(), 0), "and goes on being believed")
	})
}

func TestFailuresWithReferencesUpAreReal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		z.Regions = []config.Region{{Name: "eu"}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), References: []health.Target{reference}})
		b.tell(reference, health.Up, 0)
		for i := range 2 {
			b.report(z, i, health.Up, 0)
			b.report(z, i, health.Down, 3)
			require.Equal(t, health.Down, stateOf(b.View(), i))
		}
	})
}

func TestFreeze(t *testing.T) {
	dir := t.TempDir()
	z := testZone("example.org.", "192.0.2.1")
	opts := Options{Model: config.NewModel([]*config.Zone{z}), State: dir}
	synctest.Test(t, func(t *testing.T) {
		b := start(t, opts)
		b.report(z, 0, health.Up, 0)
		require.NoError(t, b.Freeze(true, "ada", "flapping probes"))
		require.True(t, b.View().Frozen)
		b.report(z, 0, health.Down, 3)
		require.Equal(t, health.Up, stateOf(b.View(), 0))
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Minute)
		b := start(t, opts)
		require.True(t, b.View().Frozen, "it outlives a restart")
		b.report(z, 0, health.Down, 3)
		require.Equal(t, health.Up, stateOf(b.View(), 0))
		require.NoError(t, b.Freeze(false, "ada", ""))
		require.Equal(t, health.Down, stateOf(b.View(), 0), "what was seen meanwhile counts at once")
	})
}

func TestFreezeThatCannotBeKeptIsRefused(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1")}), State: dir})
		synctest.Wait() // what the start writes is written
		require.NoError(t, os.RemoveAll(dir))
		err := b.Freeze(true, "ada", "")
		require.Error(t, err)
		require.True(t, errors.Is(err, os.ErrNotExist))
		require.False(t, b.View().Frozen, "nothing is half applied")
	})
}

// TestLateVantageSaysSo: what it saw in time goes on counting; the prober leaves out the rest.
func TestLateVantageSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), Node: "n1"})
		b.report(z, 0, health.Up, 0)
		require.False(t, b.View().Late)
		set := func(late time.Duration) {
			b.prober.mu.Lock()
			b.prober.late = late
			b.prober.mu.Unlock()
			time.Sleep(time.Second)
		}
		set(300 * time.Millisecond)
		require.True(t, b.View().Late)
		b.report(z, 0, health.Down, 3)
		require.Equal(t, health.Down, stateOf(b.View(), 0), "a word that came is one")
		set(0)
		require.False(t, b.View().Late)
	})
}
