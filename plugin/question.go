package fairlead

import (
	"encoding/hex"
	"net"
	"net/netip"
	"sync"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// replySpace is what almost every reply fits into; longer ones grow their buffer, which then stays in the pool.
const replySpace = 1500

// A scratch is the memory of one query. Nothing in it outlives ServeDNS.
type scratch struct {
	question answer.Question
	// name holds the QNAME in wire format; one octet more than the longest name, for the packer.
	name  [256]byte
	reply []byte
	// cookie is that of the query; known is set when it shows that the client is where it seems to be, which TCP does too.
	cookie abuse.Cookie
	known  bool
	// issued is what the reply names, worker where that is stamped.
	issued answer.Issued
	worker ledger.Holder
}

var scratches = sync.Pool{New: func() any { return &scratch{reply: make([]byte, 0, replySpace)} }}

// read fills the question from r, which has exactly one. ok is unset when the name is none, or the client subnet malformed.
func (s *scratch) read(w dns.ResponseWriter, r *dns.Msg) (ok bool) {
	asked := &r.Question[0]
	n, err := dns.PackDomainName(asked.Name, s.name[:], 0, nil, false)
	if err != nil || n == 0 {
		return false
	}
	s.question = answer.Question{
		ID: r.Id, RD: r.RecursionDesired, CD: r.CheckingDisabled,
		Name: s.name[:n], Type: asked.Qtype, Class: asked.Qclass, Size: dns.MinMsgSize,
	}
	q := &s.question
	s.cookie, s.known = abuse.Cookie{}, false
	opt, ok := answer.OptOf(r)
	if !ok {
		return false
	}
	if opt != nil {
		q.EDNS, q.DO = true, opt.Do()
		q.Size = max(dns.MinMsgSize, int(opt.UDPSize()))
		if q.ECS, ok = answer.SubnetOf(opt); !ok {
			return false
		}
		if s.cookie, ok = cookieOf(opt); !ok {
			return false
		}
	}
	switch client := w.RemoteAddr().(type) {
	case *net.UDPAddr:
		q.Stripe, q.Client = uint32(client.Port), clientOf(client.IP)
	case *net.TCPAddr:
		q.Stripe, q.Size, q.Client = uint32(client.Port), 0, clientOf(client.IP)
	default:
		q.Size = 0
	}
	return true
}

// cookieOf is the COOKIE option of a query, of which the first counts. ok is unset for one of a length that is refused (RFC 7873
// section 5.2.2).
func cookieOf(opt *dns.OPT) (c abuse.Cookie, ok bool) {
	for _, o := range opt.Option {
		e, is := o.(*dns.EDNS0_COOKIE)
		if !is {
			continue
		}
		data, err := hex.DecodeString(e.Cookie)
		next, ok := abuse.ParseCookie(data)
		if err != nil || !ok {
			return c, false
		}
		if !c.Present {
			c = next
		}
	}
	return c, true
}

// clientOf is who asks, without the zone that only this host understands. A socket for both families shows IPv4 mapped.
func clientOf(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}
