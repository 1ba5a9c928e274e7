package engine

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPause: what arrives while a node stands still, and shortly after, may have waited; an engine that turns, be it slowly, has not stood still.
func TestPause(t *testing.T) {
	e := &Engine{opts: Options{Logger: slog.New(slog.DiscardHandler)}}
	begin := time.Now()
	at := func(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }
	for _, seconds := range []float64{0, 0.25, 1.75, 2} {
		e.turned(at(seconds))
		require.False(t, e.pause.covers(at(seconds)))
	}
	e.turned(at(20))
	for seconds, want := range map[float64]bool{1.9: false, 2.1: true, 19.9: true, 20: true, 21.9: true, 22.1: false} {
		require.Equal(t, want, e.pause.covers(at(seconds)), "%v", seconds)
	}
	e.turned(at(20.25))
	require.True(t, e.pause.covers(at(20.25)), "it turns again, and what waited is still being read")
}
