package headline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A plight is what can be the matter with a service's answers.
type plight struct{ state, kind, text string }

// plightOf is what is the matter with what a service answers; the zero plight if nothing is. states are those of the zone's endpoints, by
// pool/endpoint.
func plightOf(s *api.Service, states map[string]string) plight {
	switch s.Source {
	case "nodata":
		return plight{down, "nodata", "without an answer (NODATA)"}
	case "last_good":
		return plight{down, "last_good", "on what was up last, nothing is up"}
	case "all":
		return plight{down, "all_down", "on all members, nothing is up"}
	case "fixed":
		return plight{down, "fixed", "on fixed addresses, nothing is up"}
	case "yielded":
		return plight{down, "yielded", "without an answer (SERVFAIL) on this node, which is cut off: another pool may have its turn"}
	case "island":
		return plight{suspect, "island", "on the pools of this node's region, which is cut off"}
	case "panic":
		return plight{suspect, "panic", fmt.Sprintf("on all of tier %d, too little is up (panic)", s.Tier)}
	case "below_min_healthy":
		return plight{suspect, "below_min_healthy", "below min_healthy"}
	case "held":
		return plight{suspect, "held", "on what waits for its hold"}
	}
	if slices.Contains(s.Lost, "A") {
		return plight{down, "no_ipv4", "without an IPv4 answer, every IPv4 address is dead"}
	}
	for _, x := range s.Shares {
		if states[x.Pool+"/"+x.Endpoint] == down {
			return plight{suspect, "kept", "still on what is down, since too much left at once"}
		}
	}
	if s.Tier > 1 {
		p := plight{suspect, "standby", "on standby"}
		if s.Tier > 2 {
			p.text = fmt.Sprintf("on standby (tier %d)", s.Tier)
		}
		if ordered(s) {
			p.state = drained
		}
		return p
	}
	if s.Source == "pending" {
		return plight{unknown, "pending", "not judged yet"}
	}
	return plight{}
}

// worst is plightOf, or the gravest that is the matter with what a class of clients gets that gets something worse.
func worst(s *api.Service, states map[string]string) plight {
	own := plightOf(s, states)
	if len(s.Worse) == 0 || own.state == down {
		return own
	}
	var all []plight
	classes := map[plight][]string{}
	for _, c := range s.Worse {
		p := plightOf(&api.Service{Source: c.Source, Tier: c.Tier}, nil)
		if classes[p] == nil {
			all = append(all, p)
		}
		classes[p] = append(classes[p], c.Class)
	}
	// Whatever is down goes before what is suspect, and no answer at all before any.
	p := slices.MinFunc(all, func(a, b plight) int { return cmp.Or(cmp.Compare(gravity(a), gravity(b)), cmp.Compare(a.kind, b.kind)) })
	of := list(classes[p])
	if n := len(s.Worse) - len(classes[p]) + s.MoreWorse; n > 0 {
		of += fmt.Sprintf(", and %d more worse off", n)
	}
	p.text += " for " + of
	return p
}

func gravity(p plight) int {
	switch {
	case p.kind == "nodata", p.kind == "yielded":
		return 0
	case p.state == down:
		return 1
	}
	return 2
}

// ordered tells whether orders alone keep a service from the tiers before its own.
func ordered(s *api.Service) bool {
	for _, why := range s.Skipped {
		if !strings.HasSuffix(why, ": drained") && !strings.HasSuffix(why, ": weight 0 by order") {
			return false
		}
	}
	return len(s.Skipped) > 0
}

// services tells what clients get that they should not get. Many with the same plight are told as one.
func (t *teller) services() {
	var order []plight
	names, short := map[plight][]string{}, map[string]string{}
	for zi := range t.status.Zones {
		z := &t.status.Zones[zi]
		states := endpointStates(z)
		for i := range z.Services {
			if p := worst(&z.Services[i], states); p != (plight{}) {
				if names[p] == nil {
					order = append(order, p)
				}
				names[p] = append(names[p], z.Services[i].Name)
				short[z.Services[i].Name] = t.short(z.Name, z.Services[i].Name)
			}
		}
	}
	for _, p := range order {
		all := names[p]
		if len(all) <= apart {
			for _, name := range all {
				t.add(api.Cause{Level: api.LevelService, State: p.state, Kind: p.kind, Name: name, Text: short[name] + " " + p.text,
					Command: "fairlead explain " + display(name)})
			}
			continue
		}
		shown := make([]string, len(all))
		for i, name := range all {
			shown[i] = short[name]
		}
		t.add(api.Cause{Level: api.LevelService, State: p.state, Kind: p.kind, Text: fmt.Sprintf("%s %s (%s)", count(len(all), "service"), p.text, list(shown))})
	}
}

func endpointStates(z *api.Zone) map[string]string {
	states := map[string]string{}
	for _, p := range z.Pools {
		for i := range p.Endpoints {
			states[p.Name+"/"+p.Endpoints[i].Name] = p.Endpoints[i].State
		}
	}
	return states
}
