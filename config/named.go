package config

import (
	"fmt"
	"net/netip"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxNamed is how many addresses of one host name are taken.
const MaxNamed = 64

// A Named is an endpoint of a zone file that stands for the addresses of a host name. The nodes resolve Host, and each of its addresses is
// an endpoint of the pool: see Zone.With.
type Named struct {
	// Name is that of the endpoint in the file, which those of its addresses have in Endpoint.Of. Host has the final dot.
	Name, Host string
	// Families are those whose addresses are taken.
	Families []Family
	// AZ indexes Zone.AZs.
	AZ int
	// Weight is that of each address.
	Weight int
	// ProbePort overrides the port of the check; 0 means the check's own.
	ProbePort uint16
	// LateHits is where requests are counted that reach one of the addresses after it has left the answers; nil for where the pool says.
	LateHits *HitCounter
}

// Given tells whether something outside of the file gives p endpoints.
func (p *Pool) Given() bool { return len(p.From) > 0 || len(p.Named) > 0 }

// Describe is all that n says, in one line.
func (n *Named) Describe(z *Zone) string {
	text := fmt.Sprintf("host %s, az %s, weight %d", n.Host, z.AZs[n.AZ].Name, n.Weight)
	if len(n.Families) == 1 {
		text += ", " + n.Families[0].String()
	}
	if n.ProbePort > 0 {
		text += fmt.Sprintf(", probe.port %d", n.ProbePort)
	}
	if n.LateHits != nil {
		text += ", late_hits " + n.LateHits.URL + " " + n.LateHits.Query + n.LateHits.Path
	}
	return text
}

// isNamed tells whether an item of `endpoints` is a Named.
func isNamed(item *yamlNode) bool { return item.Kind == yaml.MappingNode && field(item, "host") != nil }

// named reads an endpoint with a host name.
func (b *builder) named(n *yamlNode, at *yamlPath) *Named {
	host := field(n, "host")
	for _, other := range []string{"addresses", "target"} {
		if v := field(n, other); v != nil {
			b.errorf(v, at.child(other), "", "an endpoint has addresses, a target or a host, one of them")
		}
	}
	if v := field(field(n, "probe"), "address"); v != nil {
		b.errorf(v, at.at("probe", "address"), "", "one probe.address for the addresses of a host: each of them is probed")
	}
	out := &Named{
		Name: stringOf(field(n, "name")), Weight: intOf(field(n, "weight"), defaultWeight), Families: familiesOf(field(n, "family")),
		AZ:        b.refer(field(n, "az"), at.child("az"), "AZ", b.azs),
		ProbePort: uint16(intOf(field(field(n, "probe"), "port"), 0)),
		LateHits:  b.hitCounter(field(n, "late_hits"), at.child("late_hits")),
	}
	b.host(out, host, at.child("host"))
	return out
}

// host reads the host name of out; it stays empty where that is none.
func (b *builder) host(out *Named, n *yamlNode, at *yamlPath) {
	if _, err := netip.ParseAddr(stringOf(n)); err == nil {
		b.errorf(n, at, "`addresses` of an endpoint takes it", "%s is an address, no host name", shorten(n.Value))
		return
	}
	out.Host, _ = parseHostName(stringOf(n))
	if out.Host != "" && Within(out.Host, b.zone.Name) {
		b.node(n, Warning, at.String(),
			fmt.Sprintf("%s lies in this zone: what it resolves to depends on the node that resolves it", strings.TrimSuffix(out.Host, ".")),
			"the pools of that service are what answers here too")
	}
}

// familiesOf reads a key `family`.
func familiesOf(n *yamlNode) []Family {
	switch stringOf(n) {
	case "ipv4":
		return []Family{IPv4}
	case "ipv6":
		return []Family{IPv6}
	}
	return []Family{IPv4, IPv6}
}
