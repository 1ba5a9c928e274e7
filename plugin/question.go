package fairlead

import (
	"net"
	"sync"

	"github.com/miekg/dns"

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
}

var scratches = sync.Pool{New: func() any { return &scratch{reply: make([]byte, 0, replySpace)} }}

// read fills the question from r, which has exactly one. ok is unset when the name is none.
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
	if opt := r.IsEdns0(); opt != nil {
		q.EDNS, q.DO = true, opt.Do()
		q.Size = max(dns.MinMsgSize, int(opt.UDPSize()))
	}
	switch client := w.RemoteAddr().(type) {
	case *net.UDPAddr:
		q.Stripe, q.Client = uint32(client.Port), client.AddrPort().Addr().Unmap().WithZone("")
	case *net.TCPAddr:
		q.Stripe, q.Size, q.Client = uint32(client.Port), 0, client.AddrPort().Addr().Unmap().WithZone("")
	default:
		q.Size = 0
	}
	return true
}
