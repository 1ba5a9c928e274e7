package config

import (
	"fmt"
	"slices"
	"strings"
)

// zone reports that there is no zone of that name.
func (b *planBuilder) zone(n *yamlNode, at *yamlPath, name string) *Zone {
	var names []string
	for _, z := range b.zones {
		if z.Name == name {
			return z
		}
		names = append(names, strings.TrimSuffix(z.Name, "."))
	}
	if b.zones != nil {
		b.errorf(n, at, didYouMean(strings.TrimSuffix(name, "."), names, "zones: "+strings.Join(names, ", ")), "there is no zone %q", shorten(strings.TrimSuffix(name, ".")))
	}
	return nil
}

// split is the zone that a name begins with, by default the plan's, and the rest.
func (b *planBuilder) split(n *yamlNode, at *yamlPath, text string, parts int) (zone, rest string) {
	if strings.Count(text, "/") < parts {
		if b.plan.Zone == "" && text != "" {
			b.errorf(n, at, "write ZONE/"+text+", or say zone: ZONE at the top", "%q names no zone, and the plan has none", shorten(text))
		}
		return b.plan.Zone, text
	}
	zone, rest, _ = strings.Cut(text, "/")
	name, err := ZoneName(zone)
	if err != nil {
		return "", rest
	}
	return name, rest
}

// pool is what n names; nothing where it is wrong, which is reported.
func (b *planBuilder) pool(n *yamlNode, at *yamlPath) (p PlanPool) {
	p.Zone, p.Pool = b.split(n, at, stringOf(n), 1)
	b.poolIn(n, at, p)
	return p
}

// poolIn is the pool in the zones; nil where there is none, which is reported.
func (b *planBuilder) poolIn(n *yamlNode, at *yamlPath, p PlanPool) *Pool {
	if b.zones == nil || p.Pool == "" || p.Zone == "" {
		return nil
	}
	z := b.zone(n, at, p.Zone)
	if z == nil {
		return nil
	}
	var names []string
	for _, pool := range z.Pools {
		if pool.Name == p.Pool {
			return pool
		}
		names = append(names, pool.Name)
	}
	b.errorf(n, at, didYouMean(p.Pool, names, ""), "zone %s has no pool %q", trimDot(z.Name), shorten(p.Pool))
	return nil
}

// poolOf is the pool in the zones; nil where there is none, which has been reported.
func (b *planBuilder) poolOf(p PlanPool) *Pool {
	for _, z := range b.zones {
		for _, pool := range z.Pools {
			if z.Name == p.Zone && pool.Name == p.Pool {
				return pool
			}
		}
	}
	return nil
}

// endpoint is what n names, as ZONE/POOL/ENDPOINT.
func (b *planBuilder) endpoint(n *yamlNode, at *yamlPath) string {
	zone, rest := b.split(n, at, stringOf(n), 2)
	pool, endpoint, ok := strings.Cut(rest, "/")
	if !ok || endpoint == "" {
		b.errorf(n, at, "", "want POOL/ENDPOINT or ZONE/POOL/ENDPOINT, got %q", shorten(stringOf(n)))
		return ""
	}
	if p := b.poolIn(n, at, PlanPool{zone, pool}); p != nil {
		var names []string
		for _, e := range p.Endpoints {
			names = append(names, e.Name)
		}
		if !slices.Contains(names, endpoint) {
			b.errorf(n, at, didYouMean(endpoint, names, ""), "pool %s has no endpoint %q", p.Name, shorten(endpoint))
		}
	}
	return trimDot(zone) + "/" + pool + "/" + endpoint
}

// place reports an AZ or a region that no zone has.
func (b *planBuilder) place(n *yamlNode, at *yamlPath, kind string) {
	if b.zones == nil {
		return
	}
	name := stringOf(n)
	var names []string
	for _, z := range b.zones {
		if kind == "az" {
			for _, az := range z.AZs {
				names = append(names, az.Name)
			}
			continue
		}
		for _, r := range z.Regions {
			names = append(names, r.Name)
		}
	}
	if !slices.Contains(names, name) {
		b.errorf(n, at, didYouMean(name, names, ""), "no zone has the %s %q", kind, shorten(name))
	}
}

// checkIn reports a check that the zone does not have. It returns the zone.
func (b *planBuilder) checkIn(n *yamlNode, at *yamlPath, zone string) string {
	if zone == "" {
		b.errorf(n, at, "say zone: ZONE at the top", "a check is one of a zone, and the plan has none")
		return ""
	}
	if b.zones == nil {
		return zone
	}
	z := b.zone(n, at, zone)
	if z == nil {
		return zone
	}
	var names []string
	for _, c := range z.Checks {
		names = append(names, c.Name)
	}
	if name := stringOf(n); !slices.Contains(names, name) {
		b.errorf(n, at, didYouMean(name, names, ""), "zone %s has no check %q", trimDot(zone), shorten(name))
	}
	return zone
}

// service is the FQDN that n names, below the plan's zone where it has no dot at its end and is not below it already.
func (b *planBuilder) service(n *yamlNode, at *yamlPath) string {
	text := strings.ToLower(stringOf(n))
	if text == "" {
		return ""
	}
	name := strings.TrimSuffix(text, ".") + "."
	if zone := b.plan.Zone; zone != "" && !strings.HasSuffix(text, ".") && name != zone && !strings.HasSuffix(name, "."+zone) {
		name += zone
	}
	if b.zones == nil {
		return name
	}
	var names []string
	for _, z := range b.zones {
		for _, s := range z.Services {
			if s.Name == name {
				return name
			}
			names = append(names, strings.TrimSuffix(s.Name, "."))
		}
	}
	b.errorf(n, at, didYouMean(trimDot(name), names, ""), "there is no service %q", shorten(trimDot(name)))
	return name
}

// sharesOf are the weights of the two pools of a shift.
func (b *planBuilder) sharesOf(s *PlanShift) (from, to int, why string) {
	if b.zones == nil || b.poolOf(s.From) == nil || b.poolOf(s.To) == nil {
		return 0, 0, ""
	}
	return s.Weights(b.zones)
}

// Weights are the weights of the two pools in the one tier that they share; why says what keeps the share of the one from going to the other.
func (s *PlanShift) Weights(zones []*Zone) (from, to int, why string) {
	found := 0
	for _, z := range zones {
		for _, svc := range z.Services {
			if z.Name != s.From.Zone || s.Service != "" && s.Service != svc.Name {
				continue
			}
			for _, tier := range svc.Tiers {
				f, t := weightIn(z, tier, s.From.Pool), weightIn(z, tier, s.To.Pool)
				switch {
				case f < 0 || t < 0:
				case found > 0 && (f != from || t != to):
					return 0, 0, fmt.Sprintf("services give %s and %s different weights: name one of them as `service`", s.From.Pool, s.To.Pool)
				default:
					from, to, found = f, t, found+1
				}
			}
		}
	}
	switch {
	case found == 0:
		return 0, 0, fmt.Sprintf("%s and %s share no tier: from one tier to the next traffic goes by health, drains and gates, not by weight", s.From.Pool, s.To.Pool)
	case from == 0:
		return 0, 0, fmt.Sprintf("%s weighs 0: it has no share to give", s.From.Pool)
	case from*s.Step < 100:
		return 0, 0, fmt.Sprintf("%s weighs %d, too little to go in steps of %d %%: give the pools of its tier greater weights, as 100 for 1", s.From.Pool, from, s.Step)
	}
	return from, to, ""
}

// weightIn is the weight of a pool in a tier; -1 where it is not in it.
func weightIn(z *Zone, tier Tier, pool string) int {
	for _, share := range tier {
		if z.Pools[share.Pool].Name == pool {
			return share.Weight
		}
	}
	return -1
}

func trimDot(name string) string { return strings.TrimSuffix(name, ".") }
