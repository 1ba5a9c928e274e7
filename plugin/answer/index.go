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
	// soa is the SOA record for negative answers without its owner: type, class, TTL, RDLENGTH, RDATA.
	soa []byte
}

// An owner is one name. It is an empty non-terminal if nothing stands there.
type owner struct {
	// service indexes Zone.Services; -1 for none. place indexes the service's Places; -1 for the service's own name.
	service, place int32
	// host indexes Zone.Hosts; -1 for none.
	host int32
	// cells is set when each label below is a cell of the service.
	cells  bool
	static []staticSet
}

// empty tells whether the name exists only because of names below it.
func (o *owner) empty() bool { return o.service < 0 && o.host < 0 && o.static == nil }

// A staticSet is one RRset, ready to be written: each record's owner is a pointer to the question's name.
type staticSet struct {
	typ   uint16
	count uint16
	rrs   []byte
	// glue are the address records of the NS targets, complete with their names.
	glue      []byte
	glueCount uint16
	// target is the CNAME target in lower-case wire format; nil for other types.
	target []byte
}

// soaRefresh, soaRetry and soaExpire concern secondaries only, which there are none of (RFC 1912 section 2.2 ranges).
const (
	soaRefresh = 7200
	soaRetry   = 3600
	soaExpire  = 1209600
)

func newIndex(z *config.Zone) *index {
	x := &index{apex: mustPackName(z.Name), byName: make(map[string]int32, len(z.Services)+len(z.Records)+8)}
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
		x.addStatic(x.add(r.Name), r)
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
		x.byName[string(n)] = int32(len(x.owners))
		x.owners = append(x.owners, owner{service: -1, place: -1, host: -1})
	}
	return x.byName[string(wire)]
}

func (x *index) addStatic(o int32, r config.Record) {
	s := staticSet{typ: r.Type, count: uint16(len(r.RData))}
	for _, rdata := range r.RData {
		s.rrs = appendRR(s.rrs, r.Type, r.TTL, rdata)
	}
	if r.Type == dns.TypeCNAME {
		var buf [maxNameLen]byte
		s.target = append([]byte(nil), lower(&buf, r.RData[0])...)
	}
	x.owners[o].static = append(x.owners[o].static, s)
	sort.Slice(x.owners[o].static, func(i, j int) bool { return x.owners[o].static[i].typ < x.owners[o].static[j].typ })
}

// addApex adds SOA, NS and the glue, which is also answered when asked for by name.
func (x *index) addApex(z *config.Zone) {
	apex := x.add(z.Name)
	soa := mustPackName(z.SOA.MName)
	soa = append(soa, mustPackName(z.SOA.RName)...)
	for _, v := range []uint32{z.SOA.Serial, soaRefresh, soaRetry, soaExpire, z.SOA.NegativeTTL} {
		soa = binary.BigEndian.AppendUint32(soa, v)
	}
	rr := appendRR(nil, dns.TypeSOA, z.SOA.NegativeTTL, soa)
	x.soa = rr[2:]
	x.addStatic(apex, config.Record{Type: dns.TypeSOA, TTL: z.SOA.NegativeTTL, RData: [][]byte{soa}})

	ns := staticSet{typ: dns.TypeNS, count: uint16(len(z.NameServers))}
	for _, s := range z.NameServers {
		name := mustPackName(s.Name)
		ns.rrs = appendRR(ns.rrs, dns.TypeNS, z.NSTTL, name)
		if len(s.Addresses) == 0 || !inside(name, x.apex) {
			continue
		}
		v4, v6 := config.Record{Type: dns.TypeA, TTL: z.NSTTL}, config.Record{Type: dns.TypeAAAA, TTL: z.NSTTL}
		for _, a := range s.Addresses {
			r := &v4
			if a.Is6() {
				r = &v6
			}
			r.RData = append(r.RData, a.AsSlice())
			ns.glue = append(append(ns.glue, name...), appendRR(nil, r.Type, r.TTL, a.AsSlice())[2:]...)
			ns.glueCount++
		}
		o := x.add(s.Name)
		for _, r := range []config.Record{v4, v6} {
			// The file may spell the glue out as static records as well; those stand.
			if len(r.RData) > 0 && !definesType(z, s.Name, r.Type) {
				x.addStatic(o, r)
			}
		}
	}
	x.owners[apex].static = append(x.owners[apex].static, ns)
}

func definesType(z *config.Zone, name string, typ uint16) bool {
	for _, r := range z.Records {
		if r.Name == name && r.Type == typ {
			return true
		}
	}
	return false
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

// find is the owner of a lower-case name inside the zone: by name, else by the wildcard at the closest encloser
// (RFC 4592 section 3.3.1); -1 means NXDOMAIN. For a cell it is the owner of the service, with the cell's label.
func (x *index) find(name []byte) (o int32, cell []byte) {
	if i, ok := x.byName[string(name)]; ok {
		return i, nil
	}
	parent := cutLabel(name)
	for n := parent; len(n) >= len(x.apex); n = cutLabel(n) {
		i, ok := x.byName[string(n)]
		if !ok {
			continue
		}
		if x.owners[i].cells {
			if len(n) == len(parent) {
				return i, name[1 : 1+int(name[0])]
			}
			// Below a cell there is nothing.
			return -1, nil
		}
		var buf [maxNameLen + 2]byte
		wild := append(append(buf[:0], 1, '*'), n...)
		if i, ok := x.byName[string(wild)]; ok {
			return i, nil
		}
		return -1, nil
	}
	return -1, nil
}

func (o *owner) set(typ uint16) *staticSet {
	for i := range o.static {
		if o.static[i].typ == typ {
			return &o.static[i]
		}
	}
	return nil
}
