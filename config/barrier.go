package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/miekg/dns"
	"gopkg.in/yaml.v3"
)

// checkBarriers looks at what stands below a delegation or a DNAME: nobody is ever answered from there. Glue is no part of it.
func (b *builder) checkBarriers() {
	cuts, dnames := make(map[string]*claim), make(map[string]*claim)
	for name, own := range b.owners {
		if c := own.records[dns.TypeNS]; c != nil && name != b.zone.Name {
			cuts[name] = c
		}
		if c := own.records[dns.TypeDNAME]; c != nil {
			dnames[name] = c
		}
	}
	if len(cuts)+len(dnames) == 0 {
		b.checkSecure(cuts)
		return
	}
	hidden := make(map[*claim]int)
	for _, name := range slices.Sorted(maps.Keys(b.owners)) {
		own := b.owners[name]
		if cut := cuts[name]; cut != nil {
			b.checkCut(name, own, cut)
		}
		for up := name; up != b.zone.Name; {
			if up = parentOf(up); cuts[up] == nil && dnames[up] == nil {
				continue
			}
			b.checkHidden(name, own, up, cuts[up], dnames[up], hidden)
			break
		}
	}
	b.checkSecure(cuts)
	for c, n := range hidden {
		names := "names are"
		if n == 1 {
			names = "name is"
		}
		c.say(Warning, "", "%d %s never answered: below %s", n, names, c.what)
	}
}

// checkCut looks at what stands beside NS records.
func (b *builder) checkCut(name string, own *owner, cut *claim) {
	switch {
	case own.records[dns.TypeDNAME] != nil:
		own.records[dns.TypeDNAME].errorf("", "a DNAME at the delegation %s (RFC 6672 section 2.3)", name)
	case own.main != nil && own.main.service != nil:
		own.main.errorf("", "duplicate owner name %s: %s at %s delegates it", name, cut.what, cut.place(own.main))
	}
	b.checkGlue(name, cut)
}

// checkHidden looks at a name below a barrier, which is the delegation cut or else a DNAME.
func (b *builder) checkHidden(name string, own *owner, at string, cut, dname *claim, hidden map[*claim]int) {
	barrier, what := dname, "the DNAME"
	if cut != nil {
		barrier, what = cut, "the delegation"
	}
	if own.main != nil && own.main.service != nil {
		own.main.errorf("", "%s is never answered: it lies below %s %s at %s", name, what, at, barrier.place(own.main))
		return
	}
	for t := range own.records {
		if cut == nil || t != dns.TypeA && t != dns.TypeAAAA {
			hidden[barrier]++
			return
		}
	}
}

// checkSecure looks for DS records that belong to no delegation.
func (b *builder) checkSecure(cuts map[string]*claim) {
	for _, name := range slices.Sorted(maps.Keys(b.owners)) {
		if c := b.owners[name].records[dns.TypeDS]; c != nil && cuts[name] == nil {
			c.say(Warning, "", "DS records for %s, which is not delegated: no NS records stand there", name)
		}
	}
}

// completeNameServers gives the name servers of the apex what stands elsewhere: in an imported zone file, or in records.
func (b *builder) completeNameServers() {
	key := field(b.root, "nameservers")
	if key == nil {
		b.zone.NameServers = b.imported.servers
		if b.imported.at != nil && field(b.root, "ns_ttl") == nil {
			b.zone.NSTTL = b.imported.ttl
		}
		if len(b.zone.NameServers) == 0 && b.root.Kind == yaml.MappingNode && !b.imported.failed {
			b.errorf(b.root, nil, "or the NS records of the apex stand in the zonefile", `the key "nameservers" is missing`)
		}
	}
	for i := range b.zone.NameServers {
		ns := &b.zone.NameServers[i]
		if !Within(ns.Name, b.zone.Name) || len(ns.Addresses) > 0 {
			continue
		}
		for _, t := range []uint16{dns.TypeA, dns.TypeAAAA} {
			ns.Addresses = append(ns.Addresses, b.staticAddresses(ns.Name, t)...)
		}
		switch {
		case len(ns.Addresses) > 0:
		case key == nil:
			b.imported.at.say(Warning, "without them nobody finds the zone", "the name server %s lies in the zone and has no addresses", ns.Name)
		case field(b.serverNodes[i].item, "addresses") == nil:
			b.errorf(b.serverNodes[i].node, b.serverNodes[i].at, "without them nobody finds the zone", "the name server %s lies in the zone and needs addresses", ns.Name)
		}
	}
}

// checkStatic looks for static records that carry what endpoints have: those answers go on whatever happens to the endpoint, and no bound
// counts them.
func (b *builder) checkStatic() {
	of := make(map[string]string)
	b.zone.endpointsByRData(of)
	if len(of) == 0 {
		return
	}
	b.zone.Carriers(func(c Carrier) {
		e, own := of[c.RData], b.owners[c.Name]
		if e == "" || own == nil {
			return
		}
		at := own.records[c.Type]
		if at == nil {
			at = own.main
		}
		if at != nil {
			at.say(Warning, "a service with the pool, or a CNAME to one, follows it",
				"%s is of the endpoint %s: this record goes on naming it while it is down or drained, and no bound counts its answers", c.RData, e)
		}
	})
}

// finishImport adds what was said of the imported files.
func (b *builder) finishImport() {
	if b.includes != nil {
		b.problems = append(b.problems, b.includes.problems()...)
	}
}

// delegationName is how a delegation is called in messages.
func delegationName(name string) string { return fmt.Sprintf("the delegation %s", name) }
