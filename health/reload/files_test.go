package reload

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

func TestMain(m *testing.M) { suite.Main(m) }

// TestModels: the latest model that waits is compiled, and is waited for until it is served or another one took its place.
func TestModels(t *testing.T) {
	m := NewModels()
	one, two, three := new(config.Model), new(config.Model), new(config.Model)
	waits := func(model *config.Model) bool { w, _ := m.waits(model); return w }
	require.Nil(t, m.Next(one))
	m.set(two)
	m.set(three)
	require.False(t, waits(two), "another one took its place")
	require.Equal(t, three, m.Next(one))
	require.True(t, waits(three), "it is being compiled")
	_, taken := m.waits(three)
	m.set(three)
	m.Served()
	<-taken
	require.True(t, waits(three), "it waits once more")
	require.Nil(t, m.Next(three), "and is in force")
	require.False(t, waits(three))
}

// source gives a model once.
type source struct {
	models []*config.Model
	polls  int
}

func (s *source) Poll() (model *config.Model, settling bool) {
	if s.polls++; len(s.models) > 0 {
		model, s.models = s.models[0], s.models[1:]
	}
	return model, s.polls == 1
}

// TestWatch: what the files give waits, a file that settles is looked at again soon, and waiting for a model ends with its context.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, models, l := &source{models: []*config.Model{nil, new(config.Model)}}, NewModels(), loop.New()
		f := NewFiles(s, models, l, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- f.Watch(ctx) }()
		time.Sleep(pollInterval + settleInterval + time.Millisecond)
		synctest.Wait()
		require.Equal(t, 2, s.polls)
		require.Len(t, l.Woken(), 1)
		m := models.Next(nil)
		require.NotNil(t, m)
		late, stop := context.WithTimeout(ctx, time.Second)
		defer stop()
		require.False(t, f.awaitModel(late, m), "nobody serves it")
		require.True(t, f.awaitModel(ctx, nil))
		models.Served()
		require.True(t, f.awaitModel(ctx, m))
		cancel()
		require.NoError(t, <-done)
	})
}
