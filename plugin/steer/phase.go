package steer

import (
	"math/bits"
	"sync"
)

// Names that are asked once in a while must share the load from their first answers on, so each of them begins in a phase of its
// own: of all phases of a sequence, member i stands at position n in as many as its weight says, for every n. Turning one
// sequence round will not do: counted from an arbitrary position a member can be two answers off. What does is a division of
// the answers among as many sequences as there are phases. Each position has an answer in each of them; the k-th answer of a
// member must come while its quota is above k - 1 and before it exceeds k. Let answers 1, 2, … of a quota sequence, dealt out
// to the positions in lots of one per phase, say who has how many of the answers of a position, and take every lot of a
// member's as one k: that is a bipartite graph of positions and k-th answers in which every vertex has as many edges as there
// are phases. It falls into that many perfect matchings (D. König, 1916), each of which is a quota sequence. (P. Gölz,
// D. Peters, A. Procaccia, "In this apportionment lottery, the house always wins", EC 2022, have the same for seats.)
const (
	// exactPeriod is the longest period that is divided as a whole, into as many phases as it has positions: then the phases
	// have their members exactly by weight. 64 × 64 edges take a tenth of a millisecond.
	exactPeriod = 64
	// manyPhases are those of longer periods: there the parts of a member are off by less than two phases. It is a power of 2.
	manyPhases = 64
	// dividedPrefix is how many positions of longer periods are divided. From there on each phase has its own order by deadlines.
	dividedPrefix = 32
)

// A quota is what the sequences for one set of weights have in common.
type quota struct {
	// weights have no common divisor; period is their sum.
	weights []uint64
	period  uint64
	base    *Sequence

	mu sync.Mutex
	// phases are those that were asked for, by number; guarded by mu.
	phases map[int]*Sequence
}

// inTurn tells whether all weights are equal.
func (q *quota) inTurn() bool { return uint64(len(q.weights)) == q.period }

// Phase is the sequence for a name, and the ticket at which its count begins. lot, a fraction of 2^64, says which of all phases: lots
// that are spread alike have all phases alike.
func (s *Sequence) Phase(lot uint64) (phase *Sequence, start uint64) {
	q := s.of
	if q.inTurn() || len(q.weights) == 2 {
		// Of two members, or of equals, counts may begin anywhere: none is more than one answer off.
		start, _ = bits.Mul64(lot, q.period)
		return q.base, start
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	count := manyPhases
	if q.period <= exactPeriod {
		count = int(q.period)
	}
	hi, _ := bits.Mul64(lot, uint64(count))
	k := int(hi)
	p := q.phases[k]
	if p == nil {
		if q.phases == nil {
			q.phases = make(map[int]*Sequence)
		}
		p = q.phase(count, k)
		q.phases[k] = p
	}
	return p, 0
}

// phase makes the k-th of count phases.
func (q *quota) phase(count, k int) *Sequence {
	positions := int(q.period)
	if positions > exactPeriod {
		positions = dividedPrefix
	}
	prefix := q.deal(count, positions).matching(count, k)
	// Where a prefix ends the answers of its position that are still owed may be too many; that of one answer never has too many.
	for n := len(prefix); n > 1; n /= 2 {
		if s, ok := q.complete(prefix[:n]); ok {
			return s
		}
	}
	s, _ := q.complete(prefix[:1])
	return s
}

// complete goes on after prefix by deadlines. ok is unset if a deadline is missed.
func (q *quota) complete(prefix []uint16) (s *Sequence, ok bool) {
	s = &Sequence{of: q, picks: append(make([]uint16, 0, q.period), prefix...)}
	given := make([]uint64, len(q.weights))
	for _, i := range prefix {
		given[i]++
	}
	// due is the position by which member i must have answered once more.
	due := make([]uint64, len(q.weights))
	for i, w := range q.weights {
		due[i] = q.deadline(w, given[i])
	}
	for n := uint64(len(prefix)) + 1; n <= q.period; n++ {
		best := -1
		for i, w := range q.weights {
			// w·n > W·x: its quota is above what it has.
			if w*n > q.period*given[i] && (best < 0 || due[i] < due[best]) {
				best = i
			}
		}
		if due[best] < n {
			return s, false
		}
		given[best]++
		due[best] = q.deadline(q.weights[best], given[best])
		s.picks = append(s.picks, uint16(best))
	}
	return s, true
}

// deadline is the first position at which a member of weight w that has been given x answers has a quota of x + 1.
func (q *quota) deadline(w, x uint64) uint64 { return ((x+1)*q.period + w - 1) / w }

// A deal is a bipartite multigraph of positions and of answers of members. No answer has more edges than each position.
type deal struct {
	edges []dealt
	// positions and answers are the numbers of vertices; member is whose an answer is.
	positions, answers int
	member             []uint16
}

// A dealt is an edge.
type dealt struct{ position, answer int32 }

// deal deals the first positions out to count phases.
func (q *quota) deal(count, positions int) deal {
	d := deal{positions: positions, edges: make([]dealt, 0, count*positions)}
	given := make([]int, len(q.weights))
	for t := range count * positions {
		given[q.base.At(uint64(t))]++
	}
	first := make([]int, len(q.weights))
	for i, g := range given {
		first[i], given[i] = d.answers, 0
		for range (g + count - 1) / count {
			d.member = append(d.member, uint16(i))
			d.answers++
		}
	}
	for t := range count * positions {
		i := q.base.At(uint64(t))
		d.edges = append(d.edges, dealt{int32(t / count), int32(first[i] + given[i]/count)})
		given[i]++
	}
	return d
}

// matching is the k-th of degree matchings, which is how many edges each position has: the members by position.
func (d deal) matching(degree, k int) []uint16 {
	for degree > 1 {
		if degree%2 == 1 {
			// Only whole periods have an odd degree: then all answers have as many edges as the positions.
			one, rest := d.perfect()
			if degree--; k == degree {
				d.edges = one
				break
			}
			d.edges = rest
		}
		degree /= 2
		a, b := d.halve()
		if d.edges = a; k >= degree {
			d.edges, k = b, k-degree
		}
	}
	picks := make([]uint16, d.positions)
	for _, e := range d.edges {
		picks[e.position] = d.member[e.answer]
	}
	return picks
}

// halve divides the edges so that each vertex has half of its edges on each side; of an odd number one side has one more. It walks
// along edges until it is stuck, and deals out those that lead to an answer and those that lead away from one.
func (d deal) halve() (a, b []dealt) {
	vertices := d.positions + d.answers
	// next links the edges of a vertex: edge e is 2e at its position and 2e + 1 at its answer.
	head, left := make([]int32, vertices), make([]int32, vertices)
	next, gone := make([]int32, 2*len(d.edges)), make([]bool, len(d.edges))
	for v := range head {
		head[v] = -1
	}
	link := func(v, end int) {
		next[end], head[v] = head[v], int32(end)
		left[v]++
	}
	for e, edge := range d.edges {
		link(int(edge.position), 2*e)
		link(d.positions+int(edge.answer), 2*e+1)
	}
	half := len(d.edges)/2 + d.answers
	a, b = make([]dealt, 0, half), make([]dealt, 0, half)
	walk := func(v int) {
		for head[v] >= 0 {
			e := int(head[v]) / 2
			head[v] = next[head[v]]
			if gone[e] {
				continue
			}
			gone[e] = true
			left[v]--
			if edge := d.edges[e]; v < d.positions {
				a, v = append(a, edge), d.positions+int(edge.answer)
			} else {
				b, v = append(b, edge), int(edge.position)
			}
			left[v]--
		}
	}
	// Walks that begin where the number is odd end there too, and leave even numbers, from which walks come back.
	for v := d.positions; v < vertices; v++ {
		if left[v]%2 == 1 {
			walk(v)
		}
	}
	for v := range vertices {
		for left[v] > 0 {
			walk(v)
		}
	}
	return a, b
}

// perfect takes a perfect matching out of a graph all of whose vertices have one number of edges. It is found by walks that take
// any edge to an answer, and the matched one back (A. Goel, M. Kapralov, S. Khanna, "Perfect matchings in O(n log n) time in
// regular bipartite graphs", STOC 2010); a number that depends on nothing makes them the same each time.
func (d deal) perfect() (one, rest []dealt) {
	degree := len(d.edges) / d.positions
	// at are the edges of each position, degree of them; matched is the edge of an answer, -1 for none.
	at, filled := make([]int32, len(d.edges)), make([]int, d.positions)
	for e, edge := range d.edges {
		p := int(edge.position)
		at[p*degree+filled[p]] = int32(e)
		filled[p]++
	}
	matched := make([]int32, d.answers)
	for i := range matched {
		matched[i] = -1
	}
	// path are the edges from each position of the walk to the next; on is where a position stands on it, -1 for nowhere.
	var path []int32
	on := make([]int, d.positions)
	for p := range on {
		on[p] = -1
	}
	chance := uint64(1)
	for p := range d.positions {
		path = path[:0]
		for here := p; ; {
			if k := on[here]; k >= 0 {
				// A loop is forgotten.
				for _, e := range path[k:] {
					on[d.edges[e].position] = -1
				}
				path = path[:k]
			}
			on[here] = len(path)
			chance = Mix(chance)
			hi, _ := bits.Mul64(chance, uint64(degree))
			e := at[here*degree+int(hi)]
			path = append(path, e)
			m := matched[d.edges[e].answer]
			if m < 0 {
				break
			}
			here = int(d.edges[m].position)
		}
		for _, e := range path {
			on[d.edges[e].position] = -1
			matched[d.edges[e].answer] = e
		}
	}
	for e, edge := range d.edges {
		if matched[edge.answer] == int32(e) {
			one = append(one, edge)
		} else {
			rest = append(rest, edge)
		}
	}
	return one, rest
}
