package config

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

func (b *builder) buildNameServers() {
	b.zone.NSTTL = ttlOf(field(b.root, "ns_ttl"), defaultNSTTL)
	root := (*yamlPath)(nil).child("nameservers")
	lines := make(map[string]int)
	for i, item := range items(field(b.root, "nameservers")) {
		at, n := root.item(i), field(item, "name")
		name, err := parseHostName(stringOf(n))
		if err != nil {
			continue
		}
		if line, dup := lines[name]; dup {
			b.errorf(n, at.child("name"), "", "duplicate name server %s; it stands at line %d already", name, line)
			continue
		}
		lines[name] = int(n.Line)
		ns := NameServer{Name: name}
		list := field(item, "addresses")
		for j, a := range items(list) {
			addr, err := parseAddress(stringOf(a))
			if err == nil && slices.Contains(ns.Addresses, addr) {
				b.errorf(a, at.at("addresses", j), "", "duplicate address %s", addr)
			} else if err == nil {
				ns.Addresses = append(ns.Addresses, addr)
			}
		}
		switch inside := within(name, b.zone.Name); {
		case inside && list == nil:
			b.errorf(n, at, "without them nobody finds the zone", "the name server %s lies in the zone and needs addresses", name)
		case inside && name == b.zone.Name:
			b.errorf(n, at.child("name"), "", "the apex cannot be its own name server")
		case inside:
			b.claimNameServer(&ns, n, at)
		case list != nil:
			b.errorf(list, at.child("addresses"), "its addresses stand in its own zone", "the name server %s is outside the zone and takes no addresses", name)
		}
		b.zone.NameServers = append(b.zone.NameServers, ns)
	}
}

// buildSOA comes last: the serial may be made from the hash of all files.
func (b *builder) buildSOA() {
	soa := field(b.root, "soa")
	s := &b.zone.SOA
	s.MName, _ = parseHostName(stringOf(field(soa, "mname")))
	if s.MName == "" && len(b.zone.NameServers) > 0 {
		s.MName = b.zone.NameServers[0].Name
	}
	s.RName, _ = parseMailbox(stringOf(field(soa, "rname")))
	if s.RName == "" {
		s.RName = defaultRName + "." + b.zone.Name
	}
	s.NegativeTTL = ttlOf(field(soa, "negative_ttl"), defaultNegativeTTL)
	top, inner := field(b.root, "serial"), field(soa, "serial")
	switch {
	case top != nil && inner != nil:
		b.errorf(inner, (*yamlPath)(nil).at("soa", "serial"), "", "the serial is given twice, as serial and as soa.serial")
	case top != nil:
		s.Serial = uint32(intOf(top, 0))
	case inner != nil:
		s.Serial = uint32(intOf(inner, 0))
	default:
		s.Serial = serialOf(b.zone.Hash)
	}
}

// serialOf makes a serial from the content: the first 32 bits of the hash. It is the same on every node and changes with
// the content, but it does not grow; nobody compares serials, since Fairlead has no secondaries. 0 is left out: tools
// take it for "none".
func serialOf(h Hash) uint32 { return max(1, binary.BigEndian.Uint32(h[:4])) }

// refusedType says why records of a type cannot stand in a zone file; empty when they can.
func refusedType(t uint16) string {
	switch t {
	case dns.TypeSOA:
		return "the SOA is made from the key soa"
	case dns.TypeDS, dns.TypeDNAME:
		return dns.TypeToString[t] + " records are not supported: the zone has no delegations"
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeDNSKEY, dns.TypeSIG, dns.TypeNXT:
		return dns.TypeToString[t] + " records are not supported by this version"
	case dns.TypeNone, dns.TypeOPT, dns.TypeANY, dns.TypeAXFR, dns.TypeIXFR, dns.TypeTSIG, dns.TypeTKEY, dns.TypeMAILA, dns.TypeMAILB:
		return dns.Type(t).String() + " is not a type of data"
	}
	return ""
}

// glue are the types that a name server in the zone owns.
func (ns *NameServer) owns(t uint16) bool {
	is := func(want func(netip.Addr) bool) bool { return slices.ContainsFunc(ns.Addresses, want) }
	return t == dns.TypeA && is(netip.Addr.Is4) || t == dns.TypeAAAA && is(netip.Addr.Is6)
}

// relative is name without the zone, for messages.
func relative(name, zone string) string {
	if name == zone {
		return "@"
	}
	return strings.TrimSuffix(strings.TrimSuffix(name, zone), ".")
}
