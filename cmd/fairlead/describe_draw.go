package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func drawService(s sheet, d *api.ServiceDetail) {
	states := statesOf(d.Members)
	row := newServiceRow(d.Service, states)
	s.head("service", terminal.Spelled(d.Name), row.mark)
	s.fact("clients get", "%s; ttl %ds, bound %s", briefAnswers(d.Shares), d.TTLSeconds, briefBound(d))
	s.briefTrouble(d.Members, d.MoreMembers, d.At)
	s.briefOrders(d.Intents, d.At)
	s.fact("zone", "%s", terminal.Display(d.Zone))
	s.fact("passed over", "%s", strings.Join(d.Skipped, "; "))
	if len(row.down) > 0 && d.Tier > 0 {
		s.fact("kept", "answered although down: %s", strings.Join(row.down, ", "))
	}
	ttl := fmt.Sprintf("%ds", d.TTLSeconds)
	ttl = terminal.JoinWords(": ", ttl, d.TTL.Why)
	if len(d.TTL.ForcedBy) > 0 {
		ttl += ", by " + strings.Join(d.TTL.ForcedBy, ", ")
	}
	s.fact("ttl", "%s", ttl)
	s.fact("bound", "%s", boundText(d))
	if d.RPO != "" {
		s.fact("rpo", "%s (on_rpo: %s)", d.RPO, d.RPOPolicy)
	}
	s.members("WHAT IS NOT UP", d.Members, d.MoreMembers, d.At)
	s.shares("WHAT CLIENTS GET NOW", d.Shares, states)
	for _, c := range d.Classes {
		m := serviceMark(api.Service{Source: c.Source, Degraded: c.Degraded, Tier: c.Tier})
		s.shares("CLIENTS OF "+c.Class+": "+m.Text(), c.Shares, states)
	}
	t := terminal.NewTable("STATE", "POOL", "REGION", "UP", "CHECK", "NOTE")
	words := []string{d.Name, terminal.Display(d.Name)}
	for _, p := range d.Pools {
		p.Returns = returnsFor(&p.Pool, d.Name)
		m := statesMark(p.States)
		t.Add(m.Colour, m.Text(), p.Name, p.Region, upOf(p.States), checkOf(p.Check), terminal.Dash(noteOf(p, d.At)))
		words = append(words, terminal.Display(d.Zone)+"/"+p.Name)
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
	return terminal.Seconds(d.BoundSeconds)
}

// boundText is the bound and how it comes about.
func boundText(d *api.ServiceDetail) string {
	if d.BoundSeconds == 0 {
		return "none: nothing is probed"
	}
	b := d.Bound
	text := fmt.Sprintf("%s from a death to the last honest cache: found down %s, first failure %s, gossip %s, older answers %s, late acceptance %s, ttl %d to %d s",
		terminal.Seconds(d.BoundSeconds), terminal.Seconds(b.D), terminal.Seconds(b.F), terminal.Seconds(b.G), terminal.Seconds(b.Q), terminal.Seconds(b.X), d.TTL.MinSeconds, d.TTL.MaxSeconds)
	if d.TargetSeconds > 0 {
		text += "; target " + terminal.Seconds(d.TargetSeconds)
	}
	if d.RTOSeconds > 0 {
		text += "; RTO " + terminal.Seconds(d.RTOSeconds)
	}
	return text
}

func drawPool(s sheet, d *api.PoolDetail) {
	s.head("pool", terminal.Display(d.Zone)+"/"+d.Name, statesMark(d.States))
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
	s.changes(list, d.At, about(terminal.Display(d.Zone)+"/"+d.Name))
}

func drawEndpoint(s sheet, d *api.EndpointDetail) {
	e := d.EndpointItem
	s.head("endpoint", fullName(e), terminal.MarkOf(terminal.ParseState(e.State), ""))
	s.briefOrders(d.Intents, d.At)
	if e.Health != e.State {
		m := terminal.MarkOf(terminal.ParseState(e.Health), "")
		s.fact("by health", "%s", m.Text())
	}
	s.fact("since", "%s", terminal.Since(e.Since, d.At))
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
	s.changes([]api.EndpointItem{e}, d.At, about(fullName(e), terminal.Display(e.Zone)+"/"+e.Pool, e.AZ, e.Region))
}

// addressFact says in one line how one of two addresses does.
func addressFact(a api.AddressState, now time.Time) string {
	m := terminal.MarkOf(terminal.ParseState(a.State), "")
	text := m.Text()
	if a.State != "unknown" {
		text += " since " + terminal.Since(a.Since, now)
	}
	text = terminal.JoinWords(", ", text, a.Probed)
	if a.Withheld {
		text = terminal.JoinWords(", ", text, "not answered")
	}
	return terminal.JoinWords(": ", terminal.JoinWords(", ", text, a.Warning), a.Reason)
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
		s.fact("heard", "%s, by %s", terminal.Since(*n.HeardAt, d.At), d.SeenBy)
	} else if n.State != api.NodeSelf {
		s.fact("heard", "never, by %s", d.SeenBy)
	}
	s.briefOrders(d.Intents, d.At)
	s.fact("place", "AZ %s, region %s", terminal.Dash(n.AZ), terminal.Dash(n.Region))
	s.fact("address", "%s", n.Address)
	if n.RelayedAt != nil {
		s.fact("heard of", "%s", terminal.Since(*n.RelayedAt, d.At))
	}
	s.fact("config", "%s", n.ConfigHash)
	s.fact("plans", "%s", n.PlanHash)
	s.fact("version", "%s", n.Version)
	s.fact("answers", "%s", answeringMark(n).Text())
	s.fact("lease", "%s", lease(n))
	s.orders(d.Intents, d.At)
	s.changes(nil, d.At, about(n.Name))
}

// answeringMark tells whether a node answers service names, as far as anybody can know.
func answeringMark(n *api.Node) terminal.Mark {
	switch {
	case n.FencedAt != nil || n.State == api.NodeStopped:
		return terminal.MarkOf(health.Down, "no")
	case !n.Heard():
		return terminal.MarkOf(health.Unknown, "not known")
	case !n.Answering:
		return terminal.MarkOf(health.Down, "no")
	}
	return terminal.MarkOf(health.Up, "yes")
}
