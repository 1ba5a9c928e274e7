package lifeboat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// mark is the code point (DSCP) of what a lifeboat forwards: one of those for local use (RFC 2474 section 6). What arrives with it was
	// forwarded before, and is refused.
	mark = 51
	// maxOpen bounds the connections, and clients of UDP, of one boat: a loop that lost its mark ends there.
	maxOpen = 20_000
	// dialTimeout is how long one endpoint may take to accept; then the next one is tried.
	dialTimeout = 2 * time.Second
	// idleTimeout is after how long without a datagram a client of UDP is forgotten.
	idleTimeout = 30 * time.Second
)

// A Port is one that is forwarded.
type Port struct {
	UDP    bool
	Number uint16
}

// String is PORT, or PORT/udp.
func (p Port) String() string {
	if p.UDP {
		return fmt.Sprintf("%d/udp", p.Number)
	}
	return fmt.Sprint(p.Number)
}

// A gate takes what arrives at one port of one address. It is opened and closed by the goroutine of Run.
type gate struct {
	address netip.Addr
	port    Port
	// probers are the prefixes from which nodes probe; probing the same for the goroutine that receives datagrams.
	probers []netip.Prefix
	probing atomic.Pointer[[]netip.Prefix]
	targets *targets
	counts  *counters
	// at is where it listens, while it is open; closer ends that, and what it forwards goes on. listener is that of TCP.
	at       netip.AddrPort
	closer   func()
	listener *net.TCPListener
	// flows ends all that is being forwarded.
	flows *flows
	// busy is set once it was said that the port is in use.
	busy bool
}

// flows are the connections and clients of UDP that are open, so that they can be ended.
type flows struct {
	// ctx ends what is still being dialled.
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	all    map[net.Conn]bool // guarded by mu
	open   int               // guarded by mu
	done   sync.WaitGroup
}

func newFlows() *flows {
	f := &flows{all: make(map[net.Conn]bool)}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	return f
}

// add counts one in, with its sockets; false if there are too many.
func (f *flows) add(c ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open >= maxOpen || f.ctx.Err() != nil {
		return false
	}
	f.open++
	for _, c := range c {
		f.all[c] = true
	}
	return true
}

// remove counts one out that add counted in.
func (f *flows) remove(c ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open--
	for _, c := range c {
		delete(f.all, c)
		c.Close()
	}
}

// end closes everything, and waits for the goroutines.
func (f *flows) end() {
	f.mu.Lock()
	f.cancel()
	for c := range f.all {
		c.Close()
	}
	f.mu.Unlock()
	f.done.Wait()
}

func (g *gate) network() string {
	family := "4"
	if g.address.Is6() {
		family = "6"
	}
	if g.port.UDP {
		return "udp" + family
	}
	return "tcp" + family
}

// open listens at a port of the address: its own, or, with any, one that the kernel chooses.
func (g *gate) open(ctx context.Context, anyPort bool) error {
	port := g.port.Number
	if anyPort {
		port = 0
	}
	where := netip.AddrPortFrom(g.address, port).String()
	if g.port.UDP {
		return g.openUDP(ctx, where)
	}
	control := keepSYN
	if anyPort {
		control = keepSYNTransparent
	}
	l, err := (&net.ListenConfig{Control: control}).Listen(ctx, g.network(), where)
	if err != nil {
		return err
	}
	listener := l.(*net.TCPListener)
	if err := dropFrom(listener, g.address.Is6(), g.probers); err != nil {
		listener.Close()
		return fmt.Errorf("a filter for the probes of nodes: %w", err)
	}
	g.at, g.listener = listener.Addr().(*net.TCPAddr).AddrPort(), listener
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		g.accept(listener)
	}()
	g.closer = func() {
		listener.Close()
		<-stopped
	}
	return nil
}

// close takes nothing more.
func (g *gate) close() {
	if g.closer != nil {
		g.closer()
		g.closer, g.at, g.listener = nil, netip.AddrPort{}, nil
	}
}

// mind takes other prefixes for those from which nodes probe.
func (g *gate) mind(probers []netip.Prefix) error {
	g.probers = probers
	g.probing.Store(&probers)
	if g.listener == nil {
		return nil
	}
	return dropFrom(g.listener, g.address.Is6(), probers)
}

func (g *gate) accept(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			// No file descriptor is left, or the client is gone again.
			time.Sleep(10 * time.Millisecond)
		default:
			g.flows.done.Go(func() { g.carry(c) })
		}
	}
}

// refuse ends a connection by a reset, so that the client knows at once.
func (g *gate) refuse(c *net.TCPConn, reason string) {
	g.counts.refuse(g.address.String(), reason)
	_ = c.SetLinger(0)
	c.Close()
}

// carry forwards one connection.
func (g *gate) carry(c *net.TCPConn) {
	now, address := time.Now(), g.address.String()
	g.counts.arrived(address, now)
	if marked(c) {
		g.refuse(c, refusedLoop)
		return
	}
	there := g.dial(now)
	if there == nil {
		g.refuse(c, refusedUnheard)
		return
	}
	if !g.flows.add(c, there) {
		there.Close()
		g.refuse(c, refusedLimit)
		return
	}
	defer g.flows.remove(c, there)
	g.counts.began(address)
	defer g.counts.ended(address)
	var way sync.WaitGroup
	way.Go(func() { stream(there, c) })
	stream(c, there)
	way.Wait()
}

// dial is a connection to the first endpoint that takes one; nil if none does.
func (g *gate) dial(now time.Time) *net.TCPConn {
	d := net.Dialer{Timeout: dialTimeout, Control: markSocket}
	for _, a := range g.targets.order(now) {
		c, err := d.DialContext(g.flows.ctx, g.network(), netip.AddrPortFrom(a, g.port.Number).String())
		if err == nil {
			return c.(*net.TCPConn)
		}
		g.targets.unreachable(a, time.Now())
	}
	return nil
}

// stream copies one direction, by splice(2) where there is one, and hands its end on.
func stream(to, from *net.TCPConn) {
	if _, err := to.ReadFrom(from); err != nil {
		// One side broke off: so does the other.
		_ = to.SetLinger(0)
		to.Close()
		from.Close()
		return
	}
	_ = to.CloseWrite()
}
