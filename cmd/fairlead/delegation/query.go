package delegation

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

const (
	// maxDNSInFlight bounds the queries in flight.
	maxDNSInFlight = 32
	// udpTries is how often a question is asked over UDP: a packet may be lost.
	udpTries = 2
	// ednsSize is what crosses every network in one piece (DNS flag day 2020); smallSize is the least that there is.
	ednsSize, smallSize = 1232, 512
	resolvConf          = "/etc/resolv.conf"
)

// A querier asks DNS servers. It is safe for concurrent use.
type querier struct {
	timeout time.Duration
	// port is that of the nameservers.
	port uint16
	// resolvers are asked one after the other.
	resolvers []string
	// slots holds one token for each query in flight.
	slots chan struct{}
}

func systemResolvers() []string {
	c, err := dns.ClientConfigFromFile(resolvConf)
	if err != nil {
		return nil
	}
	var out []string
	for _, s := range c.Servers {
		out = append(out, net.JoinHostPort(s, c.Port))
	}
	return out
}

// A question is what is asked of one server. The zero edns is a query without EDNS.
type question struct {
	name      string
	qtype     uint16
	edns      uint16
	version   uint8
	dnssec    bool
	recursive bool
}

func (q question) msg() *dns.Msg {
	m := new(dns.Msg).SetQuestion(q.name, q.qtype)
	m.RecursionDesired = q.recursive
	if q.edns > 0 {
		m.SetEdns0(q.edns, q.dnssec)
		m.IsEdns0().SetVersion(q.version)
	}
	return m
}

// A reply is what came of a question; the zero reply is that of one which was not asked.
type reply struct {
	msg *dns.Msg
	// size is its length on the wire, in octets.
	size int
	err  error
}

// ok tells whether there is an answer with authority.
func (r reply) ok() bool {
	return r.msg != nil && r.msg.Rcode == dns.RcodeSuccess && r.msg.Authoritative
}

// ask asks over UDP, and over TCP what did not fit.
func (q *querier) ask(ctx context.Context, server string, what question) reply {
	r := q.exchange(ctx, "udp", server, what)
	if r.err == nil && r.msg.Truncated {
		return q.exchange(ctx, "tcp", server, what)
	}
	return r
}

// exchange asks over one transport.
func (q *querier) exchange(ctx context.Context, network, server string, what question) reply {
	tries := 1
	if network == "udp" {
		tries = udpTries
	}
	var r reply
	for range tries {
		if r = q.once(ctx, network, server, what); !isTimeout(r.err) {
			break
		}
	}
	return r
}

func (q *querier) once(ctx context.Context, network, server string, what question) reply {
	q.slots <- struct{}{}
	defer func() { <-q.slots }()
	ctx, cancel := context.WithTimeout(ctx, q.timeout)
	defer cancel()
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, network, server)
	if err != nil {
		return reply{err: err}
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetDeadline(deadline); err != nil {
		return reply{err: err}
	}
	// Larger than what is asked for, so that a reply that is too large is seen whole.
	conn := &dns.Conn{Conn: c, UDPSize: dns.MaxMsgSize}
	m := what.msg()
	if err := conn.WriteMsg(m); err != nil {
		return reply{err: err}
	}
	for {
		wire, err := conn.ReadMsgHeader(nil)
		if err != nil {
			return reply{err: err}
		}
		got := new(dns.Msg)
		if err := got.Unpack(wire); err != nil {
			return reply{err: err}
		}
		if got.Id == m.Id && got.Response && (len(got.Question) == 0 || got.Question[0].Qtype == what.qtype && dns.CanonicalName(got.Question[0].Name) == what.name) {
			return reply{msg: got, size: len(wire)}
		}
	}
}

// resolve asks the resolvers one after the other, until one answers.
func (q *querier) resolve(ctx context.Context, name string, qtype uint16) (*dns.Msg, error) {
	if len(q.resolvers) == 0 {
		return nil, fmt.Errorf("%s names no resolver", resolvConf)
	}
	var last error
	for _, server := range q.resolvers {
		r := q.ask(ctx, server, question{name: name, qtype: qtype, edns: ednsSize, recursive: true})
		switch {
		case r.err != nil:
			last = fmt.Errorf("resolver %s: %s", server, q.plain(r.err))
		case r.msg.Rcode != dns.RcodeSuccess && r.msg.Rcode != dns.RcodeNameError:
			last = fmt.Errorf("resolver %s: %s", server, rcodeName(r.msg.Rcode))
		default:
			return r.msg, nil
		}
	}
	return nil, last
}

// addresses are those that the resolver has for a name.
func (q *querier) addresses(ctx context.Context, name string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		m, err := q.resolve(ctx, name, qtype)
		if err != nil {
			return nil, err
		}
		out = append(out, addressesIn(m.Answer, "")...)
	}
	return sortedSet(out), nil
}

// addressesIn are the addresses in rrs; with an owner only its own.
func addressesIn(rrs []dns.RR, owner string) []netip.Addr {
	var out []netip.Addr
	for _, rr := range rrs {
		if owner != "" && dns.CanonicalName(rr.Header().Name) != owner {
			continue
		}
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			out = append(out, a.Unmap())
		}
	}
	return out
}

// sortedSet sorts addresses, each once.
func sortedSet(list []netip.Addr) []netip.Addr {
	slices.SortFunc(list, netip.Addr.Compare)
	return slices.Compact(list)
}

func isTimeout(err error) bool {
	ne, ok := errors.AsType[net.Error](err)
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || ok && ne.Timeout()
}

// noRoute tells whether this machine cannot send to the address, whoever lives there.
func noRoute(err error) bool {
	return errors.Is(err, syscall.ENETUNREACH) || errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT)
}

// plain says in a few words why there is no reply.
func (q *querier) plain(err error) string {
	switch {
	case isTimeout(err):
		return "no answer within " + q.timeout.String()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case noRoute(err):
		return "this machine has no route to it"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err.Error()
	}
	return err.Error()
}

// rcodeName is REFUSED, SERVFAIL …
func rcodeName(rcode int) string {
	if s, ok := dns.RcodeToString[rcode]; ok {
		return s
	}
	return fmt.Sprintf("RCODE%d", rcode)
}
