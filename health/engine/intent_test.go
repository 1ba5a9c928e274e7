package engine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
)

var (
	webPool = health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web"}
	oneEnd  = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: "e192.0.2.1"}
	twoEnd  = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: "e192.0.2.2"}
)

func drainOf(s health.Scope) health.Intent {
	return health.Intent{Kind: health.IntentDrain, Scope: s, Actor: "ada", Reason: "CHG-1"}
}

func intend(t *testing.T, b *bed, i health.Intent) health.IntentID {
	t.Helper()
	id, err := b.Intend(i)
	require.NoError(t, err)
	return id
}

func (b *bed) pool() *health.PoolView { return b.View().Zones[0].Pools[0] }

func TestDrainAndUndrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), State: t.TempDir(), Node: "n1"})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		id := intend(t, b, drainOf(oneEnd))
		require.Equal(t, health.Drained, b.pool().Endpoints[0].Shown(), "in force when it is acknowledged")
		require.Equal(t, health.Up, b.pool().Endpoints[0].State)
		require.Len(t, b.Intents(), 1)
		require.Equal(t, time.Hour, b.Intents()[0].End.Sub(b.Intents()[0].Start), "an hour unless it says")
		_, err := b.Intend(drainOf(twoEnd))
		var refused *health.RuleError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, health.Suspension{Rule: health.RuleNeverEmpty, Service: "www.example.org."}, refused.Suspension)
		require.False(t, b.pool().Endpoints[1].Drained)
		over := drainOf(twoEnd)
		over.Override = []string{health.RuleNeverEmpty}
		intend(t, b, over)
		require.True(t, b.pool().Endpoints[1].Drained)
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "ada", ""))
		require.False(t, b.pool().Endpoints[0].Drained)
		require.True(t, b.pool().Return.On(), "a pool that had nothing returns through failback")
		require.ErrorIs(t, b.EndIntent([]health.IntentID{id}, "ada", ""), health.ErrNoIntent)
		time.Sleep(time.Hour + tick)
		synctest.Wait()
		require.Empty(t, b.Intents(), "it ends by itself")
		require.False(t, b.pool().Endpoints[1].Drained)
	})
}

func TestPlannedDrainsCountTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		later := drainOf(oneEnd)
		later.Start = time.Now().Add(time.Minute)
		intend(t, b, later)
		require.False(t, b.pool().Endpoints[0].Drained)
		require.True(t, b.Intents()[0].Planned)
		_, err := b.Intend(drainOf(twoEnd))
		require.ErrorContains(t, err, "never_empty", "in a minute nothing would be left")
		short := drainOf(twoEnd)
		short.End = time.Now().Add(59 * time.Second)
		intend(t, b, short)
		time.Sleep(time.Minute + tick)
		synctest.Wait()
		require.True(t, b.pool().Endpoints[0].Drained, "its start wakes the engine")
		require.False(t, b.pool().Endpoints[1].Drained)
	})
}

func TestIntentsThatAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z}), Node: "n1"})
		scope := func(k health.ScopeKind, name string) health.Scope {
			s, err := health.ParseScope(k, name)
			require.NoError(t, err)
			return s
		}
		for name, tt := range map[string]struct {
			i    health.Intent
			want error
		}{
			"no such AZ":         {drainOf(scope(health.ScopeAZ, "mars")), health.ErrNothingNamed},
			"no such pool":       {drainOf(scope(health.ScopePool, "example.org/none")), health.ErrNothingNamed},
			"no such node":       {drainOf(scope(health.ScopeNode, "n2")), health.ErrNothingNamed},
			"no such service":    {health.Intent{Kind: health.IntentDrain, Scope: oneEnd, Service: "api.example.org."}, health.ErrNothingNamed},
			"no gate":            {health.Intent{Kind: health.IntentReady, Scope: webPool, Forever: true}, health.ErrIntentConflict},
			"nothing to let in":  {health.Intent{Kind: health.IntentFailback, Scope: webPool}, health.ErrIntentConflict},
			"ends before starts": {health.Intent{Kind: health.IntentDrain, Scope: oneEnd, End: time.Now().Add(-time.Second)}, health.ErrInvalidIntent},
		} {
			_, err := b.Intend(tt.i)
			require.ErrorIs(t, err, tt.want, name)
		}
		require.Empty(t, b.Intents())
		intend(t, b, drainOf(scope(health.ScopeNode, "n1")))
		time.Sleep(time.Second)
		synctest.Wait()
		require.True(t, b.Cluster().Nodes[0].Drained)
	})
}

func TestDrainThatCannotBeKeptIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), State: dir})
		synctest.Wait() // what the start writes is written
		require.NoError(t, os.RemoveAll(dir))
		_, err := b.Intend(drainOf(oneEnd))
		require.ErrorIs(t, err, os.ErrNotExist)
		require.False(t, b.pool().Endpoints[0].Drained)
		require.Empty(t, b.Intents())
	})
}

// TestIntentsOutliveARestart: drains, weights and gates; what ends while nobody runs returns through failback.
func TestIntentsOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
	z.Pools[0].Gate.Manual = true
	opts := Options{Model: config.NewModel([]*config.Zone{z}), State: dir, StateMaxAge: 24 * time.Hour}
	synctest.Test(t, func(t *testing.T) {
		b := start(t, opts)
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		require.True(t, b.pool().GateClosed)
		intend(t, b, health.Intent{Kind: health.IntentReady, Scope: webPool, Forever: true})
		require.False(t, b.pool().GateClosed)
		intend(t, b, health.Intent{Kind: health.IntentWeight, Scope: webPool, Weight: 7, Forever: true})
		intend(t, b, health.Intent{Kind: health.IntentWeight, Scope: oneEnd, Weight: 3, Forever: true})
		all := drainOf(webPool)
		all.Override = []string{health.RuleNeverEmpty}
		intend(t, b, all)
		time.Sleep(2 * time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(10 * time.Minute)
		b := start(t, opts)
		require.True(t, b.pool().Endpoints[0].Drained, "in the first view already")
		require.False(t, b.pool().GateClosed)
		require.Equal(t, 7, *b.pool().Weight)
		require.Equal(t, map[int]int{0: 3}, b.pool().EndpointWeights)
		require.Len(t, b.Intents(), 4)
		time.Sleep(2 * time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(2 * time.Hour)
		b := start(t, opts)
		require.False(t, b.pool().Endpoints[0].Drained)
		require.True(t, b.pool().Return.On(), "it was out when everything stopped")
		require.Len(t, b.Intents(), 3)
	})
	path := filepath.Join(dir, "intents.json")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(3 * time.Hour)
		require.Empty(t, start(t, opts).Intents(), "a damaged file costs what it held")
	})
	require.FileExists(t, path+".damaged")
}

func TestWeightsReplaceEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		weigh := func(n int, service string) health.IntentID {
			return intend(t, b, health.Intent{Kind: health.IntentWeight, Scope: webPool, Weight: n, Service: service})
		}
		weigh(7, "")
		last := weigh(9, "")
		require.Len(t, b.Intents(), 1)
		require.Equal(t, 9, b.View().Zones[0].PoolWeight(0, 0, 1))
		weigh(4, "www.example.org.")
		require.Equal(t, 4, b.View().Zones[0].PoolWeight(0, 0, 1), "the one for the service goes first")
		scoped := b.View().Zones[0].Scoped[0]
		require.NoError(t, b.EndIntent([]health.IntentID{last}, "ada", ""))
		require.Nil(t, b.pool().Weight)
		require.Same(t, scoped, b.View().Zones[0].Scoped[0], "what did not change keeps its view")
		_, err := b.Intend(health.Intent{Kind: health.IntentWeight, Scope: webPool})
		require.ErrorContains(t, err, "never_empty", "0 is a drain by another name")
	})
}

func TestScopedDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		b.report(z, 0, health.Up, 0)
		b.report(z, 1, health.Up, 0)
		i := drainOf(oneEnd)
		i.Service = "www.example.org."
		before := b.pool()
		id := intend(t, b, i)
		require.True(t, b.View().Zones[0].Drained(0, health.EndpointRef{}))
		require.False(t, b.View().Zones[0].Drained(0, health.EndpointRef{Endpoint: 1}))
		require.Same(t, before, b.pool(), "the pool itself is what it was")
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "ada", ""))
		require.Nil(t, b.View().Zones[0].Scoped)
	})
}

func TestFailbackByHand(t *testing.T) {
	manual := config.Failback{Mode: config.FailbackManual, Ramp: []int{50, 100}, Step: time.Minute}
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		z.Pools[0].Failbacks = []config.Failback{manual}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		fail := health.Intent{Kind: health.IntentFailback, Scope: webPool}
		b.report(z, 0, health.Up, 0)
		b.report(z, 0, health.Down, 3)
		_, err := b.Intend(fail)
		require.ErrorIs(t, err, health.ErrIntentConflict, "nothing is eligible")
		b.report(z, 0, health.Up, 0)
		time.Sleep(time.Second)
		intend(t, b, fail)
		percent, _ := b.pool().Return.Share(manual, time.Now())
		require.Equal(t, 50, percent)
		for range 61 {
			b.report(z, 0, health.Up, 0)
			time.Sleep(time.Second)
		}
		require.False(t, b.pool().Return.On())
		b.report(z, 0, health.Down, 3)
		b.report(z, 0, health.Up, 0)
		percent, _ = b.pool().Return.Share(manual, time.Now())
		require.Zero(t, percent, "the order was for that return alone")
	})
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1")
		z.Pools[0].Failbacks = []config.Failback{{Mode: config.FailbackNever}}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		_, err := b.Intend(health.Intent{Kind: health.IntentFailback, Scope: webPool})
		require.ErrorContains(t, err, "failback.mode: never")
	})
}

// TestDrainsFollowTheModel: an intent that names nothing any more is kept and shown; a later file brings it back.
func TestDrainsFollowTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := testZone("example.org.", "192.0.2.1", "192.0.2.2")
		b := start(t, Options{Model: config.NewModel([]*config.Zone{z})})
		i := drainOf(oneEnd)
		i.Forever = true
		intend(t, b, i)
		take := func(z *config.Zone) {
			b.SetModel(config.NewModel([]*config.Zone{z}))
			time.Sleep(4 * time.Second)
			synctest.Wait()
		}
		take(testZone("example.org.", "192.0.2.2", "192.0.2.3"))
		require.False(t, b.pool().Endpoints[0].Drained)
		require.True(t, b.Intents()[0].Nothing)
		take(testZone("example.org.", "192.0.2.2", "192.0.2.1"))
		require.True(t, b.pool().Endpoints[1].Drained)
		require.False(t, b.Intents()[0].Nothing)
		// An order while another model is being compiled counts for both.
		b.SetModel(config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2", "192.0.2.3")}))
		time.Sleep(time.Second)
		two := drainOf(twoEnd)
		two.Override = []string{health.RuleNeverEmpty}
		intend(t, b, two)
		require.True(t, b.pool().Endpoints[1].Drained)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		require.Equal(t, []bool{true, true, false}, []bool{b.pool().Endpoints[0].Drained, b.pool().Endpoints[1].Drained, b.pool().Endpoints[2].Drained})
	})
}

// TestConflictingDrains: two that contradict each other, as two sides of a partition can accept them, are settled by their ids.
func TestConflictingDrains(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for _, side := range []struct {
			node  string
			scope health.Scope
		}{{"n2", oneEnd}, {"n1", twoEnd}} {
			store, err := intent.Open(dir, side.node, 0, now)
			require.NoError(t, err)
			store.SetAlone(false)
			i := drainOf(side.scope)
			i.Start, i.Forever = now, true
			_, err = store.Put(i, now)
			require.NoError(t, errors.Join(err, store.Keep(now)))
		}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), State: dir, Node: "n1"})
		shown := b.Intents()
		require.Len(t, shown, 2)
		require.Nil(t, shown[0].Suspended)
		require.Equal(t, &health.Suspension{Rule: health.RuleNeverEmpty, Service: "www.example.org."}, shown[1].Suspended)
		require.Equal(t, []bool{false, true}, []bool{b.pool().Endpoints[0].Drained, b.pool().Endpoints[1].Drained}, "the lesser id, of n1, is effective")
		require.NoError(t, b.EndIntent([]health.IntentID{shown[0].ID}, "ada", ""))
		require.Equal(t, []bool{true, false}, []bool{b.pool().Endpoints[0].Drained, b.pool().Endpoints[1].Drained}, "nothing stands against the other any more")
		require.Nil(t, b.Intents()[0].Suspended)
	})
}
