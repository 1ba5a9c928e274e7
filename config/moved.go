package config

import (
	"fmt"
	"slices"
	"strings"
)

// MovedNames are names that the next version of a zone answers with other addresses, while those that they had are answered for other names:
// cells with another home, and names that were a wildcard's until they had a service, or a zone, of their own.
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
		} else if before = wildcardOf(services, svc.Name); before != nil {
			moved = append(moved, MovedNames{before, svc.Name, "answers of " + strings.TrimSuffix(before.Name, "."), "the name has a service of its own"})
		}
	}
	for _, zone := range is.Nested {
		if before := wildcardOf(services, zone); before != nil && !slices.Contains(was.Nested, zone) {
			name := strings.TrimSuffix(zone, ".")
			moved = append(moved, MovedNames{before, before.Name, "answers of " + strings.TrimSuffix(before.Name, ".") + " at and below " + name, "zone " + name + " answers there"})
		}
	}
	return moved
}

// wildcardOf is the service, by name, whose wildcard answered a name that had none of its own: the nearest; nil for none.
func wildcardOf(services map[string]*Service, name string) *Service {
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return nil
		}
		if svc := services["*."+parent]; svc != nil {
			return svc
		}
		name = parent
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
