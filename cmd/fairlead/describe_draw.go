package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func drawService(s sheet, d *api.ServiceDetail) {
	states := statesOf(d.Members)
	row := newServiceRow(d.Service, states)
	s.head("service", spelled(d.Name), row.mark)
	s.fact("clients get", "%s; ttl %ds, bound %s", briefAnswers(d.Shares), d.TTLSeconds, briefBound(d))
	s.briefTrouble(d.Members, d.MoreMembers, d.At)
	s.briefOrders(d.Intents, d.At)
	s.fact("zone", "%s", display(d.Zone))
	s.fact("passed over", "%s", strings.Join(d.Skipped, "; "))
	if len(row.down) > 0 && d.Tier > 0 {
		s.fact("kept", "answered although down: %s", strings.Join(row.down, ", "))
	}
	ttl := fmt.Sprintf("%ds", d.TTLSeconds)
	ttl = joinWords(": ", ttl, d.TTL.Why)
	if len(d.TTL.ForcedBy) > 0 {
		ttl += ", by " + strings.Join(d.TTL.ForcedBy, ", ")
	}
	s.fact("ttl", "%s", ttl)
	s.fact("bound", "%s", boundText(d))
	s.members("WHAT IS NOT UP", d.Members, d.MoreMembers, d.At)
	s.shares("WHAT CLIENTS GET NOW", d.Shares, states)
	for _, c := range d.Classes {
		m := serviceMark(api.Service{Source: c.Source, Degraded: c.Degraded, Tier: c.Tier})
		s.shares("CLIENTS OF "+c.Class+": "+m.text(), c.Shares, states)
	}
	t := newTable("STATE", "POOL", "REGION", "UP", "CHECK", "NOTE")
	words := []string{d.Name, display(d.Name)}
	for _, p := range d.Pools {
		m := statesMark(p.States)
		t.add(m.colour, m.text(), p.Name, p.Region, upOf(p.States), checkOf(p.Check), dash(noteOf(p, d.At)))
		words = append(words, display(d.Zone)+"/"+p.Name)
	}
	s.part("POOLS", t)
	s.orders(d.Intents, d.At)
	for _, i := range d.Intents {
		words = append(words, i.ID, i.Scope.Name)
	}
	s.changes(d.Members, d.At, about(words...))
}

// briefBound is the bound alone.
func briefBound(d *api.ServiceDetail) string {
	if d.BoundSeconds == 0 {
		return "none"
	}
	return seconds(d.BoundSeconds)
}

// boundText is the bound and how it comes about.
func boundText(d *api.ServiceDetail) string {
	if d.BoundSeconds == 0 {
		return "none: nothing is probed"
	}
	b := d.Bound
	text := fmt.Sprintf("%s from a death to the last honest cache: found down %s, first failure %s, gossip %s, older answers %s, late acceptance %s, ttl %d to %d s",
		seconds(d.BoundSeconds), seconds(b.D), seconds(b.F), seconds(b.G), seconds(b.Q), seconds(b.X), d.TTL.MinSeconds, d.TTL.MaxSeconds)
	if d.TargetSeconds > 0 {
		text += "; target " + seconds(d.TargetSeconds)
	}
	if d.RTOSeconds > 0 {
		text += "; RTO " + seconds(d.RTOSeconds)
	}
	return text
}

func drawPool(s sheet, d *api.PoolDetail) {
	s.head("pool", display(d.Zone)+"/"+d.Name, statesMark(d.States))
	var list []api.EndpointItem
	for _, e := range d.Endpoints {
		list = append(list, api.EndpointItem{Zone: d.Zone, Pool: d.Name, Endpoint: e})
	}
	more := d.States.Total() - len(list)
	s.briefTrouble(list, 0, d.At)
	s.briefOrders(d.Intents, d.At)
	s.fact("region", "%s", d.Region)
	s.fact("up", "%s", upOf(d.States))
	s.fact("check", "%s", checkOf(d.Check))
	s.fact("note", "%s", noteOf(d.PoolItem, d.At))
	s.members("ENDPOINTS", list, more, d.At)
	s.services(d.Services)
	s.orders(d.Intents, d.At)
	s.changes(list, d.At, about(display(d.Zone)+"/"+d.Name))
}

func drawEndpoint(s sheet, d *api.EndpointDetail) {
	e := d.EndpointItem
	s.head("endpoint", fullName(e), markOf(parseState(e.State), ""))
	s.briefOrders(d.Intents, d.At)
	if e.Health != e.State {
		m := markOf(parseState(e.Health), "")
		s.fact("by health", "%s", m.text())
	}
	s.fact("since", "%s", since(e.Since, d.At))
	s.fact("why", "%s", e.Reason)
	if e.Stale {
		s.fact("stale", "the state is kept from earlier evidence")
	}
	s.fact("warning", "%s", e.Warning)
	s.fact("address", "%s", addressOf(e.Endpoint))
	s.fact("place", "AZ %s, region %s", e.AZ, e.Region)
	s.fact("weight", "%s", strconv.Itoa(e.Weight))
	t := newVotes()
	switch {
	case e.Unmonitored:
		s.fact("probed", "not at all: always up")
	case len(e.AddressStates) > 0:
		for _, a := range e.AddressStates {
			s.fact(family(a.Address), "%s", addressFact(a, d.At))
			addVotes(t, a.Address, a.Vantages, d.At)
		}
	default:
		s.fact("probed", "%s", e.Probed)
		addVotes(t, e.Pool+"/"+e.Name, e.Vantages, d.At)
	}
	s.part("WHO SAYS SO", t)
	s.services(d.Services)
	s.orders(d.Intents, d.At)
	s.changes([]api.EndpointItem{e}, d.At, about(fullName(e), display(e.Zone)+"/"+e.Pool, e.AZ, e.Region))
}

// addressFact says in one line how one of two addresses does.
func addressFact(a api.AddressState, now time.Time) string {
	m := markOf(parseState(a.State), "")
	text := m.text()
	if a.State != "unknown" {
		text += " since " + since(a.Since, now)
	}
	text = joinWords(", ", text, a.Probed)
	if a.Withheld {
		text = joinWords(", ", text, "not answered")
	}
	return joinWords(": ", joinWords(", ", text, a.Warning), a.Reason)
}

// drawArea draws a region or an AZ.
func drawArea(word string) func(sheet, *api.AreaDetail) {
	return func(s sheet, d *api.AreaDetail) {
		s.head(word, d.Name, statesMark(d.States))
		s.briefTrouble(d.Members, d.MoreMembers, d.At)
		s.briefOrders(d.Intents, d.At)
		s.fact("region", "%s", d.Region)
		s.fact("AZs", "%s", strings.Join(d.AZs, ", "))
		s.fact("endpoints", "%s up; %d suspect, %d down, %d drained, %d unknown", upOf(d.States), d.States.Suspect, d.States.Down, d.States.Drained, d.States.Unknown)
		s.members("WHAT IS NOT UP", d.Members, d.MoreMembers, d.At)
		s.services(d.Services)
		s.orders(d.Intents, d.At)
		words := append([]string{d.Name}, d.AZs...)
		for _, i := range d.Intents {
			words = append(words, i.ID)
		}
		s.changes(d.Members, d.At, about(words...))
	}
}

func drawNode(s sheet, d *describedNode) {
	n := &d.Node
	s.head("node", n.Name, nodeMark(n))
	s.fact("notes", "%s", nodeNotes(n, d.At))
	if n.HeardAt != nil {
		s.fact("heard", "%s, by %s", since(*n.HeardAt, d.At), d.SeenBy)
	} else if n.State != api.NodeSelf {
		s.fact("heard", "never, by %s", d.SeenBy)
	}
	s.briefOrders(d.Intents, d.At)
	s.fact("place", "AZ %s, region %s", dash(n.AZ), dash(n.Region))
	s.fact("address", "%s", n.Address)
	if n.RelayedAt != nil {
		s.fact("heard of", "%s", since(*n.RelayedAt, d.At))
	}
	s.fact("config", "%s", n.ConfigHash)
	s.fact("plans", "%s", n.PlanHash)
	s.fact("version", "%s", n.Version)
	s.fact("answers", "%s", answeringMark(n).text())
	s.fact("lease", "%s", lease(n))
	s.orders(d.Intents, d.At)
	s.changes(nil, d.At, about(n.Name))
}

// answeringMark tells whether a node answers service names, as far as anybody can know.
func answeringMark(n *api.Node) mark {
	switch {
	case n.FencedAt != nil || n.State == api.NodeStopped:
		return markOf(health.Down, "no")
	case !n.Heard():
		return markOf(health.Unknown, "not known")
	case !n.Answering:
		return markOf(health.Down, "no")
	}
	return markOf(health.Up, "yes")
}
