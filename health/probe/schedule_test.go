package probe

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/fairlead-dns/fairlead/health"
)

func TestGapStaysWithinATenth(t *testing.T) {
	for _, test := range []struct {
		name              string
		interval, timeout time.Duration
		least, most       time.Duration
	}{
		{"long", 10 * time.Second, 2 * time.Second, 9 * time.Second, 11 * time.Second},
		{"short", time.Second, 500 * time.Millisecond, 900 * time.Millisecond, 1100 * time.Millisecond},
		{"timeout near interval", time.Second, 990 * time.Millisecond, 990 * time.Millisecond, 1100 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			least, most := time.Hour, time.Duration(0)
			for i := range 500 {
				id := health.TargetID{byte(i), byte(i >> 8)}
				p, _ := newPhase(id, 7, test.interval, firstTurn{0, min(quickWindow, test.interval)})
				for range 40 {
					gap := p.gap(test.interval, test.timeout)
					least, most = min(least, gap), max(most, gap)
				}
			}
			assert.GreaterOrEqual(t, least, test.least)
			assert.LessOrEqual(t, most, test.most)
			assert.InDelta(t, test.least, least, float64(test.interval)/100, "the jitter is used in full")
			assert.InDelta(t, test.most, most, float64(test.interval)/100, "the jitter is used in full")
		})
	}
}

func TestPhaseIsStableAndDiffersByNode(t *testing.T) {
	id := health.TargetID{1, 2, 3}
	_, one := newPhase(id, 1, 10*time.Second, firstTurn{0, quickWindow})
	_, again := newPhase(id, 1, 10*time.Second, firstTurn{0, quickWindow})
	_, other := newPhase(id, 2, 10*time.Second, firstTurn{0, quickWindow})
	assert.Equal(t, one, again)
	assert.NotEqual(t, one, other)
}

func TestFirstWindow(t *testing.T) {
	const second = time.Second
	for _, test := range []struct {
		name     string
		n        int
		interval time.Duration
		want     time.Duration
	}{
		{"few targets", 10, 10 * second, second / 2},
		{"short interval", 10, second / 4, second / 4},
		{"more than a core can start", 20_000, 10 * second, 4 * second},
		{"never more than the interval", 200_000, 10 * second, 10 * second},
	} {
		t.Run(test.name, func(t *testing.T) {
			assert.Equal(t, test.want, firstWindow(test.n, test.interval))
		})
	}
}

// TestLateTurnSettles: a target whose first probe came late, because first tiers went before it, finds its place in the interval all
// the same, and no gap strays by more than a tenth.
func TestLateTurnSettles(t *testing.T) {
	const interval = 10 * time.Second
	const n = 200
	var off time.Duration
	for i := range n {
		id := health.TargetID{byte(i)}
		p, wait := newPhase(id, 7, interval, firstTurn{9 * time.Second, interval})
		at := wait
		for range settleRounds {
			gap := p.gap(interval, time.Second)
			assert.GreaterOrEqual(t, gap, interval*9/10)
			assert.LessOrEqual(t, gap, interval*11/10)
			at += gap
		}
		off += at - settleRounds*interval - time.Duration(unit(p.seed)*float64(interval))
	}
	assert.InDelta(t, 0, off/n, float64(300*time.Millisecond), "jitter aside")
}
