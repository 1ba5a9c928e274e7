package fairlead

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/pkg/transport"
	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/plugin/fastlane"
	"github.com/fairlead-dns/fairlead/plugin/stream"
)

// tcpStopTimeout is how long queries over TCP may take to end when their listener closes.
const tcpStopTimeout = 2 * time.Second

// streams are the bounded TCP listeners of the process. They outlive instances and nodes.
var streams tcpRuntime

// A tcpRuntime owns one listener for each address on which a block of ours is served over plain DNS. A reload swaps what answers
// there, and keeps the connections. The zero value is ready.
type tcpRuntime struct {
	mu sync.Mutex // guards the rest
	// at is by address, as CoreDNS writes it. An address on which there can be no listener of ours is nil.
	at map[string]*tcpServer
	// gone is what listeners counted that are closed.
	gone stream.Counts
}

// A tcpServer is one listener.
type tcpServer struct {
	// owner is the instance that answers; guarded by the runtime's mu.
	owner    *attachment
	listener *stream.Listener
	server   *dns.Server
	// target is swapped when another instance takes over.
	target atomic.Pointer[tcpTarget]
}

// A tcpTarget is a server of CoreDNS, and what it wants to find in the context of a query.
type tcpTarget struct {
	server *dnsserver.Server
	ctx    context.Context
}

// hookTCP has a bounded listener take the TCP connections of the block's addresses. CoreDNS tells of each server when it serves UDP.
func hookTCP(c *dnsserver.Config, a *attachment) {
	before := c.UDPDecorateWriterFunc
	c.UDPDecorateWriterFunc = func(s *dnsserver.Server) (d dns.DecorateWriter) {
		if before != nil {
			d = before(s)
		}
		if c.ProxyProtoConnPolicy == nil {
			// Else the listener of CoreDNS is the one that knows the protocol.
			streams.attach(a, s, max(1, c.NumSockets))
		}
		return d
	}
}

// attach makes s answer on the listener of its address, which is opened if there is none. core is how many listeners CoreDNS has there.
func (rt *tcpRuntime) attach(a *attachment, s *dnsserver.Server, core int) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if a.ended {
		return
	}
	target := &tcpTarget{s, context.WithValue(context.WithValue(context.Background(), dnsserver.Key{}, s), dnsserver.LoopKey{}, 0)}
	limits := a.Streams()
	if t, known := rt.at[s.Addr]; known {
		if t != nil {
			t.owner = a
			t.target.Store(target)
			t.listener.SetLimits(limits)
		}
		return
	}
	if rt.at == nil {
		rt.at = make(map[string]*tcpServer)
	}
	l, err := stream.Join(strings.TrimPrefix(s.Addr, transport.DNS+"://"), core)
	if err != nil {
		log.Warningf("TCP connections on %s are not bounded: %v", s.Addr, err)
		rt.at[s.Addr] = nil
		return
	}
	t := &tcpServer{owner: a, listener: stream.Bound(l, limits)}
	t.target.Store(target)
	t.server = &dns.Server{
		Listener: t.listener, Net: "tcp", MaxTCPQueries: s.MaxTCPQueries,
		ReadTimeout: s.ReadTimeout, IdleTimeout: func() time.Duration { return s.IdleTimeout },
		DecorateReader: func(r dns.Reader) dns.Reader { return strictReader{r} },
		Handler: dns.HandlerFunc(func(w dns.ResponseWriter, m *dns.Msg) {
			to := t.target.Load()
			to.server.ServeDNS(to.ctx, w, m)
		}),
	}
	t.server.TsigProvider = tsigKeys(func() map[string]string { return t.target.Load().server.TsigSecret })
	rt.at[s.Addr] = t
	// The kernel gives connections to the listener from now on; it waits in the backlog until the server runs.
	go func() {
		if err := t.server.ActivateAndServe(); err != nil {
			log.Errorf("TCP on %s: %v", s.Addr, err)
		}
	}()
}

// A strictReader has queries refused that miekg's server would take (fastlane.Refusable).
type strictReader struct{ dns.Reader }

// ReadTCP reads one query.
func (r strictReader) ReadTCP(conn net.Conn, timeout time.Duration) ([]byte, error) {
	b, err := r.Reader.ReadTCP(conn, timeout)
	if err != nil {
		return b, err
	}
	return fastlane.Refusable(b), nil
}

// release closes the listeners that a still has: no other instance took them over.
func (rt *tcpRuntime) release(a *attachment) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	a.ended = true
	for address, t := range rt.at {
		if t == nil || t.owner == a {
			delete(rt.at, address)
		}
		if t != nil && t.owner == a {
			t.stop()
			rt.gone = rt.gone.And(t.listener.Counts())
		}
	}
}

// stop ends accepting, and waits a moment for queries in flight.
func (t *tcpServer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), tcpStopTimeout)
	defer cancel()
	if err := t.server.ShutdownContext(ctx); err != nil {
		log.Debugf("TCP on %s: %v", t.listener.Addr(), err)
	}
}

// counts are those of all listeners that there were.
func (rt *tcpRuntime) counts() stream.Counts {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	sum := rt.gone
	sum.Open = 0
	for _, t := range rt.at {
		if t != nil {
			sum = sum.And(t.listener.Counts())
		}
	}
	return sum
}
