package ledger

import "time"

// A Curve is how many answers that carry a holding may still be in caches, by the second in which they expire: element i counts those
// that expire within (i, i+1] seconds from its instant on. It is folded once a second by the greatest TTL that a
// worker gave last, and answers that live longer than 64 seconds may be missing behind those that took their place: the curve is for people, the bound never
// comes from it.
type Curve []uint64

// Total is how many may still be in caches.
func (c Curve) Total() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Plus is the sum of two curves of one instant; c may be changed.
func (c Curve) Plus(o Curve) Curve {
	for i, v := range o {
		if i == len(c) {
			c = append(c, 0)
		}
		c[i] += v
	}
	return c
}

const (
	// buckets is how many expiry seconds a ring tells apart.
	buckets = 64
	// maxRings bounds the holdings that have a curve at one time, half a kilobyte each. More than that are counted without.
	maxRings = 16384
)

// A ring counts answers by the second of the ledger's clock in which they expire.
type ring [buckets]struct{ second, count uint32 }

// exposure is what Fold made of the cells. It is guarded by the ledger's lock.
type exposure struct {
	// totals are how many answers carried each slot's holding, by slot.
	totals []uint64
	rings  map[Slot]*ring
}

// forget drops what is known of a slot that nobody has.
func (x *exposure) forget(s Slot) {
	if int(s) < len(x.totals) {
		x.totals[s] = 0
	}
	delete(x.rings, s)
}

// Fold takes the counts of all workers in. It is to be called about once a second: 2^20 answers that carry one holding between two calls
// are the most that are told apart.
func (l *Ledger) Fold() {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.entries[1:] {
		l.foldLocked(Slot(s+1), now)
	}
	for s, r := range l.exposure.rings {
		if r.over(uint32(now / int64(time.Second))) {
			delete(l.exposure.rings, s)
		}
	}
}

// foldLocked takes the counts of one slot in. now is on the clock of Now.
func (l *Ledger) foldLocked(s Slot, now int64) {
	x := &l.exposure
	if len(x.totals) < len(l.entries) {
		x.totals = append(x.totals, make([]uint64, len(l.entries)-len(x.totals))...)
	}
	var sum, ttl, until uint64
	for _, w := range l.all {
		if c := w.load(s); c != 0 {
			sum += c & countMask
			ttl, until = max(ttl, c>>countBits&ttlMask), max(until, c>>untilShift)
		}
	}
	n := (sum - x.totals[s]) & countMask
	if n == 0 {
		return
	}
	x.totals[s] += n
	r := x.rings[s]
	if r == nil {
		if len(x.rings) >= maxRings {
			return
		}
		r = new(ring)
		x.rings[s] = r
	}
	second := min(uint32(now/int64(time.Second))+uint32(ttl), uint32(until*uint64(grain)/uint64(time.Second)))
	b := &r[second%buckets]
	if b.second != second {
		b.second, b.count = second, 0
	}
	b.count += uint32(n)
}

// over tells whether all that it counted expired before a second.
func (r *ring) over(second uint32) bool {
	for i := range r {
		if r[i].second >= second {
			return false
		}
	}
	return true
}

// Curve is that of a holding at this moment.
func (l *Ledger) Curve(s Slot) (curve Curve) {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.foldLocked(s, now)
	r := l.exposure.rings[s]
	if r == nil {
		return nil
	}
	first := uint32(now / int64(time.Second))
	for i := range r {
		if r[i].second < first || r[i].count == 0 {
			continue
		}
		for uint32(len(curve)) <= r[i].second-first {
			curve = append(curve, 0)
		}
		curve[r[i].second-first] += uint64(r[i].count)
	}
	return curve
}

// Answers is how many answers carried a holding since it has a slot.
func (l *Ledger) Answers(s Slot) uint64 {
	now := l.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.foldLocked(s, now)
	return l.exposure.totals[s]
}

// AnswersOf is Answers for a key, and 0 where it has no slot.
func (l *Ledger) AnswersOf(k Key) uint64 {
	l.mu.Lock()
	s, ok := l.slots[k]
	l.mu.Unlock()
	if !ok {
		return 0
	}
	return l.Answers(s)
}
