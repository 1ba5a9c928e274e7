package node

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A source watches the zone directories of all blocks and joins their zones into one model. It implements engine.Source.
type source struct {
	logger *slog.Logger
	events *event.Log
	// discovery gives zones the endpoints that clusters give; it may be nil.
	discovery *discovery
	// names gives them the addresses of their host names; it may be nil.
	names *naming

	// idle says why no zone is served; nil while one is. Swapped under mu.
	idle atomic.Pointer[error]
	// bare are the names of server blocks for which there is no zone, while another block has one; nil for none. Swapped under mu.
	bare atomic.Pointer[[]string]

	mu   sync.Mutex // guards the rest, Poll's reads of the disk included
	dirs []*zoneDir
	// model is what was handed out last; base are its zones as their files have them. served is on disk which file each zone of it runs from.
	model  *config.Model
	base   []*config.Zone
	served *servings
	// said holds the problems of each file, as they were last logged.
	said map[string]string
	// broken are the files, and the directories, whose content on disk is not what runs.
	broken map[string]bool
	// refused holds the zones that another directory serves, by the file that may not; since is when each was first seen.
	refused map[string]refusal
}

// A refusal is a zone that has come up in a second directory.
type refusal struct {
	zone, by string
	since    time.Time
}

func (r refusal) String() string { return fmt.Sprintf("the zone %s runs from %s", r.zone, r.by) }

// newSource makes the source of the directories that a first Corefile named.
func newSource(logger *slog.Logger, dirs []*zoneDir, served *servings, events *event.Log, discovery *discovery, names *naming) *source {
	s := &source{logger: logger, dirs: dirs, served: served, discovery: discovery, names: names, model: config.NewModel(nil), said: make(map[string]string), broken: make(map[string]bool)}
	s.take(s.join())
	s.notice()
	// What loading had to say has been said.
	s.events = events
	return s
}

// watched are the directories in force.
func (s *source) watched() []*zoneDir {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.dirs)
}

// replace watches dirs from now on. The model is nil if nothing changes.
func (s *source) replace(dirs []*zoneDir) *config.Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirs = dirs
	return s.changed()
}

// Poll looks at all files. A change counts when it is seen twice: the second look may come soon.
func (s *source) Poll() (model *config.Model, settling bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		_, err := d.dir.Poll()
		s.failing(d, err)
		settling = settling || d.dir.Settling()
	}
	return s.changed(), settling
}

// failing notes that a directory cannot be read, or can again.
func (s *source) failing(d *zoneDir, err error) {
	was := d.failing
	d.failing = ""
	if err != nil {
		d.failing = err.Error()
	}
	switch {
	case d.failing == was:
	case err != nil:
		s.logger.Error("zones directory not readable, all goes on as it was", "dir", d.shown, "err", err)
	default:
		s.logger.Info("zones directory readable again", "dir", d.shown)
	}
}

// changed is the new model; nil if it is the old one.
func (s *source) changed() *config.Model {
	s.forgetMoved()
	m, moved := s.join()
	s.take(m, moved)
	s.notice()
	if !moved {
		return nil
	}
	return m
}

// take makes m what is handed out, and keeps which files it is of.
func (s *source) take(m *config.Model, moved bool) {
	s.model = m
	s.noteEmpty()
	if !moved {
		return
	}
	if err := s.served.keep(m); err != nil {
		s.logger.Warn("which file each zone is served from is not kept: of two files for one zone the next start takes the first", "err", err)
	}
}

// empty is why no zone is served; nil while one is.
func (s *source) empty() error {
	if s == nil {
		return nil
	}
	if err := s.idle.Load(); err != nil {
		return *err
	}
	return nil
}

// noteEmpty notes whether a zone is served, and what stands in the place of zone files.
func (s *source) noteEmpty() {
	s.noteBare()
	if len(s.model.Zones) > 0 {
		if s.idle.Swap(nil) != nil {
			s.logger.Info("zones are served now", "zones", len(s.model.Zones))
		}
		return
	}
	var found []string
	for _, d := range s.dirs {
		found = append(found, d.found())
	}
	err := fmt.Errorf("no zone is served: %s", strings.Join(found, "; "))
	if was := s.idle.Swap(&err); was == nil || (*was).Error() != err.Error() {
		s.logger.Error("no zone is served, every query is refused", "found", strings.Join(found, "; "))
	}
}

// noteBare notes the server blocks that have no zone.
func (s *source) noteBare() {
	var bare []string
	for _, d := range s.dirs {
		for _, origin := range d.origins {
			if len(s.model.Zones) > 0 && !slices.ContainsFunc(s.model.Zones, func(z *config.Zone) bool { return config.Within(z.Name, origin) }) {
				bare = append(bare, origin)
			}
		}
	}
	slices.Sort(bare)
	bare = slices.Compact(bare)
	was := s.bare.Swap(&bare)
	if len(bare) > 0 && (was == nil || !slices.Equal(*was, bare)) {
		s.logger.Warn("server blocks without a zone: nothing is answered there", "blocks", bare)
	}
}

// forgetMoved gives up the last good version of a zone whose file is gone when another directory has a file of it: it was moved, or
// one of two was taken away.
func (s *source) forgetMoved() {
	there := make(map[string]bool)
	for _, d := range s.dirs {
		for _, f := range d.dir.Files() {
			if !f.Gone {
				there[f.Zone] = true
			}
		}
	}
	for _, d := range s.dirs {
		d.dir.Forget(func(zone string) bool { return there[zone] })
	}
}

// join makes one model of the zones of all directories, sorted by name. A zone that did not change keeps its value, also
// when another watch has read it: whoever compiles answers compares pointers. moved is unset when all is as it was.
func (s *source) join() (m *config.Model, moved bool) {
	before := make(map[string]*config.Zone, len(s.base))
	for _, z := range s.base {
		before[z.Name] = z
	}
	// ran tells whether z is of the file from which its zone ran, before the process started too.
	ran := func(z *config.Zone) bool {
		if was := before[z.Name]; was != nil {
			return was.File == z.File
		}
		return s.served.is(z)
	}
	joined := make(map[string]*config.Zone)
	refused := make(map[string]refusal)
	refuse := func(z, for_ *config.Zone) {
		r, known := s.refused[z.File]
		if !known || r.zone != z.Name {
			r.since = time.Now()
		}
		r.zone, r.by = z.Name, for_.File
		refused[z.File] = r
	}
	for _, d := range s.dirs {
		for _, z := range d.dir.Zones() {
			was := before[z.Name]
			if was != nil && was.File == z.File && was.Hash == z.Hash {
				z = was
			}
			other, taken := joined[z.Name]
			switch {
			case !taken:
				joined[z.Name] = z
			case ran(z) && !ran(other):
				// The one that was there first stays.
				refuse(other, z)
				joined[z.Name] = z
			default:
				refuse(z, other)
			}
		}
	}
	s.refused = refused
	zones := make([]*config.Zone, 0, len(joined))
	for _, z := range joined {
		zones = append(zones, z)
	}
	slices.SortFunc(zones, func(a, b *config.Zone) int { return cmp.Compare(a.Name, b.Name) })
	if !slices.Equal(zones, s.base) {
		s.base = zones
		s.discovery.want(zones)
		s.names.want(zones)
	}
	return s.expand()
}

// expand makes the model of base and what clusters and host names give. A zone to which they give what they gave keeps its value.
func (s *source) expand() (m *config.Model, moved bool) {
	before := make(map[string]*config.Zone, len(s.model.Zones))
	for _, z := range s.model.Zones {
		before[z.Name] = z
	}
	zones := make([]*config.Zone, 0, len(s.base))
	expanded := make([]*config.Zone, len(s.base))
	for i, z := range s.base {
		expanded[i] = s.names.with(s.discovery.with(z))
	}
	for _, z := range config.Visible(expanded) {
		if was := before[z.Name]; was != nil && was.File == z.File && was.Hash == z.Hash && was.Resolved == z.Resolved {
			z = was
		}
		zones = append(zones, z)
	}
	if slices.Equal(zones, s.model.Zones) {
		return s.model, false
	}
	return config.NewModel(zones), true
}

// notice logs the problems of each file when they change.
func (s *source) notice() {
	said := make(map[string]string)
	for _, d := range s.dirs {
		for _, f := range d.dir.Files() {
			text := f.Problems.String()
			said[f.Path] = text
			if was, known := s.said[f.Path]; known && was != text {
				logProblems(s.logger, f.Problems)
			}
		}
	}
	for file, r := range s.refused {
		text := file + ": " + r.String()
		said["refused "+file] = text
		if s.said["refused "+file] != text {
			s.logger.Error(text)
		}
	}
	s.said = said
	s.tellBroken()
}

// tellBroken tells of files, and directories, whose content cannot run any more, or runs again.
func (s *source) tellBroken() {
	broken := make(map[string]bool)
	is := func(path, zone, why string) {
		if broken[path] = true; !s.broken[path] {
			s.events.Add("config.broken", path, why, map[string]any{"zone": strings.TrimSuffix(zone, ".")})
		}
	}
	for _, d := range s.dirs {
		if d.failing != "" {
			is(d.shown, "", d.failing)
		}
		for _, f := range d.dir.Files() {
			if r, ok := s.refused[f.Path]; ok {
				is(f.Path, r.zone, r.String())
			} else if !f.BrokenSince.IsZero() {
				is(f.Path, f.Zone, worst(f.Problems))
			}
		}
	}
	for path := range s.broken {
		if !broken[path] {
			s.events.Add("config.mended", path, "", nil)
		}
	}
	s.broken = broken
}

// worst is the first of the worst problems of a file in short, without the name of the file.
func worst(problems config.Problems) string {
	for _, severity := range []config.Severity{config.Error, config.Warning} {
		for _, p := range problems {
			if p.Severity == severity {
				return strings.TrimLeft(strings.TrimPrefix(p.Head(), p.File), ": ")
			}
		}
	}
	return ""
}

// status is every file, sorted by path within its directory.
func (s *source) status() []api.File {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []api.File{}
	for _, d := range s.dirs {
		if d.failing != "" {
			now := time.Now()
			out = append(out, api.File{Path: d.shown, LastGood: true, BrokenSince: &now, Problems: []string{d.failing}})
		}
		for _, f := range d.dir.Files() {
			out = append(out, s.file(f))
		}
	}
	return out
}

// files are those of all directories.
func (s *source) files() (out []zonedir.FileStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		for _, f := range d.dir.Files() {
			if r, refused := s.refused[f.Path]; refused {
				f.BrokenSince = r.since
				f.Problems = append(f.Problems[:len(f.Problems):len(f.Problems)], config.Problem{File: f.Path, Message: r.String()})
			}
			out = append(out, f)
		}
	}
	return out
}

// text is the text of the file from which z runs.
func (s *source) text(z *config.Zone) (*zonedir.Text, error) {
	for _, d := range s.watched() {
		if t, err := d.dir.Text(z); err == nil || !errors.Is(err, zonedir.ErrNoText) {
			return t, err
		}
	}
	return nil, fmt.Errorf("zone %s: %w", z.Name, zonedir.ErrNoText)
}

// pending is the content on disk of the file that t is of, if that is not what is served.
func (s *source) pending(t *zonedir.Text) []byte {
	for _, f := range s.status() {
		if f.Path == t.Path && (f.LastGood || f.RolledBack != nil) {
			if b := zonedir.OnDisk(f.Path); !bytes.Equal(b, t.Content) {
				return b
			}
		}
	}
	return nil
}

// hashDigits is how much of a hash is shown, as config.Hash does.
const hashDigits = 12

func (s *source) file(f zonedir.FileStatus) api.File {
	out := api.File{Path: f.Path, Zone: f.Zone, Hash: f.Hash[:min(len(f.Hash), hashDigits)], LastGood: f.LastGood}
	if !f.BrokenSince.IsZero() {
		since := f.BrokenSince
		out.BrokenSince = &since
	}
	if r := f.RolledBack; r != nil {
		out.RolledBack = &api.Rollback{Actor: r.Actor, Reason: r.Reason, At: r.At}
	}
	for _, p := range f.Problems {
		out.Problems = append(out.Problems, p.String())
	}
	if r, ok := s.refused[f.Path]; ok {
		since := r.since
		out.Hash, out.BrokenSince = "", &since
		out.Problems = append(out.Problems, f.Path+": error: "+r.String())
	}
	return out
}

// problems counts by file and severity, for metrics.
func (s *source) problems(f func(file string, severity config.Severity, count int), broken func(file string, broken bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		for _, file := range d.dir.Files() {
			for _, severity := range []config.Severity{config.Error, config.Warning, config.Notice} {
				n := file.Problems.Count(severity)
				if _, refused := s.refused[file.Path]; refused && severity == config.Error {
					n++
				}
				if n > 0 {
					f(file.Path, severity, n)
				}
			}
			_, refused := s.refused[file.Path]
			broken(file.Path, refused || !file.BrokenSince.IsZero())
		}
	}
}
