package ledger

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// minWorkers and workersPerCPU bound the workers that belong to one writer each: eight octets for each holding that they stamped. More
// queries than that at one instant, which means slow TCP clients, share one worker and wait for each other.
const (
	minWorkers    = 16
	workersPerCPU = 2
)

// A Slot stands for one holding in all workers, for as long as somebody has it: a compiled answer that can carry the holding, or the
// Book, while caches may hold what was answered. Slot 0 stands for none.
type Slot uint32

// A Ledger is what a process issued. It is safe for concurrent use.
type Ledger struct {
	base time.Time
	// limit is the greatest TTL that answers may carry, in seconds.
	limit atomic.Uint32

	mu    sync.Mutex
	slots map[Key]Slot // guarded by mu
	// entries are by slot, free are those that nobody has; guarded by mu.
	entries []entry
	free    []Slot
	// all are the workers that were ever made, idle those that nobody uses. Guarded by mu.
	all, idle []*Worker
	overflow  *Worker

	exposure exposure // guarded by mu
}

// An entry is what is known of a slot.
type entry struct {
	key  Key
	refs int32
}

// New makes an empty ledger. base is the zero of its clock.
func New(base time.Time) *Ledger {
	l := &Ledger{base: base, slots: make(map[Key]Slot), entries: make([]entry, 1), exposure: exposure{rings: make(map[Slot]*ring)}}
	l.limit.Store(math.MaxUint32)
	l.overflow = &Worker{ledger: l, shared: new(sync.Mutex)}
	l.all = []*Worker{l.overflow}
	return l
}

// Now is the time since the base, in nanoseconds: the clock of Stamp. It costs half of what time.Now does.
func (l *Ledger) Now() int64 { return int64(time.Since(l.base)) }

// SetLimit sets the greatest TTL in seconds that answers may carry from now on; Limit is that.
func (l *Ledger) SetLimit(ttl uint32) { l.limit.Store(ttl) }

// Limit is the greatest TTL in seconds that answers may carry: more than that is not on disk, or not remembered elsewhere.
func (l *Ledger) Limit() uint32 { return l.limit.Load() }

// Acquire is the slot of a holding, made where nobody has one. Whoever acquires releases.
func (l *Ledger) Acquire(k Key) Slot {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.slots[k]
	switch n := len(l.free); {
	case ok:
	case n > 0:
		s, l.free = l.free[n-1], l.free[:n-1]
		l.slots[k], l.entries[s].key = s, k
	default:
		s = Slot(len(l.entries))
		l.entries = append(l.entries, entry{key: k})
		l.slots[k] = s
	}
	l.entries[s].refs++
	return s
}

// Release gives slots back. What nobody has any more is forgotten: no answer that stamps it can be under way, since such an answer is of
// a snapshot that has the slot.
func (l *Ledger) Release(slots []Slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range slots {
		e := &l.entries[s]
		if e.refs--; e.refs > 0 {
			continue
		}
		delete(l.slots, e.key)
		for _, w := range l.all {
			w.clear(s)
		}
		l.exposure.forget(s)
		*e = entry{}
		l.free = append(l.free, s)
	}
}

// hold is Acquire for a slot that somebody has.
func (l *Ledger) hold(s Slot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[s].refs++
}

// KeyOf is the holding of a slot that somebody has.
func (l *Ledger) KeyOf(s Slot) Key {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[s].key
}

// Slots is how many holdings have a slot.
func (l *Ledger) Slots() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.slots)
}

// Until is when the last answer that carries the holding expires, of those that have been stamped; zero if there was none. It is rounded
// up by a quarter of a second at most.
func (l *Ledger) Until(s Slot) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	var last cell
	for _, w := range l.all {
		last = max(last, w.load(s)>>untilShift)
	}
	if last == 0 {
		return time.Time{}
	}
	return l.base.Add(time.Duration(last) * grain)
}

// Worker is a worker for one writer, until holder, whatever it is, is collected by the garbage collector.
func (l *Ledger) Worker(holder *Holder) *Worker {
	if holder.worker != nil && holder.worker.ledger == l {
		return holder.worker
	}
	return l.hand(holder)
}

// A Holder is what one writer keeps its worker in. The zero Holder is ready.
type Holder struct {
	worker  *Worker
	cleanup runtime.Cleanup
}

// hand gives holder a worker that nobody uses, and takes back the one that it had of another ledger.
func (l *Ledger) hand(holder *Holder) *Worker {
	if old := holder.worker; old != nil {
		holder.cleanup.Stop()
		old.giveBack()
	}
	l.mu.Lock()
	var w *Worker
	switch n := len(l.idle); {
	case n > 0:
		w, l.idle = l.idle[n-1], l.idle[:n-1]
	case len(l.all) <= max(minWorkers, workersPerCPU*runtime.GOMAXPROCS(0)):
		w = &Worker{ledger: l}
		l.all = append(l.all, w)
	default:
		w = l.overflow
	}
	l.mu.Unlock()
	holder.worker = w
	holder.cleanup = runtime.AddCleanup(holder, (*Worker).giveBack, w)
	return w
}

// giveBack lets another writer have the worker. What it stamped stays.
func (w *Worker) giveBack() {
	if w.shared != nil {
		return
	}
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	w.ledger.idle = append(w.ledger.idle, w)
}
