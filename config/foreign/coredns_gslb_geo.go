package foreign

import (
	"net/netip"
	"slices"
	"strings"
)

// geo makes client rules of what backends say of their places.
func (b *gslbRecord) geo(s *service, backends []tree) {
	located := !slices.ContainsFunc(backends, func(be tree) bool { return !be.get("latitude").is() || !be.get("longitude").is() })
	if located && len(backends) > 0 {
		var all tier
		for _, t := range s.tiers {
			all = append(all, t...)
		}
		s.tiers = []tier{all}
		s.set("order: nearest")
	}
	rules := make(map[string][]string)
	var order []string
	add := func(match string, be tree) {
		if !slices.Contains(order, match) {
			order = append(order, match)
		}
		rules[match] = append(rules[match], be.get("address").str(""))
	}
	for _, be := range backends {
		for _, kind := range []struct{ key, old, match string }{
			{"country", "location_countries", "country"}, {"continent", "", "continent"}, {"asn", "location_asns", "asn"},
		} {
			for _, v := range append(be.get(kind.key).texts(), be.get(kind.old).texts()...) {
				v = strings.ToUpper(v)
				if as, ok := strings.CutPrefix(v, "AS"); kind.match == "asn" {
					if ok {
						v = as
					}
				} else {
					v = word(v)
				}
				add(kind.match+": ["+v+"]", be)
			}
		}
		for _, v := range be.get("subdivision").texts() {
			if countries := be.get("country").texts(); len(countries) > 0 {
				add("subdivision: ["+word(strings.ToUpper(countries[0]+"-"+v))+"]", be)
			}
		}
		if be.get("city").is() || len(be.get("location_cities").texts()) > 0 {
			b.note(b.t.file, be.line(), "%s: rules by city are not carried over", b.owner)
		}
		for _, where := range append(be.get("location").texts(), be.get("location_custom").texts()...) {
			nets := b.places[where]
			if len(nets) == 0 {
				b.note(b.t.file, be.line(), "%s: no network of the location %s is in the files", b.owner, where)
			}
			for _, net := range nets {
				if p, err := netip.ParsePrefix(net); err == nil {
					add("cidr: ["+word(p.Masked().String())+"]", be)
				}
			}
		}
	}
	for _, match := range order {
		if t := b.tierOf(rules[match]); len(t) > 0 {
			s.clients = append(s.clients, client{match: match, tiers: []tier{t}})
		}
	}
	slices.SortStableFunc(s.clients, func(a, c client) int { return specificity(c.match) - specificity(a.match) })
}

// tierOf is a tier of the backends with these addresses alone, of pools of their own where they share one with others.
func (b *gslbRecord) tierOf(addresses []string) tier {
	var out tier
	for _, p := range b.made {
		var mine []endpoint
		for _, e := range p.endpoints {
			if slices.Contains(addresses, strings.Join(e.addresses, "")) {
				mine = append(mine, e)
			}
		}
		switch {
		case len(mine) == 0:
		case len(mine) == len(p.endpoints):
			out = append(out, share{p.name, len(mine)})
		default:
			id := p.name + strings.Join(addresses, ",")
			if b.part[id] == nil {
				b.part[id] = b.z.addPool(&pool{name: p.name + "-" + mine[0].name, region: p.region, check: p.check, endpoints: slices.Clone(mine)})
			}
			out = append(out, share{b.part[id].name, len(mine)})
		}
	}
	return out
}
