package ledger

import (
	"sync"
	"sync/atomic"
	"time"
)

// A cell is what one worker issued of one holding, in one word, so that a stamp is one store: the greatest expiry in grains since the
// base (32 bits, 34 years), the TTL of the last answer in seconds (12 bits), and how many answers there were (20 bits, modulo).
type cell = uint64

const (
	// grain is what expiries are rounded up to.
	grain = time.Second / 4

	countBits  = 20
	ttlBits    = 12
	untilShift = countBits + ttlBits
	countMask  = 1<<countBits - 1
	ttlMask    = 1<<ttlBits - 1

	// chunkCells is how many holdings a worker makes room for at once.
	chunkCells = 64
)

type chunk [chunkCells]atomic.Uint64

// A Worker is the memory of one writer at a time. Its cells are written by the holder and read by anybody.
type Worker struct {
	ledger *Ledger
	// shared is held while a cell is written, on the one worker that has many writers; nil on the others.
	shared *sync.Mutex
	// last is when the holder stamped last, on the clock of Ledger.Now; always 0 on the shared worker.
	last int64
	// table is swapped when it grows, never mutated but for the chunks that are made in it.
	table atomic.Pointer[[]atomic.Pointer[chunk]]
}

// look is the place of a slot; nil if nothing was ever stamped near it.
func (w *Worker) look(s Slot) *atomic.Uint64 {
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

// load is the cell of a slot; 0 if nothing was stamped.
func (w *Worker) load(s Slot) cell {
	if c := w.look(s); c != nil {
		return c.Load()
	}
	return 0
}

// clear forgets a slot that nobody can stamp.
func (w *Worker) clear(s Slot) {
	if c := w.look(s); c != nil {
		c.Store(0)
	}
}

// Stamp notes that an answer with a TTL in seconds that carries the holding has been written at now, which is Ledger.Now after the write
// returned. Slot 0 is ignored.
func (w *Worker) Stamp(s Slot, now int64, ttl uint32) {
	if s == 0 {
		return
	}
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
	was := c.Load()
	until := max(was>>untilShift, uint64(now+int64(ttl)*int64(time.Second)+int64(grain)-1)/uint64(grain))
	c.Store(until<<untilShift | uint64(min(ttl, ttlMask))<<countBits | (was+1)&countMask)
}

// Last is an instant that has passed, on the clock of Ledger.Now: that of the holder's last stamp, or 0.
func (w *Worker) Last() int64 { return w.last }

// make makes room for a slot. Only the first answer with one of chunkCells holdings comes here.
func (w *Worker) make(s Slot) *atomic.Uint64 {
	at := int(s / chunkCells)
	t := w.table.Load()
	if t == nil || at >= len(*t) {
		// Half as much again: a table that grew by one each time would be copied for each chunk.
		longer := make([]atomic.Pointer[chunk], at+1+at/2)
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
