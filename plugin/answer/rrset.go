package answer

import (
	"bytes"
	"encoding/binary"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// An rrset is the records of all members of one set, of which each reply holds some. There are as many as services, so
// what only some need stands apart.
type rrset struct {
	typ uint16
	// per is how many records a reply holds: members in a row on a ring that begins with the one whose turn it is. count is
	// how many there are.
	per, count uint16
	// size is the length of each record, all owners being pointers; 0 where they differ: then more.ends has them. longest is
	// the greatest number of octets that the records of one reply have.
	size    uint16
	longest uint32
	// rrs holds one record per member, one after the other.
	rrs []byte
	// slots are those of what the records carry, holds of them for each record, in their order; 0 for none.
	slots []ledger.Slot
	holds uint8
	// seq says whose turn it is; nil when every reply holds all members, or where more.pick decides.
	seq *steer.Sequence
	// turn is the ticket for seq; base is added to it to give the position.
	turn *ticket
	base uint64
	more *rrsetMore
}

// rrsetMore is what few sets need.
type rrsetMore struct {
	// ends[i] is where member i's record ends, where they have different sizes.
	ends []uint32
	// pick says who answers a client that is to stay with one member.
	pick *steer.Rendezvous
	// targets are the CNAME targets of the members in lower-case wire format.
	targets [][]byte
}

// pick is the choice for clients that are to stay with one member; nil where there is a turn.
func (r *rrset) pick() *steer.Rendezvous {
	if r.more == nil {
		return nil
	}
	return r.more.pick
}

// same tells whether r and o give the same replies but for the phase of the sequence and the position in it.
func (r *rrset) same(o *rrset) bool {
	return r.typ == o.typ && r.per == o.per && r.seq.Like(o.seq) && r.pick().Equal(o.pick()) && bytes.Equal(r.rrs, o.rrs)
}

// record is member i's record.
func (r *rrset) record(i int) []byte {
	switch {
	case r.size > 0:
		return r.rrs[i*int(r.size) : (i+1)*int(r.size)]
	case i == 0:
		return r.rrs[:r.more.ends[0]]
	}
	return r.rrs[r.more.ends[i-1]:r.more.ends[i]]
}

// newRRset compiles the members of one set of a plan into records of one type.
func (c *Compiler) newRRset(zv *health.ZoneView, svc *config.Service, typ uint16, members []steer.Member, holdings *carrier) rrset {
	z := zv.Zone
	r := rrset{slots: make([]ledger.Slot, 0, len(members))}
	weights := make([]uint64, len(members))
	var sum uint64
	for i, m := range members {
		weights[i] = m.Weight
		sum += m.Weight
	}
	for _, m := range members {
		e := z.Pools[m.Pool].Endpoints[m.Endpoint]
		v4, v6 := addressesOf(zv, int(m.Pool), int(m.Endpoint))
		r.carry(holdings, z, typ, m, v4, v6)
		switch typ {
		case dns.TypeA:
			r.add(typ, e.V4.AsSlice())
		case dns.TypeAAAA:
			r.add(typ, e.V6.AsSlice())
		case dns.TypeSRV:
			r.add(typ, srvData(z, svc.SRV, m, sum))
		case dns.TypeHTTPS:
			r.add(typ, httpsData(svc.HTTPS, v4, v6))
		default:
			target := mustPackName(e.Target)
			r.add(typ, target)
			r.extra().targets = append(r.extra().targets, target)
		}
	}
	per := svc.Answers
	if per == 0 || per >= len(members) {
		per = len(members)
	}
	if typ == dns.TypeCNAME {
		// A CNAME RRset has one record (RFC 2181 section 10.1).
		per = 1
	}
	r.per = uint16(per)
	switch {
	case per == len(members):
	case svc.Sticky != nil:
		r.extra().pick = steer.NewRendezvous(z, members)
	default:
		r.seq, r.longest = c.sequence(weights), r.longestReply()
	}
	r.rrs = bytes.Clone(r.rrs)
	return r
}

// extra is r.more, made if need be.
func (r *rrset) extra() *rrsetMore {
	if r.more == nil {
		r.more = new(rrsetMore)
	}
	return r.more
}

// longestReply is how many octets the records of the longest reply have.
func (r *rrset) longestReply() uint32 {
	count, per, n, longest := int(r.count), int(r.per), 0, 0
	for i := range count + per {
		if n += len(r.record(i % count)); i >= per {
			n -= len(r.record(i - per))
		}
		longest = max(longest, n)
	}
	return uint32(longest)
}

// octets is how many the records of a reply have at the most.
func (r *rrset) octets() int {
	switch {
	case r.per == r.count:
		return len(r.rrs)
	case r.size > 0:
		return int(r.per) * int(r.size)
	case r.seq != nil:
		return int(r.longest)
	}
	return int(r.longestReply())
}

// fixedSet is the records of on_all_down's fixed addresses, all in each reply.
func fixedSet(svc *config.Service, typ uint16, holdings *carrier) rrset {
	r := rrset{holds: 1}
	for _, a := range svc.OnAllDown.Fixed {
		if a.Is4() == (typ == dns.TypeA) {
			r.slots = append(r.slots, holdings.address(a))
			r.add(typ, a.AsSlice())
		}
	}
	r.per = r.count
	return r
}

// add adds a record. As long as all are of one size, their ends need not be kept.
func (r *rrset) add(typ uint16, rdata []byte) {
	begin := len(r.rrs)
	r.typ = typ
	r.rrs = appendRR(r.rrs, typ, 0, rdata)
	size := uint16(len(r.rrs) - begin)
	switch {
	case r.count == 0:
		r.size = size
	case r.size > 0 && r.size != size:
		for i := range r.count {
			r.extra().ends = append(r.extra().ends, uint32(i+1)*uint32(r.size))
		}
		r.size = 0
	}
	r.count++
	if r.size == 0 {
		r.extra().ends = append(r.extra().ends, uint32(len(r.rrs)))
	}
}

// first is the member that begins the next reply; key is that of the client where it is to stay with one.
func (r *rrset) first(key uint64) int {
	switch {
	case r.seq != nil:
		return r.seq.At(r.turn.take() + r.base)
	case r.pick() != nil:
		return r.pick().Pick(key)
	}
	return 0
}

// append writes the records of one reply, from the member first on, with the given TTL and owner pointer.
func (r *rrset) append(dst []byte, first int, ttl uint32, owner uint16) []byte {
	for k := range r.per {
		i := first + int(k)
		if i >= int(r.count) {
			i -= int(r.count)
		}
		at := len(dst)
		dst = append(dst, r.record(i)...)
		binary.BigEndian.PutUint16(dst[at:], owner)
		binary.BigEndian.PutUint32(dst[at+ttlOffset:], ttl)
	}
	return dst
}
