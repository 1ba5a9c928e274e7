package probe

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/fairlead-dns/fairlead/health"
)

func TestCounter(t *testing.T) {
	// Each letter of results is one probe, a second apart: S success, F failure. Each letter of states is what the
	// counter says after it: U up, D down, ? unknown.
	tests := []struct {
		name       string
		from       health.State
		rise, fall int
		results    string
		states     string
	}{
		{"one success suffices at a cold start", health.Unknown, 3, 3, "S", "U"},
		{"one failure suffices at a cold start", health.Unknown, 3, 3, "F", "D"},
		{"rise and fall take over from the first result", health.Unknown, 2, 3, "FSSFFF", "DDUUUD"},
		{"fall in a row", health.Up, 1, 3, "FFSFFF", "UUUUUD"},
		{"rise in a row", health.Down, 3, 1, "SSFSSS", "DDDDDU"},
		{"fall 1 and rise 1 follow each result", health.Up, 1, 1, "FSFS", "DUDU"},
		{"down stays down", health.Down, 2, 2, "FFFF", "DDDD"},
		{"up stays up", health.Up, 2, 2, "SSSS", "UUUU"},
		{"alternation moves nothing", health.Up, 2, 2, "FSFSFS", "UUUUUU"},
	}
	letters := map[health.State]string{health.Unknown: "?", health.Up: "U", health.Down: "D"}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := counter{state: test.from}
			got := ""
			for i, result := range test.results {
				now := time.Unix(int64(i), 0)
				before := c
				c = c.after(result == 'S', now, test.rise, test.fall)
				got += letters[c.state]
				if c.state == before.state {
					assert.Equal(t, before.since, c.since, "since moves with the state only")
				} else {
					assert.Equal(t, now, c.since)
				}
				assert.Zero(t, min(c.failures(), c.successes()))
				assert.Equal(t, result == 'S', c.successes() > 0)
			}
			assert.Equal(t, test.states, got)
		})
	}
}

func TestCounterDoesNotOverflow(t *testing.T) {
	c := counter{state: health.Up, streak: math.MaxInt32}
	assert.Equal(t, math.MaxInt32, c.after(true, time.Time{}, 1, 1).successes())
	c = counter{state: health.Down, streak: -math.MaxInt32}
	assert.Equal(t, math.MaxInt32, c.after(false, time.Time{}, 1, 1).failures())
}
