package config

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/miekg/dns"
	"gopkg.in/yaml.v3"
)

// A serverNode is where a name server stands in the file.
type serverNode struct {
	// item is the whole of it, node its name.
	item, node *yamlNode
	at         *yamlPath
}

func (b *builder) buildNameServers() {
	b.zone.NSTTL = ttlOf(field(b.root, "ns_ttl"), defaultNSTTL)
	root := (*yamlPath)(nil).child("nameservers")
	lines := make(map[string]int)
	for i, item := range items(field(b.root, "nameservers")) {
		ns, ok := b.nameServer(item, root.item(i))
		if !ok {
			continue
		}
		n, at := nameNode(item, root.item(i))
		if line, dup := lines[ns.Name]; dup {
			b.errorf(n, at, "", "duplicate name server %s; it stands at line %d already", ns.Name, line)
			continue
		}
		lines[ns.Name] = int(n.Line)
		switch inside := Within(ns.Name, b.zone.Name); {
		case inside && ns.Name == b.zone.Name:
			b.errorf(n, at, "", "the apex cannot be its own name server")
		case inside && len(ns.Addresses) > 0:
			b.claimNameServer(&ns, n, root.item(i))
		}
		b.zone.NameServers = append(b.zone.NameServers, ns)
		b.serverNodes = append(b.serverNodes, serverNode{item, n, root.item(i)})
	}
}

// nameNode is where the name of a name server stands: it may stand alone.
func nameNode(item *yamlNode, at *yamlPath) (*yamlNode, *yamlPath) {
	if item.Kind == yaml.ScalarNode {
		return item, at
	}
	return field(item, "name"), at.child("name")
}

// nameServer reads a name server: a name, or a name with addresses if it lies in the zone.
func (b *builder) nameServer(item *yamlNode, at *yamlPath) (ns NameServer, ok bool) {
	n, _ := nameNode(item, at)
	name, err := parseHostName(stringOf(n))
	if err != nil {
		return ns, false
	}
	ns.Name = name
	list := field(item, "addresses")
	for j, a := range items(list) {
		addr, err := parseAddress(stringOf(a))
		if err == nil && slices.Contains(ns.Addresses, addr) {
			b.errorf(a, at.at("addresses", j), "", "duplicate address %s", addr)
		} else if err == nil {
			ns.Addresses = append(ns.Addresses, addr)
		}
	}
	if list != nil && !Within(name, b.zone.Name) {
		b.errorf(list, at.child("addresses"), "its addresses stand in its own zone", "the name server %s is outside the zone and takes no addresses", name)
		ns.Addresses = nil
	}
	return ns, true
}

// buildSOA comes last: the serial may be made from the hash of all files.
func (b *builder) buildSOA() {
	soa := field(b.root, "soa")
	s := &b.zone.SOA
	from := b.imported.soa
	if from == nil {
		// What an imported zone file would say.
		from = &dns.SOA{Refresh: defaultRefresh, Retry: defaultRetry, Expire: defaultExpire, Minttl: defaultNegativeTTL, Serial: SerialOf(b.zone.Hash)}
		from.Mbox = defaultRName + "." + b.zone.Name
		if len(b.zone.NameServers) > 0 {
			from.Ns = b.zone.NameServers[0].Name
		}
	}
	if s.MName, _ = parseHostName(stringOf(field(soa, "mname"))); s.MName == "" {
		s.MName, _ = canonicalName(from.Ns)
	}
	if s.RName, _ = parseMailbox(stringOf(field(soa, "rname"))); s.RName == "" {
		s.RName, _ = canonicalName(from.Mbox)
	}
	s.Refresh, s.Retry = ttlOf(field(soa, "refresh"), from.Refresh), ttlOf(field(soa, "retry"), from.Retry)
	s.Expire, s.NegativeTTL = ttlOf(field(soa, "expire"), from.Expire), ttlOf(field(soa, "negative_ttl"), from.Minttl)
	s.TTL = s.NegativeTTL
	if b.imported.soa != nil {
		s.TTL = from.Hdr.Ttl
	}
	s.TTL = ttlOf(field(soa, "ttl"), s.TTL)
	top, inner := field(b.root, "serial"), field(soa, "serial")
	switch {
	case top != nil && inner != nil:
		b.errorf(inner, (*yamlPath)(nil).at("soa", "serial"), "", "the serial is given twice, as serial and as soa.serial")
	case top != nil:
		s.Serial = uint32(intOf(top, 0))
	case inner != nil:
		s.Serial = uint32(intOf(inner, 0))
	default:
		s.Serial, s.SerialMade = from.Serial, b.imported.soa == nil
	}
}

// SerialOf makes a serial from the content: the first 32 bits of the hash. It is the same on every node and changes with
// the content, but it does not grow: zones that are transferred have serials of another kind. 0 is left out: tools
// take it for "none".
func SerialOf(h Hash) uint32 { return max(1, binary.BigEndian.Uint32(h[:4])) }

// refusedType says why records of a type cannot stand in a zone file; empty when they can.
func refusedType(t uint16) string {
	switch t {
	case dns.TypeSOA:
		return "the SOA is made from the key soa"
	case dns.TypeRRSIG, dns.TypeNSEC, dns.TypeNSEC3, dns.TypeNSEC3PARAM, dns.TypeSIG, dns.TypeNXT:
		return dns.TypeToString[t] + " records are made, not written"
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
