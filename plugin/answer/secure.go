package answer

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
)

// A security is what makes a zone signed in one era: the signatures of what health does not move, and its denials. It is immutable;
// a zone swaps it (Compiler.Resign).
type security struct {
	signer *signer
	// sets are the signatures of static RRsets, by staticSet.id; soa is that of the SOA in negative answers.
	sets [][]byte
	soa  []byte
	// serial is that of the SOA that has been signed.
	serial uint32
	// apex are the RRsets that signing brings: DNSKEY, CDS, CDNSKEY and, if the file asks for it, CSYNC. Their ids are their places here.
	apex     []staticSet
	apexSigs [][]byte
	chain    chain
	// ttl is that of the denials (RFC 9077).
	ttl uint32
}

// A seal is the signatures of a service, a place or a host under one name in one era. It is immutable; the service swaps it.
type seal struct {
	era era
	// plans stand in the order of service.plans.
	plans [][]setSeal
	// lacks are by type. other denies types that the name never has; nil where that is for the chain.
	lacks []lack
	other *lack
}

// A setSeal is the signatures of one RRset: for each member that begins a reply, or one for all.
type setSeal struct {
	typ  uint16
	sigs [][]byte
}

// A sealCell is a seal that is swapped. wild is set for the seal of a service's cells, under the wildcard below its name.
type sealCell struct {
	p     atomic.Pointer[seal]
	owner []byte
}

// of are the signatures of a reply that begins with the member first.
func (s *seal) of(plan int, typ uint16, first int) []byte {
	for i := range s.plans[plan] {
		if set := &s.plans[plan][i]; set.typ == typ {
			if len(set.sigs) == 1 {
				return set.sigs[0]
			}
			return set.sigs[first]
		}
	}
	return nil
}

// A Signing is what signs the answers of a zone now. The zero Signing is that of a zone that is answered without signatures.
type Signing struct {
	// Published are the keys in the DNSKEY RRset, Entry those that sign it, and Data those that sign all else.
	Published, Entry, Data []*config.Key
	sec                    *security
}

// Same tells whether nothing has been signed anew between the two.
func (s Signing) Same(other Signing) bool { return s.sec == other.sec }

// Signing is what signs the zone that stands at that place in View.Zones.
func (s *Snapshot) Signing(zone int) Signing {
	z := s.zones[zone]
	if z.sec == nil {
		return Signing{}
	}
	sec := z.sec.Load()
	if sec == nil {
		return Signing{}
	}
	return Signing{sec.signer.published, sec.signer.entry, sec.signer.data, sec}
}

// secure signs the static part of a zone.
func (z *zone) secure(s *signer) *security {
	x := z.index
	sec := &security{signer: s, sets: make([][]byte, x.sets), ttl: ttlOf(x.soa.rrs)}
	sec.addKeys(z.cfg)
	var extra []uint16
	for _, set := range sec.apex {
		extra = append(extra, set.typ)
	}
	sec.chain = newChain(x, z.cfg, extra)
	parallel(len(x.owners), func(i int) {
		o := &x.owners[i]
		if o.barrier >= 0 && o.barrier != int32(i) {
			return
		}
		for k := range o.static {
			if set := &o.static[k]; (!o.cut || set.typ == dns.TypeDS) && set.typ != dns.TypeSOA {
				sec.sets[set.id] = s.sign(s.keysFor(set.typ), []byte(o.name), set.typ, ttlOf(set.rrs), eachRData(set.rrs))
			}
		}
	})
	sec.signSOA(z, z.serialNow())
	parallel(len(sec.chain), func(i int) { sec.chain[i].rr, sec.chain[i].sigs = sec.chain[i].sign(s, sec.ttl) })
	return sec
}

// keysFor are the keys that sign RRsets of a type.
func (s *signer) keysFor(typ uint16) []*config.Key {
	switch typ {
	case dns.TypeDNSKEY, dns.TypeCDS, dns.TypeCDNSKEY:
		return s.entry
	}
	return s.data
}

// addKeys makes the RRsets of the keys.
func (sec *security) addKeys(z *config.Zone) {
	s := sec.signer
	var keys, cds, cdnskey [][]byte
	for _, k := range s.published {
		keys = append(keys, k.Data)
	}
	for _, k := range s.entry {
		cdnskey = append(cdnskey, k.Data)
		cds = append(cds, DSData(z.Name, k))
	}
	for _, r := range z.Records {
		// Keys of other signers of the zone (RFC 8901).
		if r.Name == z.Name && r.Type == dns.TypeDNSKEY {
			keys = append(keys, r.RData...)
		}
	}
	sets := []struct {
		typ  uint16
		data [][]byte
	}{{dns.TypeDNSKEY, keys}, {dns.TypeCDS, cds}, {dns.TypeCDNSKEY, cdnskey}}
	if z.DNSSEC.CSYNC {
		sets = append(sets, struct {
			typ  uint16
			data [][]byte
		}{dns.TypeCSYNC, [][]byte{csyncData(z)}})
	}
	for _, set := range sets {
		if definesType(z, z.Name, set.typ) && set.typ != dns.TypeDNSKEY {
			continue
		}
		out := staticSet{typ: set.typ, count: uint16(len(set.data)), id: int32(len(sec.apex))}
		for _, d := range set.data {
			out.rrs = appendRR(out.rrs, set.typ, z.DNSSEC.TTL, d)
		}
		sec.apex = append(sec.apex, out)
		sec.apexSigs = append(sec.apexSigs, s.sign(s.keysFor(set.typ), s.zone, set.typ, z.DNSSEC.TTL, set.data))
	}
}

// csyncImmediate is the flag of a CSYNC record that asks for no confirmation out of band (RFC 7477 section 2.1.1.2).
const csyncImmediate = 1

// csyncData is the RDATA of a CSYNC record (RFC 7477): the parent is to take over name servers and their addresses in the zone. The serial,
// which binds the record to a version of the zone, means nothing without the flag soaminimum.
func csyncData(z *config.Zone) []byte {
	types := []uint16{dns.TypeNS}
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		if slices.ContainsFunc(z.NameServers, func(s config.NameServer) bool {
			return slices.ContainsFunc(s.Addresses, func(a netip.Addr) bool { return addressType(a) == typ })
		}) {
			types = append(types, typ)
		}
	}
	out := binary.BigEndian.AppendUint32(nil, 0)
	return append(binary.BigEndian.AppendUint16(out, csyncImmediate), typeBitmap(types)...)
}

// DSData is the RDATA of the DS record of a key, with SHA-256 (RFC 4509). zone is the zone's name.
func DSData(zone string, k *config.Key) []byte {
	h := sha256.New()
	h.Write(mustPackName(zone))
	h.Write(k.Data)
	out := binary.BigEndian.AppendUint16(nil, k.Tag)
	return h.Sum(append(out, k.Algorithm, dns.SHA256))
}

// DSText is the DS record that the parent of a zone is to have for a key, as a zone file has it.
func DSText(z *config.Zone, k *config.Key) string {
	data := DSData(z.Name, k)
	return fmt.Sprintf("%s %d IN DS %d %d %d %X", z.Name, z.DNSSEC.TTL, k.Tag, k.Algorithm, data[3], data[4:])
}

// seal signs what s answers under a name. before is what the name had before, nil for nothing: most replies of one record are as they were.
func (sec *security) seal(z *config.Zone, s *service, owner []byte, types []uint16, before *sealed) *seal {
	sg := sec.signer
	out := &seal{era: sg.era, plans: make([][]setSeal, len(s.plans))}
	lacking := make(map[uint16]bool)
	for i := range s.plans {
		p := &s.plans[i]
		for _, t := range types {
			if set := p.set(t); set == nil || set.typ != t && set.typ != dns.TypeCNAME {
				lacking[t] = true
			}
		}
		for k := range p.sets {
			out.plans[i] = append(out.plans[i], sg.sealSet(i, &p.sets[k], owner, s.ttl.max, before))
		}
	}
	at := sec.chain.exact(owner)
	if at < 0 {
		return out
	}
	but := []uint16{}
	if s.cfg != nil && s.cfg.Kind == config.Mixed {
		// What proves that a name lacks a type says that it is no CNAME (RFC 6840 section 4.3), while it is none.
		but = append(but, dns.TypeCNAME)
		rr, sigs := sec.chain[at].sign(sg, sec.ttl, but...)
		out.other = &lack{rr: rr, sigs: sigs}
	}
	for _, t := range types {
		if lacking[t] {
			rr, sigs := sec.chain[at].sign(sg, sec.ttl, append(but, t)...)
			out.lacks = append(out.lacks, lack{typ: t, rr: rr, sigs: sigs})
		}
	}
	return out
}

// sealSet signs all replies that an RRset of a service's i-th plan can give.
func (s *signer) sealSet(i int, r *rrset, owner []byte, ttl uint32, before *sealed) setSeal {
	out := setSeal{typ: r.typ}
	firsts := int(r.count)
	if r.per == r.count {
		firsts = 1
	}
	for first := range firsts {
		if r.per == 1 {
			if sigs := before.one(i, r.record(first), r.typ, ttl); sigs != nil {
				out.sigs = append(out.sigs, sigs)
				continue
			}
		}
		var data [][]byte
		for k := range int(r.per) {
			data = append(data, r.record((first + k) % int(r.count))[2+rrFixed:])
		}
		out.sigs = append(out.sigs, s.sign(s.data, owner, r.typ, ttl, distinct(data)))
	}
	return out
}

// distinct leaves out records that stand twice: an RRset has each once (RFC 2181 section 5), and validators drop what comes again.
func distinct(data [][]byte) [][]byte {
	slices.SortFunc(data, slices.Compare)
	return slices.CompactFunc(data, slices.Equal)
}

// sealAll seals a service under its name, and its cells under the wildcard below that. was is what the name had before; nil for nothing.
func (z *zone) sealAll(s, was *service, name string, types []uint16) {
	if z.sec == nil {
		return
	}
	owner := mustPackName(name)
	s.types = types
	s.seals = append(s.seals, &sealCell{owner: owner})
	if s.decision != nil && s.cfg.Cells != nil {
		s.seals = append(s.seals, &sealCell{owner: wildcardOf(string(owner))})
	}
	if sec := z.sec.Load(); sec != nil {
		for i, cell := range s.seals {
			cell.p.Store(sec.seal(z.cfg, s, cell.owner, s.types, sealedBefore(was, i, sec.signer.era, cell.owner)))
		}
	}
}

// A sealed is what a name had, with its signatures.
type sealed struct {
	service *service
	seal    *seal
}

// sealedBefore is what was had under its i-th owner, if that was signed in the same era.
func sealedBefore(was *service, i int, e era, owner []byte) *sealed {
	if was == nil || i >= len(was.seals) || !slices.Equal(was.seals[i].owner, owner) {
		return nil
	}
	before := was.seals[i].p.Load()
	if before == nil || before.era != e {
		return nil
	}
	return &sealed{was, before}
}

// one is the signature of a reply of one record, in the form of appendRR, of the i-th plan or of another one; nil where there was none.
func (b *sealed) one(i int, record []byte, typ uint16, ttl uint32) []byte {
	if b == nil || b.service.ttl.max != ttl {
		return nil
	}
	if i >= len(b.service.plans) {
		i = 0
	}
	for k := range b.service.plans[i].sets {
		r := &b.service.plans[i].sets[k]
		if r.typ != typ || r.per != 1 {
			continue
		}
		for m := range int(r.count) {
			if slices.Equal(r.record(m), record) {
				return b.seal.of(i, typ, m)
			}
		}
	}
	return nil
}

// reseal seals anew what is not of the era.
func (s *service) reseal(z *zone, sec *security) {
	for _, cell := range s.seals {
		if was := cell.p.Load(); was == nil || was.era != sec.signer.era {
			cell.p.Store(sec.seal(z.cfg, s, cell.owner, s.types, nil))
		}
	}
	for _, p := range s.places {
		p.reseal(z, sec)
	}
}

// Resign signs anew what the snapshot has signed in an earlier era than that of now: before signatures expire, and when a key begins or
// ceases to sign. It is for the background; answers go on meanwhile with the signatures that were there.
func (c *Compiler) Resign(s *Snapshot, now time.Time) (zones int) {
	if s == nil {
		return 0
	}
	c.signing.Lock()
	defer c.signing.Unlock()
	for _, z := range s.zones {
		if z.sec == nil {
			continue
		}
		sg, was := newSigner(z.cfg, now, &c.signatures), z.sec.Load()
		switch {
		case sg == nil:
			z.sec.Store(nil)
			continue
		case was == nil || was.signer.era != sg.era:
			was = z.secure(sg)
			zones++
		}
		all := append(slices.Clone(z.services), z.hosts...)
		parallel(len(all), func(i int) { all[i].reseal(z, was) })
		// The services first: where the zone was not signed before, nobody gets half of it.
		z.sec.Store(was)
	}
	return zones
}

// parallel calls f for 0 to n-1 on all cores.
func parallel(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	if workers < 2 || n < 64 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
}
