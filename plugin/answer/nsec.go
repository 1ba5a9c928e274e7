package answer

import (
	"encoding/binary"
	"slices"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
)

// A denial is an NSEC record with its signatures, in the form of appendRR: nothing stands between name and the one that follows in
// the zone, and at name no types but those that it lists (RFC 4034 section 4).
type denial struct {
	name     []byte
	types    []uint16
	next     []byte
	rr, sigs []byte
}

// A chain is all denials of a zone, in canonical order.
type chain []denial

// search is the first denial whose name is not before name, and whether it is that name's.
func (c chain) search(name []byte) (i int, exact bool) {
	low, high := 0, len(c)
	for low < high {
		mid := int(uint(low+high) >> 1)
		if compareNames(c[mid].name, name) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < len(c) && compareNames(c[low].name, name) == 0
}

// exact is the denial that stands at a name; -1 for none.
func (c chain) exact(name []byte) int {
	if i, ok := c.search(name); ok {
		return i
	}
	return -1
}

// at is the denial that stands at a name, or else before it.
func (c chain) at(name []byte) int {
	i, ok := c.search(name)
	switch {
	case ok:
		return i
	case i == 0:
		return len(c) - 1
	}
	return i - 1
}

// newChain is the chain of a zone without its signatures.
func newChain(x *index, z *config.Zone, apex []uint16) chain {
	var c chain
	for i := range x.owners {
		o := &x.owners[i]
		if o.empty() || o.barrier >= 0 && o.barrier != int32(i) {
			continue
		}
		types := typesAt(z, o)
		if o.name == string(x.apex) {
			types = append(types, apex...)
		}
		c = append(c, denial{name: []byte(o.name), types: types})
		if o.cells {
			c = append(c, denial{name: wildcardOf(o.name), types: serviceTypes(z, z.Services[o.service])})
		}
	}
	slices.SortFunc(c, func(a, b denial) int { return compareNames(a.name, b.name) })
	for i := range c {
		c[i].next = c[(i+1)%len(c)].name
	}
	return c
}

func wildcardOf(name string) []byte { return append([]byte{1, '*'}, name...) }

// typesAt are the types that can stand at an owner. Where a zone is delegated those are NS and DS.
func typesAt(z *config.Zone, o *owner) (types []uint16) {
	for _, set := range o.static {
		if !o.cut || set.typ == dns.TypeNS || set.typ == dns.TypeDS {
			types = append(types, set.typ)
		}
	}
	switch {
	case o.service >= 0:
		types = append(types, serviceTypes(z, z.Services[o.service])...)
	case o.host >= 0:
		types = append(types, hostTypes(z, z.Hosts[o.host])...)
	}
	return types
}

// serviceTypes are the types that a service can answer with, whatever is up.
func serviceTypes(z *config.Zone, svc *config.Service) []uint16 {
	if svc.Kind == config.Targets {
		return []uint16{dns.TypeCNAME}
	}
	var v4, v6 bool
	for _, a := range svc.OnAllDown.Fixed {
		v4, v6 = v4 || a.Is4(), v6 || a.Is6()
	}
	for _, p := range svc.Pools {
		for _, e := range z.Pools[p].Endpoints {
			v4, v6 = v4 || e.V4.IsValid(), v6 || e.V6.IsValid()
		}
		// What is not in the file may come any time.
		for _, n := range z.Pools[p].Named {
			v4, v6 = v4 || slices.Contains(n.Families, config.IPv4), v6 || slices.Contains(n.Families, config.IPv6)
		}
	}
	return slices.DeleteFunc(typesOf(svc), func(t uint16) bool { return t == dns.TypeA && !v4 || t == dns.TypeAAAA && !v6 })
}

func hostTypes(z *config.Zone, h config.Host) (types []uint16) {
	e := z.Pools[h.Pool].Endpoints[h.Endpoint]
	if e.V4.IsValid() {
		types = append(types, dns.TypeA)
	}
	if e.V6.IsValid() {
		types = append(types, dns.TypeAAAA)
	}
	return types
}

// sign makes and signs the record of d, without the types but.
func (d *denial) sign(s *signer, ttl uint32, but ...uint16) (rr, sigs []byte) {
	types := append([]uint16{dns.TypeNSEC, dns.TypeRRSIG}, d.types...)
	types = slices.DeleteFunc(types, func(t uint16) bool { return slices.Contains(but, t) })
	data := append(slices.Clone(d.next), typeBitmap(types)...)
	return appendRR(nil, dns.TypeNSEC, ttl, data), s.sign(s.data, d.name, dns.TypeNSEC, ttl, [][]byte{data})
}

// typeBitmap is the list of types of an NSEC record (RFC 4034 section 4.1.2).
func typeBitmap(types []uint16) (out []byte) {
	slices.Sort(types)
	var window [32]byte
	for i, t := range types {
		window[t>>3&31] |= 0x80 >> (t & 7)
		if i+1 < len(types) && types[i+1]>>8 == t>>8 {
			continue
		}
		n := int(t>>3&31) + 1
		out = append(out, byte(t>>8), byte(n))
		out = append(out, window[:n]...)
		window = [32]byte{}
	}
	return out
}

// A lack is the denial of a type that the chain says is there: no member has it now.
type lack struct {
	typ      uint16
	rr, sigs []byte
}

// eachRData calls f with the RDATA of every record of rrs.
func eachRData(rrs []byte) (out [][]byte) {
	eachRR(rrs, func(rr []byte) { out = append(out, rr[2+rrFixed:]) })
	return out
}

// ttlOf is the TTL of the first record of rrs.
func ttlOf(rrs []byte) uint32 { return binary.BigEndian.Uint32(rrs[ttlOffset:]) }
