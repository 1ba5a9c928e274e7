package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// maxHeads bounds the places that a name can be compressed against; what stands behind them is written out.
const maxHeads = 48

// maxPointer is the greatest offset that a compression pointer can have (RFC 1035 section 4.1.4).
const maxPointer = 0x3FFF

// heads are where labels begin in a message, from the QNAME on.
type heads struct {
	n  int
	at [maxHeads]uint16
}

func (h *heads) add(at int) {
	if h.n < maxHeads && at <= maxPointer {
		h.at[h.n] = uint16(at)
		h.n++
	}
}

// namesIn says where the RDATA of a type has names that may be compressed: those of RFC 1035 alone (RFC 3597 section 4). There are
// count of them after prefix octets.
func namesIn(typ uint16) (prefix, count int) {
	switch typ {
	case dns.TypeNS, dns.TypeMD, dns.TypeMF, dns.TypeCNAME, dns.TypeMB, dns.TypeMG, dns.TypeMR, dns.TypePTR:
		return 0, 1
	case dns.TypeSOA, dns.TypeMINFO:
		return 0, 2
	case dns.TypeMX:
		return 2, 1
	}
	return 0, 0
}

// putName writes a name, compressed as far as it stands in the message already. It returns where all of it stands.
func (r *reply) putName(name []byte) (at uint16) {
	if r.heads.n == 0 {
		for i := 0; r.q.Name[i] != 0; i += 1 + int(r.q.Name[i]) {
			r.heads.add(headerLen + i)
		}
	}
	known, begin := r.heads.n, len(r.buf)-r.start
	for i := 0; name[i] != 0; i += 1 + int(name[i]) {
		for _, head := range r.heads.at[:known] {
			if !r.equalAt(int(head), name[i:]) {
				continue
			}
			r.buf = append(r.buf, name[:i]...)
			r.buf = binary.BigEndian.AppendUint16(r.buf, 0xC000|head)
			if i == 0 {
				return head
			}
			return uint16(begin)
		}
		r.heads.add(begin + i)
	}
	r.buf = append(r.buf, name...)
	return uint16(begin)
}

// equalAt tells whether the name at the offset at of the message is name, whatever the case of either.
func (r *reply) equalAt(at int, name []byte) bool {
	msg := r.buf[r.start:]
	for {
		n := int(msg[at])
		switch {
		case n&0xC0 == 0xC0:
			at = int(binary.BigEndian.Uint16(msg[at:]) & maxPointer)
			continue
		case n != int(name[0]):
			return false
		case n == 0:
			return true
		}
		for i, c := range name[1 : 1+n] {
			if lowerOctet(c) != lowerOctet(msg[at+1+i]) {
				return false
			}
		}
		at, name = at+1+n, name[1+n:]
	}
}

func lowerOctet(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// putRecord writes one record of the form of appendRR behind its owner, which has been written. It returns where the first name of its
// RDATA stands; 0 where there is none.
func (r *reply) putRecord(rr []byte) (at uint16) {
	typ := binary.BigEndian.Uint16(rr[2:])
	begin := len(r.buf)
	r.buf = append(r.buf, rr[2:2+rrFixed]...)
	rdata := rr[2+rrFixed:]
	prefix, count := namesIn(typ)
	if typ == dns.TypeDNAME {
		// It is not compressed, and others are against it.
		for i := 0; rdata[i] != 0; i += 1 + int(rdata[i]) {
			r.heads.add(len(r.buf) - r.start + i)
		}
	}
	r.buf = append(r.buf, rdata[:prefix]...)
	rdata = rdata[prefix:]
	for i := range count {
		n := nameLen(rdata)
		where := r.putName(rdata[:n])
		if rdata = rdata[n:]; i == 0 {
			at = where
		}
	}
	r.buf = append(r.buf, rdata...)
	binary.BigEndian.PutUint16(r.buf[begin+rrFixed-2:], uint16(len(r.buf)-begin-rrFixed))
	return at
}

// nameLen is how long the uncompressed name at the beginning of b is.
func nameLen(b []byte) int {
	n := 0
	for b[n] != 0 {
		n += 1 + int(b[n])
	}
	return n + 1
}

// eachRR calls f with every record of rrs, which are of the form of appendRR.
func eachRR(rrs []byte, f func(rr []byte)) {
	for len(rrs) > 0 {
		end := 2 + rrFixed + int(binary.BigEndian.Uint16(rrs[rrFixed:]))
		f(rrs[:end])
		rrs = rrs[end:]
	}
}
