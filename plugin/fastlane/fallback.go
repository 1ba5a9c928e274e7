package fastlane

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

const (
	// queueLen is how many packets wait for the ordinary path, and maxHandling how many it works on at once. What comes beyond
	// that is shed: a name server that answers late answers a client that has asked somebody else.
	queueLen    = 1024
	maxHandling = 1024
	// stopWait is how long questions of the ordinary path have to end when a lane closes, as long as CoreDNS gives its own.
	stopWait = 5 * time.Second
)

// A fallback leads packets to CoreDNS through a server of miekg/dns that reads them from a queue in the place of a socket: so the
// same rules hold for them, and the same limits of size, as for those that CoreDNS reads itself.
type fallback struct {
	route  *atomic.Pointer[Route]
	local  net.Addr
	server *dns.Server
	queue  chan *packet
	// slots has an element for each packet that is worked on.
	slots   chan struct{}
	closing chan struct{}
	once    sync.Once
	// empty is closed once everything that waited before close has been read.
	empty chan struct{}
}

// A packet is a datagram under way to the ordinary path. It is the address of its client for miekg's server.
type packet struct {
	data   [maxQuery]byte
	length int
	from   netip.AddrPort
	// zone is the scope of a link-local client.
	zone string
	// reply writes to the client.
	reply func(b []byte) error
}

// Network and String make a packet a net.Addr.
func (p *packet) Network() string { return "udp" }
func (p *packet) String() string  { return p.from.String() }

func newFallback(route *atomic.Pointer[Route], local net.Addr) *fallback {
	f := &fallback{
		route: route, local: local, queue: make(chan *packet, queueLen), slots: make(chan struct{}, maxHandling),
		closing: make(chan struct{}), empty: make(chan struct{}),
	}
	started := make(chan struct{})
	f.server = &dns.Server{
		PacketConn: f, Net: "udp", Handler: dns.HandlerFunc(f.handle),
		DecorateWriter: func(w dns.Writer) dns.Writer {
			if d := f.route.Load().Decorate; d != nil {
				return d(w)
			}
			return w
		},
		// Each packet ends in one of three ways, and gives its slot back: not accepted, malformed, handled.
		MsgAcceptFunc: func(h dns.Header) dns.MsgAcceptAction {
			action := dns.DefaultMsgAcceptFunc(h)
			if action != dns.MsgAccept {
				<-f.slots
			}
			return action
		},
		MsgInvalidFunc:    func([]byte, error) { <-f.slots },
		NotifyStartedFunc: func() { close(started) },
	}
	f.server.TsigProvider = keysOf{route}
	// It ends by close alone: a queue has no errors.
	go func() { _ = f.server.ActivateAndServe() }()
	<-started
	return f
}

// keysOf knows the TSIG keys of the route in force.
type keysOf struct{ route *atomic.Pointer[Route] }

// Generate and Verify implement dns.TsigProvider.
func (k keysOf) Generate(msg []byte, t *dns.TSIG) ([]byte, error) {
	if keys := k.route.Load().Keys; keys != nil {
		return keys.Generate(msg, t)
	}
	return nil, dns.ErrSecret
}
func (k keysOf) Verify(msg []byte, t *dns.TSIG) error {
	if keys := k.route.Load().Keys; keys != nil {
		return keys.Verify(msg, t)
	}
	return dns.ErrSecret
}

// handle asks CoreDNS.
func (f *fallback) handle(w dns.ResponseWriter, m *dns.Msg) {
	defer func() { <-f.slots }()
	r := f.route.Load()
	r.handling.Add(1)
	defer r.handled()
	p := w.RemoteAddr().(*packet)
	addr := p.from.Addr()
	r.Server.ServeDNS(r.Context, &fallbackWriter{w, &net.UDPAddr{IP: addr.AsSlice(), Port: int(p.from.Port()), Zone: p.zone}}, m)
}

// handled notes that Server is done with a question.
func (r *Route) handled() {
	if r.handling.Add(-1) == 0 {
		select {
		case r.idle <- struct{}{}:
		default:
		}
	}
}

// wait waits until Server is done with all questions of the route, which is not in force any more.
func (r *Route) wait(timeout time.Duration) {
	end := time.After(timeout)
	for r.handling.Load() > 0 {
		select {
		case <-r.idle:
		case <-end:
			return
		}
	}
}

// A fallbackWriter shows a client as CoreDNS's plugins know clients.
type fallbackWriter struct {
	dns.ResponseWriter
	remote *net.UDPAddr
}

// RemoteAddr is the client.
func (w *fallbackWriter) RemoteAddr() net.Addr { return w.remote }

// TakesWire says that octets go out as they are.
func (w *fallbackWriter) TakesWire() {}

// put queues a packet; it returns false if there is no room.
func (f *fallback) put(p *packet) bool {
	select {
	case f.queue <- p:
		return true
	default:
		return false
	}
}

// ReadFrom implements net.PacketConn for miekg's server.
func (f *fallback) ReadFrom(b []byte) (int, net.Addr, error) {
	select {
	case f.slots <- struct{}{}:
	case <-f.closing:
		return 0, nil, os.ErrDeadlineExceeded
	}
	select {
	case p := <-f.queue:
		if p == nil {
			close(f.empty)
			<-f.slots
			return 0, nil, os.ErrDeadlineExceeded
		}
		return copy(b, p.data[:p.length]), p, nil
	case <-f.closing:
		<-f.slots
		return 0, nil, os.ErrDeadlineExceeded
	}
}

// errNotOurs cannot happen: miekg's server writes to those who asked.
var errNotOurs = errors.New("fast lane: reply to an address that did not ask")

// WriteTo implements net.PacketConn.
func (f *fallback) WriteTo(b []byte, to net.Addr) (int, error) {
	p, ok := to.(*packet)
	if !ok {
		return 0, errNotOurs
	}
	return len(b), p.reply(b)
}

// LocalAddr implements net.PacketConn.
func (f *fallback) LocalAddr() net.Addr { return f.local }

// Close implements net.PacketConn; SetReadDeadline is how miekg's server tells that it ends, with an instant that has passed.
func (f *fallback) Close() error {
	f.once.Do(func() { close(f.closing) })
	return nil
}

// SetReadDeadline implements net.PacketConn. Reads wait for as long as the queue lives: an instant to come changes nothing.
func (f *fallback) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && time.Until(t) <= 0 {
		return f.Close()
	}
	return nil
}

// SetDeadline and SetWriteDeadline implement net.PacketConn.
func (f *fallback) SetDeadline(t time.Time) error    { return f.SetReadDeadline(t) }
func (f *fallback) SetWriteDeadline(time.Time) error { return nil }

// close answers what waits and ends the server, or gives up after stopWait. Nobody may put any more.
func (f *fallback) close() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWait)
	defer cancel()
	select {
	case f.queue <- nil:
		select {
		case <-f.empty:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	_ = f.server.ShutdownContext(ctx)
}
