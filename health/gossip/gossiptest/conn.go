package gossiptest

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// half is one direction of a stream.
type half struct {
	mu sync.Mutex
	// mu guards the rest.
	chunks []chunk
	size   int
	last   time.Time
	// stalled: a segment was lost over a cut, and nothing behind it arrives.
	stalled, closed bool
	deadline        time.Time
	// news is closed and replaced when something changes.
	news chan struct{}
}

type chunk struct {
	at  time.Time
	b   []byte
	end bool
}

func newHalf() *half { return &half{news: make(chan struct{})} }

func (h *half) tellLocked() {
	close(h.news)
	h.news = make(chan struct{})
}

// conn is one end of a stream.
type conn struct {
	n        *Network
	from, to netip.AddrPort
	in, out  *half
	// mine and theirs are the machines at the ends: another one at the same address has no such stream.
	mine, theirs *Transport
}

// Write never blocks. What is written over a cut never arrives, and nothing after it does.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.put(chunk{b: append([]byte(nil), b...)}); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *conn) put(k chunk) error {
	c.n.mu.Lock()
	r, link, open := c.n.randomLocked(c.from, c.to), c.n.link, c.n.openLocked(c.from, c.to) && c.n.openLocked(c.to, c.from) &&
		!c.mine.dead && !c.theirs.dead
	delay := link.delay(r)
	for range 5 {
		if r.Float64() >= link.Loss {
			break
		}
		delay += retransmit
	}
	c.n.mu.Unlock()
	h := c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return net.ErrClosed
	}
	if h.size+len(k.b) > maxStream {
		return os.ErrDeadlineExceeded
	}
	h.closed = k.end
	if !open || h.stalled {
		h.stalled = true
		return nil
	}
	k.at = time.Now().Add(delay)
	if k.at.Before(h.last) {
		k.at = h.last
	}
	h.last = k.at
	h.size += len(k.b)
	h.chunks = append(h.chunks, k)
	h.tellLocked()
	return nil
}

func (c *conn) Read(b []byte) (int, error) {
	h := c.in
	for {
		h.mu.Lock()
		now := time.Now()
		var wait time.Duration = -1
		if len(h.chunks) > 0 {
			k := &h.chunks[0]
			if wait = k.at.Sub(now); wait <= 0 {
				if k.end {
					h.mu.Unlock()
					return 0, io.EOF
				}
				n := copy(b, k.b)
				h.size -= n
				if k.b = k.b[n:]; len(k.b) == 0 {
					h.chunks = h.chunks[1:]
				}
				h.mu.Unlock()
				return n, nil
			}
		}
		if !h.deadline.IsZero() {
			left := h.deadline.Sub(now)
			if left <= 0 {
				h.mu.Unlock()
				return 0, os.ErrDeadlineExceeded
			}
			if wait < 0 || left < wait {
				wait = left
			}
		}
		news := h.news
		h.mu.Unlock()
		if wait < 0 {
			<-news
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-news:
		}
		timer.Stop()
	}
}

// Close ends both directions: what was written before still arrives.
func (c *conn) Close() error {
	_ = c.put(chunk{end: true})
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.deadline = time.Unix(0, 0)
	c.in.tellLocked()
	return nil
}

func (c *conn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	c.in.deadline = t
	c.in.tellLocked()
	return nil
}

// SetWriteDeadline does nothing: Write does not block.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.from) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.to) }
