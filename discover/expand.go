package discover

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// Members are the endpoints that sets give the pools of z, by index of the pool, as config.Zone.With takes them, and what stands against
// some.
func Members(z *config.Zone, sets map[string]*Set) (members map[int][]config.Member, problems []string) {
	members = make(map[int][]config.Member)
	for i, p := range z.Pools {
		for _, f := range p.From {
			for _, cluster := range f.Clusters {
				s := sets[cluster]
				if s == nil {
					continue
				}
				list, more := membersOf(z, p, f, s)
				members[i] = append(members[i], list...)
				problems = append(problems, more...)
			}
		}
	}
	return members, problems
}

// membersOf is what the part of f in s gives the pool p of z.
func membersOf(z *config.Zone, p *config.Pool, f *config.From, s *Set) (out []config.Member, problems []string) {
	for _, e := range s.entriesFor(z, p, f) {
		if !takes(f, &e.Address) {
			continue
		}
		if len(out) == f.Max {
			problems = append(problems, fmt.Sprintf("%s: %s in %s has more than %d endpoints", p.Name, f, s.Cluster, f.Max))
			break
		}
		az, err := s.place(z, p, f, &e.Address)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %s of %s in %s: %v", p.Name, e.RData(), e.Object, s.Cluster, err))
			continue
		}
		m := config.Member{Name: e.EndpointName(s.Cluster), Cluster: s.Cluster, Addr: e.IP, Target: e.Host, AZ: az, Weight: f.Weight, Port: e.Port}
		if f.Ready {
			// That none is ready is what a cluster believes: whether an endpoint lives is for probes to say.
			m.Weight = min(max(1, e.Ready), maxWeight)
		}
		if !e.Probed {
			m.Weight = 0
		}
		out = append(out, m)
	}
	return out, problems
}

// maxWeight is the greatest weight that answers know.
const maxWeight = 65535

// entriesFor are the entries of f's part of p. Where there are none, those stand in that the pool's selectors of before gave, if they are
// kept: see decision.unwanted.
func (s *Set) entriesFor(z *config.Zone, p *config.Pool, f *config.From) []Entry {
	if part := s.Part(keyOf(z.Name, p.Name, f)); part != nil && len(part.Entries) > 0 {
		return part.Entries
	}
	var out []Entry
	for _, part := range s.Parts {
		asked := func(f *config.From) bool { return keyOf(z.Name, p.Name, f) == part.Key }
		if part.Zone == z.Name && part.Pool == p.Name && !slices.ContainsFunc(p.From, asked) {
			out = append(out, part.Entries...)
		}
	}
	return out
}

// takes tells whether f takes addresses like a.
func takes(f *config.From, a *Address) bool {
	if a.Host != "" {
		return f.Target
	}
	family := config.IPv4
	if a.IP.Is6() {
		family = config.IPv6
	}
	return !f.Target && slices.Contains(f.Families, family)
}

// place is the AZ of z in which an address stands: that of the cluster's labels, of f, of the cluster as a whole, or the only one of the
// region.
func (s *Set) place(z *config.Zone, p *config.Pool, f *config.From, a *Address) (int, error) {
	region := cmp.Or(a.Region, s.Region)
	for i, r := range z.Regions {
		if r.Name == region && i != p.Region {
			return 0, fmt.Errorf("it is in region %s, the pool in %s", region, z.Regions[p.Region].Name)
		}
	}
	name := a.AZ
	if name == "" && f.AZ >= 0 {
		return f.AZ, nil
	}
	if name == "" {
		name = s.AZ
	}
	if name == "" {
		only := -1
		for i, az := range z.AZs {
			if az.Region != p.Region {
				continue
			}
			if only >= 0 {
				return 0, fmt.Errorf("the cluster does not say its AZ, and region %s has several: `az` is missing", z.Regions[p.Region].Name)
			}
			only = i
		}
		if only < 0 {
			return 0, fmt.Errorf("region %s has no AZ", z.Regions[p.Region].Name)
		}
		return only, nil
	}
	for i, az := range z.AZs {
		if az.Name == name && az.Region == p.Region {
			return i, nil
		}
	}
	return 0, fmt.Errorf("the zone file has no AZ %s in region %s", name, z.Regions[p.Region].Name)
}
