package lifeboat

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxDatagram is the most that one holds, in octets.
const maxDatagram = 65535

// A relay forwards the datagrams of clients at one port: each client to one endpoint, as long as it sends.
type relay struct {
	gate *gate
	conn *net.UDPConn
	// probers are the gate's; swapped, never changed.
	probers *atomic.Pointer[[]netip.Prefix]
	mu      sync.Mutex
	to      map[netip.AddrPort]*net.UDPConn // guarded by mu
}

func (g *gate) openUDP(ctx context.Context, where string) error {
	l, err := (&net.ListenConfig{Control: receiveMarks}).ListenPacket(ctx, g.network(), where)
	if err != nil {
		return err
	}
	probers := g.probers
	g.probing.Store(&probers)
	r := &relay{gate: g, probers: &g.probing, conn: l.(*net.UDPConn), to: make(map[netip.AddrPort]*net.UDPConn)}
	g.at = r.conn.LocalAddr().(*net.UDPAddr).AddrPort()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		r.receive()
	}()
	g.closer = func() {
		// A datagram has no connection that could go on.
		r.conn.Close()
		<-stopped
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, c := range r.to {
			c.Close()
		}
	}
	return nil
}

// receive hands on what clients send until the socket is closed.
func (r *relay) receive() {
	buf, oob := make([]byte, maxDatagram), make([]byte, 128)
	for {
		n, k, _, from, err := r.conn.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		address := r.gate.address.String()
		switch {
		case slices.ContainsFunc(*r.probers.Load(), func(p netip.Prefix) bool { return p.Contains(from.Addr()) }):
			r.gate.counts.refuse(address, refusedProbe)
			continue
		case markedData(oob[:k]):
			r.gate.counts.refuse(address, refusedLoop)
			continue
		}
		there, reason := r.way(from)
		if there == nil {
			r.gate.counts.refuse(address, reason)
			continue
		}
		_, _ = there.Write(buf[:n])
	}
}

// way is the socket by which a client's datagrams go on.
func (r *relay) way(from netip.AddrPort) (*net.UDPConn, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.to[from]; c != nil {
		return c, ""
	}
	now, address := time.Now(), r.gate.address.String()
	r.gate.counts.arrived(address, now)
	order := r.gate.targets.order(now)
	if len(order) == 0 {
		return nil, refusedUnheard
	}
	d := net.Dialer{Control: markSocket}
	c, err := d.Dial(r.gate.network(), netip.AddrPortFrom(order[0], r.gate.port.Number).String())
	if err != nil {
		return nil, refusedUnheard
	}
	there := c.(*net.UDPConn)
	if !r.gate.flows.add(there) {
		there.Close()
		return nil, refusedLimit
	}
	r.to[from] = there
	r.gate.counts.began(address)
	r.gate.flows.done.Go(func() { r.back(from, there, order[0]) })
	return there, ""
}

// back hands on what an endpoint says to a client, until nothing has come for a while.
func (r *relay) back(client netip.AddrPort, there *net.UDPConn, endpoint netip.Addr) {
	defer func() {
		r.mu.Lock()
		delete(r.to, client)
		r.mu.Unlock()
		r.gate.flows.remove(there)
		r.gate.counts.ended(r.gate.address.String())
	}()
	buf := make([]byte, maxDatagram)
	for {
		_ = there.SetReadDeadline(time.Now().Add(idleTimeout))
		n, err := there.Read(buf)
		if err != nil {
			if timeout := net.Error(nil); !errors.As(err, &timeout) || !timeout.Timeout() {
				// Nobody listens there: the client's next datagram goes elsewhere.
				r.gate.targets.unreachable(endpoint, time.Now())
			}
			return
		}
		if _, err := r.conn.WriteToUDPAddrPort(buf[:n], client); err != nil {
			return
		}
	}
}
