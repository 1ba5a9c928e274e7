package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// A claim is somebody who wants to answer under an owner name.
type claim struct {
	// what describes it in messages, as in "a service".
	what string
	// Where it stands. report is that of the zone file or of the imported one.
	report    *report
	line, col int
	at        *yamlPath

	// One of service, ns and typ is set. also is set when the service claims the name of one place only.
	service *Service
	ns      *NameServer
	typ     uint16
	also    bool
	// imported is set for records of a master file: it is taken as it is, and what stands in the YAML goes over it.
	imported bool
}

// severity is that of what is odd about c but does not keep a name server from loading it.
func (c *claim) severity() Severity {
	if c.imported {
		return Warning
	}
	return Error
}

// takes tells whether the claim leaves no room for static records of type t under the same name.
func (c *claim) takes(t uint16) bool {
	switch {
	case t == dns.TypeCNAME:
		return true
	case c.ns != nil:
		return c.ns.owns(t)
	case c.service.Kind != Addresses:
		return true
	case t == dns.TypeSRV:
		return c.service.SRV != nil && !c.also
	case t == dns.TypeHTTPS:
		return c.service.HTTPS != nil && !c.also
	default:
		return t == dns.TypeA || t == dns.TypeAAAA
	}
}

func (c *claim) errorf(help, format string, args ...any) { c.say(Error, help, format, args...) }

func (c *claim) say(s Severity, help, format string, args ...any) {
	c.report.at(c.line, c.col, s, c.at.String(), fmt.Sprintf(format, args...), help)
}

// place says where c stands, as seen from from.
func (c *claim) place(from *claim) string {
	if c.report != from.report {
		return fmt.Sprintf("line %d of %s", c.line, c.report.file)
	}
	return fmt.Sprintf("line %d", c.line)
}

// An owner is all that stands under one name.
type owner struct {
	// main is a service or a name server.
	main    *claim
	records map[uint16]*claim
	// target is where a static CNAME leads.
	target string
}

type owners map[string]*owner

func (o owners) of(name string) *owner {
	if o[name] == nil {
		o[name] = new(owner)
	}
	return o[name]
}

// claimMain gives name to a service or a name server, or reports who has it.
func (o owners) claimMain(name string, c *claim) {
	own := o.of(name)
	if own.main != nil {
		c.errorf("", "duplicate owner name %s: %s has it at %s", name, own.main.what, own.main.place(c))
		return
	}
	for _, t := range slices.Sorted(maps.Keys(own.records)) {
		if r := own.records[t]; c.takes(t) {
			c.errorf("", "duplicate owner name %s: %s at %s does not go with %s", name, r.what, r.place(c), c.what)
			return
		}
	}
	own.main = c
}

// claimRecord gives a type under name to a static RRset. It returns false, and reports why, when it cannot have it.
func (o owners) claimRecord(name string, c *claim) bool {
	own := o.of(name)
	if own.main != nil && own.main.takes(c.typ) {
		if c.imported {
			c.say(Warning, "", "ignored: %s at %s answers for %s", own.main.what, own.main.place(c), name)
		} else {
			c.errorf("", "duplicate owner name %s: %s at %s does not go with %s", name, own.main.what, own.main.place(c), c.what)
		}
		return false
	}
	if own.records[c.typ] == nil && (own.records[dns.TypeCNAME] != nil || c.typ == dns.TypeCNAME && len(own.records) > 0) {
		var old *claim
		for _, t := range slices.Sorted(maps.Keys(own.records)) {
			old = own.records[t]
		}
		c.errorf("", "CNAME and other data for %s: %s stands at %s (RFC 1034 section 3.6.2)", name, old.what, old.place(c))
		return false
	}
	if own.records == nil {
		own.records = make(map[uint16]*claim)
	}
	if own.records[c.typ] == nil {
		own.records[c.typ] = c
	}
	return true
}

func (b *builder) claim(what string, n *yamlNode, at *yamlPath) *claim {
	return &claim{what: what, report: b.report, line: int(n.Line), col: int(n.Column), at: at}
}

func (b *builder) claimNameServer(ns *NameServer, n *yamlNode, at *yamlPath) {
	c := b.claim("a name server", n, at.child("name"))
	c.ns = ns
	b.owners.claimMain(ns.Name, c)
}

// claimServices gives the services their names, and after all of them the extra names: a name that is written out
// wins over one that is made.
func (b *builder) claimServices() {
	root := (*yamlPath)(nil).child("services")
	for i, s := range b.zone.Services {
		if s.Name == "" {
			continue
		}
		c := b.claim("a service", b.serviceNodes[i], root.child(b.serviceNodes[i].Value))
		c.service = s
		b.owners.claimMain(s.Name, c)
	}
	for i, s := range b.zone.Services {
		if s.Name != "" && len(s.Also) > 0 {
			b.claimAlso(s, b.serviceNodes[i], root.child(b.serviceNodes[i].Value).child("also"))
		}
	}
	hosts := make(map[[2]int]bool)
	for i, s := range b.zone.Services {
		if s.Name != "" && s.SRV != nil && s.Kind == Addresses {
			b.claimHosts(s, b.serviceNodes[i], root.child(b.serviceNodes[i].Value).child("srv"), hosts)
		}
	}
}

// claimHosts gives the endpoints behind SRV records their host names.
func (b *builder) claimHosts(s *Service, n *yamlNode, at *yamlPath, seen map[[2]int]bool) {
	for _, i := range s.Pools {
		for j := range b.zone.Pools[i].Endpoints {
			if seen[[2]int{i, j}] {
				continue
			}
			seen[[2]int{i, j}] = true
			c := b.claim("an SRV target", n, at)
			c.service, c.also = s, true
			name := b.zone.HostName(i, j)
			if err := hostName(name); err != nil {
				c.errorf("rename the pool or the endpoint", "no SRV target can be made of the endpoint %s/%s: %s", b.zone.Pools[i].Name, b.zone.Pools[i].Endpoints[j].Name, err)
				continue
			}
			b.owners.claimMain(name, c)
			b.zone.Hosts = append(b.zone.Hosts, Host{Name: name, Pool: i, Endpoint: j, TTL: s.TTL})
		}
	}
}

func (b *builder) claimAlso(s *Service, n *yamlNode, at *yamlPath) {
	regions, azs := b.places(s)
	for _, kind := range s.Also {
		if kind == AlsoRegion {
			for _, r := range slices.Sorted(maps.Keys(regions)) {
				b.claimPlace(s, n, at, b.zone.Regions[r].Name, Place{Region: r, AZ: -1})
			}
			continue
		}
		for _, az := range slices.Sorted(maps.Keys(azs)) {
			b.claimPlace(s, n, at, b.zone.AZs[az].Name, Place{Region: b.zone.AZs[az].Region, AZ: az})
		}
	}
}

// claimPlace gives the service the name of one place.
func (b *builder) claimPlace(s *Service, n *yamlNode, at *yamlPath, label string, place Place) {
	c := b.claim("an also name", n, at)
	c.service, c.also = s, true
	name, err := alsoName(s.Name, b.zone.Name, label)
	if err != nil {
		c.errorf("", "no also name can be made of %q: %s", label, err)
		return
	}
	b.owners.claimMain(name, c)
	place.Name = name
	s.Places = append(s.Places, place)
}

// alsoName is the name of a service in one place alone: www.eu-west.ZONE for www.ZONE, eu-west.ZONE for the apex.
func alsoName(service, zone, place string) (string, error) {
	if err := checkLabel(strings.ToLower(place)); err != nil {
		return "", err
	}
	return parseName(strings.TrimSuffix(service, zone)+place+"."+zone, ".")
}

// checkOwners reports names that lie among the cells of a service: every label below it is a shard.
func (b *builder) checkOwners() {
	cells := make(map[string]bool)
	for _, s := range b.zone.Services {
		if s.Cells != nil && s.Name != "" {
			cells[s.Name] = true
		}
	}
	if len(cells) == 0 {
		return
	}
	for name, own := range b.owners {
		parent := parentOf(name)
		if !cells[parent] {
			continue
		}
		at := own.main
		for _, t := range slices.Sorted(maps.Keys(own.records)) {
			if at == nil {
				at = own.records[t]
			}
		}
		if at != nil {
			at.errorf("", "duplicate owner name %s: it is a cell of the service %s", name, parent)
		}
	}
}
