package answer

import (
	"sync"
	"sync/atomic"
)

// stripes is how many counters share the counting of readers; a power of two. More stripes mean less contention.
const stripes = 16

// Current is the snapshot in force. Readers are counted, not timed: Swap's channel closes when the last reader of the
// older snapshot has left, which is when no answer from it can be written any more.
type Current struct {
	p atomic.Pointer[held]
}

// held is a snapshot with its readers.
type held struct {
	snap    *Snapshot
	readers [stripes]struct {
		n atomic.Int64
		_ [56]byte
	}
	// next is set, before retired is, where Renew put the same snapshot in this one's place: this one is a reader of it until it is quiet.
	next    *held
	retired atomic.Bool
	once    sync.Once
	quiet   chan struct{}
}

// A Lease is the right to use one snapshot until Leave. Load once per query and use only that.
type Lease struct {
	Snapshot *Snapshot
	h        *held
	stripe   uint32
}

// Enter gives the snapshot in force; Snapshot is nil before the first Swap. stripe may be any number that differs among
// concurrent readers, such as the client's port.
func (c *Current) Enter(stripe uint32) Lease {
	stripe &= stripes - 1
	for {
		h := c.p.Load()
		if h == nil {
			return Lease{}
		}
		h.readers[stripe].n.Add(1)
		if c.p.Load() == h {
			return Lease{Snapshot: h.snap, h: h, stripe: stripe}
		}
		// Swapped in between: this reader never used h.
		h.leave(stripe)
	}
}

// Leave ends the use of the snapshot: the answer has been written.
func (l Lease) Leave() {
	if l.h != nil {
		l.h.leave(l.stripe)
	}
}

func (h *held) leave(stripe uint32) {
	if h.readers[stripe].n.Add(-1) == 0 && h.retired.Load() {
		h.closeIfQuiet()
	}
}

// closeIfQuiet runs only after retirement: no reader enters any more, so each stripe that is seen at 0 stays without a
// reader that uses the snapshot, and the stripes may be looked at one after the other.
func (h *held) closeIfQuiet() {
	for i := range h.readers {
		if h.readers[i].n.Load() != 0 {
			return
		}
	}
	h.once.Do(func() {
		close(h.quiet)
		if h.next != nil {
			h.next.leave(0)
		}
	})
}

// Load is the snapshot in force for readers that write no answers (status, metrics); nil before the first Swap.
func (c *Current) Load() *Snapshot {
	if h := c.p.Load(); h != nil {
		return h.snap
	}
	return nil
}

// Swap puts s in force and returns a channel that closes when the snapshot before it is quiet.
func (c *Current) Swap(s *Snapshot) <-chan struct{} {
	old := c.p.Swap(&held{snap: s, quiet: make(chan struct{})})
	if old == nil {
		quiet := make(chan struct{})
		close(quiet)
		return quiet
	}
	old.retired.Store(true)
	old.closeIfQuiet()
	return old.quiet
}

// Renew returns a channel that closes when all who use the snapshot in force now have left it; the snapshot stays in force. It is for what a
// snapshot's zones swap in place. Swap waits for these readers as before.
func (c *Current) Renew() <-chan struct{} {
	for {
		old := c.p.Load()
		if old == nil {
			quiet := make(chan struct{})
			close(quiet)
			return quiet
		}
		next := &held{snap: old.snap, quiet: make(chan struct{})}
		next.readers[0].n.Store(1)
		if c.p.CompareAndSwap(old, next) {
			old.next = next
			old.retired.Store(true)
			old.closeIfQuiet()
			return old.quiet
		}
	}
}
