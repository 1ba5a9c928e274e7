package headline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// longestReason bounds a reason in the headline, in characters.
const longestReason = 60

// A member is an endpoint with where it stands.
type member struct {
	// name is ZONE/POOL/ENDPOINT, short the same without the only zone.
	name, short string
	*api.Endpoint
}

// An area is a region or an AZ with the endpoints in it.
type area struct {
	name    string
	members []*member
	// azs are those of a region.
	azs []string
}

// all counts the members in a state.
func (a *area) in(state string) (list []*member) {
	for _, m := range a.members {
		if m.State == state {
			list = append(list, m)
		}
	}
	return list
}

// gone tells whether the area has several members, all of which are down, or drained beside some that are down.
func (a *area) gone() bool {
	out := len(a.in(down))
	return out > 1 && out+len(a.in(drained)) == len(a.members)
}

// areas tells which regions and AZs are down, then of the endpoints that this does not explain.
func (t *teller) areas() {
	regions, azs := t.gather()
	told := map[*member]bool{}
	for _, r := range regions {
		if r.gone() && len(r.azs) > 1 {
			t.goneArea("region", r, fmt.Sprintf("AZs %s; ", strings.Join(r.azs, ", ")), told)
		}
	}
	for _, a := range azs {
		if a.gone() && !told[a.in(down)[0]] {
			t.goneArea("AZ", a, "", told)
		}
	}
	for _, a := range azs {
		for _, state := range []string{down, suspect, unknown} {
			t.endpoints(a, state, told)
		}
	}
	t.remarks(azs)
}

// gather is all endpoints, by region and by AZ, in the order of the files.
func (t *teller) gather() (regions, azs []*area) {
	byRegion, byAZ := map[string]*area{}, map[string]*area{}
	for zi := range t.status.Zones {
		z := &t.status.Zones[zi]
		for pi := range z.Pools {
			p := &z.Pools[pi]
			for i := range p.Endpoints {
				name := display(z.Name) + "/" + p.Name + "/" + p.Endpoints[i].Name
				m := &member{name, t.short(z.Name, name), &p.Endpoints[i]}
				r, a := byRegion[p.Region], byAZ[m.AZ]
				if r == nil {
					r = &area{name: p.Region}
					byRegion[p.Region] = r
					regions = append(regions, r)
				}
				if a == nil {
					a = &area{name: m.AZ}
					byAZ[m.AZ] = a
					azs = append(azs, a)
				}
				r.members, a.members = append(r.members, m), append(a.members, m)
				if !slices.Contains(r.azs, m.AZ) {
					r.azs = append(r.azs, m.AZ)
				}
			}
		}
	}
	return regions, azs
}

func (t *teller) goneArea(what string, a *area, detail string, told map[*member]bool) {
	out := a.in(down)
	for _, m := range out {
		told[m] = true
	}
	since := lastSince(out)
	text := fmt.Sprintf("%s %s down (%s%d of %d%s)%s", what, a.name, detail, len(out), len(a.members), reasonOf(out), t.since(since))
	t.add(api.Cause{Level: api.LevelAZ, State: down, Kind: strings.ToLower(what) + "_down", Name: a.name, Text: text, Since: instant(since),
		Command: "fairlead describe " + strings.ToLower(what) + " " + a.name})
}

// endpoints tells of the endpoints of an AZ in a state that nothing greater explains.
func (t *teller) endpoints(a *area, state string, told map[*member]bool) {
	left := slices.DeleteFunc(a.in(state), func(m *member) bool { return told[m] })
	if len(left) > apart {
		since := lastSince(left)
		t.add(api.Cause{Level: api.LevelEndpoint, State: state, Kind: "endpoints_" + state, Name: a.name, Since: instant(since),
			Text: fmt.Sprintf("%d of %s of AZ %s %s%s%s", len(left), count(len(a.members), "endpoint"), a.name, state, inBrackets(reasonOf(left)), t.since(since))})
		return
	}
	for _, m := range left {
		text := m.short + " " + state
		if state == unknown {
			text += ", not judged yet"
		}
		t.add(api.Cause{Level: api.LevelEndpoint, State: state, Kind: "endpoint_" + state, Name: m.name, Since: instant(m.Since),
			Text: text + inBrackets(reasonOf([]*member{m})) + t.since(m.Since), Command: "fairlead describe endpoint " + m.name})
	}
}

// remarks tells of endpoints that are in service, about which there is something to say.
func (t *teller) remarks(azs []*area) {
	var stale, warned, withheld []string
	for _, a := range azs {
		for _, m := range a.members {
			if m.Stale && m.State != unknown {
				stale = append(stale, m.short)
			}
			if m.Warning != "" || slices.ContainsFunc(m.AddressStates, func(a api.AddressState) bool { return a.Warning != "" }) {
				warned = append(warned, m.short)
			}
			for _, a := range m.AddressStates {
				if a.Withheld {
					withheld = append(withheld, m.short+" "+a.Address)
				}
			}
		}
	}
	if len(withheld) > 0 {
		t.add(api.Cause{Level: api.LevelEndpoint, State: down, Kind: "address_down", Text: count(len(withheld), "endpoint") + " with one of two addresses down (" + list(withheld) + ")"})
	}
	if len(stale) > 0 {
		t.add(api.Cause{Level: api.LevelEndpoint, State: unknown, Kind: "stale", Text: count(len(stale), "endpoint") + " with stale evidence (" + list(stale) + ")"})
	}
	if len(warned) > 0 {
		t.add(api.Cause{Level: api.LevelEndpoint, State: up, Kind: "warning", Text: count(len(warned), "warning") + " (" + list(warned) + ")"})
	}
}

// lastSince is when the last of some endpoints came into its state.
func lastSince(all []*member) (last time.Time) {
	for _, m := range all {
		if m.Since.After(last) {
			last = m.Since
		}
	}
	return last
}

// reasonOf is ", REASON" with the reason that most of some endpoints have; empty if they have none.
func reasonOf(all []*member) string {
	counts := map[string]int{}
	for _, m := range all {
		if m.Reason != "" {
			counts[m.Reason]++
		}
	}
	best := ""
	for reason, n := range counts {
		if best == "" || n > counts[best] || n == counts[best] && cmp.Less(reason, best) {
			best = reason
		}
	}
	if best == "" {
		return ""
	}
	if r := []rune(best); len(r) > longestReason {
		best = string(r[:longestReason-1]) + "…"
	}
	return ", " + best
}

// inBrackets is " (REASON)" of what reasonOf made.
func inBrackets(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + strings.TrimPrefix(reason, ", ") + ")"
}

// pools tells which pools wait to be let back in.
func (t *teller) pools() {
	for zi := range t.status.Zones {
		z := &t.status.Zones[zi]
		for i := range z.Pools {
			t.pool(z, &z.Pools[i])
		}
	}
}

func (t *teller) pool(z *api.Zone, p *api.Pool) {
	name := display(z.Name) + "/" + p.Name
	short := t.short(z.Name, name)
	if len(p.Returns) == 0 {
		return
	}
	c := api.Cause{Level: api.LevelEndpoint, State: up, Kind: "ramp", Name: name}
	var parts []string
	for i := range p.Returns {
		r := &p.Returns[i]
		switch {
		case r.WaitsFor != "":
			c.State, c.Kind = suspect, "waits"
			if r.WaitsFor == "failback" {
				c.Command = "fairlead failback " + name
			}
		case r.Percent == 0 && c.Kind == "ramp":
			c.Kind = "hold"
		}
		if r.Next != nil && (c.Until == nil || r.Next.After(*c.Until)) {
			c.Until = r.Next
		}
		parts = append(parts, t.returning(z, r))
	}
	if c.Kind == "waits" {
		c.Until = nil
	}
	c.Text = "pool " + short + " " + list(parts)
	t.add(c)
}

// returning is how some services wait for a pool, in words that go on after its name.
func (t *teller) returning(z *api.Zone, r *api.PoolReturn) (text string) {
	switch {
	case r.WaitsFor == "failback":
		text = "is back and waits for `fairlead failback`"
	case r.WaitsFor == "config":
		text = "is back and waits for a new version of its file"
	case r.WaitsFor == "cluster":
		text = "is on its way back, which stands still here"
	case r.Next == nil:
		text = "comes back"
	case r.Percent == 0:
		text = "back at " + clock(*r.Next) + " (hold)"
	default:
		text = fmt.Sprintf("comes back by steps, %d%% now", r.Percent)
	}
	if r.AZ != "" {
		text = "in az " + r.AZ + " " + text
	}
	if !r.All {
		names := make([]string, 0, len(r.Services))
		for _, s := range r.Services {
			names = append(names, t.short(z.Name, s))
		}
		text += " for " + list(names)
	}
	return text
}

// gates tells which pools wait behind a closed gate, where nothing else explains that the node calls itself degraded: a gate that is closed
// as it was configured is no news.
func (t *teller) gates() {
	if !t.status.Degraded || Degraded(t.causes) {
		return
	}
	for _, z := range t.status.Zones {
		for _, p := range z.Pools {
			name := display(z.Name) + "/" + p.Name
			c := api.Cause{Level: api.LevelEndpoint, State: suspect, Kind: "gate", Name: name}
			switch p.WaitsFor {
			case "ready":
				c.Text, c.Command = "pool "+t.short(z.Name, name)+" waits for `fairlead ready`", "fairlead ready "+name
			case "check":
				c.Text = "pool " + t.short(z.Name, name) + " waits for check " + p.GateCheck
			default:
				continue
			}
			t.add(c)
		}
	}
	if !Degraded(t.causes) {
		t.add(api.Cause{Level: api.LevelCluster, State: suspect, Kind: "degraded", Name: t.status.Node, Text: t.status.Node + " is degraded"})
	}
}
