package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/headline"
)

// A report prints an api.Status. It reads no clock: every age is reckoned from the moment of the status.
type report struct {
	status *api.Status
	style  style
	// all lists everything; otherwise what is well is cut short.
	all bool
}

// write prints what is wrong first.
func (r report) write(w io.Writer) {
	r.headline(w)
	r.node(w)
	r.cluster(w)
	r.fastLanes(w)
	r.causes(w)
	r.incidents(w)
	r.files(w)
	r.intents(w)
	r.endpoints(w)
	r.pools(w)
	r.services(w)
}

// node is which node says so, and how much there is.
func (r report) node(w io.Writer) {
	s := r.status
	text := fmt.Sprintf("node %s, version %s, up %s, generation %d, config %s, at %s",
		s.Node, s.Version, age(s.At.Sub(s.StartedAt)), s.Generation, s.ConfigHash, s.At.UTC().Format("2006-01-02 15:04:05Z"))
	for _, line := range fold(text, r.style.width) {
		fmt.Fprintln(w, line)
	}
	for _, line := range fold(tallyOf(s).text(), r.style.width) {
		fmt.Fprintln(w, line)
	}
}

// incidents prints those that go on.
func (r report) incidents(w io.Writer) {
	if len(r.status.OpenIncidents) == 0 {
		return
	}
	r.title(w, "OPEN INCIDENTS")
	t := newTable("STATE", "ID", "OPENED", "WHAT", "FORGOTTEN", "WHY")
	for i := range r.status.OpenIncidents {
		o := &r.status.OpenIncidents[i]
		m, forgotten := markOf(health.Down, "open"), "unknown"
		if o.Kind == "intent" {
			m = markOf(health.Drained, "open")
		}
		switch {
		case o.ForgottenAt != nil:
			forgotten = clock(*o.ForgottenAt, r.status.At)
		case o.SafeAt != nil:
			forgotten = clock(*o.SafeAt, r.status.At) + " (not final)"
		}
		why := o.Cause
		if o.ReturnedAt != nil {
			m, why = markOf(health.Up, "over"), joinWords("; ", "all back since "+since(*o.ReturnedAt, r.status.At), why)
		}
		t.add(m.colour, m.text(), o.ID, since(o.OpenedAt, r.status.At), o.Title, forgotten, why)
	}
	t.write(w, r.style, "  ")
}

// headline is what is the matter in one line, and below it what there is to know of the node itself.
func (r report) headline(w io.Writer) {
	s := r.status
	if s.Headline == "" {
		// An older node leaves it to who reads.
		headline.Fill(s)
	}
	colour := stateColours[parseState(headline.State(s.Causes))]
	for i, line := range fold(s.Headline, r.style.width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, r.style.paint(colour, line))
	}
	if f := r.status.Freeze; f != nil {
		fmt.Fprintf(w, "%s: by %s since %s: %s; no verdict moves by itself until `fairlead unfreeze`\n",
			r.style.paint(yellow, "▲ frozen"), f.Actor, f.Since.UTC().Format("2006-01-02 15:04:05Z"), f.Reason)
	}
	if r.status.Blind {
		fmt.Fprintf(w, "%s: most probes of this node fail, and neither its reference targets nor other nodes answer; it abstains\n", r.style.paint(yellow, "▲ blind"))
	}
	if r.status.Late {
		fmt.Fprintf(w, "%s: this process is late by itself; probes that time out do not count\n", r.style.paint(yellow, "▲ late"))
	}
	if u := r.status.Unwritable; u != nil {
		fmt.Fprintf(w, "%s: since %s: %s; what it believes and what is ordered here does not outlive the process\n",
			r.style.paint(red, "■ state directory not writable"), u.Since.UTC().Format("2006-01-02 15:04:05Z"), u.Reason)
	}
}

// maxCauses is how many causes are listed below the headline without --all.
const maxCauses = 10

// causes prints those that the headline had no room for.
func (r report) causes(w io.Writer) {
	if len(r.status.Causes) <= headline.Named {
		return
	}
	more, cut := r.status.Causes[headline.Named:], 0
	if !r.all && len(more) > maxCauses {
		more, cut = more[:maxCauses], len(more)-maxCauses
	}
	r.title(w, "WHAT ELSE IS THE MATTER")
	for i := range more {
		m := markOf(parseState(more[i].State), "")
		for k, line := range fold(more[i].Text, r.style.width-4) {
			if k == 0 {
				line = r.style.paint(m.colour, m.shape) + " " + line
			} else {
				line = "  " + line
			}
			fmt.Fprintln(w, "  "+line)
		}
	}
	if cut > 0 {
		fmt.Fprintf(w, "  and %d more (--all lists them)\n", cut)
	}
}

// cluster prints the other nodes, in one line while they are well.
func (r report) cluster(w io.Writer) {
	c := r.status.Cluster
	if c == nil {
		return
	}
	troubled := slices.ContainsFunc(c.Nodes, func(n api.Node) bool { return n.Troubled() || n.Drained || n.State == api.NodeStopped })
	if troubled || c.Isolated || c.Shut != "" {
		r.title(w, "NODES")
		writeNodes(w, c, r.style)
		return
	}
	fmt.Fprintf(w, "cluster %s: all %s are heard and agree\n", c.Cluster, count(c.Roster, "node"))
}

// fastLanes prints which addresses have one, and why others do not.
func (r report) fastLanes(w io.Writer) {
	on := 0
	for _, l := range r.status.FastLanes {
		if l.Sockets > 0 {
			on++
		} else {
			fmt.Fprintf(w, "fast lane off on %s: %s\n", l.Address, l.Reason)
		}
	}
	switch {
	case on > 0 && on == len(r.status.FastLanes):
		fmt.Fprintf(w, "fast lane on: all of %s\n", addresses(on))
	case on > 0:
		fmt.Fprintf(w, "fast lane on: %d of %s\n", on, addresses(len(r.status.FastLanes)))
	}
}

// addresses is "1 UDP address", "2 UDP addresses".
func addresses(n int) string {
	if n == 1 {
		return "1 UDP address"
	}
	return fmt.Sprintf("%d UDP addresses", n)
}

// A tally counts what a status holds.
type tally struct {
	states                        map[health.State]int
	endpoints, services, standing int
	unmonitored, stale            int
}

func tallyOf(s *api.Status) tally {
	t := tally{states: map[health.State]int{}}
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				t.endpoints++
				t.states[parseState(e.State)]++
				t.unmonitored += one(e.Unmonitored)
				t.stale += one(e.Stale)
			}
		}
		t.services += len(z.Services)
		for i := range z.Services {
			t.standing += one(serviceMark(z.Services[i]).colour == green)
		}
	}
	return t
}

// text is how much there is, and how much of that is well.
func (t tally) text() string {
	var of []string
	for _, st := range []health.State{health.Down, health.Suspect, health.Unknown, health.Drained, health.Up} {
		if n := t.states[st]; n > 0 {
			of = append(of, fmt.Sprintf("%d %s", n, st))
		}
	}
	if t.unmonitored > 0 {
		of = append(of, fmt.Sprintf("%d unmonitored", t.unmonitored))
	}
	if t.stale > 0 {
		of = append(of, fmt.Sprintf("%d with stale evidence", t.stale))
	}
	text := count(t.endpoints, "endpoint")
	if len(of) > 0 {
		text += " (" + strings.Join(of, ", ") + ")"
	}
	return fmt.Sprintf("%s; %s, %d from the first tier", text, count(t.services, "service"), t.standing)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// fileBroken tells whether the file as it is now is not what is served.
func fileBroken(f api.File) bool { return f.LastGood || f.Hash == "" || f.BrokenSince != nil }

// files prints the files with problems, with the problems.
func (r report) files(w io.Writer) {
	title := false
	for _, f := range r.status.Files {
		if !fileBroken(f) && len(f.Problems) == 0 {
			continue
		}
		if !title {
			r.title(w, "FILES WITH PROBLEMS")
			title = true
		}
		m, what := markOf(health.Suspect, "in use"), "in use, with problems"
		switch {
		case f.Hash == "":
			m, what = markOf(health.Down, "not served"), "nothing of it is served"
		case fileBroken(f):
			m, what = markOf(health.Down, "last good"), "its last good version "+f.Hash[:min(len(f.Hash), 12)]+" is served"
		}
		if f.RolledBack != nil && !fileBroken(f) {
			m, what = markOf(health.Suspect, "rolled back"), "its earlier version "+f.Hash+" is served, "+rolledBack(f.RolledBack, r.status.At)
		}
		if f.BrokenSince != nil {
			what += ", broken since " + since(*f.BrokenSince, r.status.At)
		}
		fmt.Fprintf(w, "  %s  %s: %s\n", r.style.paint(m.colour, m.text()), f.Path, what)
		for _, p := range f.Problems {
			fmt.Fprintln(w, "      "+strings.ReplaceAll(strings.TrimRight(p, "\n"), "\n", "\n      "))
		}
	}
}

// intents prints what operators asked for.
func (r report) intents(w io.Writer) {
	if len(r.status.Intents) == 0 {
		return
	}
	r.title(w, "INTENTS: what operators asked for")
	intentTable(r.status.Intents, r.status.At).write(w, r.style, "  ")
}

func (r report) title(w io.Writer, text string) {
	fmt.Fprintf(w, "\n%s\n", r.style.paint(bold, text))
}
