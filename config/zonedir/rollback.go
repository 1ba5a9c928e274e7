package zonedir

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
)

// Two versions of each zone file are kept: the one that was taken up last (keptPath), and the one that was in force before it
// (previousPath). A rollback is a file beside them (pinPath) that has the version that is to run instead of the file on disk, and
// says which content of the file it is about: one write makes it, and as long as the file is what it was it stays in force.

// Errors about rollbacks, for who has to tell them apart.
var (
	// ErrNoSuchFile: there is no zone file of that name.
	ErrNoSuchFile = errors.New("no such zone file")
	// ErrNoVersion: there is no version to go to.
	ErrNoVersion = errors.New("no version to go to")
)

// A Rollback says who had an earlier version run than the one on disk, and why.
type Rollback struct {
	Actor  string    `json:"actor,omitempty"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

// A pin is a rollback on disk.
type pin struct {
	Rollback
	// Digest is of the content that does not run.
	Digest config.Hash `json:"digest"`
	Bundle *bundle     `json:"bundle"`
}

// previousPath is where the version is kept that was in force before the one at keptPath. No zone file is called so.
func previousPath(state, name string) string {
	return filepath.Join(state, "zones", name+".previous.json")
}

// pinPath is where the rollback of a zone file is kept.
func pinPath(state, name string) string { return filepath.Join(state, "zones", name+".rollback.json") }

// loadPin reads the rollback of a file; nil without one, or with one that is not understood.
func loadPin(state, name string) *pin {
	if state == "" {
		return nil
	}
	text, err := os.ReadFile(pinPath(state, name))
	if err != nil {
		return nil
	}
	p := new(pin)
	if json.Unmarshal(text, p) != nil || p.Bundle == nil {
		return nil
	}
	return p
}

// Rollback has the version of a zone file run that was in force before the present one, until the content of the file changes, or
// Forward is called. It outlives a restart. path is the file's path or its name in the directory.
func (d *Dir) Rollback(path string, by Rollback) error {
	f, err := d.named(path)
	if err != nil {
		return err
	}
	switch {
	case d.opts.State == "":
		return fmt.Errorf("%s: %w: no versions are kept without a state directory", f.path, ErrNoVersion)
	case f.rolledBack != nil:
		return fmt.Errorf("%s: %w: it is rolled back already, and two versions are kept", f.path, ErrNoVersion)
	case f.vanished || f.current == nil:
		return fmt.Errorf("%s: %w: the file is gone", f.path, ErrNoVersion)
	}
	b := loadBundle(previousPath(d.opts.State, f.name))
	if b == nil {
		return fmt.Errorf("%s: %w: no earlier version has been in force", f.path, ErrNoVersion)
	}
	p := &pin{Rollback: by, Digest: f.current.digest, Bundle: b}
	zone, err := d.pinned(f, p)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", f.path, ErrNoVersion, err)
	}
	text, err := json.Marshal(p)
	if err == nil {
		err = durable.WriteFile(pinPath(d.opts.State, f.name), text)
	}
	if err != nil {
		return fmt.Errorf("%s: rollback not kept: %w", f.path, err)
	}
	d.opts.Logger.Warn("zone file rolled back", "file", f.path, "zone", zone.Name, "old", hashOf(f.zone), "new", zone.Hash.String(), "actor", by.Actor, "reason", by.Reason)
	d.runPinned(f, p, zone)
	d.publish()
	return nil
}

// Forward ends a rollback: the file on disk runs again, if it can.
func (d *Dir) Forward(path string) error {
	f, err := d.named(path)
	if err != nil {
		return err
	}
	if f.rolledBack == nil {
		return fmt.Errorf("%s: %w: it is not rolled back", f.path, ErrNoVersion)
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return fmt.Errorf("zones directory: %w", err)
	}
	defer root.Close()
	// That it drops too much is no reason: it ran before.
	defer d.force(true)()
	r := newGlance(root, f.name, d.opts.Geo).parse(f.path, d.opts.Now())
	defer func() { f.remembered = nil }()
	if why, ok := d.refuse(f, r); r.zone != nil && !ok {
		return fmt.Errorf("%s: %w: %s", f.path, ErrNoVersion, why.Message)
	}
	if r.zone == nil {
		return fmt.Errorf("%s: %w: the file has %d errors", f.path, ErrNoVersion, r.problems.Count(config.Error))
	}
	d.opts.Logger.Info("rollback ended", "file", f.path)
	f.forward = true
	d.judge(f, r)
	f.forward = false
	d.publish()
	if loadPin(d.opts.State, f.name) != nil {
		return fmt.Errorf("%s: the file runs again, but that could not be kept: %s", f.path, f.problems[len(f.problems)-1].Message)
	}
	return nil
}

// named is the file with a path, or with a name in the directory.
func (d *Dir) named(path string) (*dirFile, error) {
	i := slices.IndexFunc(d.files, func(f *dirFile) bool { return f.path == path || f.name == path })
	if i < 0 {
		return nil, fmt.Errorf("%w: %s", ErrNoSuchFile, path)
	}
	return d.files[i], nil
}

// pinned is the zone of a rollback, if it may run.
func (d *Dir) pinned(f *dirFile, p *pin) (*config.Zone, error) {
	p.Bundle.Path = f.path
	zone, problems := p.Bundle.parse()
	switch {
	case zone == nil:
		return nil, fmt.Errorf("the version has %d errors for this program", problems.Count(config.Error))
	case !d.covers(zone.Name):
		return nil, fmt.Errorf("no server block serves its zone %s", zone.Name)
	case !d.free(zone.Name, f):
		return nil, fmt.Errorf("its zone %s runs from another file", zone.Name)
	}
	return zone, nil
}

// runPinned has f run the zone of a rollback.
func (d *Dir) runPinned(f *dirFile, p *pin, zone *config.Zone) {
	if f.zone == nil || f.zone.Hash != zone.Hash {
		d.run(f, zone)
	}
	f.rolledBack, f.brokenSince, f.lastGood, f.pending = &p.Rollback, time.Time{}, false, nil
	f.problems = append(f.current.problems[:len(f.current.problems):len(f.current.problems)], config.Problem{File: f.path, Severity: config.Warning,
		Message: fmt.Sprintf("rolled back by %s: an earlier version of the zone %s runs instead (%s)", p.Actor, zone.Name, zone.Hash),
		Help:    "`fairlead config forward " + f.path + "` ends that, and so does another content of the file"})
}

// stayBack tells whether a rollback keeps r from being judged, and has its version run.
func (d *Dir) stayBack(f *dirFile, r *reading) bool {
	p := d.recall(f).pin
	if p == nil || p.Digest != r.digest || f.forward {
		return false
	}
	zone, err := d.pinned(f, p)
	if err != nil {
		d.opts.Logger.Error("rollback not possible any more", "file", f.path, "err", err)
		return false
	}
	d.runPinned(f, p, zone)
	return true
}

// keepTwo keeps r as the version in force, and what was in force before it as the one to go back to.
func (d *Dir) keepTwo(f *dirFile, r *reading) error {
	state := d.opts.State
	kept, pinned := d.recall(f).kept, d.recall(f).pin
	before := kept
	if pinned != nil {
		before = pinned.Bundle
	}
	if before != nil && !before.same(&r.bundle) {
		if err := d.keep(f, before, previousPath(state, f.name)); err != nil {
			return err
		}
	}
	if !kept.same(&r.bundle) {
		if err := d.keep(f, &r.bundle, keptPath(state, f.name)); err != nil {
			return err
		}
	}
	if pinned == nil {
		return nil
	}
	// Last: until then a restart goes back to where it was. If the machine dies before the removal is on disk it does so too.
	if err := os.Remove(pinPath(state, f.name)); err != nil {
		return fmt.Errorf("end of the rollback: %w", err)
	}
	return nil
}

// A Version is one version of a zone file that is kept.
type Version struct {
	Hash config.Hash
	// At is when it was written down.
	At time.Time
}

// Kept are the versions of a zone file that are kept: the one that was taken up last, then the one to go back to.
func (d *Dir) Kept(path string) ([]Version, error) {
	f, err := d.named(path)
	if err != nil {
		return nil, err
	}
	var versions []Version
	for _, path := range []string{keptPath(d.opts.State, f.name), previousPath(d.opts.State, f.name)} {
		b := loadBundle(path)
		info, err := os.Stat(path)
		if b == nil || err != nil {
			continue
		}
		b.Path = f.path
		if zone, _ := b.parse(); zone != nil {
			versions = append(versions, Version{Hash: zone.Hash, At: info.ModTime()})
		}
	}
	return versions, nil
}

// Look is Poll without trust in what stat says, for an operator who wants to know what is in the files now. With force, versions
// pass that Shrinks refuses.
func (d *Dir) Look(force bool) (changed bool, err error) {
	defer d.force(force)()
	for _, f := range d.files {
		f.polls = restPolls
		// Judged again: what was refused may pass now.
		f.returned = f.returned || force && f.brokenSince != (time.Time{}) && !f.vanished
	}
	return d.visit(d.pollAll)
}

// force lets versions pass that Shrinks refuses until the function that it returns is called.
func (d *Dir) force(on bool) (end func()) {
	was := d.opts.Force
	d.opts.Force = was || on
	return func() { d.opts.Force = was }
}

func hashOf(z *config.Zone) string {
	if z == nil {
		return ""
	}
	return z.Hash.String()
}
