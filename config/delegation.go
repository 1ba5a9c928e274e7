package config

import (
	"fmt"
	"net/netip"

	"github.com/miekg/dns"
)

// buildDelegations turns the key delegations into the NS, DS and address records that it stands for.
func (b *builder) buildDelegations() {
	root := (*yamlPath)(nil).child("delegations")
	for k, n := range entries(field(b.root, "delegations")) {
		at := root.child(k.Value)
		name := b.owner(k, at, parseOwnerName)
		if name == "" {
			continue
		}
		if name == b.zone.Name {
			b.errorf(k, at, "its name servers are the key nameservers", "the apex is no delegation")
			continue
		}
		if why := b.refused(name, dns.TypeNS); why != "" {
			b.errorf(k, at, "", "%s", why)
			continue
		}
		b.delegation(name, k, n, at)
	}
}

func (b *builder) delegation(name string, k, n *yamlNode, at *yamlPath) {
	ttl := ttlOf(field(n, "ttl"), defaultNSTTL)
	add := func(owner string, typ uint16, data ...[]byte) {
		if len(data) == 0 {
			return
		}
		c := b.claim(fmt.Sprintf("the %s records of a delegation", dns.Type(typ)), k, at)
		if typ == dns.TypeNS {
			c.what = delegationName(name)
		}
		c.typ = typ
		if b.owners.claimRecord(owner, c) {
			b.addRecord(Record{Name: owner, Type: typ, TTL: ttl, RData: data}, c)
		}
	}
	for i, item := range items(field(n, "nameservers")) {
		ns, ok := b.nameServer(item, at.at("nameservers", i))
		if !ok {
			continue
		}
		rdata, err := packData(&dns.NS{Hdr: dns.RR_Header{Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: ns.Name})
		if err != nil {
			b.errorf(item, at.at("nameservers", i), "", "%s", err)
			continue
		}
		add(name, dns.TypeNS, rdata)
		v4, v6 := addressData(ns.Addresses)
		add(ns.Name, dns.TypeA, v4...)
		add(ns.Name, dns.TypeAAAA, v6...)
	}
	for i, d := range items(field(n, "ds")) {
		rr, err := parseData(b.zone.Name, dns.TypeDS, stringOf(d))
		var rdata []byte
		if err == nil {
			rdata, err = packData(rr)
		}
		if err != nil {
			b.errorf(d, at.at("ds", i), "", "%s", err)
			continue
		}
		add(name, dns.TypeDS, rdata)
	}
}

// addressData is the RDATA of A and AAAA records.
func addressData(addresses []netip.Addr) (v4, v6 [][]byte) {
	for _, a := range addresses {
		if a.Is4() {
			v4 = append(v4, a.AsSlice())
		} else {
			v6 = append(v6, a.AsSlice())
		}
	}
	return v4, v6
}

// staticAddresses are the addresses of static records.
func (b *builder) staticAddresses(name string, typ uint16) (out []netip.Addr) {
	at, ok := b.recordAt[recordKey{name, typ}]
	if !ok {
		return nil
	}
	for _, data := range b.zone.Records[at].RData {
		if a, ok := netip.AddrFromSlice(data); ok {
			out = append(out, a)
		}
	}
	return out
}

// checkGlue looks for name servers of a delegation that nobody can find: they lie below it and have no addresses here.
func (b *builder) checkGlue(name string, cut *claim) {
	at, ok := b.recordAt[recordKey{name, dns.TypeNS}]
	if !ok {
		return
	}
	for _, data := range b.zone.Records[at].RData {
		text, _, err := dns.UnpackDomainName(data, 0)
		if err != nil {
			continue
		}
		target, err := canonicalName(text)
		if err != nil || !Within(target, name) {
			continue
		}
		if len(b.staticAddresses(target, dns.TypeA))+len(b.staticAddresses(target, dns.TypeAAAA)) == 0 {
			cut.say(Warning, "add its addresses", "the name server %s lies in the zone that it serves, and has no addresses here", target)
		}
	}
}
