package probe

import (
	"context"
	"net"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A tcpChecker connects, does a TLS handshake for type tls, and then sends and expects what the check says. Without
// anything to expect, the connect (or the handshake) is the proof; a TLS 1.3 peer that refuses our client certificate
// says so only afterwards.
type tcpChecker struct {
	dial *dialer
	// tls is nil for type tcp.
	tls        *tlsPart
	send, want []byte
}

func newTCPChecker(check *config.Check, dial *dialer) (checker, error) {
	c := &tcpChecker{dial: dial}
	if check.TCP != nil {
		c.send, c.want = []byte(check.TCP.Send), []byte(check.TCP.Read)
	}
	if check.Type != config.CheckTLS {
		return c, nil
	}
	name := ""
	if check.TLS != nil {
		name = check.TLS.ServerName
	}
	var err error
	c.tls, err = newTLSPart(check.TLS, name)
	return c, err
}

func (c *tcpChecker) probe(ctx context.Context, target health.Target, r *Result) {
	conn, end, ok := connect(ctx, c.dial, c.tls, target, r)
	if !ok {
		return
	}
	defer end()
	m := newMeter(conn)
	defer func() { r.Phases.FirstByte = m.firstByte() }()
	if len(c.send) > 0 {
		if _, err := conn.Write(c.send); err != nil {
			r.fail(brokenReason(err, stepFirstByte, target))
			return
		}
	}
	if len(c.want) == 0 {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	m.left = MaxBody
	found, n, err := search(m, c.want, s.body[:])
	switch {
	case found:
	case err != nil && n == 0:
		r.fail(brokenReason(err, stepFirstByte, target))
	case err != nil && !ended(err):
		r.fail(brokenReason(err, stepBody, target))
	default:
		r.fail(mismatch(c.want, s.body[:n]))
	}
}

// connect opens the connection of one probe, with TLS where part is not nil. end closes it: politely after a success,
// with a reset after a failure in r.
func connect(
	ctx context.Context, d *dialer, part *tlsPart, target health.Target, r *Result,
) (conn net.Conn, end func(), ok bool) {
	l, ok := d.open(ctx, "tcp", target, r)
	if !ok {
		return nil, nil, false
	}
	conn = l
	if part != nil {
		conn, ok = part.handshake(l, target, r)
		if !ok {
			l.abort()
			return nil, nil, false
		}
	}
	return transcribe(ctx, conn), func() {
		if r.Reason.Kind != None {
			l.abort()
			return
		}
		_ = conn.Close()
	}, true
}
