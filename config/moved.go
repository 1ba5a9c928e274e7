package config

import (
	"slices"
	"strings"
)

// MovedNames are names that the next version of a zone answers with other addresses, while those that they had are answered for other names:
// cells with another home, and names that were a wildcard's until something of their own stood there.
type MovedNames struct {
	// Before is the service that answered them, and Service the name of the one that does.
	Before  *Service
	Service string
	// What they are, in words, and why they move.
	What, Why string
	// Shards are those that move From one pool To another, by name; empty for others. FromHome is set where From is a pool, and not what takes
	// over from it.
	Shards   Shards
	From, To string
	FromHome bool
}

// Moved are the names that move when is takes the place of was.
func Moved(was, is *Zone) []MovedNames {
	home := func(z *Zone, service, shard int) (int, bool) { return z.Services[service].Cells.HomeOf(shard), false }
	return append(MovedCells(was, is, home, home), MovedFromWildcards(was, is)...)
}

// A ShardHome is the pool at which a shard of a service is at home, by index of Zone.Pools, and whether an order keeps it from there.
type ShardHome func(z *Zone, service, shard int) (pool int, drained bool)

// MovedCells are the cells that move when is takes the place of was, which may be the same zone with other orders, for each pair of pools.
func MovedCells(was, is *Zone, before, after ShardHome) (moved []MovedNames) {
	services := make(map[string]int, len(was.Services))
	for i, svc := range was.Services {
		services[svc.Name] = i
	}
	for i, svc := range is.Services {
		old, known := services[svc.Name]
		if !known || svc.Cells == nil || was.Services[old].Cells == nil {
			continue
		}
		m := cellMoves{was: was, is: is, old: old, now: i, before: before, after: after, same: make(map[[2]cellPlace]bool)}
		moved = append(moved, m.all()...)
	}
	return moved
}

// MovedFromWildcards are the names that wildcards of was answered, and that stand in is themselves: a wildcard answers no name that exists, nor
// one below it (RFC 4592).
func MovedFromWildcards(was, is *Zone) (moved []MovedNames) {
	wildcards := make(map[string]*Service)
	for _, svc := range was.Services {
		if parent, ok := strings.CutPrefix(svc.Name, "*."); ok {
			wildcards[parent] = svc
		}
	}
	if len(wildcards) == 0 {
		return nil
	}
	before := was.standing(wildcards)
	for name, first := range is.standing(wildcards) {
		if before[name] != "" {
			continue
		}
		_, parent, _ := strings.Cut(name, ".")
		wildcard := wildcards[parent]
		m := MovedNames{
			Before: wildcard, Service: wildcard.Name, Why: strings.TrimSuffix(first, ".") + " stands in the file",
			What: "answers of " + strings.TrimSuffix(wildcard.Name, ".") + " at and below " + strings.TrimSuffix(name, "."),
		}
		switch {
		case slices.Contains(is.Nested, first):
			m.Why = "zone " + strings.TrimSuffix(first, ".") + " answers there"
		case slices.ContainsFunc(is.Services, func(svc *Service) bool { return svc.Name == name }):
			m.Service, m.Why = name, "the name has a service of its own"
		}
		moved = append(moved, m)
	}
	slices.SortFunc(moved, func(a, b MovedNames) int { return strings.Compare(a.What, b.What) })
	return moved
}

// standing are the names of z one label below parents at or below which something stands, with what does: the shortest name, and of those the
// first.
func (z *Zone) standing(parents map[string]*Service) map[string]string {
	out := make(map[string]string)
	z.eachOwner(func(owner string) {
		for name := owner; ; {
			_, parent, ok := strings.Cut(name, ".")
			if !ok {
				return
			}
			if first := out[name]; parents[parent] != nil && !strings.HasPrefix(name, "*.") &&
				(first == "" || len(owner) < len(first) || len(owner) == len(first) && owner < first) {
				out[name] = owner
			}
			name = parent
		}
	})
	return out
}

// eachOwner calls f for the names under which something of z stands, or that other zones have of it.
func (z *Zone) eachOwner(f func(owner string)) {
	for i := range z.Records {
		f(z.Records[i].Name)
	}
	for i := range z.Hosts {
		f(z.Hosts[i].Name)
	}
	for i := range z.NameServers {
		f(z.NameServers[i].Name)
	}
	for _, s := range z.Services {
		f(s.Name)
		for i := range s.Places {
			f(s.Places[i].Name)
		}
	}
	for _, zone := range z.Nested {
		f(zone)
	}
}
