package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxChanges is how many changes of each kind are named.
const maxChanges = 5

// factIndent is how far the text of a fact is indented.
const factIndent = 14

// A sheet is what describe prints about one thing.
type sheet struct {
	drawing
	// journal are the latest orders of the node, oldest first.
	journal []api.AuditEntry
}

// head is the first line: kind, name, state.
func (s sheet) head(kind, name string, m terminal.Mark) {
	fmt.Fprintf(s, "%s %s: %s\n", kind, s.style.Paint(terminal.Bold, name), s.style.Mark("head", s.style.Paint(m.Colour, m.Text())))
}

// fact is a line with a word for what it says; nothing without a text.
func (s sheet) fact(word, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == "" {
		return
	}
	for i, line := range terminal.Fold(text, s.style.Width-factIndent) {
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(s, "  %-11s %s\n", word, s.style.Mark(fmt.Sprint("fact ", word, i), line))
	}
}

func (s sheet) title(text string) { fmt.Fprintf(s, "\n%s\n", s.style.Paint(terminal.Bold, text)) }

// part prints a table under a title; nothing if it has no rows.
func (s sheet) part(title string, t *terminal.Table) {
	if len(t.Rows) > 0 {
		s.title(title)
		t.Named(title).Write(s, s.style, "  ")
	}
}

func (s sheet) orders(list []api.Intent, at time.Time) {
	s.part("ORDERS: in force and planned", intentTable(list, at))
}

// members are endpoints, those in trouble first, and what each node saw of them.
func (s sheet) members(title string, list []api.EndpointItem, more int, at time.Time) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b api.EndpointItem) int {
		return cmp.Compare(severity[terminal.ParseState(a.State)], severity[terminal.ParseState(b.State)])
	})
	t, votes := terminal.NewTable("STATE", "ENDPOINT", "AZ", "ADDRESS", "SINCE", "IN A ROW", "WHY"), newVotes()
	for _, e := range list {
		m := terminal.MarkOf(terminal.ParseState(e.State), "")
		alone := e.Endpoint
		alone.Vantages = nil
		t.Add(m.Colour, m.Text(), e.Pool+"/"+e.Name, e.AZ, addressOf(e.Endpoint), sinceOf(e.Endpoint, at), inARow(e.Endpoint), terminal.Dash(why(alone, at)))
		if m.Word != "up" {
			addVotes(votes, e.Pool+"/"+e.Name, e.Vantages, at)
		}
	}
	s.part(title, t)
	if more > 0 {
		fmt.Fprintf(s, "  and %d more: `fairlead get endpoints --state down`\n", more)
	}
	s.part("WHO SAYS SO", votes)
}

func newVotes() *terminal.Table {
	return terminal.NewTable("SAYS", "ENDPOINT", "NODE", "IN A ROW", "SEEN", "LATENCY", "WHY")
}

// addVotes is a line for each vantage.
func addVotes(t *terminal.Table, endpoint string, vantages []api.Vantage, at time.Time) {
	for _, v := range vantages {
		m, failed := terminal.MarkOf(terminal.ParseState(v.State), ""), "-"
		if v.Failures > 0 {
			failed = fmt.Sprintf("%d failed", v.Failures)
		}
		seen := "not yet"
		if !v.At.IsZero() {
			seen = terminal.Age(at.Sub(v.At)) + " ago"
		}
		t.Add(m.Colour, m.Text(), endpoint, v.Node, failed, seen, latencyOf(v.LatencySeconds), terminal.Dash(v.Reason))
	}
}

// shares is what is answered.
func (s sheet) shares(title string, shares []api.Share, states map[string]health.State) {
	s.title(title)
	if len(shares) == 0 {
		fmt.Fprintln(s, "  nobody: every query gets NODATA")
		return
	}
	t := terminal.NewTable("SHARE", "TYPE", "DATA", "POOL/ENDPOINT", "AZ", "STATE").AlignRight(0).Named(title)
	for _, x := range shares {
		name, state := "fixed address", "-"
		if x.Pool != "" {
			name, state = x.Pool+"/"+x.Endpoint, terminal.MarkOf(health.Up, "").Text()
			if st, ok := states[name]; ok {
				state = terminal.MarkOf(st, "").Text()
			}
		}
		t.Add("", terminal.Percent(x.Fraction), x.Family, x.Data, name, terminal.Dash(x.AZ), state)
	}
	t.Write(s, s.style, "  ")
}

// services are those whose answers lead here.
func (s sheet) services(list []api.ServiceShare) {
	t := terminal.NewTable("SHARE", "SERVICE", "TYPE").AlignRight(0)
	for _, x := range list {
		t.Add("", terminal.Percent(x.Fraction), terminal.Display(x.Service), x.Family)
	}
	if len(list) == 0 {
		s.title("WHAT CLIENTS GET FROM IT NOW")
		fmt.Fprintln(s, "  nothing: no answer leads here")
		return
	}
	s.part("WHAT CLIENTS GET FROM IT NOW, of each service", t)
}

// changes are what changed last: by health among the endpoints, and by order for what match holds.
func (s sheet) changes(list []api.EndpointItem, at time.Time, match func(*api.AuditEntry) bool) {
	t := terminal.NewTable("WHEN", "WHAT", "WHO AND WHY")
	list = slices.DeleteFunc(slices.Clone(list), func(e api.EndpointItem) bool { return e.Since.IsZero() || e.Since.Unix() == 0 })
	slices.SortStableFunc(list, func(a, b api.EndpointItem) int { return b.Since.Compare(a.Since) })
	for _, e := range list[:min(len(list), maxChanges)] {
		t.Add("", terminal.Since(e.Since, at), e.Pool+"/"+e.Name+" "+terminal.MarkOf(terminal.ParseState(e.Health), "").Text(), terminal.Dash(terminal.JoinWords(": ", "health", e.Reason)))
	}
	n := 0
	for _, e := range slices.Backward(s.journal) {
		if n == maxChanges || !match(&e) {
			continue
		}
		n++
		t.Add("", terminal.Since(e.At, at), plain(e.Action)+" "+plain(e.Object), terminal.JoinWords(": ", plain(e.Actor), plain(e.Reason))+", "+plain(e.Outcome))
	}
	s.part("LAST CHANGES", t)
}

// about matches orders that name one of the words.
func about(words ...string) func(*api.AuditEntry) bool {
	return func(e *api.AuditEntry) bool {
		fields := strings.FieldsFunc(e.Object, func(r rune) bool { return r == ' ' || r == ',' })
		return slices.ContainsFunc(fields, func(f string) bool { return slices.Contains(words, f) })
	}
}

// statesOf are the states of endpoints, by pool/endpoint.
func statesOf(list []api.EndpointItem) map[string]health.State {
	states := map[string]health.State{}
	for _, e := range list {
		states[e.Pool+"/"+e.Name] = terminal.ParseState(e.State)
	}
	return states
}
