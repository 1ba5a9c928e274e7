package answer

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// maxChase bounds the CNAMEs that are followed inside our zones in one reply.
const maxChase = 16

// A Reply tells what Append wrote.
type Reply struct {
	RCode   int
	Outcome Outcome
	// Zone is the zone that answers. About is the QNAME, or the zone's name where there is no end to names that get such a reply: it
	// denies something, or a wildcard or a cell stands for them.
	Zone  *config.Zone
	About []byte
}

// reply is one reply in the making.
type reply struct {
	q   *Question
	z   *zone
	now clock
	buf []byte
	// start is where the message begins in buf.
	start                          int
	answers, authority, additional uint16
	rcode                          int
	outcome                        Outcome
	// apexAt is the offset of the zone's name in the message.
	apexAt uint16
	// full is set when the answer has no room; nobody's turn was taken for it.
	full bool
	// wild is set when a wildcard stands for a name, or a cell. sealed is how many octets of the answer are signatures.
	wild   bool
	sealed int
	// delegated is set when the reply is a referral: what it says is not ours.
	delegated bool
	// heads are what names are compressed against.
	heads heads
	// chain are where the names stand that were answered on the way, as offsets in the message.
	chain  [maxChase]uint16
	chased int
	// typ is the question's type, or the one that stands for ANY.
	typ uint16
	// sec is the zone's signatures; nil for none. signed is set when the reply is to have them.
	sec    *security
	signed bool
	proofs proofs
	// denialTTL bounds the TTLs of what denies a type; 0 for no bound.
	denialTTL uint32
	// ns are name servers whose addresses the reply is to have; referral is set when it ends in a referral.
	ns       *staticSet
	referred bool
	// ede is the code of an Extended DNS Error; 0 for none.
	ede uint16
	// scope is the SCOPE PREFIX-LENGTH of an ECS option: how much of the client's subnet was looked at.
	scope uint8
}

// Append appends the whole reply to q to dst, and reads the clock for it if need be. ok is unset, and dst unchanged, when no zone
// of s holds the name.
func (s *Snapshot) Append(dst []byte, q *Question) (out []byte, info Reply, ok bool) {
	return s.appendAt(dst, q, clock{base: s.base, past: q.Past})
}

// AppendAt is Append at an instant.
func (s *Snapshot) AppendAt(dst []byte, q *Question, now time.Time) (out []byte, info Reply, ok bool) {
	return s.appendAt(dst, q, clockAt(s.base, now))
}

func (s *Snapshot) appendAt(dst []byte, q *Question, now clock) (out []byte, info Reply, ok bool) {
	var buf [maxNameLen]byte
	name := lower(&buf, q.Name)
	z, at := q.Spot.zone, q.Spot.at
	if q.Spot.snapshot != s {
		z, at = s.zoneFor(name, q)
	}
	if z == nil || !strings.HasPrefix(z.cfg.File, q.Files) {
		return dst, Reply{RCode: dns.RcodeRefused, Outcome: Refused}, false
	}
	r := reply{q: q, z: z, now: now, start: len(dst), apexAt: headerLen + uint16(at), typ: q.Type}
	if z.sec != nil {
		r.sec = z.sec.Load()
		r.signed = r.sec != nil && q.DO
	}
	r.buf = append(dst, make([]byte, headerLen)...)
	r.buf = append(r.buf, q.Name...)
	r.buf = binary.BigEndian.AppendUint16(r.buf, q.Type)
	r.buf = binary.BigEndian.AppendUint16(r.buf, q.Class)
	r.fill(s, name)
	r.finish()
	z.counters.add(q.Stripe, r.outcome)
	info = Reply{RCode: r.rcode, Outcome: r.outcome, Zone: z.cfg, About: z.index.apex}
	if !r.wild && (r.outcome == Answered || r.outcome == Degraded || r.outcome == Static) {
		info.About = q.Name
	}
	return r.buf, info, true
}

// zoneOf is the zone that holds name, the closest one, and where its apex begins in name.
func (s *Snapshot) zoneOf(name []byte) (*zone, int) {
	for n := name; n != nil; n = cutLabel(n) {
		if s.lengths[len(n)/64]&(1<<(len(n)%64)) == 0 {
			continue
		}
		if i, ok := s.byName[string(n)]; ok {
			return s.zones[i], len(name) - len(n)
		}
	}
	return nil, 0
}

// zoneFor is the zone that answers: the DS records of a nested zone stand in the one around it (RFC 4035 section 3.1.4.1).
func (s *Snapshot) zoneFor(name []byte, q *Question) (*zone, int) {
	z, at := s.zoneOf(name)
	if z == nil || q.Type != dns.TypeDS || at != 0 {
		return z, at
	}
	if up, upAt := s.zoneOf(cutLabel(name)); up != nil && strings.HasPrefix(up.cfg.File, q.Files) {
		if f := up.index.find(name); f.barrier >= 0 {
			return up, upAt + 1 + int(name[0])
		}
	}
	return z, at
}

// fill writes the sections for the lower-cased QNAME. CNAMEs are followed inside the zone; what stands in another one, also in
// one below it, is left to the resolver.
func (r *reply) fill(s *Snapshot, name []byte) {
	switch {
	case r.q.Class != classIN, r.q.Type == dns.TypeAXFR, r.q.Type == dns.TypeIXFR:
		// Transfers would hand out the whole pool list (docs/reliability.md id S6).
		r.rcode, r.outcome = dns.RcodeRefused, Refused
		return
	}
	r.follow(s, name)
	if r.proofs.n > 0 {
		r.putProofs()
	}
	if r.ns != nil {
		r.glue(r.ns, r.referred)
	}
}

// follow answers for a name, and for those that CNAMEs lead to.
func (r *reply) follow(s *Snapshot, name []byte) {
	owner := uint16(pointerToQName)
	for r.chased < maxChase {
		r.chain[r.chased] = owner & maxPointer
		r.chased++
		target, at := r.answer(name, owner)
		if target == nil || r.visited(target) {
			return
		}
		if z, _ := s.zoneOf(target); z != r.z {
			return
		}
		name, owner = target, 0xC000|at
	}
}

// visited tells whether the records of name are in the reply already: a chain that leads back to itself ends there.
func (r *reply) visited(name []byte) bool {
	for _, at := range r.chain[:r.chased] {
		if r.equalAt(int(at), name) {
			return true
		}
	}
	return false
}

// answer writes what stands at name, whose text is at the pointer owner. For a CNAME that must be followed it returns the
// target and where it stands.
func (r *reply) answer(name []byte, owner uint16) (target []byte, at uint16) {
	f := r.find(name)
	if f.barrier >= 0 {
		b := &r.z.index.owners[f.barrier]
		switch {
		case !b.cut:
			return r.redirect(b, name, owner)
		case r.typ != dns.TypeDS || f.owner != f.barrier:
			r.referral(b)
			return nil, 0
		}
	}
	if f.owner < 0 {
		r.negative(dns.RcodeNameError, NXDomain)
		r.proveName(name, &f)
		return nil, 0
	}
	return r.at(&r.z.index.owners[f.owner], &f, name, owner)
}

// at answers from what stands at an owner.
func (r *reply) at(o *owner, f *found, name []byte, owner uint16) (target []byte, at uint16) {
	r.wild = r.wild || f.wild || f.cell != nil
	if r.typ == dns.TypeANY && !o.empty() {
		if !r.signed {
			r.hinfo(owner)
			return nil, 0
		}
		r.typ = r.any(o)
	}
	if set, sigs := r.signing(o); set != nil {
		r.static(set, owner)
		if r.signed {
			r.answers += r.sigs(sigs, ttlOf(set.rrs), owner)
		}
		return nil, 0
	}
	if r.typ == dns.TypeNSEC && r.signed && !f.wild && f.cell == nil && r.denial(name) {
		return nil, 0
	}
	set := o.set(r.typ)
	if set == nil {
		set = o.set(dns.TypeCNAME)
	}
	if set != nil {
		at = r.static(set, owner)
		if r.signed {
			r.answers += r.sigs(r.sec.sets[set.id], ttlOf(set.rrs), owner)
			if f.wild {
				r.prove(name)
			}
		}
		switch {
		case set.typ == dns.TypeNS:
			r.ns = set
		case set.typ == dns.TypeCNAME && r.typ != dns.TypeCNAME:
			return set.target, at
		}
		return nil, 0
	}
	var s *service
	switch {
	case r.q.Shut && (o.place >= 0 || o.service >= 0 || o.host >= 0):
		r.shut()
		return nil, 0
	case o.place >= 0:
		s = r.z.services[o.service].places[o.place]
	case o.service >= 0:
		s = r.z.services[o.service]
	case o.host >= 0:
		s = r.z.hosts[o.host]
	default:
		r.negative(dns.RcodeSuccess, NoData)
		r.proveType(name, f, nil)
		return nil, 0
	}
	before := r.authority
	target, at = r.service(s, f.cell, owner)
	switch {
	case !r.signed, r.outcome == Shut:
	case r.authority > before:
		r.proveType(name, f, s)
	case f.wild || f.cell != nil:
		r.prove(name)
	}
	return target, at
}

// find is where name leads in the zone, which is known for the QNAME of a question with a spot.
func (r *reply) find(name []byte) found {
	if r.chased == 1 && r.q.Spot.zone == r.z {
		return found{owner: r.q.Spot.owner, encloser: r.q.Spot.owner, barrier: r.z.index.owners[r.q.Spot.owner].barrier}
	}
	return r.z.index.find(name)
}

// static writes a static RRset. It returns where the first name of its RDATA stands; 0 where there is none.
func (r *reply) static(set *staticSet, owner uint16) (name uint16) {
	r.answers += set.count
	r.outcome = Static
	if _, names := namesIn(set.typ); names > 0 {
		name = r.named(set, owner)
		if set.typ == dns.TypeSOA {
			r.putSerial()
		}
		return name
	}
	at := len(r.buf)
	r.buf = append(r.buf, set.rrs...)
	if owner != pointerToQName {
		for end := len(r.buf); at < end; {
			binary.BigEndian.PutUint16(r.buf[at:], owner)
			at += 2 + rrFixed + int(binary.BigEndian.Uint16(r.buf[at+2+rrFixed-2:]))
		}
	}
	return 0
}

// named writes a static RRset whose RDATA has names to compress.
func (r *reply) named(set *staticSet, owner uint16) (name uint16) {
	for rrs := set.rrs; len(rrs) > 0; {
		end := 2 + rrFixed + int(binary.BigEndian.Uint16(rrs[rrFixed:]))
		r.buf = binary.BigEndian.AppendUint16(r.buf, owner)
		name = r.putRecord(rrs[:end])
		rrs = rrs[end:]
	}
	return name
}

// service writes the records whose turn it is; cell is the label of the cell that was asked for, nil for the service itself.
func (r *reply) service(s *service, cell []byte, owner uint16) (target []byte, at uint16) {
	c := r.class(s, cell)
	if c.subnet {
		r.scope = max(r.scope, uint8(c.bits))
	}
	set := c.plan.set(r.typ)
	if c.plan.plan.Source == steer.FromYielded {
		r.shut()
		return nil, 0
	}
	if set == nil {
		if s.cfg != nil && s.cfg.Kind == config.Mixed {
			// The name may be a CNAME next: that it has no such type is believed as long as what it has.
			r.denialTTL = r.ttlOf(s, &c)
		}
		r.negative(dns.RcodeSuccess, NoData)
		return nil, 0
	}
	var seal *seal
	longest := int(set.longest)
	if r.signed {
		if seal = s.sealFor(cell != nil); seal != nil {
			longest += len(seal.of(c.at, set.typ, 0))
		}
	}
	r.ede = errorOf(c.plan.plan.Source)
	if set.seq != nil && !r.room(longest) || r.amplifies(set.octets()) {
		r.full = true
		return nil, 0
	}
	first := set.first(c.key)
	ttl := r.ttlOf(s, &c)
	if set.typ == dns.TypeCNAME {
		at = r.alias(set.record(first), ttl, owner)
	} else {
		r.buf = set.append(r.buf, first, ttl, owner)
	}
	if seal != nil {
		before := len(r.buf)
		r.answers += r.sigs(seal.of(c.at, set.typ, first), ttl, owner)
		r.sealed += len(r.buf) - before
	}
	r.issue(set, first, ttl)
	r.answers += set.per
	r.outcome = Answered
	if c.plan.plan.Source.Degraded() {
		r.outcome = Degraded
	}
	if set.typ == dns.TypeCNAME && r.typ != dns.TypeCNAME && r.q.Type != dns.TypeANY {
		return set.more.targets[first], at
	}
	return nil, 0
}

// alias writes a CNAME of a service. It returns where the target stands.
func (r *reply) alias(rr []byte, ttl uint32, owner uint16) (target uint16) {
	r.buf = binary.BigEndian.AppendUint16(r.buf, owner)
	at := len(r.buf)
	target = r.putRecord(rr)
	binary.BigEndian.PutUint32(r.buf[at+ttlOffset-2:], ttl)
	return target
}

// A choice is the class of whoever asks.
type choice struct {
	plan *compiledPlan
	// at is its place in service.plans.
	at int
	// client is the address that decided; subnet is set when it came from an ECS option, bits is how much of it counted.
	client netip.Addr
	subnet bool
	bits   int
	// key is that of a client that is to stay with one endpoint.
	key uint64
	// shard is that of a cell; -1 for whoever asks for the service itself.
	shard int
}

// class finds the class of whoever asks for s, or for a cell of it.
func (r *reply) class(s *service, cell []byte) choice {
	c := choice{client: r.q.Client, shard: -1}
	if s.cfg == nil {
		// A host: everybody gets the same.
		c.plan = &s.plans[0]
		return c
	}
	if c.subnet = s.cfg.ECS && r.q.ECS.Prefix.Bits() > 0; c.subnet {
		c.client = r.q.ECS.Prefix.Addr()
	}
	at := 0
	switch {
	case cell != nil:
		c.shard = s.cfg.Cells.Shard(cell)
		at = s.decision.Cell(c.shard)
	case s.chooser != nil:
		var class *steer.Class
		var now time.Time
		if s.chooser.Timed() {
			now = r.now.base.Add(time.Duration(r.now.now()))
		}
		class, c.bits = s.chooser.Choose(s.decision, c.client, r.q.Locator, now)
		at = class.Plan
	}
	if s.cfg.Sticky != nil {
		var length int
		c.key, length = steer.StickyKey(s.cfg, s.seed, c.client)
		c.bits = max(c.bits, length)
	}
	c.plan, c.at = &s.plans[at], at
	return c
}

// hinfo answers ANY with one small record (RFC 8482 section 4.2).
func (r *reply) hinfo(owner uint16) {
	at := len(r.buf)
	r.buf = appendRR(r.buf, dns.TypeHINFO, r.z.cfg.SOA.NegativeTTL, []byte("\x07RFC8482\x00"))
	binary.BigEndian.PutUint16(r.buf[at:], owner)
	r.answers++
	r.outcome = Static
}

// room tells whether so many octets more fit into the message.
func (r *reply) room(octets int) bool {
	return len(r.buf)-r.start+octets+r.opt() <= r.q.limit()
}

// amplifies tells whether the message, with so many octets more, is too many times as long as the query of somebody who may be elsewhere.
// Signatures do not count: who asks for them cannot do without, and every one of them is longer than its query.
func (r *reply) amplifies(octets int) bool {
	most := r.z.cfg.Amplification * r.q.Length
	return most > 0 && len(r.buf)-r.start-r.sealed+octets+r.opt() > max(most, config.PlainOctets)
}

// finish writes OPT and header, and empties the message if it is too long.
func (r *reply) finish() {
	var tc byte
	if r.full || !r.room(0) {
		r.empty()
		r.outcome, tc = Truncated, 1<<1
	}
	r.putOPT()
	h := r.buf[r.start:]
	binary.BigEndian.PutUint16(h, r.q.ID)
	h[2] = 1<<7 | tc
	if r.outcome != Refused && r.outcome != Shut && !r.delegated {
		h[2] |= 1 << 2
	}
	if r.q.RD {
		h[2] |= 1
	}
	h[3] = byte(r.rcode)
	if r.q.CD {
		h[3] |= 1 << 4
	}
	binary.BigEndian.PutUint16(h[4:], 1)
	binary.BigEndian.PutUint16(h[6:], r.answers)
	binary.BigEndian.PutUint16(h[8:], r.authority)
	binary.BigEndian.PutUint16(h[10:], r.additional)
}
