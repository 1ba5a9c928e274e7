package probe

import (
	"encoding/binary"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	// jitterShare is the greatest deviation of a start-to-start gap from the interval: one tenth, either way. The
	// planner's bounds (docs/design.md section 6, interval⁺ and interval⁻) rest on it.
	jitterShare = 100 / health.JitterPercent
	// quickWindow is how soon new targets have their first probe, if there are not too many of them: half of the second within
	// which every vantage is to have begun (docs/design.md section 4, "First probe").
	quickWindow = 500 * time.Millisecond
	// settleRounds is how many rounds the phases of new targets take to spread from the first window over the interval.
	// The stretch of one round is at most interval/settleRounds either way, so it fits into the jitter.
	settleRounds = jitterShare
	// maxFirstRate bounds the first probes of many new targets, per second: about half of what one core can do.
	maxFirstRate = 5000
)

// A phase is the place of one target in the schedule. It is a value; the hash of the target and the node's seed decide
// it.
type phase struct {
	seed uint64
	// round counts probes. The first settleRounds gaps are longer by stretch, or shorter where it is negative.
	round   uint32
	stretch time.Duration
}

// A firstTurn is the time within which a group of new targets have their first probes, counted from when they were added.
type firstTurn struct{ begin, end time.Duration }

// newPhase returns the phase of a target and how long after it was added its first probe is due: its share of first, which ends
// within interval. Its place in the interval, once settled, is the same share of the interval.
func newPhase(id health.TargetID, seed uint64, interval time.Duration, first firstTurn) (phase, time.Duration) {
	p := phase{seed: mix(binary.LittleEndian.Uint64(id[:8]) ^ mix(seed))}
	share := unit(p.seed)
	wait := first.begin + time.Duration(share*float64(first.end-first.begin))
	p.stretch = (time.Duration(share*float64(interval)) - wait) / settleRounds
	return p, wait
}

// gap draws the time from one start to the next, and moves to the next round. It lies within a tenth of interval,
// and is not less than timeout, so that a probe has ended when the next one is due.
func (p *phase) gap(interval, timeout time.Duration) time.Duration {
	room := interval / jitterShare
	gap := interval
	if p.round < settleRounds {
		gap += p.stretch
		room -= p.stretch.Abs()
	}
	p.round++
	u := unit(mix(p.seed + uint64(p.round)))
	gap += time.Duration((2*u - 1) * float64(room))
	return max(gap, timeout)
}

// firstWindow is the time over which the first probes of n targets are spread: quickWindow, or more where so many probes would
// need more than maxFirstRate; but never more than interval. What finds no slot by then waits for one, in the order in which it was
// due: first probes go as fast as the slots allow.
func firstWindow(n int, interval time.Duration) time.Duration {
	return min(max(quickWindow, time.Duration(n)*time.Second/maxFirstRate), interval)
}

// mix is the finaliser of SplitMix64: each bit of x moves about half of the bits of the result.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit maps x to [0, 1).
func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }
