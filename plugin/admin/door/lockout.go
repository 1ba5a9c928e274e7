package door

import (
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// MaxFailures in a Window lock a source out until the window is over: a guess has 256 bits, but each one costs a
	// handshake, and a list of tokens that leaked may be long.
	MaxFailures = 10
	Window      = time.Minute
	// maxSources bounds the table. Beyond it the source that failed least lately is forgotten: whoever has so many addresses
	// has as many guesses.
	maxSources = 4096
)

// A Lockout counts the logins that failed, by source.
type Lockout struct {
	mu sync.Mutex
	// sources is guarded by mu.
	sources *simplelru.LRU[netip.Prefix, failures]
}

// failures are those of one source since the first one of a window.
type failures struct {
	count int
	since time.Time
}

// NewLockout makes one that has seen no failure.
func NewLockout() *Lockout {
	// The size is positive, which is all that could be wrong.
	table, _ := simplelru.NewLRU[netip.Prefix, failures](maxSources, nil)
	return &Lockout{sources: table}
}

// Wait is for how long source gets no login; 0 means that it may try.
func (l *Lockout) Wait(source netip.Prefix, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.sources.Peek(source)
	if !ok || f.count < MaxFailures {
		return 0
	}
	return max(0, f.since.Add(Window).Sub(now))
}

// Failed counts a failure and tells whether it is the one that locks source out.
func (l *Lockout) Failed(source netip.Prefix, now time.Time) (locked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f, ok := l.sources.Get(source)
	if !ok || now.Sub(f.since) >= Window {
		f = failures{since: now}
	}
	f.count++
	if f.count == MaxFailures {
		// From the last failure on, so that the window that is over is not the next one's beginning.
		f.since, locked = now, true
	}
	l.sources.Add(source, f)
	return locked
}
