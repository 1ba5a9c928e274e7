package engine

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/reload"
)

// A quietSource never has anything new.
type quietSource struct{ polls int }

func (s *quietSource) Poll() (*config.Model, bool) { s.polls++; return nil, false }

// TestLook: what an operator asks for is served when Look returns, and a model that is replaced meanwhile is not waited for.
func TestLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := func(name string) *config.Model {
			return config.NewModel([]*config.Zone{testZone(name, "192.0.2.1")})
		}
		b := start(t, Options{Model: model("one."), Source: &quietSource{}})
		taken, err := b.Look(t.Context(), func() *config.Model { return nil })
		require.NoError(t, err)
		require.True(t, taken.Served)
		two := model("two.")
		taken, err = b.Look(t.Context(), func() *config.Model { return two })
		require.NoError(t, err)
		require.True(t, taken.Served)
		require.Same(t, two, b.View().Model)

		three, four := model("three."), model("four.")
		b.SetModel(model("between."))
		synctest.Wait()
		done := make(chan bool)
		go func() {
			taken, _ := b.Look(t.Context(), func() *config.Model { return three })
			done <- taken.Served
		}()
		synctest.Wait()
		b.SetModel(four)
		require.True(t, <-done)
		require.NotSame(t, three, b.View().Model, "what waited was replaced")

		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		taken, err = b.Look(ctx, func() *config.Model { return model("late.") })
		require.NoError(t, err)
		require.False(t, taken.Served, "compiling takes three seconds here")
	})
	b, err := New(Options{Model: config.NewModel(nil), Prober: &fakeProber{}, Publisher: &fakePublisher{}})
	require.NoError(t, err)
	_, err = b.Look(t.Context(), nil)
	require.ErrorIs(t, err, reload.ErrNoSource)
}
