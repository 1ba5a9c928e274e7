package steer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSequenceBound checks the promise of the README: counted from any start, every member is less than one answer off
// its share after any number of answers.
func TestSequenceBound(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		m := 1 + r.IntN(9)
		w := make([]uint64, m)
		for i := range w {
			// From periods that are divided as a whole to those of which a prefix is.
			w[i] = 1 + r.Uint64N(uint64(1+r.IntN(200)))
		}
		s := NewSequence(w)
		var sum uint64
		for _, x := range w {
			sum += x
		}
		seq, start := s.Phase(r.Uint64())
		given := make([]uint64, m)
		for n := uint64(1); n <= 2*sum+7; n++ {
			given[seq.At(start+n-1)]++
			for i := range w {
				d := int64(w[i]*n) - int64(given[i]*sum)
				require.Lessf(t, max(d, -d), int64(sum)+1, "weights %v start %d: member %d after %d answers: %d given", w, start, i, n, given[i])
			}
		}
	}
}

func TestSequence(t *testing.T) {
	for _, tt := range []struct {
		name    string
		weights []uint64
		picks   []uint16
	}{
		{"one member", []uint64{7}, []uint16{0}},
		{"equal weights take turns", []uint64{5, 5, 5}, []uint16{0, 1, 2}},
		{"40:60", []uint64{40, 60}, []uint16{1, 0, 1, 0, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.picks, NewSequence(tt.weights).picks)
		})
	}
}

func TestSequenceRoundsOddWeights(t *testing.T) {
	for _, w := range [][]uint64{{1, 65535}, {1, 1 << 40}, {65521, 65519, 65497, 3}, {1 << 39, 1 << 39, 1, 1}} {
		s := NewSequence(w)
		require.LessOrEqual(t, s.Period(), MaxPeriod, "weights %v", w)
		given := make([]int, len(w))
		for n := range uint64(s.Period()) {
			given[s.At(n)]++
		}
		var sum float64
		for _, x := range w {
			sum += float64(x)
		}
		for i, x := range w {
			require.NotZero(t, given[i], "weights %v: member %d never answers", w, i)
			require.InDelta(t, float64(x)/sum, float64(given[i])/float64(s.Period()), 1.01/MaxPeriod, "weights %v: member %d", w, i)
		}
	}
}

func BenchmarkNewSequence(b *testing.B) {
	for _, w := range [][]uint64{{2, 2, 3, 3}, {28, 42, 15, 15}, {40, 41, 47}, {5000, 6000, 5001, 383}} {
		b.Run(fmt.Sprint(w), func(b *testing.B) {
			for k := uint64(0); b.Loop(); k++ {
				NewSequence(w).Phase(k)
			}
		})
	}
}
