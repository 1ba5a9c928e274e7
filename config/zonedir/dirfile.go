package zonedir

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A dirFile is one zone file of a Dir over time. It is owned by the caller of Dir.Load and Dir.Poll.
type dirFile struct {
	name, path string

	// current is the reading that was judged last; pending is one that was seen once and waits for the second look.
	current, pending *reading
	// polls counts those since the files were read.
	polls int

	// zone runs; nil when there never was a good version.
	zone        *config.Zone
	problems    config.Problems
	brokenSince time.Time
	lastGood    bool
	// vanished is set while the file is not in the directory, returned from then until it was judged again.
	vanished, returned bool
	// rolledBack is set while an earlier version runs by an operator's word; forward while that ends.
	rolledBack *Rollback
	forward    bool
	// remembered is what the state directory has of the file while it is being judged.
	remembered *remembered
	// conflict is the zone that another file runs; the file is judged again when that one gives it up.
	conflict string
}

// pollAll looks at the files that are there.
func (d *Dir) pollAll(files []*dirFile, root *os.Root) {
	for _, f := range files {
		d.poll(f, root)
	}
}

// run has f run zone from now on; nil for none.
func (d *Dir) run(f *dirFile, zone *config.Zone) {
	if f.zone != nil {
		name := f.zone.Name
		if d.runners[name] = slices.DeleteFunc(d.runners[name], func(g *dirFile) bool { return g == f }); len(d.runners[name]) == 0 {
			delete(d.runners, name)
		}
	}
	if f.zone = zone; zone != nil {
		d.runners[zone.Name] = append(d.runners[zone.Name], f)
	}
}

// poll looks at one file that is there.
func (d *Dir) poll(f *dirFile, root *os.Root) {
	again := f.returned || f.conflict != "" && d.free(f.conflict, f)
	if !again && f.current != nil && f.pending == nil && f.polls < restPolls && f.current.rests(root) {
		f.polls++
		return
	}
	f.polls = 0
	g := newGlance(root, f.name, d.opts.Geo)
	switch {
	case f.current != nil && g.digest(f.current.names()) == f.current.digest:
		f.pending = nil
		f.current.refresh(g, d.opts.Now())
		if again {
			d.judge(f, g.parse(f.path, d.opts.Now()))
		}
	case f.pending != nil && g.digest(f.pending.names()) == f.pending.digest:
		r := f.pending
		f.pending = nil
		r.refresh(g, d.opts.Now())
		d.judge(f, r)
	default:
		f.pending = g.parse(f.path, d.opts.Now())
	}
}

// vanish keeps the zone of a file that is gone, until the next start.
func (d *Dir) vanish(f *dirFile) {
	f.pending = nil
	if f.vanished || f.zone == nil {
		f.vanished = true
		return
	}
	f.vanished, f.returned, f.conflict = true, true, ""
	f.broken(d.opts.Now())
	f.problems = config.Problems{{File: f.path, Severity: config.Warning, Message: fmt.Sprintf("the file is gone; the zone %s runs on from its last good version until the next start", f.zone.Name)}}
	d.opts.Logger.Warn("zone file gone, last good version runs on", "file", f.path, "zone", f.zone.Name)
}

func (f *dirFile) broken(now time.Time) {
	f.lastGood = f.zone != nil
	if f.brokenSince.IsZero() {
		f.brokenSince = now
	}
}

// judge decides whether r becomes what runs.
func (d *Dir) judge(f *dirFile, r *reading) {
	defer func() { f.remembered = nil; r.release() }()
	before := f.zone
	f.current, f.problems, f.conflict, f.returned = r, r.problems, "", false
	if d.stayBack(f, r) {
		return
	}
	f.rolledBack = nil
	if r.zone != nil {
		if p, ok := d.refuse(f, r); !ok {
			f.problems = append(f.problems[:len(f.problems):len(f.problems)], p)
		} else {
			d.accept(f, r)
			return
		}
	}
	if f.zone == nil {
		d.run(f, d.lastGood(f))
	}
	f.broken(d.opts.Now())
	if f.zone == nil {
		d.opts.Logger.Error("zone file refused", "file", f.path, "errors", f.problems.Count(config.Error))
		return
	}
	if f.conflict == "" {
		f.problems = append(f.problems[:len(f.problems):len(f.problems)], config.Problem{File: f.path, Severity: config.Warning,
			Message: fmt.Sprintf("the last good version of the zone %s runs instead (%s)", f.zone.Name, f.zone.Hash)})
	}
	d.opts.Logger.Error("zone file refused, last good version runs", "file", f.path, "zone", f.zone.Name,
		"errors", f.problems.Count(config.Error), "restored", before == nil)
}

// accept makes r what runs, and keeps it as the last good version.
func (d *Dir) accept(f *dirFile, r *reading) {
	if f.zone == nil || f.zone.Hash != r.zone.Hash {
		d.opts.Logger.Info("zone file loaded", "file", f.path, "zone", r.zone.Name, "hash", r.zone.Hash.String())
		d.run(f, r.zone)
	}
	f.brokenSince, f.lastGood = time.Time{}, false
	d.takeOver(f)
	if d.opts.State == "" {
		return
	}
	if err := d.keepTwo(f, r); err != nil {
		d.notKept(f, err)
	}
}

// notKept says that the version in force is not kept for the next start.
func (d *Dir) notKept(f *dirFile, err error) {
	f.problems = append(f.problems[:len(f.problems):len(f.problems)], config.Problem{File: f.path, Severity: config.Warning,
		Message: "the last good version cannot be kept: " + err.Error()})
	d.opts.Logger.Warn("last good version not kept", "file", f.path, "err", err)
}

// takeOver drops the zone of f from a file that is gone: the file was renamed.
func (d *Dir) takeOver(f *dirFile) {
	for _, g := range slices.Clone(d.runners[f.zone.Name]) {
		if g != f && g.vanished {
			d.run(g, nil)
		}
	}
}

// refuse says why a zone without errors of its own does not run.
func (d *Dir) refuse(f *dirFile, r *reading) (config.Problem, bool) {
	if !d.covers(r.zone.Name) {
		return r.atZone(fmt.Sprintf("the zone %s is not at or below %s", r.zone.Name, strings.Join(d.opts.Origins, ", ")),
			"the server block of the Corefile names what it serves"), false
	}
	if other := d.runner(r.zone.Name, f); !d.free(r.zone.Name, f) {
		f.conflict = r.zone.Name
		return r.atZone(fmt.Sprintf("the zone %s runs from %s", r.zone.Name, other.path), "a zone has one file"), false
	}
	if d.opts.Force {
		return config.Problem{}, true
	}
	old := f.zone
	if other := d.runner(r.zone.Name, f); old == nil && other != nil {
		old = other.zone
	}
	if kept := d.recall(f).kept; old == nil && kept != nil && !kept.same(&r.bundle) {
		old, _ = kept.parse()
	}
	if old == nil {
		return config.Problem{}, true
	}
	if why := config.Shrinks(old, r.zone); why != "" {
		return config.Problem{File: f.path, Message: "this version " + why, Help: config.ShrinkHelp}, false
	}
	return config.Problem{}, true
}

// runner is the file other than f from which a zone runs.
func (d *Dir) runner(zone string, f *dirFile) *dirFile {
	for _, g := range d.runners[zone] {
		if g != f {
			return g
		}
	}
	return nil
}

// free tells whether f may run a zone: nobody does, or only on behalf of a file that is gone.
func (d *Dir) free(zone string, f *dirFile) bool {
	other := d.runner(zone, f)
	return other == nil || other.vanished
}

func (d *Dir) covers(zone string) bool {
	for _, o := range d.opts.Origins {
		if config.Within(zone, strings.ToLower(strings.TrimSuffix(o, ".")+".")) {
			return true
		}
	}
	return len(d.opts.Origins) == 0
}

// lastGood is the kept version of f's zone, if it may run.
func (d *Dir) lastGood(f *dirFile) *config.Zone {
	kept := d.recall(f).kept
	if p := d.recall(f).pin; p != nil {
		kept = p.Bundle
	}
	if kept == nil {
		return nil
	}
	kept.Path = f.path
	zone, _ := kept.parse()
	if zone == nil || !d.covers(zone.Name) || d.runner(zone.Name, f) != nil {
		return nil
	}
	return zone
}
