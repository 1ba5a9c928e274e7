package steer

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPhases: over all phases, which hashes take alike, each member stands at each position as often as its weight says: exactly
// where whole periods are divided, by two phases at the beginning where prefixes are, and everywhere within one answer of its quota.
func TestPhases(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	tests := [][]uint64{
		{2, 2, 3, 3}, {1, 1, 10}, {1, 2, 4, 5}, {4, 4, 4, 9, 9}, {1, 31, 32}, {1, 1, 62}, {20, 21, 22}, {20, 21, 24}, {1, 2, 16381}, {600, 1, 1, 1},
	}
	for range 60 {
		w := make([]uint64, 3+r.IntN(7))
		for i := range w {
			w[i] = 1 + r.Uint64N(uint64(2+r.IntN(40)))
		}
		tests = append(tests, w)
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt), func(t *testing.T) {
			q := NewSequence(tt).of
			if q.inTurn() {
				t.Skip("in turn")
			}
			w, period, count := q.weights, q.period, manyPhases
			if q.period <= exactPeriod {
				count = int(q.period)
			}
			stands := make([][]int, min(int(period), dividedPrefix))
			for n := range stands {
				stands[n] = make([]int, len(w))
			}
			for k := range count {
				s := q.phase(count, k)
				require.Equal(t, int(period), s.Period())
				given := make([]int64, len(w))
				for n, i := range s.picks {
					if given[i]++; n < len(stands) {
						stands[n][i]++
					}
					for i, w := range w {
						d := int64(w)*int64(n+1) - given[i]*int64(period)
						if max(d, -d) >= int64(period) {
							t.Fatalf("phase %d: member %d has %d of %d answers", k, i, given[i], n+1)
						}
					}
				}
			}
			if period > exactPeriod {
				// Further on some prefixes were cut.
				stands = stands[:dividedPrefix/4]
			}
			for n, members := range stands {
				for i, got := range members {
					want := float64(w[i]) * float64(count) / float64(period)
					tolerance := 1e-9
					if period > exactPeriod {
						tolerance = 2
					}
					require.InDelta(t, want, got, tolerance, "member %d at position %d of %d phases", i, n, count)
				}
			}
		})
	}
}

// TestPhasesOverNames: of 1,000 names whose lots are spread alike the n-th answers share the load, also AZ by AZ: to a point where
// whole periods are divided, else to 4 points in the first answers.
func TestPhasesOverNames(t *testing.T) {
	for _, tt := range []struct {
		name    string
		weights []uint64
		// az is how many of the first members stand in the AZ whose part is percent.
		az      int
		percent float64
	}{
		{"40:60, two each", []uint64{2, 2, 3, 3}, 2, 40},
		{"40:60, one each", []uint64{2, 3}, 1, 40},
		{"40:60, three and two", []uint64{4, 4, 4, 9, 9}, 3, 40},
		{"in turn", []uint64{1, 1, 1, 1, 1}, 2, 40},
		{"a long period", []uint64{2000, 2001, 2999, 3000}, 2, 40.01},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := NewSequence(tt.weights)
			const names = 1000
			answers, tolerance := uint64(100), 1.0
			if s.of.period > exactPeriod {
				answers, tolerance = dividedPrefix/4, 4
			}
			for n := range answers {
				got := 0
				for i := range uint64(names) {
					lot, _ := bits.Div64(i, 0, names)
					if phase, start := s.Phase(lot); phase.At(start+n) < tt.az {
						got++
					}
				}
				require.InDelta(t, tt.percent, 100*float64(got)/names, tolerance, "answer %d of %d names", n+1, names)
			}
		})
	}
}
