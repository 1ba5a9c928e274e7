package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/headline"
)

// A report prints an api.Status. It reads no clock: every age is reckoned from the moment of the status.
type report struct {
	status *api.Status
	style  terminal.Style
	// all lists everything; otherwise what is well is cut short.
	all bool
}

// write prints what is wrong first. Of a report that is longer than its terminal the headline is the last line too: it is the one beside
// the prompt, while the first has scrolled away. --watch keeps the top.
func (r report) write(out io.Writer) {
	var w bytes.Buffer
	r.headline(&w)
	r.extent(&w)
	r.causes(&w)
	r.cluster(&w)
	r.files(&w)
	r.intents(&w)
	r.endpoints(&w)
	r.pools(&w)
	r.services(&w)
	r.fleets(&w)
	r.incidents(&w)
	r.node(&w)
	if h := r.style.Height; h > 0 && r.style.Screen == nil && bytes.Count(w.Bytes(), []byte("\n")) >= h {
		fmt.Fprintln(&w)
		r.summary(&w)
	}
	_, _ = out.Write(w.Bytes())
}

// extent is how much there is, when, and which node says so.
func (r report) extent(w io.Writer) {
	s := r.status
	for _, line := range terminal.Fold(fmt.Sprintf("node %s, %s; %s", s.Node, terminal.Clock(s.At, s.At), tallyOf(s).text()), r.style.Width) {
		fmt.Fprintln(w, line)
	}
}

// node is what helps least at night: the process that says all this.
func (r report) node(w io.Writer) {
	s := r.status
	text := fmt.Sprintf("node %s, version %s, up %s, generation %d, config %s, at %s",
		s.Node, s.Version, terminal.Age(s.At.Sub(s.StartedAt)), s.Generation, s.ConfigHash, s.At.UTC().Format("2006-01-02 15:04:05Z"))
	fmt.Fprintln(w)
	for _, line := range terminal.Fold(text, r.style.Width) {
		fmt.Fprintln(w, line)
	}
	if c := s.Cluster; c != nil && !unwell(c) {
		agree := " and agree"
		if others := otherFiles(c); len(others) > 0 {
			// For some seconds that is how a file is rolled out; then it is in the headline.
			agree = "; " + firsts(others, ", ") + " serve other files than this one"
			if len(others) == 1 {
				agree = "; " + others[0] + " serves other files than this one"
			}
		}
		fmt.Fprintf(w, "cluster %s: all %s are heard%s\n", c.Cluster, terminal.Count(c.Roster, "node"), agree)
	}
	r.fastLanes(w)
	r.feeds(w)
	for _, p := range s.Plans {
		if p.StopsAt > 0 {
			fmt.Fprintln(w, r.style.Paint(terminal.Yellow, plain(p.Text)))
		}
		if p.Run != "" {
			fmt.Fprintf(w, "%s is %s: `fairlead plan show %s`\n", p.Run, p.RunStatus, p.Run)
		}
	}
}

// otherFiles are the nodes that are heard and serve other files than the one that says so.
func otherFiles(c *api.Nodes) (names []string) {
	own := ""
	for i := range c.Nodes {
		if c.Nodes[i].State == api.NodeSelf {
			own = c.Nodes[i].ConfigHash
		}
	}
	for i := range c.Nodes {
		if n := &c.Nodes[i]; n.ConfigHash != "" && n.ConfigHash != own && n.State != api.NodeSelf {
			names = append(names, n.Name)
		}
	}
	return names
}

// oneByOne is how many columns a terminal needs to show full names beside all else.
const oneByOne = 120

// name is the name of what is in a zone: without the zone where that is the only one and there is little room, as every command takes it.
func (r report) name(z *api.Zone, rest string) string {
	if r.style.Width > 0 && r.style.Width < oneByOne && len(r.status.Zones) == 1 {
		return rest
	}
	return terminal.Display(z.Name) + "/" + rest
}

// list prints a table. With --watch each has a part of the screen, so that none pushes the others off it.
func (r report) list(w io.Writer, t *terminal.Table) {
	more := 0
	if h := r.style.Height; h > 0 && r.style.Screen != nil && !r.all {
		more = t.Cut(max(leastRows, h/rowsPart))
	}
	t.Write(w, r.style, "  ")
	if more > 0 {
		fmt.Fprintf(w, "  and %d more (--all lists them)\n", more)
	}
}

const (
	// rowsPart is the part of a screen that the rows of one table may have: with reasons below them they take twice as much.
	rowsPart = 8
	// leastRows is how many rows of a table are shown on the smallest screen.
	leastRows = 3
)

// incidents prints those that go on.
func (r report) incidents(w io.Writer) {
	if len(r.status.OpenIncidents) == 0 {
		return
	}
	r.title(w, "OPEN INCIDENTS")
	t := terminal.NewTable("STATE", "ID", "OPENED", "WHAT", "FORGOTTEN", "WHY")
	for i := range r.status.OpenIncidents {
		o := &r.status.OpenIncidents[i]
		m, forgotten := terminal.MarkOf(health.Down, "open"), "unknown"
		if o.Kind == "intent" {
			m = terminal.MarkOf(health.Drained, "open")
		}
		switch {
		case o.ForgottenAt != nil:
			forgotten = terminal.Clock(*o.ForgottenAt, r.status.At)
		case o.SafeAt != nil:
			forgotten = terminal.Clock(*o.SafeAt, r.status.At) + " (not final)"
		}
		why := o.Cause
		if r.style.Screen != nil {
			// The endpoints and orders above say so already, and each row has its share of the screen.
			why = ""
		}
		if o.ReturnedAt != nil {
			m, why = terminal.MarkOf(health.Up, "over"), terminal.JoinWords("; ", "all back, or in no file, since "+terminal.Since(*o.ReturnedAt, r.status.At), why)
		}
		t.Add(m.Colour, m.Text(), o.ID, terminal.Since(o.OpenedAt, r.status.At), o.Title, forgotten, why)
	}
	r.list(w, t)
}

// summary is what is the matter in one line, or as many as the terminal needs for it.
func (r report) summary(w io.Writer) {
	s := r.status
	if s.Headline == "" {
		// An older node leaves it to who reads.
		headline.Fill(s)
	}
	colour := terminal.StateColours[terminal.ParseState(headline.State(s.Causes))]
	for i, line := range terminal.Fold(s.Headline, r.style.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, r.style.Paint(colour, line))
	}
}

// headline is the summary, and below it what there is to know of the node itself.
func (r report) headline(w io.Writer) {
	r.summary(w)
	if f := r.status.Freeze; f != nil {
		r.remark(w, terminal.Yellow, "▲ frozen", fmt.Sprintf("by %s since %s: %s; no verdict moves by itself until `fairlead unfreeze`",
			f.Actor, f.Since.UTC().Format("2006-01-02 15:04:05Z"), f.Reason))
	}
	if r.status.Blind {
		r.remark(w, terminal.Yellow, "▲ blind", "most probes of this node fail, and neither its reference targets nor other nodes answer; it abstains")
	}
	if r.status.Late {
		r.remark(w, terminal.Yellow, "▲ late", "this process is late by itself; probes that time out do not count")
	}
	if u := r.status.Unwritable; u != nil {
		r.remark(w, terminal.Red, "■ state directory not writable", fmt.Sprintf("since %s: %s; what it believes and what is ordered here does not outlive the process",
			u.Since.UTC().Format("2006-01-02 15:04:05Z"), u.Reason))
	}
	if o := r.status.OIDC; o != nil && o.FailedSince != nil {
		what := "no token of it is a login; other logins work"
		if o.Known {
			what = "its keys of then are used"
		}
		r.remark(w, terminal.Yellow, "▲ OIDC issuer not readable", fmt.Sprintf("since %s: %s; %s", o.FailedSince.UTC().Format("2006-01-02 15:04:05Z"), o.Failure, what))
	}
}

// remark is a word about the node, and what it means.
func (r report) remark(w io.Writer, colour, word, text string) {
	for i, line := range terminal.Fold(word+": "+text, r.style.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, strings.Replace(line, word, r.style.Paint(colour, word), 1))
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
		m := terminal.MarkOf(terminal.ParseState(more[i].State), "")
		for k, line := range terminal.Fold(more[i].Text, r.style.Width-4) {
			if k == 0 {
				line = r.style.Paint(m.Colour, m.Shape) + " " + line
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

// cluster prints the nodes, unless they are well.
func (r report) cluster(w io.Writer) {
	c := r.status.Cluster
	if c == nil || !unwell(c) {
		return
	}
	r.title(w, "NODES")
	if r.small() {
		few := *c
		few.Nodes = slices.DeleteFunc(slices.Clone(c.Nodes), func(n api.Node) bool { return nodeMark(&n).Colour == terminal.Green })
		c = &few
	}
	writeNodes(w, c, r.style)
}

// smallScreen is how many lines a terminal needs that everything is drawn on again and again.
const smallScreen = 40

// small tells whether each line counts: the page is drawn on a small screen again and again.
func (r report) small() bool {
	return r.style.Screen != nil && r.style.Height > 0 && r.style.Height < smallScreen && !r.all
}

// unwell tells whether a node of the cluster is worth a look.
func unwell(c *api.Nodes) bool {
	return c.Isolated || c.Shut != "" ||
		slices.ContainsFunc(c.Nodes, func(n api.Node) bool { return n.Troubled() || n.Drained || n.State == api.NodeStopped })
}

// fastLanes prints which addresses have one, and why others do not.
func (r report) fastLanes(w io.Writer) {
	on := 0
	for _, l := range r.status.FastLanes {
		if l.Sockets > 0 {
			on++
		} else {
			for _, line := range terminal.Fold(fmt.Sprintf("fast lane off on %s: %s", l.Address, l.Reason), r.style.Width) {
				fmt.Fprintln(w, line)
			}
		}
	}
	switch {
	case on > 0 && on == len(r.status.FastLanes):
		fmt.Fprintf(w, "fast lane on: all of %s\n", addresses(on))
	case on > 0:
		fmt.Fprintf(w, "fast lane on: %d of %s\n", on, addresses(len(r.status.FastLanes)))
	}
}

// feeds prints who listens that is no resolver.
func (r report) feeds(w io.Writer) {
	f := r.status.Feeds
	if f == nil {
		return
	}
	text := "feeds: " + terminal.Count(f.Subscribers, "subscriber")
	if f.Unconfirmed > 0 {
		text += fmt.Sprintf(", %d of them behind", f.Unconfirmed)
	}
	if f.Silent > 0 {
		text += fmt.Sprintf(", %d silent", f.Silent)
	}
	fmt.Fprintln(w, text)
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
				t.states[terminal.ParseState(e.State)]++
				t.unmonitored += one(e.Unmonitored)
				t.stale += one(e.Stale)
			}
		}
		t.services += len(z.Services)
		for i := range z.Services {
			t.standing += one(serviceMark(z.Services[i]).Colour == terminal.Green)
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
	text := terminal.Count(t.endpoints, "endpoint")
	if len(of) > 0 {
		text += " (" + strings.Join(of, ", ") + ")"
	}
	return fmt.Sprintf("%s; %s, %d from the first tier", text, terminal.Count(t.services, "service"), t.standing)
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
		m, what := terminal.MarkOf(health.Suspect, "in use"), "in use, with problems"
		switch {
		case f.Hash == "":
			m, what = terminal.MarkOf(health.Down, "not served"), "nothing of it is served"
		case fileBroken(f):
			m, what = terminal.MarkOf(health.Down, "last good"), "its last good version "+f.Hash[:min(len(f.Hash), 12)]+" is served"
		}
		if f.RolledBack != nil && !fileBroken(f) {
			m, what = terminal.MarkOf(health.Suspect, "rolled back"), "its earlier version "+f.Hash+" is served, "+rolledBack(f.RolledBack, r.status.At)
		}
		if f.BrokenSince != nil {
			what += ", broken since " + terminal.Since(*f.BrokenSince, r.status.At)
		}
		// The mark is painted after the line is folded: the escape sequences are no characters of it.
		for i, line := range terminal.Fold(fmt.Sprintf("%s  %s: %s", m.Text(), f.Path, what), r.style.Width-4) {
			if i > 0 {
				line = "  " + line
			}
			fmt.Fprintln(w, "  "+strings.Replace(line, m.Text(), r.style.Paint(m.Colour, m.Text()), 1))
		}
		for _, p := range f.Problems {
			lines := strings.Split(strings.TrimRight(p, "\n"), "\n")
			if len(lines) == 1 {
				// One with a source line has a caret below it, which folding would move.
				lines = terminal.Fold(lines[0], r.style.Width-6)
			}
			fmt.Fprintln(w, "      "+strings.Join(lines, "\n      "))
		}
	}
}

// intents prints what operators asked for.
func (r report) intents(w io.Writer) {
	if len(r.status.Intents) == 0 {
		return
	}
	r.title(w, "INTENTS: what operators asked for")
	r.list(w, intentTable(r.status.Intents, r.status.At))
}

func (r report) title(w io.Writer, text string) {
	if !r.small() {
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, r.style.Paint(terminal.Bold, text))
}
