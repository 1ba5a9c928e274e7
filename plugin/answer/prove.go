package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// maxProofs bounds the denials of one reply: two for its end, one for each wildcard on the way.
const maxProofs = maxChase + 2

// proofs are the denials that a reply is to have, as places in the chain.
type proofs struct {
	n  int
	at [maxProofs]int32
	// lack is a denial in the place of the one at lackAt of the chain.
	lack   *lack
	lackAt int32
}

// prove adds the denial at a name, or the one that covers it.
func (r *reply) prove(name []byte) {
	if !r.signed {
		return
	}
	r.addProof(int32(r.sec.chain.at(name)))
}

func (r *reply) addProof(at int32) {
	p := &r.proofs
	for _, have := range p.at[:p.n] {
		if have == at {
			return
		}
	}
	if p.n < maxProofs {
		p.at[p.n] = at
		p.n++
	}
}

// proveName proves that there is no name, nor a wildcard for it (RFC 4035 section 3.1.3.2).
func (r *reply) proveName(name []byte, f *found) {
	if !r.signed {
		return
	}
	r.prove(name)
	r.prove(wildcardOf(r.z.index.owners[f.encloser].name))
}

// proveType proves that a name has no records of the type (RFC 4035 sections 3.1.3.1 and 3.1.3.4). s is the service that stands at the
// name; nil for none.
func (r *reply) proveType(name []byte, f *found, s *service) {
	if !r.signed {
		return
	}
	at := name
	if f.wild || f.cell != nil {
		r.prove(name)
		at = wildcardOf(r.z.index.owners[f.encloser].name)
	}
	i := r.sec.chain.exact(at)
	if i < 0 {
		// An empty non-terminal: what stands before it goes on below it.
		r.prove(at)
		return
	}
	r.addProof(int32(i))
	if s == nil {
		return
	}
	if seal := s.sealFor(f.cell != nil); seal != nil {
		if seal.other != nil {
			r.proofs.lack, r.proofs.lackAt = seal.other, int32(i)
		}
		for k := range seal.lacks {
			if seal.lacks[k].typ == r.typ {
				r.proofs.lack, r.proofs.lackAt = &seal.lacks[k], int32(i)
			}
		}
	}
}

// sealFor is the seal in force of a service, or of its cells.
func (s *service) sealFor(cell bool) *seal {
	switch {
	case len(s.seals) == 0:
		return nil
	case cell:
		return s.seals[1].p.Load()
	}
	return s.seals[0].p.Load()
}

// putProofs writes the denials into the authority section.
func (r *reply) putProofs() {
	p := &r.proofs
	for _, at := range p.at[:p.n] {
		d := &r.sec.chain[at]
		rr, sigs := d.rr, d.sigs
		if p.lack != nil && at == p.lackAt {
			rr, sigs = p.lack.rr, p.lack.sigs
		}
		ttl := r.deniedFor(ttlOf(rr))
		r.putName(d.name)
		at := len(r.buf)
		r.putRecord(rr)
		binary.BigEndian.PutUint32(r.buf[at+ttlOffset-2:], ttl)
		r.authority += 1 + r.ownedSigs(d.name, sigs, ttl)
	}
}

// denial answers for the NSEC record of a name; false where there is none.
func (r *reply) denial(name []byte) bool {
	i := r.sec.chain.exact(name)
	if i < 0 {
		return false
	}
	d := &r.sec.chain[i]
	r.putName(d.name)
	r.putRecord(d.rr)
	r.answers += 1 + r.ownedSigs(d.name, d.sigs, ttlOf(d.rr))
	r.outcome = Static
	return true
}

// sigs writes the signatures of an RRset behind it, with its TTL and owner pointer. It returns how many there are.
func (r *reply) sigs(sigs []byte, ttl uint32, owner uint16) (n uint16) {
	for len(sigs) > 0 {
		end := 2 + rrFixed + int(binary.BigEndian.Uint16(sigs[rrFixed:]))
		at := len(r.buf)
		r.buf = append(r.buf, sigs[:end]...)
		binary.BigEndian.PutUint16(r.buf[at:], owner)
		binary.BigEndian.PutUint32(r.buf[at+ttlOffset:], ttl)
		sigs = sigs[end:]
		n++
	}
	return n
}

// ownedSigs is sigs for another owner than the one that was asked for.
func (r *reply) ownedSigs(name, sigs []byte, ttl uint32) (n uint16) {
	for len(sigs) > 0 {
		end := 2 + rrFixed + int(binary.BigEndian.Uint16(sigs[rrFixed:]))
		r.putName(name)
		at := len(r.buf)
		r.buf = append(r.buf, sigs[2:end]...)
		binary.BigEndian.PutUint32(r.buf[at+ttlOffset-2:], ttl)
		sigs = sigs[end:]
		n++
	}
	return n
}

// signing is the RRset of the apex that signing brings, and its signatures; nil for none.
func (r *reply) signing(o *owner) (*staticSet, []byte) {
	if r.sec == nil || r.typ != dns.TypeDNSKEY && r.typ != dns.TypeCDS && r.typ != dns.TypeCDNSKEY || o.name != string(r.z.index.apex) {
		return nil, nil
	}
	for i := range r.sec.apex {
		if r.sec.apex[i].typ == r.typ {
			return &r.sec.apex[i], r.sec.apexSigs[i]
		}
	}
	return nil, nil
}

// any is the type that stands for ANY in a reply with signatures: one RRset that is there (RFC 8482 section 4.1).
func (r *reply) any(o *owner) uint16 {
	if len(o.static) > 0 {
		return o.static[0].typ
	}
	if o.service >= 0 {
		if types := r.z.services[o.service].types; len(types) > 0 {
			return types[0]
		}
	}
	return dns.TypeA
}
