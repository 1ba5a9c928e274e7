package answer

import (
	"bytes"
	"encoding/binary"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// An rrset is the records of all members of one family, of which each reply holds some. The zero rrset is NODATA.
type rrset struct {
	typ uint16
	// rrs holds one record per member, one after the other; ends[i] is where member i's record ends.
	rrs  []byte
	ends []uint32
	// longest is the greatest number of octets that the records of one reply have.
	longest int
	// per is how many records a reply holds: members in a row on a ring that begins with the one whose turn it is.
	per int
	// seq says whose turn it is, and pick who answers a client that is to stay with one; both are nil when every reply
	// holds all members.
	seq  *steer.Sequence
	pick *steer.Rendezvous
	// turn is the ticket for seq; base is added to it to give the position.
	turn *ticket
	base uint64
	// targets are the CNAME targets of the members in lower-case wire format; nil for other types.
	targets [][]byte
}

// same tells whether r and o give the same replies but for the position in the sequence.
func (r *rrset) same(o *rrset) bool {
	return r.typ == o.typ && r.per == o.per && r.seq == o.seq && r.pick.Equal(o.pick) && bytes.Equal(r.rrs, o.rrs)
}

// record is member i's record.
func (r *rrset) record(i int) []byte {
	if i == 0 {
		return r.rrs[:r.ends[0]]
	}
	return r.rrs[r.ends[i-1]:r.ends[i]]
}

// newRRset compiles the members of one set of a plan into records of one type.
func (c *Compiler) newRRset(z *config.Zone, svc *config.Service, typ uint16, members []steer.Member) rrset {
	r := rrset{per: svc.Answers, ends: make([]uint32, 0, len(members))}
	weights := make([]uint64, len(members))
	var sum uint64
	for i, m := range members {
		weights[i] = m.Weight
		sum += m.Weight
	}
	for _, m := range members {
		e := z.Pools[m.Pool].Endpoints[m.Endpoint]
		switch typ {
		case dns.TypeA:
			r.add(typ, e.V4.AsSlice())
		case dns.TypeAAAA:
			r.add(typ, e.V6.AsSlice())
		case dns.TypeSRV:
			r.add(typ, srvData(z, svc.SRV, m, sum))
		case dns.TypeHTTPS:
			r.add(typ, httpsData(svc.HTTPS, e))
		default:
			target := mustPackName(e.Target)
			r.add(typ, target)
			r.targets = append(r.targets, target)
		}
	}
	if r.per == 0 || r.per >= len(members) {
		r.per = len(members)
	}
	if typ == dns.TypeCNAME {
		// A CNAME RRset has one record (RFC 2181 section 10.1).
		r.per = 1
	}
	switch {
	case r.per == len(members):
	case svc.Sticky != nil:
		r.pick = steer.NewRendezvous(z, members)
	default:
		r.seq, r.longest = c.sequence(weights), r.longestReply()
	}
	return r
}

// longestReply is how many octets the records of the longest reply have.
func (r *rrset) longestReply() int {
	n, longest := 0, 0
	for i := range len(r.ends) + r.per {
		if n += len(r.record(i % len(r.ends))); i >= r.per {
			n -= len(r.record(i - r.per))
		}
		longest = max(longest, n)
	}
	return longest
}

// fixedSet is the records of on_all_down's fixed addresses, all in each reply.
func fixedSet(svc *config.Service, typ uint16) rrset {
	var r rrset
	for _, a := range svc.OnAllDown.Fixed {
		if a.Is4() == (typ == dns.TypeA) {
			r.add(typ, a.AsSlice())
		}
	}
	r.per = len(r.ends)
	return r
}

func (r *rrset) add(typ uint16, rdata []byte) {
	r.typ = typ
	r.rrs = appendRR(r.rrs, typ, 0, rdata)
	r.ends = append(r.ends, uint32(len(r.rrs)))
}

// first is the member that begins the next reply; key is that of the client where it is to stay with one.
func (r *rrset) first(key uint64) int {
	switch {
	case r.seq != nil:
		return r.seq.At(r.turn.take() + r.base)
	case r.pick != nil:
		return r.pick.Pick(key)
	}
	return 0
}

// append writes the records of one reply, from the member first on, with the given TTL and owner pointer.
func (r *rrset) append(dst []byte, first int, ttl uint32, owner uint16) []byte {
	for k := range r.per {
		i := first + k
		if i >= len(r.ends) {
			i -= len(r.ends)
		}
		at := len(dst)
		dst = append(dst, r.record(i)...)
		binary.BigEndian.PutUint16(dst[at:], owner)
		binary.BigEndian.PutUint32(dst[at+ttlOffset:], ttl)
	}
	return dst
}
