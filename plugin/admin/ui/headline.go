package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A headline says in a sentence or two how things stand. Mark is the worst of it.
type headline struct {
	Mark mark
	Text string
	// More are further sentences.
	More []string
	// Effect says what clients get all the same, Until when the last honest cache forgets what is down, as far as the API says; absent
	// once every node has said that it is forgotten.
	Effect string
	Until  *time.Time
}

// headlineOf says what an operator has to know first.
func headlineOf(l *look, rows []serviceRow) headline {
	s := l.Status
	var h headline
	add := func(shape, text string) {
		if h.Text == "" {
			h.Mark, h.Text = mark{shape, ""}, text
			return
		}
		h.More = append(h.More, text)
	}
	if !s.Ready {
		add("down", "Not ready: "+s.NotReady+".")
	}
	named := func(severity int) (names []string) {
		for i := range rows {
			if rows[i].Severity == severity {
				names = append(names, display(rows[i].Name))
			}
		}
		return names
	}
	if dark := named(sevDark); len(dark) > 0 {
		add("down", some(dark)+" "+verb(len(dark), "has", "have")+" no answer.")
	}
	if resort := named(sevLastResort); len(resort) > 0 {
		add("down", some(resort)+" "+verb(len(resort), "answers", "answer")+" on a last resort.")
	}
	if text := downWords(l); text != "" {
		add("down", text)
		h.Effect, h.Until = effectOf(rows)
	} else if suspects := namedStates(l, "suspect"); len(suspects) > 0 {
		add("suspect", some(suspects)+" "+verb(len(suspects), "is", "are")+" suspect.")
	}
	if text := nodeWords(l); text != "" {
		add("suspect", text)
	}
	if unknown := named(sevUnknown); len(unknown) > 0 {
		add("suspect", "How long caches hold what left "+some(unknown)+" is unknown.")
	}
	fileWords(l, add)
	if over := named(sevOverTarget); len(over) > 0 {
		add("suspect", "The bound of "+some(over)+" exceeds its target.")
	}
	if drained := namedStates(l, "drained"); len(drained) > 0 {
		add("drained", some(drained)+" "+verb(len(drained), "is", "are")+" drained, as asked.")
	}
	if h.Text == "" && s.Degraded {
		add("suspect", "Something needs a look; see below.")
	}
	if h.Text == "" {
		h.Mark, h.Text = mark{"up", ""}, wellWords(l, rows)
	}
	return h
}

// wellWords says that nothing needs a look.
func wellWords(l *look, rows []serviceRow) string {
	worst := 0.0
	for i := range rows {
		worst = max(worst, rows[i].BoundSeconds)
	}
	text := fmt.Sprintf("All is well. %s answer as planned", plural(len(rows), "service"))
	if len(rows) == 1 {
		text = "All is well. 1 service answers as planned"
	}
	if worst > 0 {
		text += "; the worst bound is " + seconds(worst)
	}
	return text + "."
}

// namedStates are the AZs all of whose endpoints are in a state, and beside them the endpoints that are.
func namedStates(l *look, state string) []string {
	total, in := map[string]int{}, map[string][]string{}
	var order []string
	for _, z := range l.Status.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				total[e.AZ]++
				if e.State == state {
					if in[e.AZ] == nil {
						order = append(order, e.AZ)
					}
					in[e.AZ] = append(in[e.AZ], p.Name+"/"+e.Name)
				}
			}
		}
	}
	var whole, single []string
	for _, az := range order {
		if len(in[az]) == total[az] {
			whole = append(whole, "AZ "+az)
		} else {
			single = append(single, in[az]...)
		}
	}
	return append(whole, single...)
}

// effectOf says what the services answer whose endpoints are down, and when the last honest cache forgets those; nil where that is not
// known, or is over.
func effectOf(rows []serviceRow) (string, *time.Time) {
	var without []string
	var until *time.Time
	known := true
	for i := range rows {
		left := false
		for k := range rows[i].stale().Departures {
			d := &rows[i].Staleness.Departures[k]
			if d.State != "down" {
				continue
			}
			left = true
			switch {
			case d.Final:
			case d.SafeAt == nil:
				known = false
			case until == nil || d.SafeAt.After(*until):
				until = d.SafeAt
			}
		}
		if left && rows[i].Severity < sevLastResort {
			without = append(without, display(rows[i].Name))
		}
	}
	if !known {
		until = nil
	}
	if len(without) == 0 {
		return "", until
	}
	return some(without) + " " + verb(len(without), "answers", "answer") + " without what is down.", until
}

// downWords says what is down.
func downWords(l *look) string {
	names := namedStates(l, "down")
	if len(names) == 0 {
		return ""
	}
	return some(names) + " " + verb(len(names), "is", "are") + " down."
}

// nodeWords says which nodes need a look.
func nodeWords(l *look) string {
	var parts []string
	if l.Status.Blind {
		parts = append(parts, "this node is blind: its probes fail everywhere, and it abstains")
	}
	if f := l.Status.Freeze; f != nil {
		parts = append(parts, "verdicts are frozen by "+f.Actor)
	}
	if c := l.Status.Cluster; c != nil {
		if c.Isolated {
			parts = append(parts, "this node is isolated: health moves nothing here")
		}
		for i := range c.Nodes {
			n := &c.Nodes[i]
			switch {
			case !n.Troubled():
			case !n.Heard():
				parts = append(parts, "node "+n.Name+" is "+strings.ReplaceAll(n.State, "stale", "not heard"))
			case n.Divergent != nil:
				parts = append(parts, "node "+n.Name+" decides otherwise than this one")
			case n.Drift != nil:
				parts = append(parts, "node "+n.Name+" serves other files")
			case !n.Answering:
				parts = append(parts, "node "+n.Name+" does not answer")
			default:
				parts = append(parts, "node "+n.Name+" needs a look")
			}
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := strings.Join(parts, "; ") + "."
	return strings.ToUpper(text[:1]) + text[1:]
}

// fileWords says which files are not what is served.
func fileWords(l *look, add func(shape, text string)) {
	for i := range l.Status.Files {
		f := &l.Status.Files[i]
		switch {
		case f.Hash == "":
			add("down", f.Path+" is broken, and no version of it is served.")
		case f.LastGood || f.BrokenSince != nil:
			add("suspect", f.Path+" is broken; its last good version is served.")
		}
	}
	if u := l.Status.Unwritable; u != nil {
		add("suspect", "The state directory cannot be written: "+u.Reason+".")
	}
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// some names up to three.
func some(names []string) string {
	names = slices.Clone(names)
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n <= 3:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	default:
		return fmt.Sprintf("%s, %s and %d more", names[0], names[1], n-2)
	}
}
