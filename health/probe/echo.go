package probe

import (
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

const (
	// echoEvery is the pause between two octets; echoBucket, the time over which the longest way of one is kept.
	echoEvery  = 25 * time.Millisecond
	echoBucket = 100 * time.Millisecond
	// echoBuckets is how far back is remembered: longer than the longest probe that anybody would write.
	echoBuckets = 1024
	// echoRetry is the pause after the connection broke.
	echoRetry = time.Second
)

// An Echo measures how late this process is by itself. It sends an octet around a TCP connection of its own over loopback, again and
// again, and notes how much later than it should have been each one was back: what that takes, a probe of a perfect endpoint takes
// too, for want of a processor, in a busy kernel, in a process that was stopped. It is safe for concurrent use.
type Echo struct {
	mu sync.Mutex // guards the rest
	// origin is when bucket 0 began; longest are the longest delays by bucket, modulo echoBuckets, and of says of which bucket.
	origin  time.Time
	longest [echoBuckets]time.Duration
	of      [echoBuckets]int64
	// due is when the octet that is under way, or the next one, should have been back at the latest; zero while there is no connection.
	due time.Time
}

// NewEcho makes an Echo. It measures nothing before Run.
func NewEcho() *Echo { return &Echo{origin: time.Now()} }

// Run measures until ctx ends.
func (e *Echo) Run(ctx context.Context) error {
	for {
		near, far, err := loopback(ctx)
		if err == nil {
			e.run(ctx, near, far)
		}
		e.await(time.Time{})
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(echoRetry):
		}
	}
}

// run sends octets until ctx ends or the connection breaks.
func (e *Echo) run(ctx context.Context, near, far net.Conn) {
	stop := context.AfterFunc(ctx, func() { near.Close(); far.Close() })
	defer stop()
	var back sync.WaitGroup
	defer back.Wait()
	defer near.Close()
	defer far.Close()
	back.Go(func() {
		for b := make([]byte, 1); ; {
			if _, err := far.Read(b); err != nil {
				return
			}
			if _, err := far.Write(b); err != nil {
				return
			}
		}
	})
	timer := time.NewTimer(0)
	defer timer.Stop()
	for due, b := time.Now(), make([]byte, 1); ; due = due.Add(echoEvery) {
		e.await(due)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if _, err := near.Write(b); err != nil {
			return
		}
		if _, err := near.Read(b); err != nil {
			return
		}
		now := time.Now()
		e.note(due, now)
		if due.Before(now) {
			due = now
		}
		timer.Reset(time.Until(due.Add(echoEvery)))
	}
}

// await notes that an octet should be back at due.
func (e *Echo) await(due time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.due = due
}

// note keeps the delay of an octet that should have been back at due, and was at now.
func (e *Echo) note(due, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := e.bucket(now)
	for k := max(e.bucket(due), last-echoBuckets+1, 0); k <= last; k++ {
		i := k % echoBuckets
		if e.of[i] != k {
			e.of[i], e.longest[i] = k, 0
		}
		e.longest[i] = max(e.longest[i], now.Sub(due))
	}
}

func (e *Echo) bucket(at time.Time) int64 { return int64(at.Sub(e.origin) / echoBucket) }

// Late is the longest delay of an octet that was under way at some time between from and to, of one that is still under way too.
func (e *Echo) Late(from, to time.Time) (late time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.due.IsZero() && e.due.Before(to) {
		late = to.Sub(e.due)
	}
	last := e.bucket(to)
	for k := max(e.bucket(from), last-echoBuckets+1, 0); k <= last; k++ {
		if i := k % echoBuckets; e.of[i] == k {
			late = max(late, e.longest[i])
		}
	}
	return late
}

// loopback is a TCP connection of this process with itself. Nobody else can be its other end.
func loopback(ctx context.Context) (near, far net.Conn, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		// A host without IPv4.
		if l, err = net.Listen("tcp", "[::1]:0"); err != nil {
			return nil, nil, err
		}
	}
	defer l.Close()
	var d net.Dialer
	if near, err = d.DialContext(ctx, "tcp", l.Addr().String()); err != nil {
		return nil, nil, err
	}
	far, err = l.Accept()
	if err == nil && far.RemoteAddr().String() != near.LocalAddr().String() {
		far.Close()
		err = fmt.Errorf("%v came in between", far.RemoteAddr())
	}
	if err != nil {
		near.Close()
		return nil, nil, err
	}
	return near, far, nil
}
