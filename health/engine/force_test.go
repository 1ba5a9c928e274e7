package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

func forceOf(s health.Scope, state health.State) health.Intent {
	return health.Intent{Kind: health.IntentForce, State: state, Scope: s, Actor: "ada", Reason: "CHG-2"}
}

// TestForceOverlaysTheVerdict: up and down by an operator's word, with what was observed beside it, until the force ends.
func TestForceOverlaysTheVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir(), Node: "n1"})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		intend(t, b, forceOf(oneEnd, health.Down))
		e := b.pool().Endpoints[0]
		require.Equal(t, []health.State{health.Down, health.Down, health.Up}, []health.State{e.Shown(), e.Forced, e.State})
		require.False(t, e.Eligible())
		require.True(t, e.Left.IsZero(), "it did not leave by health, and no speed limit counts it")
		_, err := b.Intend(forceOf(twoEnd, health.Down))
		var refused *health.RuleError
		require.ErrorAs(t, err, &refused, "safety rules look at it as at a drain")
		require.Equal(t, health.RuleNeverEmpty, refused.Rule)
		_, err = b.Intend(drainOf(twoEnd))
		require.ErrorAs(t, err, &refused)
		require.NoError(t, b.Freeze(true, "ada", "x"))
		intend(t, b, forceOf(oneEnd, health.Up))
		require.Len(t, b.Intents(), 2, "a later force replaces an earlier one, and a freeze stops none")
		require.True(t, b.pool().Endpoints[0].Eligible())
		require.NoError(t, b.Freeze(false, "ada", "x"))
		b.report(z, 0, health.Down, 3)
		e = b.pool().Endpoints[0]
		require.Equal(t, []health.State{health.Up, health.Down}, []health.State{e.Shown(), e.State}, "whatever probes say")
		require.False(t, b.pool().Calm, "it leaves when the force ends")
		intend(t, b, drainOf(oneEnd))
		require.Equal(t, health.Drained, b.pool().Endpoints[0].Shown(), "a drain goes before")
		time.Sleep(time.Hour + tick)
		synctest.Wait()
		e = b.pool().Endpoints[0]
		require.Equal(t, []health.State{health.Down, health.Unknown}, []health.State{e.Shown(), e.Forced}, "it ends by itself")
		require.Empty(t, b.Intents())
	})
}

// TestForceUpLetsItsPoolIn: an operator who forces an endpoint up wants answers now, and not after a hold.
func TestForceUpLetsItsPoolIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		z.Pools[0].Failbacks = []config.Failback{{Mode: config.FailbackNever}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir(), Node: "n1"})
		for i := range 2 {
			b.report(z, i, health.Up, 0)
			b.report(z, i, health.Down, 3)
		}
		b.report(z, 1, health.Up, 0)
		require.True(t, b.pool().Return.On(), "by health it waits for a new file")
		id := intend(t, b, forceOf(oneEnd, health.Up))
		require.True(t, b.pool().Return.IsZero())
		require.True(t, b.pool().Endpoints[0].Eligible())
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "ada", ""))
		require.False(t, b.pool().Endpoints[0].Eligible())
		require.True(t, b.pool().Return.IsZero(), "and what is in stays in")
	})
}

// TestForceAndHorizon: no TTL outlives the instant at which a forced endpoint could leave.
func TestForceAndHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir(), Node: "n1"})
		flip := func() time.Time {
			b.publisher.mu.Lock()
			defer b.publisher.mu.Unlock()
			return b.publisher.flips[0]
		}
		b.report(z, 0, health.Up, 0)
		byHealth := flip()
		force := forceOf(oneEnd, health.Up)
		force.End = time.Now().Add(2 * time.Second)
		id := intend(t, b, force)
		require.Equal(t, byHealth, flip(), "health could take it out only after the force")
		require.NoError(t, b.Extend(id, time.Now().Add(time.Minute), "ada", ""))
		end := time.Now().Add(time.Minute)
		require.Equal(t, end, flip(), "nothing before the end")
		b.report(z, 0, health.Down, 3)
		require.Equal(t, end, flip(), "and then at once")
		force.End = time.Now().Add(30 * time.Second)
		intend(t, b, force)
		require.Equal(t, time.Now().Add(30*time.Second), flip(), "an earlier end lowers it")
		lowered := b.publisher.lowered[len(b.publisher.lowered)-1]
		require.Equal(t, []health.PoolHorizon{{Flip: force.End}}, lowered, "before the view is served")
		force.End, force.Forever = time.Time{}, true
		intend(t, b, force)
		require.True(t, flip().IsZero(), "forever is no flip")
		intend(t, b, func() health.Intent {
			down := forceOf(oneEnd, health.Down)
			down.Override = []string{health.RuleNeverEmpty}
			return down
		}())
		require.True(t, flip().IsZero(), "what is forced down cannot leave")
	})
}

// TestForcesOutliveARestart, with their state and end.
func TestForcesOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
	opts := Options{Model: config.NewModel([]*config.Zone{z}), State: dir, Node: "n1"}
	synctest.Test(t, func(t *testing.T) {
		b := start(t, opts)
		intend(t, b, forceOf(oneEnd, health.Down))
		intend(t, b, forceOf(twoEnd, health.Up))
	})
	synctest.Test(t, func(t *testing.T) {
		e, err := New(Options{Model: opts.Model, State: dir, Node: "n1", Prober: &fakeProber{}, Publisher: &fakePublisher{}})
		require.NoError(t, err)
		p := e.View().Zones[0].Pools[0]
		require.Equal(t, []health.State{health.Down, health.Up}, []health.State{p.Endpoints[0].Forced, p.Endpoints[1].Forced})
	})
}
