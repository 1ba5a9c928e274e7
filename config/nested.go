package config

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// Visible are the zones as they answer beside one another: without the names that another of them, which is closer to them, answers from its own
// file. Only a zone above another one is another value than before, with another Hash.
func Visible(zones []*Zone) []*Zone {
	names := make([]string, len(zones))
	for i, z := range zones {
		names[i] = z.Name
	}
	lower := Below(names)
	if len(lower) == 0 {
		return zones
	}
	out := slices.Clone(zones)
	for i, z := range out {
		out[i] = z.Above(lower[z.Name])
	}
	return out
}

// Below are, for each of the zones that has some, the zones that stand below it and below none of the others that is closer, sorted.
func Below(zones []string) map[string][]string {
	known := make(map[string]bool, len(zones))
	for _, z := range zones {
		known[z] = true
	}
	lower := make(map[string][]string)
	for z := range known {
		if upper := Enclosing(known, z); upper != "" {
			lower[upper] = append(lower[upper], z)
		}
	}
	for _, list := range lower {
		slices.Sort(list)
	}
	return lower
}

// Enclosing is the closest of some zones above a name; empty for none.
func Enclosing(zones map[string]bool, name string) string {
	for off, end := dns.NextLabel(name, 0); !end; off, end = dns.NextLabel(name, off) {
		if zones[name[off:]] {
			return name[off:]
		}
	}
	return ""
}

// Above is z without what zones of these names, which stand below it, answer in its place; z itself for none. Records of delegations stay.
func (z *Zone) Above(nested []string) *Zone {
	if len(nested) == 0 {
		return z
	}
	out := *z
	out.Nested = nested
	h := sha256.New()
	h.Write(z.Hash[:])
	fmt.Fprintf(h, "\x00nested %q", nested)
	h.Sum(out.Hash[:0])
	hidden := func(owner string) bool {
		return slices.ContainsFunc(nested, func(n string) bool { return atOrBelow(owner, n) })
	}
	out.Records = slices.DeleteFunc(slices.Clone(z.Records), func(r Record) bool { return hidden(r.Name) && !z.delegates(&r, nested) })
	out.Hosts = slices.DeleteFunc(slices.Clone(z.Hosts), func(h Host) bool { return hidden(h.Name) })
	index := make(map[int]int, len(z.Services))
	out.Services = nil
	for i, s := range z.Services {
		if hidden(s.Name) {
			continue
		}
		if slices.ContainsFunc(s.Places, func(p Place) bool { return hidden(p.Name) }) {
			kept := *s
			kept.Places = slices.DeleteFunc(slices.Clone(s.Places), func(p Place) bool { return hidden(p.Name) })
			s = &kept
		}
		index[i] = len(out.Services)
		out.Services = append(out.Services, s)
	}
	if len(out.Services) == len(z.Services) {
		return &out
	}
	out.Pools = slices.Clone(z.Pools)
	for i, p := range z.Pools {
		kept := *p
		kept.Services = nil
		for _, s := range p.Services {
			if n, ok := index[s]; ok {
				kept.Services = append(kept.Services, n)
			}
		}
		kept.Failbacks = out.failbacks(&kept)
		out.Pools[i] = &kept
	}
	return &out
}

// atOrBelow tells whether an owner name, which may be a wildcard, stands at or below a zone.
func atOrBelow(owner, zone string) bool { return Within(strings.TrimPrefix(owner, "*."), zone) }

// delegates tells whether a record belongs to a delegation of one of the zones below z: NS and DS at its apex, glue at or below it.
func (z *Zone) delegates(r *Record, nested []string) bool {
	for _, n := range nested {
		switch {
		case !Within(r.Name, n):
		case r.Name == n && (r.Type == dns.TypeNS || r.Type == dns.TypeDS):
			return true
		case r.Type == dns.TypeA || r.Type == dns.TypeAAAA:
			return slices.ContainsFunc(z.Records, func(o Record) bool { return o.Name == n && o.Type == dns.TypeNS })
		}
	}
	return false
}

// failbacks are the distinct ways in which a pool's services let it return.
func (z *Zone) failbacks(p *Pool) []Failback {
	var all []Failback
	for _, s := range p.Services {
		f := z.Services[s].FailbackOf(p)
		if !slices.ContainsFunc(all, func(g Failback) bool {
			return f.Mode == g.Mode && f.Hold == g.Hold && f.Step == g.Step && slices.Equal(f.Ramp, g.Ramp)
		}) {
			all = append(all, f)
		}
	}
	return all
}
