package probe

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// lateShare is the part of a check's timeout that this node may be late by itself: more, and a probe that timed out says as much
	// about this node as about the target. A probe waits for this process half a dozen times.
	lateShare = 8
	// lateFor is how long a vantage counts as late after the latest probe that did not count for that.
	lateFor = 10 * time.Second
	// lateEvery is how often it is logged at the most.
	lateEvery = 10 * time.Second
)

// A Lateness tells how late this process was by itself at any time between two instants. It is called by many goroutines.
type Lateness interface {
	Late(from, to time.Time) time.Duration
}

// timeout tells whether nothing but the time that passed says that the target failed: a word that came is one, however late.
func (k Kind) timeout() bool {
	switch k {
	case ConnectTimeout, TLSTimeout, FirstByteTimeout, HeaderTimeout, BodyTimeout, NoAnswer, NoAddress:
		return true
	}
	return false
}

// own is how late this node was by itself while a probe was in flight. That a probe started late is not counted: it may have waited for a
// slot behind targets that hang.
func (p *Prober) own(start, end time.Time) time.Duration {
	if p.opts.Lateness == nil {
		return 0
	}
	return p.opts.Lateness.Late(start, end)
}

// excuses tells whether a failure does not count since this node was late by itself.
func excuses(c *config.Check, kind Kind, own time.Duration) bool {
	return kind.timeout() && own > c.Timeout/lateShare
}

// lateLocked counts a probe that did not count, and logs it now and then.
func (p *Prober) lateLocked(own time.Duration, now time.Time) {
	p.metrics.late.Inc()
	p.lateAt = now
	p.lateBy = own
	if p.lateLogged.IsZero() || now.Sub(p.lateLogged) >= lateEvery {
		p.lateLogged = now
		p.log.Warn("this node is late by itself: probes that timed out do not count", "late_seconds", own.Seconds())
	}
}

// Late tells whether probes that timed out lately did not count since this node was late by itself, and by how much it was.
func (p *Prober) Late(now time.Time) (by time.Duration, late bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lateBy, !p.lateAt.IsZero() && now.Sub(p.lateAt) < lateFor
}
