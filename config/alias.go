package config

import (
	"strings"

	"gopkg.in/yaml.v3"
)

const (
	// aliasEndpoint is the name of the endpoint that an alias makes.
	aliasEndpoint = "alias"
	// external is the region and the AZ of what an alias leads to, unless the file says where that is: no drain of a place of the file, and no
	// distance, is about it.
	external = "external"
)

func aliasShape() *shape {
	return either(text("a host name", hostName), object(
		required("host", text("a host name", hostName)).says("The host name."),
		optional("check", reference("a check")).or("unmonitored: always up").says("How each of its addresses is probed."),
		optional("family", enum("ipv4", "ipv6")).or("both").says("The addresses of one family alone."),
		optional("az", reference("an AZ")).or(external).says("The AZ in which it stands; without one it stands in a region of its own."),
	))
}

// alias gives s the tier of its alias, if it has one: a pool called like the host name, with the one endpoint that stands for it. Services
// with the same alias share it.
func (b *builder) alias(s *Service, n *yamlNode, at *yamlPath) {
	a := field(n, "alias")
	tiers := field(n, "tiers")
	switch {
	case a == nil && tiers == nil && n.Kind == yaml.MappingNode:
		b.errorf(n, at, "", "the key %q is missing", "tiers")
	case a != nil && tiers != nil:
		b.errorf(a, at.child("alias"), "an endpoint with `host` stands for a host name beside others", "an alias and tiers")
	}
	if a == nil || tiers != nil {
		return
	}
	at = at.child("alias")
	item := a
	if a.Kind == yaml.ScalarNode {
		item = nil
	} else {
		a, at = field(a, "host"), at.child("host")
	}
	host, err := parseHostName(stringOf(a))
	if err != nil || a == nil {
		return
	}
	if host == s.Name {
		b.errorf(a, at, "", "the alias leads back to itself")
		return
	}
	out := &Named{Name: aliasEndpoint, Weight: defaultWeight, Families: familiesOf(field(item, "family")), AZ: -1}
	check := -1
	if c := field(item, "check"); c != nil {
		check = b.refer(c, at.child("check"), "check", b.checks)
	}
	if az := field(item, "az"); az != nil {
		if out.AZ = b.refer(az, at.child("az"), "AZ", b.azs); out.AZ < 0 {
			return
		}
	} else {
		out.AZ = b.externalAZ()
	}
	b.host(out, a, at)
	if out.Host != "" {
		s.Tiers = []Tier{{{Pool: b.aliasPool(out, check, a, at), Weight: defaultWeight}}}
	}
}

// externalAZ is the AZ that is nowhere, which the zone has from its first alias on.
func (b *builder) externalAZ() int {
	if az, known := b.azs[external]; known {
		return az
	}
	region, known := b.regions[external]
	if !known {
		region = len(b.zone.Regions)
		b.regions[external] = region
		b.zone.Regions = append(b.zone.Regions, Region{Name: external})
	}
	b.azs[external] = len(b.zone.AZs)
	b.zone.AZs = append(b.zone.AZs, AZ{Name: external, Region: region})
	return b.azs[external]
}

// aliasPool is the pool of an alias.
func (b *builder) aliasPool(n *Named, check int, at *yamlNode, path *yamlPath) int {
	name := strings.TrimSuffix(n.Host, ".")
	if i, known := b.pools[name]; known {
		p := b.zone.Pools[i]
		switch {
		case len(p.Named) != 1 || len(p.Endpoints) > 0 || p.Named[0].Name != aliasEndpoint:
			b.errorf(at, path, "a tier with that pool is no alias", "the pool of this alias has the name of the pool %q", shorten(name))
		case p.Check != check || p.Named[0].AZ != n.AZ || len(p.Named[0].Families) != len(n.Families) || p.Named[0].Families[0] != n.Families[0]:
			b.errorf(at, path, "pools with `host` endpoints may differ", "another alias of %s has another check, AZ or family", shorten(name))
		}
		return i
	}
	p := &Pool{
		Name: name, Region: b.zone.AZs[n.AZ].Region, Check: check, Named: []*Named{n},
		MinHealthy: Amount{N: defaultMinHealthy}, MinEndpoints: defaultMinEndpoints, Settle: defaultSettle,
	}
	b.pools[name] = len(b.zone.Pools)
	b.zone.Pools = append(b.zone.Pools, p)
	b.fenceKeys = append(b.fenceKeys, nil)
	return b.pools[name]
}
