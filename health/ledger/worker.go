package ledger

import (
	"sync"
	"sync/atomic"
	"time"
)

const (
	// grain is what expiries are rounded up to, so that an endpoint's is written four times a second and not with each answer.
	grain = int64(time.Second / 4)
	// chunkCells is how many endpoints a worker makes room for at once.
	chunkCells = 64
	// buckets is how many expiry seconds the ring of an endpoint tells apart. Answers that live longer share buckets.
	buckets = 64
)

// A Worker is the memory of one writer at a time. Its cells are written by the holder and read by anybody.
type Worker struct {
	ledger *Ledger
	// shared is held while a cell is written, on the one worker that has many writers; nil on the others.
	shared *sync.Mutex
	// last is when the holder stamped last, on the clock of Now; always 0 on the shared worker.
	last int64
	// table is swapped when it grows, never mutated but for the chunks that are made in it.
	table atomic.Pointer[[]atomic.Pointer[chunk]]
}

type chunk [chunkCells]cell

// A cell is what one worker issued of one endpoint.
type cell struct {
	// until is the greatest expiry, in nanoseconds since the base; 0 for none.
	until atomic.Int64
	// ring counts answers by the second in which they expire: the second in the upper half, the count in the lower. It is made
	// with the first answer.
	ring atomic.Pointer[[buckets]atomic.Uint64]
}

// look is the cell of a slot; nil if nothing was ever stamped there.
func (w *Worker) look(s Slot) *cell {
	t := w.table.Load()
	if t == nil || int(s/chunkCells) >= len(*t) {
		return nil
	}
	c := (*t)[s/chunkCells].Load()
	if c == nil {
		return nil
	}
	return &c[s%chunkCells]
}

// Stamp notes that an answer with a TTL in seconds that names the endpoint has been written at now, which is Ledger.Now after
// the write returned.
func (w *Worker) Stamp(s Slot, now int64, ttl uint32) {
	if w.shared != nil {
		w.shared.Lock()
		defer w.shared.Unlock()
	} else {
		w.last = now
	}
	c := w.look(s)
	if c == nil {
		c = w.make(s)
	}
	end := now + int64(ttl)*int64(time.Second)
	if end > c.until.Load() {
		c.until.Store((end + grain - 1) / grain * grain)
	}
	ring := c.ring.Load()
	if ring == nil {
		ring = new([buckets]atomic.Uint64)
		c.ring.Store(ring)
	}
	second := uint64(end) / uint64(time.Second)
	b := &ring[second%buckets]
	if v := b.Load(); v>>32 == second {
		b.Store(v + 1)
	} else {
		b.Store(second<<32 | 1)
	}
}

// Last is an instant that has passed, on the clock of Ledger.Now: that of the holder's last stamp, or 0.
func (w *Worker) Last() int64 { return w.last }

// make makes room for a slot. Only the first answer with an endpoint comes here.
func (w *Worker) make(s Slot) *cell {
	at := int(s / chunkCells)
	t := w.table.Load()
	if t == nil || at >= len(*t) {
		longer := make([]atomic.Pointer[chunk], at+1)
		if t != nil {
			for i := range *t {
				longer[i].Store((*t)[i].Load())
			}
		}
		w.table.Store(&longer)
		t = &longer
	}
	c := (*t)[at].Load()
	if c == nil {
		c = new(chunk)
		(*t)[at].Store(c)
	}
	return &c[s%chunkCells]
}
