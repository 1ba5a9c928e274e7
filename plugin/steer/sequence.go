package steer

import (
	"math/bits"
	"sort"
)

// MaxPeriod bounds the length of a Sequence. Weights whose sum is greater are rounded to parts of MaxPeriod, never to 0;
// each share is then off by less than 1/MaxPeriod: 0.06 answers in 1,000.
const MaxPeriod = 16384

// A Sequence is an order in which members answer. It is periodic, and it is a quota sequence: among its first n answers member
// i stands n·wᵢ/Σw times, give or take less than 1, for every n (R. Tijdeman, "The chairman assignment problem", Discrete
// Mathematics 32, 1980). It is immutable.
type Sequence struct {
	// of is what the sequences for the same weights have in common.
	of    *quota
	picks []uint16
}

// NewSequence makes a sequence for weights, which must not be empty, nor more than 65,536, and all greater than 0. Every name
// counts in a Phase of it.
func NewSequence(weights []uint64) *Sequence {
	w, period := quantise(weights)
	q := &quota{weights: w, period: period}
	q.base = &Sequence{of: q, picks: make([]uint16, period)}
	if q.inTurn() {
		for i := range q.base.picks {
			q.base.picks[i] = uint16(i)
		}
		return q.base
	}
	q.base.fill(w, period)
	return q.base
}

// fill runs Tijdeman's algorithm for one period: of the members that would not get ahead of their quota by more than the
// slack allows, the one whose deadline is nearest answers.
func (s *Sequence) fill(w []uint64, period uint64) {
	m := int64(len(w))
	k := 2*m - 2
	given := make([]int64, m)
	for n := int64(1); n <= int64(period); n++ {
		best := int64(-1)
		for i := range m {
			// k·(wᵢ·n - W·xᵢ) >= W: the quota after this answer leaves room for one more of i.
			if k*(int64(w[i])*n-int64(period)*given[i]) < int64(period) {
				continue
			}
			if best < 0 || sooner(k*(given[i]+1)-1, w[i], k*(given[best]+1)-1, w[best]) {
				best = i
			}
		}
		given[best]++
		s.picks[n-1] = uint16(best)
	}
}

// sooner compares the deadlines a/wa < b/wb.
func sooner(a int64, wa uint64, b int64, wb uint64) bool {
	h1, l1 := bits.Mul64(uint64(a), wb)
	h2, l2 := bits.Mul64(uint64(b), wa)
	return h1 < h2 || h1 == h2 && l1 < l2
}

// Period is the number of answers after which the sequence repeats.
func (s *Sequence) Period() int { return len(s.picks) }

// At is the member, an index into the weights, that answers ticket n.
func (s *Sequence) At(n uint64) int { return int(s.picks[n%uint64(len(s.picks))]) }

// Like tells whether s and o are for the same weights: they differ in their phase alone.
func (s *Sequence) Like(o *Sequence) bool { return s == o || s != nil && o != nil && s.of == o.of }

// quantise is the weights divided by their common divisor and, if their sum is still over MaxPeriod, rounded to parts of
// MaxPeriod by largest remainder, nobody below 1. It returns the new weights and their sum.
func quantise(weights []uint64) ([]uint64, uint64) {
	var sum, common uint64
	for _, w := range weights {
		sum += w
		common = gcd(common, w)
	}
	out := make([]uint64, len(weights))
	if sum /= common; sum <= MaxPeriod {
		for i, w := range weights {
			out[i] = w / common
		}
		return out, sum
	}
	sum *= common
	// With very many members a part must stay small beside each weight.
	target := uint64(max(MaxPeriod, 4*len(weights)))
	type part struct {
		i   int
		rem uint64
	}
	parts := make([]part, len(weights))
	left := int64(target)
	for i, w := range weights {
		hi, lo := bits.Mul64(w, target)
		q, rem := bits.Div64(hi, lo, sum)
		if q == 0 {
			q, rem = 1, 0
		}
		out[i], parts[i] = q, part{i, rem}
		left -= int64(q)
	}
	sort.SliceStable(parts, func(a, b int) bool { return parts[a].rem > parts[b].rem })
	for i := 0; left > 0; i++ {
		out[parts[i%len(parts)].i]++
		left--
	}
	for left < 0 {
		// Only when many tiny weights were lifted to 1: the greatest pays.
		g := 0
		for i := range out {
			if out[i] > out[g] {
				g = i
			}
		}
		out[g]--
		left++
	}
	return reduce(out)
}

func reduce(w []uint64) ([]uint64, uint64) {
	var sum, common uint64
	for _, x := range w {
		common = gcd(common, x)
	}
	for i := range w {
		w[i] /= common
		sum += w[i]
	}
	return w, sum
}
