package steer

import (
	"math/bits"
	"sort"
)

// MaxPeriod bounds the length of a Sequence. Weights whose sum is greater are rounded to parts of MaxPeriod, never to 0;
// each share is then off by less than 1/MaxPeriod: 0.06 answers in 1,000.
const MaxPeriod = 16384

// A Sequence is the order in which members answer. It is periodic, and it is a quota sequence: among the first n answers
// after a start, member i stands n·wᵢ/Σw times, give or take less than 1, for every n (R. Tijdeman, "The chairman
// assignment problem", Discrete Mathematics 32, 1980). It is immutable.
type Sequence struct {
	picks []uint16
	// starts are the positions at which every member is so close to its quota that counting may begin there without
	// losing the bound of 1. Position 0 is one of them.
	starts []uint32
}

// NewSequence makes the sequence for weights, which must not be empty, nor more than 65,536, and all greater
// than 0.
func NewSequence(weights []uint64) *Sequence {
	w, period := quantise(weights)
	s := &Sequence{picks: make([]uint16, period)}
	if len(w) == 1 || uint64(len(w)) == period {
		// Equal weights: in turn.
		for i := range s.picks {
			s.picks[i] = uint16(i)
		}
		s.starts = []uint32{0}
		if len(w) > 1 {
			// Any rotation of a round robin is one.
			for i := uint32(1); i < uint32(period); i++ {
				s.starts = append(s.starts, i)
			}
		}
		return s
	}
	s.fill(w, period)
	return s
}

// fill runs Tijdeman's algorithm for one period: of the members that would not get ahead of their quota by more than the
// slack allows, the one whose deadline is nearest answers.
func (s *Sequence) fill(w []uint64, period uint64) {
	m := int64(len(w))
	k := 2*m - 2
	given := make([]int64, m)
	for n := int64(1); n <= int64(period); n++ {
		if s.closeToQuota(w, given, n-1, int64(period), k) {
			s.starts = append(s.starts, uint32(n-1))
		}
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

// closeToQuota tells whether all |wᵢ·n - W·xᵢ| <= W/k. The algorithm keeps them within W·(1 - 1/k), so that counts that
// begin here stay within W, which is one answer.
func (s *Sequence) closeToQuota(w []uint64, given []int64, n, period, k int64) bool {
	for i := range w {
		d := int64(w[i])*n - period*given[i]
		if k*max(d, -d) > period {
			return false
		}
	}
	return true
}

// Period is the number of answers after which the sequence repeats.
func (s *Sequence) Period() int { return len(s.picks) }

// At is the member, an index into the weights, that answers ticket n.
func (s *Sequence) At(n uint64) int { return int(s.picks[n%uint64(len(s.picks))]) }

// Start is one of the tickets at which counting may begin, chosen by h: nodes that hash differently do not all begin with
// the same member.
func (s *Sequence) Start(h uint64) uint64 { return uint64(s.starts[h%uint64(len(s.starts))]) }

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
