package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxHealthy is how many healthy pools or services are listed without --all: a screen or two.
const maxHealthy = 40

// severity orders states for printing: what needs a person first.
var severity = map[health.State]int{health.Down: 0, health.Suspect: 1, health.Unknown: 2, health.Drained: 3, health.Up: 4}

// A troubled endpoint is one that has something to say.
type troubled struct {
	name     string
	state    health.State
	endpoint api.Endpoint
}

// endpoints prints every endpoint that is not simply up: since when, why, and the probe that says so.
func (r report) endpoints(w io.Writer) {
	var list []troubled
	for _, z := range r.status.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				if st := terminal.ParseState(e.State); st != health.Up || e.Stale || warned(e) || withholds(e) || e.Forced != nil {
					list = append(list, troubled{r.name(&z, p.Name+"/"+e.Name), st, e})
				}
			}
		}
	}
	if len(list) == 0 {
		return
	}
	slices.SortStableFunc(list, func(a, b troubled) int { return cmp.Compare(severity[a.state], severity[b.state]) })
	r.title(w, "ENDPOINTS TO LOOK AT, as node "+r.status.Node+" sees them")
	t := terminal.NewTable("STATE", "ENDPOINT", "AZ", "SINCE", "IN A ROW", "LAST PROBE", "WHY")
	for _, x := range list {
		e := x.endpoint
		m := terminal.MarkOf(x.state, "")
		t.Add(m.Colour, m.Text(), x.name, e.AZ, sinceOf(e, r.status.At), inARow(e), r.lastProbe(e), why(e, r.status.At))
	}
	r.list(w, t)
}

// sinceOf is since when an endpoint is in its state: of a drained one, since when it is drained, with the order's id.
func sinceOf(e api.Endpoint, now time.Time) string {
	if d := e.Drained; d != nil {
		return terminal.Since(d.Since, now) + " " + d.Intent
	}
	return terminal.Since(e.Since, now)
}

// warned tells whether a probe of the endpoint had a warning.
func warned(e api.Endpoint) bool {
	return e.Warning != "" || slices.ContainsFunc(e.AddressStates, func(a api.AddressState) bool { return a.Warning != "" })
}

// withholds tells whether an address of the endpoint is not answered while the endpoint is.
func withholds(e api.Endpoint) bool {
	return slices.ContainsFunc(e.AddressStates, func(a api.AddressState) bool { return a.Withheld })
}

// family is the name of an address's family.
func family(address string) string {
	if strings.Contains(address, ":") {
		return "IPv6"
	}
	return "IPv4"
}

func inARow(e api.Endpoint) string {
	switch {
	case e.Failures > 0:
		return strconv.Itoa(e.Failures) + " failed"
	case e.Successes > 0:
		return strconv.Itoa(e.Successes) + " good"
	default:
		return "-"
	}
}

func (r report) lastProbe(e api.Endpoint) string {
	switch {
	case e.Unmonitored:
		return "unmonitored"
	case e.ProbedAt == nil:
		return "none yet"
	}
	return fmt.Sprintf("%s ago, took %s", terminal.Age(r.status.At.Sub(*e.ProbedAt)), terminal.Latency(e.LatencySeconds))
}

// why is the reason with what was dialled, so that a person can repeat the probe by hand.
func why(e api.Endpoint, now time.Time) string {
	text := e.Reason
	if e.Health != "" && (e.Health != e.State || e.Forced != nil) {
		health := "by health " + e.Health
		if e.Drained != nil {
			health += " since " + terminal.Since(e.Since, now)
		}
		text = terminal.JoinWords("; ", health, text)
	}
	if d := e.Drained; d != nil {
		text = terminal.JoinWords("; ", terminal.JoinWords(": ", "drained by "+d.Actor+" "+until(d.EndsAt, now), d.Reason), text)
	}
	if f := e.Forced; f != nil {
		text = terminal.JoinWords("; ", terminal.JoinWords(": ", fmt.Sprintf("forced %s by %s %s", f.State, f.Actor, until(f.EndsAt, now)), f.Reason), text)
	}
	if e.Stale {
		text = terminal.JoinWords("; ", text, "stale: kept from earlier evidence")
	}
	if e.Warning != "" && e.AddressStates == nil {
		text = terminal.JoinWords("; ", text, "warning: "+e.Warning)
	}
	for _, a := range e.AddressStates {
		if a.Withheld {
			text = family(a.Address) + " down: " + text
		}
		if a.Warning != "" {
			text = terminal.JoinWords("; ", text, a.Address+": warning: "+a.Warning)
		}
		text = terminal.JoinWords("; ", text, votesOn(a))
	}
	if len(e.AddressStates) > 0 {
		return text
	}
	if e.Probed != "" {
		text = terminal.JoinWords(": ", e.Probed, text)
	}
	if votes := votes(e.Vantages); votes != "" {
		text = terminal.JoinWords("; ", text, votes)
	}
	return text
}

// votesOn are the votes on one of two addresses.
func votesOn(a api.AddressState) string {
	if votes := votes(a.Vantages); votes != "" {
		return "of " + a.Address + ": " + votes
	}
	return ""
}

// votes are what each node says of the endpoint, where they do not all say the same: who says what at 3 a.m.
func votes(vantages []api.Vantage) string {
	if !slices.ContainsFunc(vantages, func(v api.Vantage) bool { return v.State != vantages[0].State || v.Failures > 0 && v.State != "down" }) {
		return ""
	}
	var words []string
	for _, v := range vantages {
		word := v.State
		if v.Failures > 0 && v.State != "down" {
			word += fmt.Sprintf(" with %d failed", v.Failures)
		}
		words = append(words, v.Node+" says "+word)
	}
	return strings.Join(words, ", ")
}

// pools prints one line for each pool, those in trouble first.
func (r report) pools(w io.Writer) {
	t := terminal.NewTable("STATE", "POOL", "REGION", "UP", "CHECK", "")
	bad, well := r.poolRows()
	cut := 0
	if !r.all && len(well) > maxHealthy {
		cut = len(well) - maxHealthy
		well = well[:maxHealthy]
	}
	for _, row := range append(bad, well...) {
		t.Add(row.mark.Colour, row.cells...)
	}
	if len(t.Rows) == 0 {
		return
	}
	r.title(w, "POOLS")
	r.list(w, t)
	if cut > 0 {
		fmt.Fprintf(w, "  and %d more pools with everything up (--all lists them)\n", cut)
	}
}

type poolRow struct {
	mark  terminal.Mark
	cells []string
}

func (r report) poolRows() (bad, well []poolRow) {
	for _, z := range r.status.Zones {
		for _, p := range z.Pools {
			up := 0
			for _, e := range p.Endpoints {
				st := terminal.ParseState(e.State)
				up += one(st == health.Up || st == health.Suspect)
			}
			m, note := poolMark(p), r.poolNote(z, p)
			check := p.Check
			if check == "" {
				check = "none: always up"
			}
			row := poolRow{m, []string{m.Text(), r.name(&z, p.Name), p.Region,
				upText(up, len(p.Endpoints)), check, note}}
			if m.Word == "up" && note == "" {
				well = append(well, row)
			} else {
				bad = append(bad, row)
			}
		}
	}
	slices.SortStableFunc(bad, func(a, b poolRow) int { return cmp.Compare(markRank(a.mark), markRank(b.mark)) })
	return bad, well
}

// poolNote says what keeps the pool out or comes to it, with the command to type.
func (r report) poolNote(z api.Zone, p api.Pool) string {
	var notes []string
	name := terminal.Display(z.Name) + "/" + p.Name
	switch p.WaitsFor {
	case "ready":
		notes = append(notes, "gate closed: waits for `fairlead ready "+name+"`")
	case "check":
		notes = append(notes, "gate closed: waits for check "+p.GateCheck)
	}
	for _, one := range returnsOf(&p) {
		if text := returnText(&one, name, r.status.At); text != "" {
			notes = append(notes, text)
		}
	}
	if p.ForwardNext != nil {
		notes = append(notes, fmt.Sprintf("takes over by steps: %d%% now, more from %s on", p.ForwardPercent, terminal.Clock(*p.ForwardNext, r.status.At)))
	}
	if p.Weight != nil {
		notes = append(notes, fmt.Sprintf("weight %d by order", *p.Weight))
	}
	notes = append(notes, lagNotes(p, r.status.At)...)
	return strings.Join(notes, "; ")
}

// poolMark is the common state of the pool's endpoints, or "partly up".
func poolMark(p api.Pool) terminal.Mark {
	if len(p.Endpoints) == 0 {
		return emptyMark()
	}
	worst, same := health.Up, true
	for i, e := range p.Endpoints {
		st := terminal.ParseState(e.State)
		same = same && (i == 0 || st == worst)
		if i == 0 || severity[st] < severity[worst] {
			worst = st
		}
	}
	someUp := slices.ContainsFunc(p.Endpoints, func(e api.Endpoint) bool { return terminal.ParseState(e.State) == health.Up })
	switch {
	case same || worst == health.Suspect || !someUp:
		return terminal.MarkOf(worst, "")
	default:
		return terminal.MarkOf(health.Suspect, "partly up")
	}
}

func markRank(m terminal.Mark) int {
	for i, st := range []health.State{health.Down, health.Suspect, health.Unknown, health.Drained} {
		if m.Shape == st.Shape() {
			return i
		}
	}
	return len(severity)
}
