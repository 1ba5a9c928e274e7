package probe

import (
	"context"
	"net"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// A dialer is the one place through which every probe reaches the network.
type dialer struct{ dial DialFunc }

// newDialer returns the dialer that opts ask for.
func newDialer(opts Options) *dialer {
	if opts.Dial != nil {
		return &dialer{dial: opts.Dial}
	}
	d := &net.Dialer{
		// Probes are short: keep-alive would cost three system calls each.
		KeepAlive: -1,
		// One family after the other: a probe that tries both at once would hold two descriptors.
		FallbackDelay: -1,
		// The C library's resolver would hold a thread for each look-up, and heeds no deadline.
		Resolver: &net.Resolver{PreferGo: true},
		// ControlContext sees each address after resolution, before the connect: refusals of addresses belong there.
		ControlContext: nil,
	}
	return &dialer{dial: d.DialContext}
}

// open connects to target, and records the phase and the failure in r. The link is bound to ctx.
func (d *dialer) open(ctx context.Context, target health.Target, r *Result) (*link, bool) {
	start := time.Now()
	conn, err := d.dial(ctx, "tcp", target.Address())
	r.Phases.Connect = time.Since(start)
	if err != nil {
		r.fail(dialReason(err, target))
		return nil, false
	}
	return newLink(ctx, conn), true
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
