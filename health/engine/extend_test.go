package engine

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
)

// TestExtend: an end moves to a later time, and only so; the id stays, and what is on disk is what was acknowledged.
func TestExtend(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), State: dir, Node: "n1"})
		id := intend(t, b, drainOf(oneEnd))
		in := func(d time.Duration) error { return b.Extend(id, time.Now().Add(d), "bob", "still at it") }
		err := in(30 * time.Minute)
		require.ErrorIs(t, err, health.ErrIntentConflict)
		require.ErrorContains(t, err, "end it and make a new one")
		require.ErrorIs(t, in(time.Hour+intent.LeastMove-1), health.ErrIntentConflict, "nobody could tell it from the way between two nodes")
		require.NoError(t, in(time.Hour+intent.LeastMove))
		time.Sleep(time.Hour)
		require.NoError(t, in(2*time.Hour))
		time.Sleep(time.Hour + 59*time.Minute)
		synctest.Wait()
		require.True(t, b.pool().Endpoints[0].Drained)
		require.Equal(t, id, b.Intents()[0].ID)
		require.Equal(t, "ada", b.Intents()[0].Actor, "it is still the order of whoever gave it")
		require.ErrorIs(t, b.Extend(health.IntentID{Node: "n1", Counter: 9}, time.Time{}, "", ""), health.ErrNoIntent)
		require.ErrorIs(t, b.Extend(id, time.Time{}, "bob\n", ""), health.ErrInvalidIntent)
		require.NoError(t, b.Extend(id, time.Time{}, "bob", ""))
		require.True(t, b.Intents()[0].Forever)
		require.ErrorIs(t, in(48*time.Hour), health.ErrIntentConflict)
		again, err := intent.Open(dir, "n1", 0, time.Now())
		require.NoError(t, err)
		require.True(t, again.Set().Open(time.Now())[0].Forever)
		require.NoError(t, b.EndIntent([]health.IntentID{id}, "bob", ""))
		require.ErrorIs(t, b.Extend(id, time.Time{}, "bob", ""), health.ErrNoIntent)
	})
}

// TestExtendObeysTheRules: the time that a drain gains may be promised to another one.
func TestExtendObeysTheRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), Node: "n1"})
		id := intend(t, b, drainOf(oneEnd))
		later := drainOf(twoEnd)
		later.Start = time.Now().Add(2 * time.Hour)
		intend(t, b, later)
		require.NoError(t, b.Extend(id, time.Now().Add(2*time.Hour), "ada", ""))
		err := b.Extend(id, time.Now().Add(2*time.Hour+time.Minute), "ada", "")
		var refused *health.RuleError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, health.RuleNeverEmpty, refused.Rule)
		require.Equal(t, 2*time.Hour, b.Intents()[0].End.Sub(b.Intents()[0].Start))
	})
}

// TestResume: what a rule suspends comes into force by an operator's word, in the place of what was suspended.
func TestResume(t *testing.T) {
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
			i.Start, i.End = now, now.Add(time.Hour)
			_, err = store.Put(i, now)
			require.NoError(t, errors.Join(err, store.Keep(now)))
		}
		b := start(t, Options{Model: config.NewModel([]*config.Zone{testZone("example.org.", "192.0.2.1", "192.0.2.2")}), State: dir, Node: "n1"})
		first, suspended := b.Intents()[0], b.Intents()[1]
		require.NotNil(t, suspended.Suspended)
		_, err := b.Resume(first.ID, nil, "bob", "x")
		require.ErrorIs(t, err, health.ErrIntentConflict, "nothing suspends it")
		_, err = b.Resume(suspended.ID, []string{"no_such_rule"}, "bob", "x")
		require.ErrorIs(t, err, health.ErrInvalidIntent)
		_, err = b.Resume(health.IntentID{Node: "n9"}, nil, "bob", "x")
		require.ErrorIs(t, err, health.ErrNoIntent)
		require.Len(t, b.Intents(), 2, "both, or neither")
		time.Sleep(time.Minute)
		id, err := b.Resume(suspended.ID, nil, "bob", "the site is empty anyway")
		require.NoError(t, err)
		require.Len(t, b.Intents(), 2)
		resumed := b.Intents()[1]
		require.Equal(t, id, resumed.ID)
		require.NotEqual(t, suspended.ID, id)
		require.Nil(t, resumed.Suspended)
		require.Equal(t, []any{suspended.Scope, "bob", []string{health.RuleNeverEmpty}}, []any{resumed.Scope, resumed.Actor, resumed.Override})
		require.True(t, resumed.End.Equal(suspended.End), "with the time that it had left")
		require.Equal(t, []bool{true, true}, []bool{b.pool().Endpoints[0].Drained, b.pool().Endpoints[1].Drained})
	})
}
