package stream

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeTimeout is how long a reply may take to be written: CoreDNS's default, which it does not apply to TCP.
	writeTimeout = 5 * time.Second
	// youngest is for how long a connection must have been still to make room for another one. Who opens connections without end
	// is refused meanwhile, and drives nobody out who is being answered.
	youngest = time.Second
	// errorPause is the pause after an error of accept that will pass, such as a lack of descriptors.
	errorPause = 50 * time.Millisecond
	// clientBits is how much of an IPv6 address tells clients apart: one host has a /64 easily.
	clientBits = 64
)

// Counts are what a Listener counted.
type Counts struct {
	// Open are connections now.
	Open int
	// Refused were closed at once, since their client, or all clients together, had as many as they may and none of them was still.
	// Displaced made room for newer ones. Stalled did not take a reply in time.
	Refused, Displaced, Stalled uint64
}

// And is the sum of both.
func (c Counts) And(d Counts) Counts {
	return Counts{c.Open + d.Open, c.Refused + d.Refused, c.Displaced + d.Displaced, c.Stalled + d.Stalled}
}

// A Listener accepts connections within Limits.
type Listener struct {
	inner  net.Listener
	limits atomic.Pointer[Limits]

	refused, displaced, stalled atomic.Uint64

	mu sync.Mutex // guards the rest, and the places of connections in lists
	// still holds all connections, the one first that has been still for longest. clients hold those of each client likewise.
	still   *list.List
	clients map[netip.Addr]*list.List
}

// Bound makes l accept within limits.
func Bound(l net.Listener, limits Limits) *Listener {
	b := &Listener{inner: l, still: list.New(), clients: make(map[netip.Addr]*list.List)}
	b.SetLimits(limits)
	return b
}

// SetLimits replaces the limits. Connections that are open stay.
func (l *Listener) SetLimits(limits Limits) {
	limits = limits.or()
	l.limits.Store(&limits)
}

// Counts are what was counted until now.
func (l *Listener) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Counts{Open: l.still.Len(), Refused: l.refused.Load(), Displaced: l.displaced.Load(), Stalled: l.stalled.Load()}
}

// Addr is where it listens.
func (l *Listener) Addr() net.Addr { return l.inner.Addr() }

// Close ends accepting. Connections that are open stay.
func (l *Listener) Close() error { return l.inner.Close() }

// Accept returns the next connection that has room. A lack of descriptors does not end it.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.inner.Accept()
		if passing, ok := err.(interface{ Temporary() bool }); ok && passing.Temporary() {
			time.Sleep(errorPause)
			continue
		}
		if err != nil {
			return nil, err
		}
		if conn := l.enter(c, time.Now()); conn != nil {
			return conn, nil
		}
		l.refused.Add(1)
		reset(c)
	}
}

// enter gives c a place, or returns nil if there is none.
func (l *Listener) enter(c net.Conn, now time.Time) *Conn {
	limits := l.limits.Load()
	conn := &Conn{Conn: c, listener: l, client: clientOf(c.RemoteAddr()), at: now}
	l.mu.Lock()
	defer l.mu.Unlock()
	own := l.clients[conn.client]
	if own != nil && own.Len() >= limits.PerClient && !l.displaceLocked(own, now) {
		return nil
	}
	if l.still.Len() >= limits.Conns && !l.displaceLocked(l.still, now) {
		return nil
	}
	if own = l.clients[conn.client]; own == nil {
		own = list.New()
		l.clients[conn.client] = own
	}
	conn.inAll, conn.inOwn = l.still.PushBack(conn), own.PushBack(conn)
	return conn
}

// displaceLocked ends the connection of those in from that has been still for longest, if it has been for long enough.
func (l *Listener) displaceLocked(from *list.List, now time.Time) bool {
	first := from.Front()
	if first == nil {
		return false
	}
	c := first.Value.(*Conn)
	if now.Sub(c.at) < youngest {
		return false
	}
	l.displaced.Add(1)
	l.leaveLocked(c)
	reset(c.Conn)
	return true
}

func (l *Listener) leaveLocked(c *Conn) {
	if c.inAll == nil {
		return
	}
	l.still.Remove(c.inAll)
	own := l.clients[c.client]
	if own.Remove(c.inOwn); own.Len() == 0 {
		delete(l.clients, c.client)
	}
	c.inAll, c.inOwn = nil, nil
}

// touch notes that c moved.
func (l *Listener) touch(c *Conn, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c.inAll != nil {
		c.at = now
		l.still.MoveToBack(c.inAll)
		l.clients[c.client].MoveToBack(c.inOwn)
	}
}

// reset closes a connection without waiting for what its peer has not read.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

// clientOf tells clients apart. What is no address of a TCP connection is one client.
func clientOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if addr.Is6() {
		if p, err := addr.Prefix(clientBits); err == nil {
			return p.Addr()
		}
	}
	return addr
}
