package answer

import (
	"encoding/binary"
	"sort"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/miekg/dns"
)

// An index says which owner names a zone has and what stands there unmoved by health. It is made once per loaded zone
// file and shared by all snapshots of it.
type index struct {
	apex   []byte
	owners []owner
	// byName maps the lower-case wire-format name to owners. Empty non-terminals are in it.
	byName map[string]int32
	// signed is set when the zone is to be signed.
	signed bool
	// sets is how many static RRsets there are.
	sets int
	// soa is the SOA record for negative answers: its TTL is bounded by the SOA MINIMUM (RFC 2308 section 3).
	soa staticSet
}

// An owner is one name. It is an empty non-terminal if nothing stands there.
type owner struct {
	// name is the lower-case wire format.
	name string
	// service indexes Zone.Services; -1 for none. place indexes the service's Places; -1 for the service's own name.
	service, place int32
	// host indexes Zone.Hosts; -1 for none.
	host int32
	// barrier is the owner of the delegation or the DNAME nearest to the apex, beyond which nothing is answered from here; -1
	// for none. A delegation is its own barrier, a DNAME is that of the names below it.
	barrier int32
	// cells is set when each label below is a cell of the service.
	cells bool
	// cut is set when a zone is delegated here.
	cut    bool
	static []staticSet
}

// empty tells whether the name exists only because of names below it.
func (o *owner) empty() bool { return o.service < 0 && o.host < 0 && o.static == nil }

// A staticSet is one RRset, ready to be written: each record's owner is a pointer to the question's name.
type staticSet struct {
	typ   uint16
	count uint16
	// id numbers the RRsets of an index.
	id  int32
	rrs []byte
	// glue are the owners of the addresses of NS targets that this zone knows: the first inDomain of them lie in the zone
	// that is delegated, and nobody else can tell their addresses (RFC 9471).
	glue     []int32
	inDomain int
	// target is the CNAME or DNAME target in lower case; nil for other types.
	target []byte
}

func newIndex(z *config.Zone) *index {
	x := &index{apex: mustPackName(z.Name), signed: z.DNSSEC != nil, byName: make(map[string]int32, len(z.Services)+len(z.Records)+8)}
	for i, svc := range z.Services {
		o := &x.owners[x.add(svc.Name)]
		o.service, o.cells = int32(i), svc.Cells != nil
		for j, place := range svc.Places {
			o := &x.owners[x.add(place.Name)]
			o.service, o.place = int32(i), int32(j)
		}
	}
	for i, host := range z.Hosts {
		x.owners[x.add(host.Name)].host = int32(i)
	}
	x.addApex(z)
	for _, r := range z.Records {
		o := x.add(r.Name)
		x.addStatic(o, r)
		x.owners[o].cut = x.owners[o].cut || r.IsCut(z)
	}
	for i := range x.owners {
		x.finish(&x.owners[i])
	}
	return x
}

// add makes sure that name and the names between it and the apex exist.
func (x *index) add(name string) int32 {
	wire := mustPackName(name)
	for n := wire; len(n) >= len(x.apex); n = cutLabel(n) {
		if _, ok := x.byName[string(n)]; ok {
			break
		}
		text := string(n)
		x.byName[text] = int32(len(x.owners))
		x.owners = append(x.owners, owner{name: text, service: -1, place: -1, host: -1, barrier: -1})
	}
	return x.byName[string(wire)]
}

func (x *index) addStatic(o int32, r config.Record) {
	s := staticSet{typ: r.Type, count: uint16(len(r.RData))}
	for _, rdata := range r.RData {
		s.rrs = appendRR(s.rrs, r.Type, r.TTL, rdata)
	}
	switch r.Type {
	case dns.TypeCNAME, dns.TypeDNAME:
		var buf [maxNameLen]byte
		s.target = append([]byte(nil), lower(&buf, r.RData[0])...)
	}
	x.owners[o].static = append(x.owners[o].static, s)
}

// addApex adds SOA and NS, and the addresses of name servers, which are also answered when asked for by name.
func (x *index) addApex(z *config.Zone) {
	apex := x.add(z.Name)
	soa := mustPackName(z.SOA.MName)
	soa = append(soa, mustPackName(z.SOA.RName)...)
	for _, v := range []uint32{z.SOA.Serial, z.SOA.Refresh, z.SOA.Retry, z.SOA.Expire, z.SOA.NegativeTTL} {
		soa = binary.BigEndian.AppendUint32(soa, v)
	}
	x.soa = staticSet{typ: dns.TypeSOA, count: 1, rrs: appendRR(nil, dns.TypeSOA, min(z.SOA.TTL, z.SOA.NegativeTTL), soa)}
	x.addStatic(apex, config.Record{Type: dns.TypeSOA, TTL: z.SOA.TTL, RData: [][]byte{soa}})

	ns := config.Record{Type: dns.TypeNS, TTL: z.NSTTL}
	for _, s := range z.NameServers {
		ns.RData = append(ns.RData, mustPackName(s.Name))
		if len(s.Addresses) == 0 || !inside(mustPackName(s.Name), x.apex) {
			continue
		}
		v4, v6 := config.Record{Type: dns.TypeA, TTL: z.NSTTL}, config.Record{Type: dns.TypeAAAA, TTL: z.NSTTL}
		for _, a := range s.Addresses {
			r := &v4
			if a.Is6() {
				r = &v6
			}
			r.RData = append(r.RData, a.AsSlice())
		}
		o := x.add(s.Name)
		for _, r := range []config.Record{v4, v6} {
			// The file may spell them out as static records as well; those stand.
			if len(r.RData) > 0 && !definesType(z, s.Name, r.Type) {
				x.addStatic(o, r)
			}
		}
	}
	x.addStatic(apex, ns)
}

func definesType(z *config.Zone, name string, typ uint16) bool {
	for _, r := range z.Records {
		if r.Name == name && r.Type == typ {
			return true
		}
	}
	return false
}

// finish does what needs all owners: barriers, glue, and an order of types.
func (x *index) finish(o *owner) {
	sort.Slice(o.static, func(i, j int) bool { return o.static[i].typ < o.static[j].typ })
	for i := range o.static {
		o.static[i].id = int32(x.sets)
		x.sets++
	}
	name := []byte(o.name)
	for n := name; len(n) >= len(x.apex); n = cutLabel(n) {
		i := x.byName[string(n)]
		if up := &x.owners[i]; up.cut || len(n) < len(name) && up.set(dns.TypeDNAME) != nil {
			o.barrier = i
		}
	}
	if ns := o.set(dns.TypeNS); ns != nil {
		x.findGlue(name, ns)
	}
}

// findGlue finds the addresses of the name servers of the zone called name.
func (x *index) findGlue(name []byte, ns *staticSet) {
	var near, far []int32
	for rrs := ns.rrs; len(rrs) > 0; {
		end := 2 + rrFixed + int(binary.BigEndian.Uint16(rrs[rrFixed:]))
		var buf [maxNameLen]byte
		target := lower(&buf, rrs[2+rrFixed:end])
		rrs = rrs[end:]
		i, known := x.byName[string(target)]
		if !known || x.owners[i].set(dns.TypeA) == nil && x.owners[i].set(dns.TypeAAAA) == nil {
			continue
		}
		if inside(target, name) {
			near = append(near, i)
		} else {
			far = append(far, i)
		}
	}
	ns.glue, ns.inDomain = append(near, far...), len(near)
}

// inside tells whether name, in lower case, is at or below apex.
func inside(name, apex []byte) bool {
	for n := name; len(n) >= len(apex); n = cutLabel(n) {
		if string(n) == string(apex) {
			return true
		}
	}
	return false
}

// A found is where a name leads.
type found struct {
	// owner is by name, else the wildcard at the closest encloser (RFC 4592 section 3.3.1); -1 means NXDOMAIN. For a cell it is
	// the owner of the service.
	owner int32
	// encloser is the closest encloser: the owner itself where that is no wildcard. encloserAt is where its name begins in the
	// name.
	encloser   int32
	encloserAt int
	// wild is set when owner is a wildcard that stands for the name.
	wild bool
	// cell is the label of a cell; nil for the service itself.
	cell []byte
	// barrier is the delegation or DNAME that stands before all this; -1 for none.
	barrier int32
}

// find looks a lower-case name inside the zone up.
func (x *index) find(name []byte) found {
	if i, ok := x.byName[string(name)]; ok {
		return found{owner: i, encloser: i, barrier: x.owners[i].barrier}
	}
	f := found{owner: -1, encloser: -1, barrier: -1}
	parent := cutLabel(name)
	for n := parent; len(n) >= len(x.apex); n = cutLabel(n) {
		i, ok := x.byName[string(n)]
		if !ok {
			continue
		}
		f.encloser, f.encloserAt = i, len(name)-len(n)
		o := &x.owners[i]
		if f.barrier = o.barrier; f.barrier < 0 && o.set(dns.TypeDNAME) != nil {
			f.barrier = i
		}
		if o.cells {
			switch {
			case len(n) == len(parent):
				f.owner, f.cell = i, name[1:1+int(name[0])]
			case x.signed:
				// Cells are signed as a wildcard, which stands for names of any depth.
				at := len(name) - len(n)
				for below := name; len(below) > len(n); below = cutLabel(below) {
					at = len(name) - len(below)
				}
				f.owner, f.cell = i, name[at+1:at+1+int(name[at])]
			}
			// Else there is nothing below a cell.
			return f
		}
		var buf [maxNameLen + 2]byte
		wild := append(append(buf[:0], 1, '*'), n...)
		if i, ok := x.byName[string(wild)]; ok {
			f.owner, f.wild = i, true
		}
		return f
	}
	return f
}

func (o *owner) set(typ uint16) *staticSet {
	for i := range o.static {
		if o.static[i].typ == typ {
			return &o.static[i]
		}
	}
	return nil
}
