package loop

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPause: what arrives while a node stands still, and shortly after, may have waited; one that turns, be it slowly, has not stood still.
func TestPause(t *testing.T) {
	var p Pause
	begin := time.Now()
	at := func(seconds float64) time.Time { return begin.Add(time.Duration(seconds * float64(time.Second))) }
	for _, seconds := range []float64{0, 0.25, 1.75, 2} {
		require.Zero(t, p.Turned(at(seconds)))
		require.False(t, p.Covers(at(seconds)))
	}
	require.Equal(t, 18*time.Second, p.Turned(at(20)))
	for seconds, want := range map[float64]bool{1.9: false, 2.1: true, 19.9: true, 20: true, 21.9: true, 22.1: false} {
		require.Equal(t, want, p.Covers(at(seconds)), "%v", seconds)
	}
	require.Zero(t, p.Turned(at(20.25)))
	require.True(t, p.Covers(at(20.25)), "it turns again, and what waited is still being read")
}
