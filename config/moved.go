package config

import (
	"fmt"
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
}

// Moved are the names that move when is takes the place of was.
func Moved(was, is *Zone) (moved []MovedNames) {
	services := make(map[string]*Service, len(was.Services))
	for _, svc := range was.Services {
		services[svc.Name] = svc
	}
	for _, svc := range is.Services {
		if before := services[svc.Name]; before != nil {
			if cells := movedCells(was, before.Cells, is, svc.Cells); cells != "" {
				moved = append(moved, MovedNames{before, svc.Name, cells, "they have another home"})
			}
		}
	}
	return append(moved, movedFromWildcards(was, is)...)
}

// movedFromWildcards are the names that wildcards of was answered, and that stand in is themselves: a wildcard answers no name that exists, nor
// one below it (RFC 4592).
func movedFromWildcards(was, is *Zone) (moved []MovedNames) {
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

// maxMovedRanges is how many ranges of cells are named; the others are counted.
const maxMovedRanges = 3

// movedCells names the cells that have another home than before, which has none of the addresses that they had; empty for none.
func movedCells(was *Zone, before *Cells, is *Zone, after *Cells) string {
	if before == nil || after == nil {
		return ""
	}
	// Cells are many, and pools few.
	same := make(map[[2]*Pool]bool)
	var ranges []string
	first := -1
	shards := min(before.Shards, after.Shards)
	for cell := range shards + 1 {
		moves := false
		if cell < shards {
			homes := [2]*Pool{homeOf(was, before, cell), homeOf(is, after, cell)}
			if _, known := same[homes]; !known {
				same[homes] = sameHome(homes[0], homes[1])
			}
			moves = !same[homes]
		}
		switch {
		case moves && first < 0:
			first = cell
		case !moves && first >= 0:
			ranges = append(ranges, cellRange(first, cell-1))
			first = -1
		}
	}
	if len(ranges) == 0 {
		return ""
	}
	text := "cells " + strings.Join(ranges[:min(len(ranges), maxMovedRanges)], ", ")
	if more := len(ranges) - maxMovedRanges; more > 0 {
		text += fmt.Sprintf(" and %d more ranges", more)
	}
	return text
}

func cellRange(first, last int) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}

// homeOf is the pool at which a cell is at home; nil for none.
func homeOf(z *Zone, c *Cells, cell int) *Pool {
	for _, r := range c.Home {
		if r.First <= cell && cell <= r.Last {
			return z.Pools[r.Pool]
		}
	}
	return nil
}

// sameHome tells whether two pools, nil for none, have one name, or an endpoint of one has something that one of the other has.
func sameHome(a, b *Pool) bool {
	if a == nil || b == nil {
		return a == b
	}
	has := make(map[string]bool)
	for _, e := range a.Endpoints {
		for _, r := range e.RData() {
			has[r] = true
		}
	}
	return a.Name == b.Name || slices.ContainsFunc(b.Endpoints, func(e *Endpoint) bool {
		return slices.ContainsFunc(e.RData(), func(r string) bool { return has[r] })
	})
}
