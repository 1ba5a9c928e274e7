package config

import (
	"strings"

	"gopkg.in/yaml.v3"
)

// GeoDatabase says whether the node that a zone is for has a geo database.
type GeoDatabase uint8

// What is known of the node. With GeoUnknown, what needs a database is a Warning, once for each zone; with GeoNone it is an
// Error.
const (
	GeoUnknown GeoDatabase = iota
	GeoNone
	GeoPresent
)

// needsGeo reports the key k, which means nothing on a node without a geo database.
func (b *builder) needsGeo(k *yamlNode, at *yamlPath, what string) {
	if k == nil {
		return
	}
	switch b.geo {
	case GeoNone:
		b.errorf(k, at, "name one in the node file: geo: {databases: [PATH]}", "%s needs a geo database, and the node has none", what)
	case GeoUnknown:
		if !b.geoWarned {
			b.geoWarned = true
			b.node(k, Warning, at.String(), what+" needs a geo database in the node file", "`fairlead check --node FILE` looks whether the node has one")
		}
	}
}

// clients reads the rules that choose tiers by who asks.
func (b *builder) clients(s *Service, n *yamlNode, at *yamlPath) {
	if n == nil {
		return
	}
	seen := make(map[string]int)
	once := func(item *yamlNode, at *yamlPath, kind, value string) {
		what := kind + " " + shorten(value)
		if line, dup := seen[what]; dup && value != "" {
			b.errorf(item, at, "", "duplicate %s; it stands at line %d already", what, line)
			return
		}
		seen[what] = int(item.Line)
	}
	for i, item := range items(n) {
		if item.Kind != yaml.MappingNode {
			continue
		}
		at := at.item(i)
		rule := ClientRule{Strict: boolOf(field(item, "strict")), Tiers: b.tiers(field(item, "tiers"), at.child("tiers"))}
		match := field(item, "match")
		at = at.child("match")
		if match != nil && match.Kind == yaml.MappingNode && len(match.Content) == 0 {
			b.errorf(match, at, "name one of cidr, continent, country, subdivision, asn", "the rule matches nobody")
		}
		for j, c := range items(field(match, "cidr")) {
			if p, err := parsePrefix(stringOf(c)); err == nil {
				once(c, at.at("cidr", j), "prefix", p.String())
				rule.CIDR = append(rule.CIDR, p)
			}
		}
		for _, codes := range []struct {
			key string
			to  *[]string
		}{{"continent", &rule.Continent}, {"country", &rule.Country}, {"subdivision", &rule.Subdivision}} {
			k, v := fieldOf(match, codes.key)
			b.needsGeo(k, at.child(codes.key), "a rule by "+codes.key)
			for j, c := range items(v) {
				code := strings.ToUpper(stringOf(c))
				once(c, at.at(codes.key, j), codes.key, code)
				*codes.to = append(*codes.to, code)
			}
		}
		k, v := fieldOf(match, "asn")
		b.needsGeo(k, at.child("asn"), "a rule by asn")
		for j, a := range items(v) {
			once(a, at.at("asn", j), "asn", stringOf(a))
			rule.ASN = append(rule.ASN, uint32(intOf(a, 0)))
		}
		s.Clients = append(s.Clients, rule)
	}
}

// nearest reads the order within tiers. Every region that could be chosen must have a place.
func (b *builder) nearest(s *Service, n *yamlNode, at *yamlPath) {
	k, v := fieldOf(n, "order")
	b.latency(s, n, at)
	if s.Nearest = v != nil; !s.Nearest || stringOf(v) == "fastest" {
		return
	}
	at = at.child("order")
	b.needsGeo(k, at, "order: nearest")
	for _, i := range s.Pools {
		p := b.zone.Pools[i]
		if p.Region < 0 || b.zone.Regions[p.Region].HasLocation {
			continue
		}
		region := b.zone.Regions[p.Region].Name
		// A location with a mistake in it is reported where it stands.
		if field(field(field(b.root, "regions"), region), "location") == nil {
			b.errorf(k, at, "add location: [LATITUDE, LONGITUDE] to the region",
				"the region %q of the pool %q has no location to be near to", region, p.Name)
		}
	}
}
