package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Markdown is the incident as a report to paste into a ticket.
func (i *Incident) Markdown() string {
	var b strings.Builder
	state := "closed " + stamp(i.ClosedAt)
	if i.Open() {
		state = "open"
	}
	fmt.Fprintf(&b, "# Incident %s: %s\n\n%s, as node %s saw it; %s.\n", i.ID, i.Title, i.Kind, i.Node, state)
	if i.Cause != "" {
		fmt.Fprintf(&b, "Cause: %s", i.Cause)
		if i.Actor != "" {
			fmt.Fprintf(&b, " (%s, intent %s)", i.Actor, i.Intent)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n| when | what |\n|---|---|\n")
	for _, m := range i.Timeline() {
		fmt.Fprintf(&b, "| %s | %s |\n", stamp(m.At), m.What)
	}
	for _, u := range i.Unknown {
		fmt.Fprintf(&b, "\nBound unknown: %s %s %s\n", u.Node, u.Why, stamp(u.Since))
	}
	b.WriteString("\n| phase | seconds |\n|---|---|\n")
	for _, p := range i.Phases.List() {
		fmt.Fprintf(&b, "| %s | %.2f |\n", p.Name, p.Seconds)
	}
	fmt.Fprintf(&b, "\nAnswers of this node that pointed there meanwhile: %d; in caches when it left: %d.\n", i.Answers, i.Outstanding)
	for _, line := range i.HitLines() {
		fmt.Fprintf(&b, "\n%s\n", strings.ToUpper(line[:1])+line[1:]+".")
	}
	for _, a := range i.Answered {
		fmt.Fprintf(&b, "\nAnswered all the same: %s (%s) by %s\n", a.Endpoint, a.Address, a.Node)
	}
	for _, r := range i.NotCovered {
		fmt.Fprintf(&b, "\nNot covered: the record %s has an address of it\n", r)
	}
	b.WriteString("\n| service | answers with what is up since | forgotten | total | RTO | kept | target | kept |\n|---|---|---|---|---|---|---|---|\n")
	for _, s := range i.Services {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", s.Service, stamp(s.AnsweredAt), stamp(s.ForgottenAt), s.Total(), limit(s.RTOSeconds),
			kept(s.WithinRTO), limit(s.TargetSeconds), kept(s.WithinTarget))
	}
	for _, line := range i.LossLines() {
		fmt.Fprintf(&b, "\n%s.\n", strings.ToUpper(line[:1])+line[1:])
	}
	if i.Relapses > 0 {
		fmt.Fprintf(&b, "\nRelapses: %d\n", i.Relapses)
	}
	b.WriteString("\n| endpoint | AZ | left | returned |\n|---|---|---|---|\n")
	for _, e := range i.Endpoints {
		left := stamp(e.LeftAt)
		if !e.LeftAgainAt.IsZero() {
			left += ", again " + stamp(e.LeftAgainAt)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", e.Name, e.AZ, left, stamp(e.ReturnedAt))
	}
	if i.More > 0 {
		fmt.Fprintf(&b, "\nand %d more\n", i.More)
	}
	return b.String()
}

// A Moment is one line of a timeline.
type Moment struct {
	At   time.Time
	What string
}

// Timeline is what happened when, in order; what has not come is not in it.
func (i *Incident) Timeline() []Moment {
	rows := []Moment{
		{i.LastGoodProbe, "last good probe"}, {i.FirstFailedProbe, "first failed probe"}, {i.SuspectAt, "suspicion shortens TTLs"},
		{i.VerdictAt, "quorum: down"},
	}
	if i.Kind == ByIntent {
		rows = append(rows, Moment{i.OpenedAt, "order in force"})
	}
	rows = append(rows, Moment{i.firstLeft(), "out of this node's answers"})
	if i.firstLeft().Before(i.LeftAt) {
		rows = append(rows, Moment{i.LeftAt, "the last of it out of this node's answers"})
	}
	for _, c := range i.Confirmed {
		what := "last answer of " + c.Node
		if c.Stopped {
			what = c.Node + " declared stopped"
		}
		if c.Fenced {
			what = c.Node + " had stopped by itself: its lease had ended"
		}
		rows = append(rows, Moment{c.Quiet, what})
	}
	for _, v := range i.Void {
		rows = append(rows, Moment{v.At, "void: " + v.Node + " answered " + v.Endpoint + " again"})
	}
	rows = append(rows, Moment{i.KnownAt, "bound known"})
	back := "answered again"
	if len(i.Endpoints) > 0 && !slices.ContainsFunc(i.Endpoints, func(e IncidentEndpoint) bool { return !e.Removed }) {
		back = "in no file any more"
	}
	switch {
	case i.PartlyBack():
		rows = append(rows, Moment{i.ForgottenAt, "last honest cache has forgotten what had not come back, as every node has said since"})
	case i.Forgotten():
		rows = append(rows, Moment{i.ForgottenAt, "last honest cache has forgotten" + i.Under() + ", as every node has said since"})
	case i.CameBack():
		back += ", before it was certain that caches had forgotten it"
	default:
		rows = append(rows, Moment{i.SafeAt, "last honest cache forgets, if nobody answers it again"})
	}
	rows = append(rows, Moment{i.ReturnedAt, back}, Moment{i.ClosedAt, "closed"})
	rows = slices.DeleteFunc(rows, func(m Moment) bool { return m.At.IsZero() })
	slices.SortStableFunc(rows, func(a, b Moment) int { return a.At.Compare(b.At) })
	return rows
}

// A Phase is one of Phases.
type Phase struct {
	Name    string
	Seconds float64
}

// Label is the name as a label of metrics.
func (p Phase) Label() string { return strings.ReplaceAll(p.Name, " ", "_") }

// List is the phases that are over, in order.
func (p *Phases) List() (list []Phase) {
	for _, part := range []struct {
		name string
		v    *float64
	}{{"detection", p.Detection}, {"decision", p.Decision}, {"propagation", p.Propagation}, {"cache residue", p.CacheResidue}, {"total", p.Total}} {
		if part.v != nil {
			list = append(list, Phase{part.name, *part.v})
		}
	}
	return list
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05.000Z")
}

func limit(seconds float64) string {
	if seconds == 0 {
		return ""
	}
	return fmt.Sprintf("%g s", seconds)
}

func kept(v *bool) string {
	switch {
	case v == nil:
		return ""
	case *v:
		return "yes"
	}
	return "NO"
}

// Total is how long a service took in words; empty while that is open.
func (s *IncidentService) Total() string {
	if s.TotalSeconds == nil {
		return ""
	}
	return fmt.Sprintf("%.1f s", *s.TotalSeconds)
}
