package ledger

import "time"

// A Curve is how many answers that name an endpoint may still be in caches, by the second in which they expire: element i
// counts those that expire within (i, i+1] seconds from its instant on. Answers that live longer than 64 seconds may be
// missing behind those that took their place: the curve is for people, the bound never comes from it.
type Curve []uint64

// Total is how many may still be in caches.
func (c Curve) Total() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Curve is the endpoint's at now, on the clock of Now.
func (l *Ledger) Curve(s Slot, now int64) Curve {
	first := uint64(max(now, 0)) / uint64(time.Second)
	var curve Curve
	for _, w := range l.workers() {
		c := w.look(s)
		if c == nil || c.ring.Load() == nil {
			continue
		}
		ring := c.ring.Load()
		for i := range ring {
			v := ring[i].Load()
			at := v >> 32
			if at < first || v == 0 {
				continue
			}
			for uint64(len(curve)) <= at-first {
				curve = append(curve, 0)
			}
			curve[at-first] += v & (1<<32 - 1)
		}
	}
	return curve
}

// Counts are the answers that name the endpoint, by the second of the ledger's clock in which they expire, for as long as they are
// remembered: a minute and more.
func (l *Ledger) Counts(s Slot) map[uint64]uint64 {
	counts := make(map[uint64]uint64)
	for _, w := range l.workers() {
		c := w.look(s)
		if c == nil || c.ring.Load() == nil {
			continue
		}
		ring := c.ring.Load()
		for i := range ring {
			if v := ring[i].Load(); v != 0 {
				counts[v>>32] += v & (1<<32 - 1)
			}
		}
	}
	return counts
}

// A Tally counts the answers with an endpoint from its making on, if it is asked often enough: once in half a minute.
type Tally struct {
	ledger *Ledger
	slot   Slot
	seen   map[uint64]uint64
	total  uint64
}

// Tally begins to count.
func (b *Book) Tally(number int) *Tally {
	slot := b.all[number].slot
	return &Tally{ledger: b.ledger, slot: slot, seen: b.ledger.Counts(slot)}
}

// Total is how many answers were given since the Tally was made.
func (t *Tally) Total() uint64 {
	next := t.ledger.Counts(t.slot)
	for second, n := range next {
		if was := t.seen[second]; n > was {
			t.total += n - was
		}
	}
	t.seen = next
	return t.total
}
