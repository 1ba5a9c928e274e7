package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

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
func (s sheet) head(kind, name string, m mark) {
	fmt.Fprintf(s, "%s %s: %s\n", kind, s.style.paint(bold, name), s.style.mark("head", s.style.paint(m.colour, m.text())))
}

// fact is a line with a word for what it says; nothing without a text.
func (s sheet) fact(word, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if text == "" {
		return
	}
	for i, line := range fold(text, s.style.width-factIndent) {
		if i > 0 {
			word = ""
		}
		fmt.Fprintf(s, "  %-11s %s\n", word, s.style.mark(fmt.Sprint("fact ", word, i), line))
	}
}

func (s sheet) title(text string) { fmt.Fprintf(s, "\n%s\n", s.style.paint(bold, text)) }

// part prints a table under a title; nothing if it has no rows.
func (s sheet) part(title string, t *table) {
	if len(t.rows) > 0 {
		s.title(title)
		t.named(title).write(s, s.style, "  ")
	}
}

func (s sheet) orders(list []api.Intent, at time.Time) {
	s.part("ORDERS: in force and planned", intentTable(list, at))
}

// members are endpoints, those in trouble first, and what each node saw of them.
func (s sheet) members(title string, list []api.EndpointItem, more int, at time.Time) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b api.EndpointItem) int {
		return cmp.Compare(severity[parseState(a.State)], severity[parseState(b.State)])
	})
	t, votes := newTable("STATE", "ENDPOINT", "AZ", "ADDRESS", "SINCE", "IN A ROW", "WHY"), newVotes()
	for _, e := range list {
		m := markOf(parseState(e.State), "")
		alone := e.Endpoint
		alone.Vantages = nil
		t.add(m.colour, m.text(), e.Pool+"/"+e.Name, e.AZ, addressOf(e.Endpoint), sinceOf(e.Endpoint, at), inARow(e.Endpoint), dash(why(alone, at)))
		if m.word != "up" {
			addVotes(votes, e.Pool+"/"+e.Name, e.Vantages, at)
		}
	}
	s.part(title, t)
	if more > 0 {
		fmt.Fprintf(s, "  and %d more: `fairlead get endpoints --state down`\n", more)
	}
	s.part("WHO SAYS SO", votes)
}

func newVotes() *table {
	return newTable("SAYS", "ENDPOINT", "NODE", "IN A ROW", "SEEN", "LATENCY", "WHY")
}

// addVotes is a line for each vantage.
func addVotes(t *table, endpoint string, vantages []api.Vantage, at time.Time) {
	for _, v := range vantages {
		m, failed := markOf(parseState(v.State), ""), "-"
		if v.Failures > 0 {
			failed = fmt.Sprintf("%d failed", v.Failures)
		}
		t.add(m.colour, m.text(), endpoint, v.Node, failed, age(at.Sub(v.At))+" ago", latencyOf(v.LatencySeconds), dash(v.Reason))
	}
}

// shares is what is answered.
func (s sheet) shares(title string, shares []api.Share, states map[string]health.State) {
	s.title(title)
	if len(shares) == 0 {
		fmt.Fprintln(s, "  nobody: every query gets NODATA")
		return
	}
	t := newTable("SHARE", "TYPE", "DATA", "POOL/ENDPOINT", "AZ", "STATE").alignRight(0).named(title)
	for _, x := range shares {
		name, state := "fixed address", "-"
		if x.Pool != "" {
			name, state = x.Pool+"/"+x.Endpoint, markOf(health.Up, "").text()
			if st, ok := states[name]; ok {
				state = markOf(st, "").text()
			}
		}
		t.add("", percent(x.Fraction), x.Family, x.Data, name, dash(x.AZ), state)
	}
	t.write(s, s.style, "  ")
}

// services are those whose answers lead here.
func (s sheet) services(list []api.ServiceShare) {
	t := newTable("SHARE", "SERVICE", "TYPE").alignRight(0)
	for _, x := range list {
		t.add("", percent(x.Fraction), display(x.Service), x.Family)
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
	t := newTable("WHEN", "WHAT", "WHO AND WHY")
	list = slices.DeleteFunc(slices.Clone(list), func(e api.EndpointItem) bool { return e.Since.IsZero() || e.Since.Unix() == 0 })
	slices.SortStableFunc(list, func(a, b api.EndpointItem) int { return b.Since.Compare(a.Since) })
	for _, e := range list[:min(len(list), maxChanges)] {
		t.add("", since(e.Since, at), e.Pool+"/"+e.Name+" "+markOf(parseState(e.Health), "").text(), dash(joinWords(": ", "health", e.Reason)))
	}
	n := 0
	for _, e := range slices.Backward(s.journal) {
		if n == maxChanges || !match(&e) {
			continue
		}
		n++
		t.add("", since(e.At, at), plain(e.Action)+" "+plain(e.Object), joinWords(": ", plain(e.Actor), plain(e.Reason))+", "+plain(e.Outcome))
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
		states[e.Pool+"/"+e.Name] = parseState(e.State)
	}
	return states
}
