package ledger

import (
	"runtime"
	"sync"
	"time"
)

// minWorkers and workersPerCPU bound the workers that belong to one writer each: half a kilobyte for each endpoint that they
// name. More queries than that at one instant, which means slow TCP clients, share one worker and wait for each other.
const (
	minWorkers    = 16
	workersPerCPU = 2
)

// A Slot stands for one endpoint in all workers.
type Slot uint32

// A Ledger is what a process issued. It is safe for concurrent use.
type Ledger struct {
	base time.Time

	mu    sync.Mutex
	slots map[string]Slot // guarded by mu, by ZONE/POOL/ENDPOINT
	// all are the workers that were ever made, whose stamps count for ever; free are those that nobody uses. Guarded by mu.
	all, free []*Worker
	overflow  *Worker
}

// New makes an empty ledger. base is the zero of its clock.
func New(base time.Time) *Ledger {
	l := &Ledger{base: base, slots: make(map[string]Slot)}
	l.overflow = &Worker{ledger: l, shared: new(sync.Mutex)}
	l.all = []*Worker{l.overflow}
	return l
}

// Now is the time since the base, in nanoseconds: the clock of Stamp. It costs half of what time.Now does.
func (l *Ledger) Now() int64 { return int64(time.Since(l.base)) }

// Slot is that of an endpoint, made when it is first asked for. It stays for as long as the process: an answer that names an
// endpoint which a file no longer has may still be under way.
func (l *Ledger) Slot(zone, pool, endpoint string) Slot {
	name := zone + "/" + pool + "/" + endpoint
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.slots[name]
	if !ok {
		s = Slot(len(l.slots))
		l.slots[name] = s
	}
	return s
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
	switch n := len(l.free); {
	case n > 0:
		w, l.free = l.free[n-1], l.free[:n-1]
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
	w.ledger.free = append(w.ledger.free, w)
}

// workers are all that ever stamped.
func (l *Ledger) workers() []*Worker {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all[:len(l.all):len(l.all)]
}

// Until is when the last answer that names the endpoint expires, of those that have been stamped; zero if there was none. It is
// rounded up by a quarter of a second at most.
func (l *Ledger) Until(s Slot) time.Time {
	var last int64
	for _, w := range l.workers() {
		if c := w.look(s); c != nil {
			last = max(last, c.until.Load())
		}
	}
	if last == 0 {
		return time.Time{}
	}
	return l.base.Add(time.Duration(last))
}
