package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
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
	s := r.status
	fmt.Fprintf(w, "node %s, version %s, up %s, generation %d, config %s, at %s\n",
		s.Node, s.Version, age(s.At.Sub(s.StartedAt)), s.Generation, s.ConfigHash, s.At.UTC().Format("2006-01-02 15:04:05Z"))
	r.headline(w)
	r.cluster(w)
	r.fastLanes(w)
	r.files(w)
	r.intents(w)
	r.endpoints(w)
	r.pools(w)
	r.services(w)
}

// headline is the whole in one line.
func (r report) headline(w io.Writer) {
	t := tallyOf(r.status)
	m := markOf(health.Up, "all is well")
	if degraded(r.status) {
		m = markOf(health.Suspect, "degraded")
		if t.states[health.Down] > 0 || t.lastResort > 0 {
			m = markOf(health.Down, "degraded")
		}
	}
	fmt.Fprintf(w, "%s: %s\n", r.style.paint(m.colour, m.text()), strings.Join(t.words(), ", "))
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
	if !r.status.Ready {
		why := r.status.NotReady
		if why == "" {
			why = "no reason given"
		}
		fmt.Fprintf(w, "%s: %s\n", r.style.paint(yellow, "▲ not ready"), why)
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
		fmt.Fprintf(w, "fast lane on: all of %s\n", count(on, "UDP address"))
	case on > 0:
		fmt.Fprintf(w, "fast lane on: %d of %s\n", on, count(len(r.status.FastLanes), "UDP address"))
	}
}

// A tally counts what a status holds.
type tally struct {
	states                               map[health.State]int
	endpoints, services, lastResort      int
	unmonitored, stale, filesOut, warned int
	dangling, suspended                  int
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
				t.warned += one(e.Warning != "")
			}
		}
		t.services += len(z.Services)
		for _, svc := range z.Services {
			t.lastResort += one(svc.Degraded)
		}
	}
	for _, i := range s.Intents {
		t.dangling += one(i.State == api.IntentDangling)
		t.suspended += one(i.State == api.IntentSuspended)
	}
	for _, f := range s.Files {
		t.filesOut += one(fileBroken(f))
	}
	return t
}

// words says what is wrong, then how much there is.
func (t tally) words() []string {
	var out []string
	for _, st := range []health.State{health.Down, health.Suspect, health.Unknown, health.Drained} {
		if n := t.states[st]; n > 0 {
			out = append(out, fmt.Sprintf("%d of %s %s", n, count(t.endpoints, "endpoint"), st))
		}
	}
	if t.lastResort > 0 {
		out = append(out, fmt.Sprintf("%d of %s on a last resort", t.lastResort, count(t.services, "service")))
	}
	if t.filesOut > 0 {
		out = append(out, count(t.filesOut, "file")+" not in use")
	}
	if t.dangling > 0 {
		out = append(out, count(t.dangling, "order")+" without an object (dangling)")
	}
	if t.suspended > 0 {
		out = append(out, count(t.suspended, "order")+" suspended by a safety rule")
	}
	if len(out) == 0 {
		out = append(out, count(t.endpoints, "endpoint")+" up", count(t.services, "service"))
	}
	if t.stale > 0 {
		out = append(out, fmt.Sprintf("%d with stale evidence", t.stale))
	}
	if t.warned > 0 {
		out = append(out, count(t.warned, "warning"))
	}
	if t.unmonitored > 0 {
		out = append(out, fmt.Sprintf("%d unmonitored", t.unmonitored))
	}
	return out
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
