package answer

import (
	"bytes"
	"encoding/binary"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// A service is the compiled form of one plan. It is immutable but for the tickets and cells that it points to.
type service struct {
	plan *steer.Plan
	// sets holds A and AAAA, or CNAME in the first place.
	sets [2]rrset
	// tickets belong to the owner name and family, one for each of sets.
	tickets *[2]ticket
	ttl     ttlRule
}

// An rrset is the records of all members of one family, of which each reply holds some. The zero rrset is NODATA.
type rrset struct {
	typ uint16
	// rrs holds one record per member, one after the other; ends[i] is where member i's record ends.
	rrs  []byte
	ends []uint32
	// per is how many records a reply holds: members in a row on a ring that begins with the one whose turn it is.
	per int
	// seq says whose turn it is; nil when every reply holds all members.
	seq *steer.Sequence
	// base is added to a ticket to give the position in seq.
	base uint64
	// target is the CNAME target of each member in lower-case wire format; nil for addresses.
	targets [][]byte
}

// same tells whether r and o give the same replies but for the position in the sequence.
func (r *rrset) same(o *rrset) bool {
	return r.typ == o.typ && r.per == o.per && r.seq == o.seq && bytes.Equal(r.rrs, o.rrs)
}

// record is member i's record.
func (r *rrset) record(i int) []byte {
	if i == 0 {
		return r.rrs[:r.ends[0]]
	}
	return r.rrs[r.ends[i-1]:r.ends[i]]
}

// newRRset compiles the members of one family.
func (c *Compiler) newRRset(z *config.Zone, svc *config.Service, members []steer.Member, f steer.Family) rrset {
	if len(members) == 0 {
		return rrset{}
	}
	r := rrset{per: svc.Answers, ends: make([]uint32, 0, len(members))}
	weights := make([]uint64, len(members))
	for i, m := range members {
		e := z.Pools[m.Pool].Endpoints[m.Endpoint]
		weights[i] = m.Weight
		switch f {
		case steer.V4:
			r.add(dns.TypeA, e.V4.AsSlice())
		case steer.V6:
			r.add(dns.TypeAAAA, e.V6.AsSlice())
		default:
			target := mustPackName(e.Target)
			r.add(dns.TypeCNAME, target)
			r.targets = append(r.targets, target)
		}
	}
	if r.per == 0 || r.per >= len(members) {
		r.per = len(members)
	}
	if f == steer.Target {
		// A CNAME RRset has one record (RFC 2181 section 10.1).
		r.per = 1
	}
	if r.per < len(members) {
		r.seq = c.sequence(weights)
	}
	return r
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

// append writes the records of one reply with the given TTL and owner pointer. It returns the first member's index and the
// number of records.
func (r *rrset) append(dst []byte, t *ticket, ttl uint32, owner uint16) ([]byte, int, int) {
	first := 0
	if r.seq != nil {
		first = r.seq.At(t.take() + r.base)
	}
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
	return dst, first, r.per
}
