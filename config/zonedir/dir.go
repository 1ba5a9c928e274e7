package zonedir

import (
	"cmp"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// Options are the surroundings of a Dir.
type Options struct {
	// State is the directory for the last good copies; empty means that none are kept.
	State string
	// Origins are the names of the server block: a zone not at or below one of them is an error. Empty allows all.
	Origins []string
	// Served is the file from which each zone ran before the process started, as an absolute path by name of the zone: of two files
	// for one zone that one goes on. It may be nil.
	Served map[string]string
	// Force lets versions pass that Shrinks refuses.
	Force bool
	// Geo says whether the node has a geo database.
	Geo config.GeoDatabase
	// Logger gets changes of state; nil means none.
	Logger *slog.Logger
	// Now is time.Now unless a test says otherwise.
	Now func() time.Time
}

// A Dir is a directory of zone files. It has no goroutine and no timer: one caller calls Load and then Poll, every 2 s.
// Zones, Problems and Files may be called by anyone.
type Dir struct {
	path string
	opts Options
	// files are sorted by name; owned by the caller of Load and Poll, with the rest but now.
	files []*dirFile
	// runners are the files that run each zone, by its name: one, and those that are gone and did.
	runners map[string][]*dirFile
	// keeping holds the last good copies back that Load makes, for one sync of the disk; nil at other times.
	keeping *keeping
	now     atomic.Pointer[published]
}

// published is what others see; swapped, never mutated.
type published struct {
	zones    []*config.Zone
	problems config.Problems
	files    []FileStatus
}

// A FileStatus is one zone file, for `status`.
type FileStatus struct {
	Path string `json:"path"`
	// Zone is the zone that runs from this file; empty when none does. Hash is its hash in full, in hexadecimal.
	Zone string `json:"zone,omitempty"`
	Hash string `json:"hash,omitempty"`
	// Problems are those of the file as it is on disk, which need not be the version that runs.
	Problems config.Problems `json:"problems,omitempty"`
	// BrokenSince is when the file was first found to be refused or gone; zero while the file on disk is what runs.
	BrokenSince time.Time `json:"broken_since,omitzero"`
	// LastGood is set while an earlier version runs than the one on disk.
	LastGood bool `json:"last_good,omitempty"`
	// Judged is FileDigest of the version on disk that Problems are of; of a file that needs others it is something else.
	Judged config.Hash `json:"-"`
	// Gone is set while the file is not in the directory any more.
	Gone bool `json:"gone,omitempty"`
	// RolledBack is set while an operator has an earlier version run.
	RolledBack *Rollback `json:"rolled_back,omitempty"`
}

// emptySum is that of no zone file: kept rollbacks hold sums that were made so.
func emptySum() *config.Sum {
	s := config.NewSum()
	s.Add("", nil)
	return s
}

// FileDigest is what FileStatus.Judged is of a file with this name and content.
func FileDigest(name string, content []byte) config.Hash {
	f := emptySum()
	f.Add("file "+name, content)
	return f.Hash()
}

// Open makes a Dir; nothing is read before Load.
func Open(path string, opts Options) *Dir {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dir{path: path, opts: opts, runners: make(map[string][]*dirFile)}
	d.now.Store(new(published))
	return d
}

// Zones are the running zones, sorted by name: the input of NewModel.
func (d *Dir) Zones() []*config.Zone { return d.now.Load().zones }

// Problems are those of all files as they are on disk.
func (d *Dir) Problems() config.Problems { return d.now.Load().problems }

// Files are the zone files, sorted by path.
func (d *Dir) Files() []FileStatus { return d.now.Load().files }

// Poll looks at the directory again. changed tells whether Zones did. A new content takes effect after two polls in a
// row saw it, so that a half-written file is never loaded. An error means that the directory cannot be read; everything
// goes on as it was.
func (d *Dir) Poll() (changed bool, err error) {
	return d.visit(d.pollAll)
}

// Settling tells whether a content has been seen once and waits for its second look: the next Poll may come soon.
func (d *Dir) Settling() bool {
	return slices.ContainsFunc(d.files, func(f *dirFile) bool { return f.pending != nil })
}

// Forget gives up the zones of files that are gone, if elsewhere says of a zone's name that it has a file in another directory now.
func (d *Dir) Forget(elsewhere func(zone string) bool) {
	before := len(d.files)
	d.files = slices.DeleteFunc(d.files, func(f *dirFile) bool {
		if !f.vanished || f.zone == nil || !elsewhere(f.zone.Name) {
			return false
		}
		d.run(f, nil)
		return true
	})
	if len(d.files) < before {
		d.publish()
	}
}

// visit calls look for the files of the directory in the order of names, and publishes the result.
func (d *Dir) visit(look func(files []*dirFile, root *os.Root)) (changed bool, err error) {
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return false, fmt.Errorf("zones directory: %w", err)
	}
	defer root.Close()
	list, err := os.ReadDir(d.path)
	if err != nil {
		return false, fmt.Errorf("zones directory: %w", err)
	}
	there := make(map[string]bool)
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".yaml") && !strings.HasPrefix(e.Name(), ".") {
			there[e.Name()] = true
			d.addFile(e.Name())
		}
	}
	for _, f := range d.files {
		if !there[f.name] {
			d.vanish(f)
		}
	}
	var present []*dirFile
	for _, f := range d.files {
		if there[f.name] {
			f.vanished = false
			present = append(present, f)
		}
	}
	look(present, root)
	d.files = slices.DeleteFunc(d.files, func(f *dirFile) bool { return f.vanished && f.zone == nil })
	return d.publish(), nil
}

// absolute is path without a base that could differ.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}

func (d *Dir) addFile(name string) {
	i, found := slices.BinarySearchFunc(d.files, name, func(f *dirFile, name string) int { return cmp.Compare(f.name, name) })
	if !found {
		d.files = slices.Insert(d.files, i, &dirFile{name: name, path: filepath.Join(d.path, name)})
	}
}

func (d *Dir) publish() (changed bool) {
	next := new(published)
	for _, f := range d.files {
		s := FileStatus{Path: f.path, Problems: f.problems, BrokenSince: f.brokenSince, LastGood: f.lastGood, Gone: f.vanished, RolledBack: f.rolledBack}
		if f.current != nil {
			s.Judged = f.current.digest
		}
		if f.zone != nil {
			s.Zone, s.Hash = f.zone.Name, fmt.Sprintf("%x", f.zone.Hash[:])
			next.zones = append(next.zones, f.zone)
		}
		next.problems = append(next.problems, f.problems...)
		next.files = append(next.files, s)
	}
	slices.SortFunc(next.zones, func(a, b *config.Zone) int { return cmp.Compare(a.Name, b.Name) })
	old := d.now.Swap(next)
	return !slices.Equal(old.zones, next.zones)
}
