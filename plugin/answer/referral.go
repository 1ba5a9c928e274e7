package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// referral sends whoever asks for a name at or below a delegation to its name servers.
func (r *reply) referral(cut *owner) {
	ns := cut.set(dns.TypeNS)
	r.owned([]byte(cut.name), ns)
	r.authority += ns.count
	r.outcome = Referral
	if r.answers == 0 {
		// What was answered before, a CNAME, is ours still.
		r.delegated = true
	}
	r.ns, r.referred = ns, true
	if !r.signed {
		return
	}
	if ds := cut.set(dns.TypeDS); ds != nil {
		r.owned([]byte(cut.name), ds)
		r.authority += ds.count + r.ownedSigs([]byte(cut.name), r.sec.sets[ds.id], ttlOf(ds.rrs))
		return
	}
	// No DS: the zone is not signed (RFC 4035 section 3.1.4.1).
	r.prove([]byte(cut.name))
}

// owned writes a static RRset of another owner than the one that was asked for.
func (r *reply) owned(name []byte, set *staticSet) {
	eachRR(set.rrs, func(rr []byte) {
		r.putName(name)
		r.putRecord(rr)
	})
}

// glue writes the addresses of name servers into the additional section, as far as they fit. In a referral those that lie in the zone
// that is delegated must: without them the name servers are not found (RFC 9471 section 3).
func (r *reply) glue(ns *staticSet, referral bool) {
	for i, at := range ns.glue {
		o := &r.z.index.owners[at]
		for _, typ := range [...]uint16{dns.TypeA, dns.TypeAAAA} {
			set := o.set(typ)
			if set == nil {
				continue
			}
			before, heads := len(r.buf), r.heads.n
			r.owned([]byte(o.name), set)
			if r.room(0) {
				r.additional += set.count
				continue
			}
			r.buf, r.heads.n = r.buf[:before], heads
			if referral && i < ns.inDomain {
				r.full = true
			}
			return
		}
	}
}

// redirect answers for a name below a DNAME: with that and a CNAME made of it (RFC 6672 section 3). It returns the name that
// the CNAME leads to and where it stands; nil where there is nothing more to be said.
func (r *reply) redirect(d *owner, name []byte, ownerAt uint16) (target []byte, at uint16) {
	set := d.set(dns.TypeDNAME)
	r.owned([]byte(d.name), set)
	r.answers++
	if r.signed {
		r.answers += r.ownedSigs([]byte(d.name), r.sec.sets[set.id], ttlOf(set.rrs))
	}
	r.outcome = Static
	prefix := name[:len(name)-len(d.name)]
	if len(prefix)+len(set.target) > maxNameLen {
		r.rcode = dns.RcodeYXDomain
		return nil, 0
	}
	target = append(append(make([]byte, 0, maxNameLen), prefix...), set.target...)
	ttl := binary.BigEndian.Uint32(set.rrs[ttlOffset:])
	r.buf = binary.BigEndian.AppendUint16(r.buf, ownerAt)
	at = r.putRecord(appendRR(nil, dns.TypeCNAME, ttl, target))
	r.answers++
	if r.typ == dns.TypeCNAME || r.typ == dns.TypeANY {
		return nil, 0
	}
	return target, at
}
