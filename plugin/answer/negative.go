package answer

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// shut makes the reply SERVFAIL, whatever has been written.
func (r *reply) shut() {
	r.empty()
	r.rcode, r.outcome, r.ede = dns.RcodeServerFailure, Shut, dns.ExtendedErrorCodeNotReady
}

// empty leaves nothing but the question.
func (r *reply) empty() {
	r.buf = r.buf[:r.start+headerLen+len(r.q.Name)+4]
	r.answers, r.authority, r.additional = 0, 0, 0
	r.heads.n, r.proofs.n, r.ns = 0, 0, nil
	r.q.Issued.clear()
}

// negative writes the zone's SOA into the authority section (RFC 2308 section 3).
func (r *reply) negative(rcode int, o Outcome) {
	r.rcode, r.outcome = rcode, o
	at, ttl := len(r.buf), r.deniedFor(ttlOf(r.z.index.soa.rrs))
	r.named(&r.z.index.soa, 0xC000|r.apexAt)
	binary.BigEndian.PutUint32(r.buf[at+ttlOffset:], ttl)
	r.putSerial()
	r.authority++
	if r.signed {
		r.authority += r.sigs(r.sec.soa, ttl, 0xC000|r.apexAt)
	}
}

// deniedFor is the TTL of a record of a denial, which has ttl elsewhere.
func (r *reply) deniedFor(ttl uint32) uint32 {
	if r.denialTTL > 0 {
		return min(ttl, r.denialTTL)
	}
	return ttl
}
