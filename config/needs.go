package config

import (
	"fmt"
	"slices"
	"strings"
)

// maxNeeds bounds the services that one service needs.
const maxNeeds = 100

// A needing is what the file says of what a service needs.
type needing struct {
	service *Service
	list    *yamlNode
	items   []*yamlNode
	at      *yamlPath
}

// needs keeps what a service needs until all services are known.
func (b *builder) needs(s *Service, n *yamlNode, at *yamlPath) {
	if list := field(n, "needs"); list != nil {
		b.needing = append(b.needing, needing{s, list, slices.Clone(items(list)), at})
	}
}

// resolveNeeds looks up which other services the services need.
func (b *builder) resolveNeeds() {
	if len(b.needing) == 0 {
		return
	}
	services := make(map[string]*Service, len(b.zone.Services))
	for _, s := range b.zone.Services {
		services[s.Name] = s
	}
	for _, n := range b.needing {
		for i, item := range n.items {
			b.need(n.service, services, item, n.at.at("needs", i))
		}
	}
	w := needsWalk{services: services, seen: make(map[*Service]bool)}
	for _, n := range b.needing {
		circle := w.circle(n.service)
		if circle == nil {
			continue
		}
		for _, of := range b.needing {
			if of.service == circle[0] {
				b.errorf(of.list, of.at.child("needs"), "what is needed leaves last: it cannot come before itself", "%s", circleText(circle))
			}
		}
	}
}

// circleText says how the first of some services, each needed by the one before, comes to need itself.
func circleText(circle []*Service) string {
	var by []string
	for _, s := range circle[1:] {
		by = append(by, trimDot(s.Name))
	}
	return fmt.Sprintf("%s needs itself, by way of %s", shorten(trimDot(circle[0].Name)), shorten(strings.Join(by, ", ")))
}

// need reads one name that a service needs: one of the zone, or, with a final dot, one of another zone, which need not be served here.
func (b *builder) need(s *Service, services map[string]*Service, n *yamlNode, at *yamlPath) {
	name, err := parseName(stringOf(n), b.zone.Name)
	if err != nil {
		b.errorf(n, at, "", "%s", err)
		return
	}
	if services[name] == nil && Within(name, b.zone.Name) {
		var names []string
		for _, o := range b.zone.Services {
			names = append(names, strings.TrimSuffix(strings.TrimSuffix(o.Name, b.zone.Name), "."))
		}
		b.errorf(n, at, didYouMean(stringOf(n), names, "a service of another zone has a final dot"), "unknown service %q", shorten(stringOf(n)))
		return
	}
	if name == s.Name {
		b.errorf(n, at, "", "%s needs itself", shorten(trimDot(name)))
		return
	}
	if !slices.Contains(s.Needs, name) {
		s.Needs = append(s.Needs, name)
	}
}

// A needsWalk looks for services that need themselves. Each is gone through once.
type needsWalk struct {
	services map[string]*Service
	// seen are those that were gone through; those of way, each needed by the one before, are being gone through.
	seen map[*Service]bool
	way  []*Service
}

// circle are services, each needed by the one before and the first by the last, that a service leads to; nil for none.
func (w *needsWalk) circle(s *Service) []*Service {
	if s == nil {
		return nil
	}
	if w.seen[s] {
		if i := slices.Index(w.way, s); i >= 0 {
			return slices.Clone(w.way[i:])
		}
		return nil
	}
	w.seen[s] = true
	w.way = append(w.way, s)
	defer func() { w.way = w.way[:len(w.way)-1] }()
	for _, name := range s.Needs {
		if found := w.circle(w.services[name]); found != nil {
			return found
		}
	}
	return nil
}

// InOrder are services by when they can leave a place: each before what it needs. Services that have nothing to do with one another stay as they are.
func InOrder(services []*Service) [][]*Service {
	by := make(map[string]*Service, len(services))
	for _, s := range services {
		by[s.Name] = s
	}
	depth := make(map[string]int, len(services))
	// A service of another zone may need one that needs it, which no file can tell: the way back is not gone.
	var deepen func(s *Service, to int, on map[string]bool)
	deepen = func(s *Service, to int, on map[string]bool) {
		if on[s.Name] || depth[s.Name] >= to && to > 0 {
			return
		}
		depth[s.Name] = to
		on[s.Name] = true
		for _, name := range s.Needs {
			if n := by[name]; n != nil {
				deepen(n, to+1, on)
			}
		}
		delete(on, s.Name)
	}
	for _, s := range services {
		deepen(s, depth[s.Name], make(map[string]bool))
	}
	var out [][]*Service
	for _, s := range services {
		for len(out) <= depth[s.Name] {
			out = append(out, nil)
		}
		out[depth[s.Name]] = append(out[depth[s.Name]], s)
	}
	return slices.DeleteFunc(out, func(l []*Service) bool { return len(l) == 0 })
}

// Takes are the services that a drain of a plan takes something from.
func (d *PlanDrain) Takes(zones []*Zone) []*Service {
	var out []*Service
	for _, z := range zones {
		for _, s := range z.Services {
			if (d.Service == "" || d.Service == s.Name) && slices.ContainsFunc(s.Pools, func(p int) bool { return d.takesOf(z, z.Pools[p]) }) {
				out = append(out, s)
			}
		}
	}
	return out
}

// takesOf tells whether the drain takes something of a pool.
func (d *PlanDrain) takesOf(z *Zone, p *Pool) bool {
	switch d.Kind {
	case "pool":
		return d.Name == trimDot(z.Name)+"/"+p.Name
	case "region":
		return p.Region >= 0 && z.Regions[p.Region].Name == d.Name
	}
	return slices.ContainsFunc(p.Endpoints, func(e *Endpoint) bool {
		if d.Kind == "az" {
			return e.AZ >= 0 && z.AZs[e.AZ].Name == d.Name
		}
		return d.Name == trimDot(z.Name)+"/"+p.Name+"/"+e.Name
	})
}

// needed warns of steps that take something from a service before a later step takes it from one that needs that service.
func (b *planBuilder) needed(steps *yamlNode) {
	first := make(map[string]int)
	for i := range b.plan.Steps {
		if d := b.plan.Steps[i].Drain; d != nil {
			for _, s := range d.Takes(b.zones) {
				if _, ok := first[s.Name]; !ok {
					first[s.Name] = i
				}
			}
		}
	}
	for _, z := range b.zones {
		for _, s := range z.Services {
			for _, name := range s.Needs {
				needed, ok := first[name]
				if user, both := first[s.Name]; ok && both && needed < user {
					b.node(items(steps)[needed], Warning, (*yamlPath)(nil).child("steps").item(needed).String(),
						fmt.Sprintf("it takes %s out, which %s needs, and step %d takes that out later", trimDot(name), trimDot(s.Name), user+1),
						"what needs another service leaves before it")
				}
			}
		}
	}
}
