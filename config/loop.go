package config

import (
	"maps"
	"slices"
)

// checkLoops reports CNAMEs that lead back to themselves inside the zone, once per loop.
func (b *builder) checkLoops() {
	l := &loops{builder: b, inZone: make([][]string, len(b.zone.Pools)), marks: make(map[string]int)}
	any := false
	for i, p := range b.zone.Pools {
		for _, e := range p.Endpoints {
			if e.Target != "" && Within(e.Target, b.zone.Name) {
				l.inZone[i] = append(l.inZone[i], e.Target)
				any = true
			}
		}
	}
	for _, own := range b.owners {
		any = any || own.target != ""
	}
	if !any {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(b.owners)) {
		if l.marks[name] == 0 {
			l.visit(name)
		}
	}
}

// loops walks the CNAMEs of a zone, depth first.
type loops struct {
	*builder
	// inZone holds the targets of each pool that lie in the zone.
	inZone [][]string
	marks  map[string]int
}

// The marks of a name: on the way down, and done.
const (
	loopOpen = 1
	loopDone = 2
)

func (l *loops) visit(name string) {
	own := l.owners[name]
	if own == nil {
		return
	}
	l.marks[name] = loopOpen
	for _, target := range l.targets(own) {
		switch l.marks[target] {
		case loopOpen:
			c := own.main
			if own.target != "" {
				c = own.records[typeCNAME]
			}
			c.say(c.severity(), "", "the CNAME target %s leads back to itself", target)
		case 0:
			l.visit(target)
		}
	}
	l.marks[name] = loopDone
}

func (l *loops) targets(own *owner) []string {
	if own.target != "" {
		return []string{own.target}
	}
	if own.main == nil || own.main.service == nil {
		return nil
	}
	var out []string
	for _, p := range own.main.service.Pools {
		out = append(out, l.inZone[p]...)
	}
	return out
}
