package config

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// noReserve is what a weight of 0 beside others is taken for, and is not.
const (
	noReserve     = "weight 0 beside others: it never answers, also when the others are down"
	noReserveHelp = "a reserve is a pool in a later tier"
)

// hintZeros says of the endpoints of a pool that weigh nothing while others do that they are no reserve, once.
func (b *builder) hintZeros(p *Pool, n *yamlNode, at *yamlPath) {
	live := slices.ContainsFunc(p.Endpoints, func(e *Endpoint) bool { return e.Weight > 0 }) || slices.ContainsFunc(p.Named, func(n *Named) bool { return n.Weight > 0 })
	for i, item := range items(n) {
		if w := field(item, "weight"); live && w != nil && intOf(w, 1) == 0 {
			b.node(w, Notice, at.item(i).child("weight").String(), noReserve, noReserveHelp)
			return
		}
	}
}

// hintZeroShares is hintZeros for the pools of a tier.
func (b *builder) hintZeroShares(tier Tier, n *yamlNode, at *yamlPath) {
	if !slices.ContainsFunc(tier, func(s Share) bool { return s.Weight > 0 }) {
		return
	}
	for k, v := range entries(n) {
		if intOf(v, 1) == 0 {
			b.node(v, Notice, at.child(k.Value).String(), noReserve, noReserveHelp)
			return
		}
	}
}

// hintShared warns of addresses that stand in an earlier pool too, once for each two pools: what one of them fails over to is then the same.
func (b *builder) hintShared(p *Pool, n *yamlNode, at *yamlPath) {
	type shared struct {
		count int
		item  *yamlNode
		at    *yamlPath
		first string
	}
	if b.addressIn == nil {
		b.addressIn = make(map[netip.Addr]string)
	}
	with := make(map[string]*shared)
	var order []string
	own := -1
	for i, item := range items(n) {
		if item.Kind != yaml.MappingNode || isNamed(item) {
			continue
		}
		if own++; own >= len(p.Endpoints) {
			break
		}
		for _, a := range []netip.Addr{p.Endpoints[own].V4, p.Endpoints[own].V6} {
			other, taken := b.addressIn[a]
			switch {
			case !a.IsValid():
			case !taken:
				b.addressIn[a] = p.Name
			case other == p.Name:
			case with[other] == nil:
				with[other] = &shared{1, item, at.item(i), a.String()}
				order = append(order, other)
			default:
				with[other].count++
			}
		}
	}
	for _, other := range order {
		s := with[other]
		text := fmt.Sprintf("the address %s is in the pool %q too", s.first, other)
		if s.count > 1 {
			text = fmt.Sprintf("%d addresses are in the pool %q too, the first is %s", s.count, other, s.first)
		}
		b.node(s.item, Warning, s.at.String(), text, "pools that are to stand in for each other have no endpoint in common")
	}
}

// Nested are warnings about zones below others: names of the upper zone at or below the apex of the lower one are never answered, since the
// lower zone is closer. They stand at the name of the lower zone. What a delegation to it needs is no such name.
func Nested(zones []*Zone) (problems Problems) {
	byName, names := make(map[string]*Zone, len(zones)), make(map[string]bool, len(zones))
	for _, z := range zones {
		byName[z.Name], names[z.Name] = z, true
	}
	for _, z := range zones {
		upper := byName[Enclosing(names, z.Name)]
		if upper == nil {
			continue
		}
		hidden := upper.namesBelow(z.Name)
		if len(hidden) == 0 {
			continue
		}
		const few = 3
		names := strings.Join(hidden[:min(few, len(hidden))], ", ")
		if more := len(hidden) - few; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		msg := fmt.Sprintf("this zone hides names of the zone %s (%s): %s", strings.TrimSuffix(upper.Name, "."), upper.File, names)
		// Without the file the warning has no place in it.
		content, _ := os.ReadFile(z.File)
		p := AtZone(z.File, content, msg, "names below this zone are answered from its own file: move them there")
		p.Severity = Warning
		problems = append(problems, p)
	}
	return problems
}

// namesBelow are the owner names of z at or below a name, but for what a delegation of that name has.
func (z *Zone) namesBelow(name string) (all []string) {
	add := func(owner string) {
		if atOrBelow(owner, name) && !slices.Contains(all, owner) {
			all = append(all, owner)
		}
	}
	for _, s := range z.Services {
		add(s.Name)
		for _, p := range s.Places {
			add(p.Name)
		}
	}
	for i := range z.Records {
		if r := &z.Records[i]; !z.delegates(r, []string{name}) {
			add(r.Name)
		}
	}
	for _, h := range z.Hosts {
		add(h.Name)
	}
	slices.Sort(all)
	return all
}
