package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// maxNamed is how many things the one line at the top of a page names; the others are counted.
const maxNamed = 3

// writeBrief prints the answer that a page begins with, in the colour of its mark, on as many lines as the terminal needs.
func writeBrief(w io.Writer, st terminal.Style, m terminal.Mark, text string) {
	for i, line := range terminal.Fold(m.Shape+" "+text, st.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, st.Paint(m.Colour, line))
	}
}

// firsts joins the first texts, and counts the others.
func firsts(all []string, sep string) string {
	if n := len(all) - maxNamed; n > 0 {
		all = append(slices.Clone(all[:maxNamed]), fmt.Sprintf("and %d more", n))
	}
	return strings.Join(all, sep)
}

// A move is what becomes of one service.
type move struct {
	mark terminal.Mark
	text string
}

// briefMoves says in one line which services would answer otherwise, the gravest first.
func briefMoves(w *api.WhatIf) (terminal.Mark, string) {
	var moves []move
	for i := range w.Services {
		if m, ok := moveOf(&w.Services[i]); ok {
			moves = append(moves, m)
		}
	}
	if n := len(w.Names) + w.MoreNames; n > 0 {
		moves = append(moves, move{terminal.MarkOf(health.Up, ""), firsts(terminal.Each(w.Names, func(n api.WhatIfName) string {
			return nameText(&n)
		}), " · ")})
	}
	if len(moves) == 0 {
		return terminal.MarkOf(health.Up, ""), "nobody is answered otherwise"
	}
	slices.SortStableFunc(moves, func(a, b move) int { return markRank(a.mark) - markRank(b.mark) })
	return moves[0].mark, firsts(terminal.Each(moves, func(m move) string { return m.text }), " · ")
}

// nameText is what becomes of a name beside that of its service.
func nameText(n *api.WhatIfName) string {
	var parts []string
	if len(n.Leaves) > 0 {
		parts = append(parts, "loses "+strings.Join(n.Leaves, ", "))
	}
	if len(n.Comes) > 0 {
		parts = append(parts, "has "+strings.Join(n.Comes, ", ")+" then")
	}
	return terminal.Display(n.Name) + " " + strings.Join(parts, ", ")
}

// moveOf is what becomes of one service; nothing if its shares stay.
func moveOf(s *api.WhatIfService) (move, bool) {
	name := terminal.Display(s.Service)
	if s.Class != "" {
		name += " for " + s.Class
	}
	moved := movedShare(s.Before.Shares, s.After.Shares)
	was, is := stateMark(s.Before), stateMark(s.After)
	switch {
	case len(s.After.Shares) == 0 && len(s.Before.Shares) > 0:
		return move{terminal.MarkOf(health.Down, ""), name + ": nobody is left, every query gets NODATA"}, true
	case was.Word != is.Word && markRank(is) < markRank(was):
		return move{is, fmt.Sprintf("%s falls from %s to %s", name, was.Word, is.Word)}, true
	case was.Word != is.Word:
		return move{is, fmt.Sprintf("%s goes from %s to %s", name, was.Word, is.Word)}, true
	case moved > 0:
		return move{terminal.MarkOf(health.Up, ""), fmt.Sprintf("%s stays on %s, %s of it moves", name, is.Word, terminal.Percent(moved))}, true
	}
	return move{}, false
}

// movedShare is the greatest part of the answers, of any record type, that goes elsewhere.
func movedShare(before, after []api.Share) (most float64) {
	type key struct{ family, data string }
	left := map[string]float64{}
	is := map[key]float64{}
	for _, s := range after {
		is[key{s.Family, s.Data}] += s.Fraction
	}
	for _, s := range before {
		left[s.Family] += max(0, s.Fraction-is[key{s.Family, s.Data}])
	}
	for _, lost := range left {
		most = max(most, lost)
	}
	return most
}

// briefStaleness says in one line until when caches can hold what is not answered any more.
func briefStaleness(s *api.Staleness) (terminal.Mark, string) {
	var latest *api.ServiceStaleness
	var unknown, nodes []string
	for i := range s.Services {
		svc := &s.Services[i]
		if len(svc.Departures) > 0 && len(svc.Secondaries) > 0 {
			return terminal.MarkOf(health.Unknown, ""), fmt.Sprintf("%s may answer what %s does not any more: which version of the zone they hold nobody says, says node %s at %s",
				firsts(svc.Secondaries, ", "), terminal.Display(svc.Service), s.Node, terminal.Clock(s.At, s.At))
		}
		switch {
		case len(svc.Departures) == 0:
		case svc.SafeAt == nil:
			unknown = append(unknown, terminal.Display(svc.Service))
			for i := range svc.Unknown {
				if text := unknownNode(&svc.Unknown[i], s.At); !slices.Contains(nodes, text) {
					nodes = append(nodes, text)
				}
			}
		case latest == nil || svc.SafeAt.After(*latest.SafeAt):
			latest = svc
		}
	}
	by := fmt.Sprintf(", says node %s at %s", s.Node, terminal.Clock(s.At, s.At))
	switch {
	case len(unknown) > 0:
		return terminal.MarkOf(health.Unknown, ""), terminal.JoinWords(": ", "when caches forget is unknown", firsts(nodes, ", ")) + "; of " + firsts(unknown, ", ") + by
	case latest == nil && s.EarlierUnknown != "":
		return terminal.MarkOf(health.Unknown, ""), "nothing that left the answers is known; when caches forget what was answered before is unknown: " + s.EarlierUnknown + by
	case latest == nil && s.EarlierSafeAt != nil:
		return terminal.MarkOf(health.Suspect, ""), fmt.Sprintf("nothing that left the answers is known; what was answered before the last start of a node is forgotten by %s (in %s)%s",
			terminal.Clock(*s.EarlierSafeAt, s.At), terminal.Age(s.EarlierSafeAt.Sub(s.At)), by)
	case latest == nil:
		return terminal.MarkOf(health.Up, ""), "caches hold nothing old: nothing has left the answers" + by
	case latest.SafeAt.After(s.At):
		return terminal.MarkOf(health.Suspect, ""), fmt.Sprintf("honest caches may hold what is not answered any more until %s (in %s), of %s%s",
			terminal.Clock(*latest.SafeAt, s.At), terminal.Age(latest.SafeAt.Sub(s.At)), terminal.Display(latest.Service), by)
	}
	if slices.ContainsFunc(s.Services, func(svc api.ServiceStaleness) bool { return len(svc.Departures) > 0 && !svc.Final }) {
		return terminal.MarkOf(health.Suspect, ""), fmt.Sprintf("honest caches forgot what is not answered any more %s, to be confirmed: not every node has said so since%s", terminal.Since(*latest.SafeAt, s.At), by)
	}
	return terminal.MarkOf(health.Up, ""), fmt.Sprintf("no honest cache holds what is not answered any more, since %s%s", terminal.Since(*latest.SafeAt, s.At), by)
}

// unknownNode is why a node's word is missing.
func unknownNode(u *api.UnknownNode, now time.Time) string {
	text := terminal.JoinWords(" ", u.Node, u.Why)
	if u.Since != nil && strings.HasSuffix(text, " since") {
		text += " " + terminal.Since(*u.Since, now)
	}
	return text
}

// briefAnswers is what a client gets, in one line.
func briefAnswers(shares []api.Share) string {
	if len(shares) == 0 {
		return "nothing: NODATA"
	}
	return firsts(terminal.Each(shares, func(s api.Share) string { return s.Data + " " + terminal.Percent(s.Fraction) }), ", ")
}

// briefOrders says who ordered what is in force, and how that ends.
func (s sheet) briefOrders(list []api.Intent, at time.Time) {
	for i := range list {
		if o := &list[i]; o.State == api.IntentInForce && (o.Kind == "drain" || o.Kind == "force") {
			word, end := "drained", "undrain "+o.ID
			if o.Kind == "force" {
				word = "forced"
			}
			s.fact(word, "%s", terminal.JoinWords("; ", terminal.JoinWords(": ", fmt.Sprintf("by %s since %s, %s", o.Actor, terminal.Since(o.StartsAt, at), until(o.EndsAt, at)), o.Reason),
				"`fairlead "+end+"` ends it"))
		}
	}
}

// briefTrouble says what is the matter with the endpoint that is worst off, and how many others are not up.
func (s sheet) briefTrouble(list []api.EndpointItem, more int, at time.Time) {
	var worst *api.EndpointItem
	for i := range list {
		e := &list[i]
		st := terminal.ParseState(e.State)
		if st == health.Up || st == health.Drained {
			continue
		}
		if more++; worst == nil || severity[st] < severity[terminal.ParseState(worst.State)] {
			worst = e
		}
	}
	if worst == nil {
		return
	}
	text := fmt.Sprintf("%s/%s %s since %s", worst.Pool, worst.Name, worst.State, terminal.Since(worst.Since, at))
	text = terminal.JoinWords(": ", text, worst.Reason)
	if more > 1 {
		text += fmt.Sprintf("; and %d more", more-1)
	}
	s.fact("trouble", "%s", text)
}

// briefIntents says how what is ordered ends.
func briefIntents(list []api.Intent) string {
	if len(list) == 1 {
		return fmt.Sprintf("1 order; `fairlead undrain %s` ends it, `fairlead extend` prolongs it", list[0].ID)
	}
	return fmt.Sprintf("%d orders; `fairlead undrain ID` ends one, `fairlead extend ID` prolongs it", len(list))
}
