package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// LeaseWrite is how long an answer may take to be written that was begun while the lease still ran: it is looked at once more right before
// the write, for which CoreDNS gives a TCP client 5 s. Only a process that stands still for longer between the two is later than the others
// believe.
const LeaseWrite = 10 * time.Second

// A Lease is the right to answer service names, for isolate_after from the last moment at which a majority is known to have heard
// this node. It is not enough to hear the majority: when only the way out is cut, the others cannot know what this node does.
// Renew
// belongs to one goroutine; Over may be asked by any. Make it with NewLease.
type Lease struct {
	// length is isolate_after; 0 is for ever.
	length   time.Duration
	started  time.Time
	end      atomic.Int64 // in nanoseconds from started on, suspends included; 0 without one, never where nobody ever heard this node
	suspends suspends     // its total may be asked for by anybody
}

// never is the end of a lease that has not begun.
const never = 1

// NewLease is the lease of a process that was started at an instant. suspended is for how long the machine has been suspended since it was
// started; nil asks the kernel.
func NewLease(length time.Duration, started time.Time, suspended func() time.Duration) *Lease {
	return &Lease{length: length, started: started, suspends: newSuspends(suspended)}
}

// Renew finds out until when this node may answer: heard is when each of the others that has heard it did so last, of a roster of so many
// nodes with this one.
func (l *Lease) Renew(heard []time.Time, roster int, now time.Time) {
	if l.length == 0 {
		return
	}
	l.suspends.notice(now)
	slices.SortFunc(heard, func(a, b time.Time) int { return b.Compare(a) })
	others := roster / 2
	from := now
	switch {
	case others == 0:
	case len(heard) >= others:
		// With this node they are more than half of the roster.
		from = heard[others-1]
	default:
		l.end.Store(never)
		return
	}
	l.end.Store(max(never, int64(from.Sub(l.started)+l.suspends.before(from)+l.length)))
}

// Over says that the lease has ended, also between two calls of Renew; empty while it runs, and where there is none.
func (l *Lease) Over() string {
	end := l.end.Load()
	if end == 0 || int64(time.Since(l.started)+l.suspends.total()) < end {
		return ""
	}
	if end == never {
		return "no majority has heard this node since it started (isolate_after)"
	}
	return fmt.Sprintf("no majority has heard this node for %s (isolate_after)", l.length)
}

// A Fence is that a node began no answer from At on, as far as it is known to stand: To.
type Fence struct{ At, To time.Time }

// A Silence is an interval in which a node has not heard another one, and the end of the lease that it would have had from the node.
type Silence struct{ Ended, Until time.Time }

// Fenced is the earliest instant at which need of the leases had ended, and until when so many of them are known to have.
func Fenced(list []Silence, need int) (f Fence, ok bool) {
	slices.SortFunc(list, func(a, b Silence) int { return cmp.Or(a.Ended.Compare(b.Ended), a.Until.Compare(b.Until)) })
	for _, s := range list {
		var until []time.Time
		for _, o := range list {
			if !o.Ended.After(s.Ended) && !o.Until.Before(s.Ended) {
				until = append(until, o.Until)
			}
		}
		if len(until) >= need {
			slices.SortFunc(until, time.Time.Compare)
			return Fence{s.Ended, until[len(until)-need]}, true
		}
	}
	return Fence{}, false
}
