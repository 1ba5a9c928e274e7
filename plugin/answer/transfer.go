package answer

import (
	"encoding/binary"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// serialFromEnd is where the serial stands in a SOA record, from its end: serial, refresh, retry, expire and minimum are its last 20 octets.
const serialFromEnd = 20

// SetSerial makes v the serial of a zone that is transferred, in all its snapshots, and signs its SOA anew in s. It may be repeated, and has
// to be for each snapshot: one whose file is new may have been compiled with the serial before.
func (c *Compiler) SetSerial(s *Snapshot, zone string, v uint32) {
	c.serialOf(zone, v).Store(v)
	z, _ := s.zoneNamed(zone)
	if z == nil || z.sec == nil {
		return
	}
	c.signing.Lock()
	defer c.signing.Unlock()
	if sec := z.sec.Load(); sec != nil && sec.serial != v {
		next := *sec
		next.sets = slices.Clone(sec.sets)
		next.signSOA(z, v)
		z.sec.Store(&next)
	}
}

// serialOf is the serial of a zone, which begins with first.
func (c *Compiler) serialOf(zone string, first uint32) *atomic.Uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.serials[zone]
	if n == nil {
		n = new(atomic.Uint32)
		n.Store(first)
		if c.serials == nil {
			c.serials = make(map[string]*atomic.Uint32)
		}
		c.serials[zone] = n
	}
	return n
}

// serialNow is the zone's serial.
func (z *zone) serialNow() uint32 {
	if z.serial == nil {
		return z.cfg.SOA.Serial
	}
	return z.serial.Load()
}

// signSOA signs the SOA with a serial, as it is answered and as it stands in denials.
func (sec *security) signSOA(z *zone, serial uint32) {
	s, x := sec.signer, z.index
	data := slices.Clone(eachRData(x.soa.rrs)[0])
	binary.BigEndian.PutUint32(data[len(data)-serialFromEnd:], serial)
	sec.serial = serial
	sec.soa = s.sign(s.data, x.apex, dns.TypeSOA, z.cfg.SOA.TTL, [][]byte{data})
	o := &x.owners[x.byName[string(x.apex)]]
	sec.sets[o.set(dns.TypeSOA).id] = sec.soa
}

// putSerial puts the zone's serial into the SOA record that was written last.
func (r *reply) putSerial() {
	serial := r.z.serialNow()
	if r.signed {
		serial = r.sec.serial
	}
	binary.BigEndian.PutUint32(r.buf[len(r.buf)-serialFromEnd:], serial)
}

// Transfer is what a zone's view for transfers has, without signatures: its SOA with the serial of the file, and all other records. It is nil
// for a zone that s does not have, or that is not to be transferred.
func (s *Snapshot) Transfer(zone string) (soa *dns.SOA, rrs []dns.RR) {
	z, _ := s.zoneNamed(zone)
	if z == nil || z.cfg.Transfer == config.NoTransfer {
		return nil, nil
	}
	t := &transfer{z: z}
	for i := range z.index.owners {
		o := &z.index.owners[i]
		for k := range o.static {
			t.add(o.name, o.static[k].rrs)
		}
		switch {
		case o.place >= 0:
			t.service(o.name, z.services[o.service].places[o.place])
		case o.service >= 0:
			t.service(o.name, z.services[o.service])
		case o.host >= 0:
			t.plan(o.name, &z.hosts[o.host].plans[0], z.hosts[o.host].ttl.min)
		}
	}
	for i, rr := range t.rrs {
		if r, ok := rr.(*dns.SOA); ok {
			return r, slices.Delete(t.rrs, i, i+1)
		}
	}
	return nil, nil
}

// A transfer collects the records of one view.
type transfer struct {
	z   *zone
	rrs []dns.RR
}

// add adds records of the form of appendRR.
func (t *transfer) add(owner string, rrs []byte) {
	eachRR(rrs, func(rr []byte) {
		wire := append([]byte(owner), rr[2:]...)
		if out, _, err := dns.UnpackRR(wire, 0); err == nil {
			t.rrs = append(t.rrs, out)
		}
	})
}

// service adds what a service answers to clients that no rule names, or its fixed addresses.
func (t *transfer) service(owner string, s *service) {
	if t.z.cfg.Transfer == config.TransferLast {
		t.plan(owner, &s.plans[0], s.ttl.min)
		return
	}
	for _, a := range s.cfg.OnAllDown.Fixed {
		t.add(owner, appendRR(nil, addressType(a), s.ttl.min, a.AsSlice()))
	}
}

// plan adds each record of a plan once. Of several CNAME targets a name has one (RFC 2181 section 10.1): that of the greatest weight, of
// these the first.
func (t *transfer) plan(owner string, p *compiledPlan, ttl uint32) {
	for i := range p.sets {
		set := &p.sets[i]
		only := -1
		if set.typ == dns.TypeCNAME {
			only = heaviest(p.plan.Sets[steer.Target])
		}
		var data [][]byte
		for k := range int(set.count) {
			if only < 0 || k == only {
				data = append(data, set.record(k)[2+rrFixed:])
			}
		}
		for _, d := range distinct(data) {
			t.add(owner, appendRR(nil, set.typ, ttl, d))
		}
	}
}

// heaviest is the first member of the greatest weight.
func heaviest(members []steer.Member) (at int) {
	for i := range members {
		if members[i].Weight > members[at].Weight {
			at = i
		}
	}
	return at
}
