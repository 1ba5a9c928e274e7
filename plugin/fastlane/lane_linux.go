package fastlane

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A lane is the sockets of one address. Its methods are called by the Runtime, one at a time.
type lane struct {
	route    atomic.Pointer[Route]
	fallback *fallback
	workers  []*worker
	// core is how many sockets CoreDNS had when the lane's were bound: those come before.
	core    int
	ended   sync.WaitGroup
	failure func(*lane, error)
}

// settle is how long the kernel may still deliver to a socket from which the address has been steered away: as long as a
// datagram takes from the choice of its socket to the queue.
const settle = 10 * time.Millisecond

// openLane opens n sockets beside the core ones of CoreDNS, and answers by r. failure is told of a worker that ends by itself.
func openLane(r *Route, core, n int, failure func(*lane, error)) (l *lane, err error) {
	address := strings.TrimPrefix(r.Address, "dns://")
	l = &lane{core: core, failure: failure}
	l.route.Store(r)
	var conns []*net.UDPConn
	defer func() {
		if err != nil {
			for _, c := range conns {
				c.Close()
			}
		}
	}()
	for range n {
		conn, err := listen(address)
		if err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
		conns = append(conns, conn)
		if err := prepareSocket(conn); err != nil {
			return nil, fmt.Errorf("socket: %w", err)
		}
	}
	if err := steerTo(conns[0], core, n); err != nil {
		return nil, fmt.Errorf("BPF program: %w", err)
	}
	l.fallback = newFallback(&l.route, conns[0].LocalAddr())
	for i, conn := range conns {
		w := newWorker(&l.route, l.fallback, conn, uint32(i), isWildcard(conn))
		l.workers = append(l.workers, w)
		l.ended.Go(func() {
			if err := w.run(); err != nil {
				go l.failure(l, err)
			}
		})
	}
	return l, nil
}

// swap answers by r from now on, and returns the route before.
func (l *lane) swap(r *Route) *Route { return l.route.Swap(r) }

// close steers the address back to CoreDNS's own sockets, answers what the lane's still hold, and closes those.
func (l *lane) close() {
	_ = steerTo(l.workers[0].conn, 0, l.core)
	time.Sleep(settle)
	for _, w := range l.workers {
		w.stop()
	}
	l.ended.Wait()
	l.fallback.close()
	for _, w := range l.workers {
		w.mu.Lock()
		w.counts.Dropped = w.dropped()
		w.mu.Unlock()
		w.conn.Close()
	}
}

// sum adds what the workers counted to c.
func (l *lane) sum(c *counter) {
	for _, w := range l.workers {
		w.addTo(c)
		c.counts.Dropped += w.dropped()
	}
}

// withZone is an address in a scope.
func withZone(a netip.AddrPort, zone string) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().WithZone(zone), a.Port())
}
