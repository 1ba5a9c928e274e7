package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-dns/fairlead/health"
)

// A DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A Source is the local address of each family that probes come from; the zero Addr leaves the choice to the system.
type Source struct{ V4, V6 netip.Addr }

// of is the local address to use towards a.
func (s Source) of(a netip.Addr) netip.Addr {
	if a.Is4() {
		return s.V4
	}
	return s.V6
}

// A dialer is the one place through which every probe reaches the network.
type dialer struct {
	net    net.Dialer
	names  *lookups
	fence  *fence
	source Source
	// replaced, if not nil, stands in for all of the above (Options.Dial).
	replaced DialFunc
	// exec tells whether programs may be run: not a dial, but the other way out of the process.
	exec bool
}

// newDialer returns the dialer that opts ask for.
func newDialer(opts Options) *dialer {
	fence := newFence(opts.Allow, opts.Forbidden)
	return &dialer{
		net: net.Dialer{
			// Probes are short: keep-alive would cost three system calls each.
			KeepAlive: -1,
			// ControlContext sees the address that is connected to, just before the connect, however it came about.
			ControlContext: func(_ context.Context, _, address string, raw syscall.RawConn) error {
				return control(fence, opts.Source, address, raw)
			},
		},
		names: newLookups(opts.Resolver, opts.Logger), fence: fence, source: opts.Source,
		replaced: opts.Dial, exec: opts.AllowExec,
	}
}

// control refuses what fence refuses, and prepares a socket that is to be bound to an address.
func control(fence *fence, source Source, address string, raw syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if err := fence.check(to); err != nil {
		return err
	}
	if !source.of(to.Addr().Unmap()).IsValid() {
		return nil
	}
	// The port is chosen in the connect, by the whole four-tuple: else one source address has 28,000 ports in all.
	return raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	})
}

// DialContext reaches the network as probes do, for others that read what zone files name: names are looked up, and addresses refused,
// as for them.
func (p *Prober) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return p.dial.context(ctx, network, address)
}

// context is reach for an address with a port.
func (d *dialer) context(ctx context.Context, network, address string) (net.Conn, error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil, err
	}
	return d.reach(ctx, network, health.Target{Host: host, Port: uint16(port)})
}

// open connects to target by network, which is tcp or udp, and records the phase and the failure in r. The link is
// bound to ctx.
func (d *dialer) open(ctx context.Context, network string, target health.Target, r *Result) (*link, bool) {
	start := time.Now()
	conn, err := d.reach(ctx, network, target)
	r.Phases.Connect = time.Since(start)
	if err != nil {
		r.fail(dialReason(err, target))
		return nil, false
	}
	return newLink(ctx, conn), true
}

// reach connects to the first address of target that lets it. The addresses share what is left of the time.
func (d *dialer) reach(ctx context.Context, network string, target health.Target) (net.Conn, error) {
	if d.replaced != nil {
		return d.replaced(ctx, network, target.Address())
	}
	if addr, err := netip.ParseAddr(target.Host); err == nil {
		return d.connect(ctx, network, netip.AddrPortFrom(addr, target.Port))
	}
	addrs, err := d.names.addresses(ctx, target.Host)
	if err != nil {
		return nil, err
	}
	var first error
	for i, addr := range addrs {
		conn, err := d.try(ctx, network, netip.AddrPortFrom(addr, target.Port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// try connects to one of left addresses that are still to be tried.
func (d *dialer) try(ctx context.Context, network string, to netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer cancel()
	}
	return d.connect(ctx, network, to)
}

func (d *dialer) connect(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	from := d.source.of(to.Addr().Unmap())
	if !from.IsValid() {
		return d.net.DialContext(ctx, network, to.String())
	}
	bound := d.net
	if network == "udp" {
		bound.LocalAddr = net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	} else {
		bound.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return bound.DialContext(ctx, network, to.String())
}

// A link is the connection of one probe. No read or write on it outlives the probe's context, and no deadline set on it
// can be later than the probe's own.
type link struct {
	net.Conn
	deadline time.Time
	// release ends the watch over the context.
	release func() bool
}

// newLink binds conn to ctx, which must have a deadline.
func newLink(ctx context.Context, conn net.Conn) *link {
	l := &link{Conn: conn}
	l.deadline, _ = ctx.Deadline()
	// An error here means that the connection is closed, which the next read reports.
	_ = conn.SetDeadline(l.deadline)
	l.release = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return l
}

// SetWriteDeadline moves the deadline for writes, but never past the probe's: crypto/tls grants its farewell five
// seconds.
func (l *link) SetWriteDeadline(t time.Time) error {
	if t.After(l.deadline) {
		t = l.deadline
	}
	return l.Conn.SetWriteDeadline(t)
}

// Close ends the connection in the ordinary way.
func (l *link) Close() error {
	l.release()
	return l.Conn.Close()
}

// abort ends the connection with a reset: after a failure neither kernel needs to remember it.
func (l *link) abort() {
	l.release()
	if c, ok := l.Conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = c.SetLinger(0)
	}
	_ = l.Conn.Close()
}
