package admin

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxFailures in a lockoutWindow lock a source out until the window is over: a guess has 256 bits, but each one costs a
	// handshake, and a list of tokens that leaked may be long.
	maxFailures   = 10
	lockoutWindow = time.Minute
	// maxSources bounds the table. Beyond it the source that failed least lately is forgotten: whoever has so many addresses
	// has as many guesses.
	maxSources = 4096
)

// A lockout counts the logins that failed, by source.
type lockout struct {
	mu sync.Mutex
	// sources is guarded by mu.
	sources *simplelru.LRU[netip.Prefix, failures]
}

// failures are those of one source since the first one of a window.
type failures struct {
	count int
	since time.Time
}

func newLockout() *lockout {
	// The size is positive, which is all that could be wrong.
	table, _ := simplelru.NewLRU[netip.Prefix, failures](maxSources, nil)
	return &lockout{sources: table}
}

// wait is for how long source gets no login; 0 means that it may try.
func (l *lockout) wait(source netip.Prefix, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.sources.Peek(source)
	if !ok || f.count < maxFailures {
		return 0
	}
	return max(0, f.since.Add(lockoutWindow).Sub(now))
}

// failed counts a failure and tells whether it is the one that locks source out.
func (l *lockout) failed(source netip.Prefix, now time.Time) (locked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.sources.Get(source)
	if !ok || now.Sub(f.since) >= lockoutWindow {
		f = failures{since: now}
	}
	f.count++
	if f.count == maxFailures {
		// From the last failure on, so that the window that is over is not the next one's beginning.
		f.since, locked = now, true
	}
	l.sources.Add(source, f)
	return locked
}
