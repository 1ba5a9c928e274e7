package run

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
)

// maxFile bounds what is read of the file.
const maxFile = 4 << 20

// Errors of a Store, besides those of the disk.
var (
	// ErrNoRun: there is no such run.
	ErrNoRun = errors.New("no such run")
	// ErrFull: there are too many runs, or entries of one.
	ErrFull = errors.New("too many runs")
	// ErrNotYours: the word of that person does not count.
	ErrNotYours = errors.New("not for you to say")
)

// A Store is the runs of a node and their file, which only this process writes. The nodes of a cluster bring each other's stores in line:
// see Digest, Encode and Merge.
type Store struct {
	path string
	// digest is that of what is on disk, swapped with it; shown are the runs, the latest first.
	digest atomic.Pointer[[16]byte]
	shown  atomic.Pointer[[]*Run]

	mu sync.Mutex
	// The rest is guarded by mu. heard is when this process first had an entry, by run and key: what durations count from.
	kept  set
	heard map[string]map[string]time.Time
	// changed is called, without mu, after an entry was made here, and news after one was heard.
	changed, news func()
	// broken is why the file could not be read: it is left as it is, and nothing is taken.
	broken error
}

// Open reads the file at path; one that is missing has no runs, and without a path nothing is kept. The store is usable even with an error, as
// one that takes nothing.
func Open(path string, now time.Time) (*Store, error) {
	s := &Store{path: path, heard: make(map[string]map[string]time.Time), changed: func() {}, news: func() {}}
	kept := set{}
	if path != "" {
		var err error
		if kept, err = read(path); err != nil {
			s.broken = fmt.Errorf("runs of plans %s: %w", path, err)
			kept = set{}
		}
	}
	s.takeLocked(kept, now)
	return s, s.broken
}

func read(path string) (set, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return set{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("more than %d octets", maxFile)
	}
	return parseSet(b)
}

// OnChange has changed called after each entry that was made here, and news after entries of another node were taken.
func (s *Store) OnChange(changed, news func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changed, s.news = changed, news
}

// takeLocked makes kept what is in force.
func (s *Store) takeLocked(kept set, now time.Time) {
	for id, r := range kept {
		keys := s.heard[id]
		if keys == nil {
			keys = make(map[string]time.Time)
			s.heard[id] = keys
		}
		for i := range r.Entries {
			if key := r.Entries[i].Key(); keys[key].IsZero() {
				keys[key] = now
			}
		}
	}
	for id := range s.heard {
		if kept[id] == nil {
			delete(s.heard, id)
		}
	}
	s.kept = kept
	b, err := kept.encode()
	if err != nil {
		panic("run: " + err.Error())
	}
	sum := sha256.Sum256(b)
	digest := [16]byte(sum[:16])
	s.digest.Store(&digest)
	list := kept.list()
	s.shown.Store(&list)
}

// Digest is that of what is on disk. It waits for nothing.
func (s *Store) Digest() [16]byte { return *s.digest.Load() }

// Agreed is told that another node has the same.
func (s *Store) Agreed() {}

// Encode is all that is on disk, for another node's Merge.
func (s *Store) Encode() ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	return s.kept.encode()
}

// Merge takes up what another node keeps. It is on disk when the error is nil.
func (s *Store) Merge(b []byte, now time.Time) (changed bool, err error) {
	other, err := parseSet(b)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	next := s.kept.merge(other)
	if len(next) > maxSet {
		err = ErrFull
	} else if changed = !next.equal(s.kept); changed {
		err = s.writeLocked(next, now)
	}
	news := s.news
	s.mu.Unlock()
	if changed && err == nil {
		news()
	}
	return changed, err
}

// writeLocked makes next what is kept, on disk first.
func (s *Store) writeLocked(next set, now time.Time) error {
	if s.broken != nil {
		return s.broken
	}
	if s.path != "" {
		b, err := next.encode()
		if err != nil {
			return err
		}
		if err := durable.WriteFile(s.path, append(b, '\n')); err != nil {
			return err
		}
	}
	s.takeLocked(next, now)
	return nil
}

// Start keeps a new run. It is on disk when the error is nil.
func (s *Store) Start(r *Run, now time.Time) error {
	if err := r.validate(); err != nil {
		return err
	}
	return s.change(func(kept set) (set, error) {
		open := 0
		for _, other := range kept {
			if other.Over() {
				continue
			}
			if open++; other.Plan == r.Plan {
				return nil, fmt.Errorf("%w: %s of plan %s has not ended", health.ErrIntentConflict, other.ID, r.Plan)
			}
		}
		if open >= MaxOpen {
			return nil, fmt.Errorf("%w: %d have not ended", ErrFull, open)
		}
		return kept.merge(set{r.ID: r}), nil
	}, now)
}

// Add keeps entries of a run. They are on disk when the error is nil.
func (s *Store) Add(id string, now time.Time, entries ...Entry) error {
	return s.change(func(kept set) (set, error) {
		r := kept[id]
		if r == nil {
			return nil, fmt.Errorf("%w: %s", ErrNoRun, id)
		}
		more := *r
		more.Entries = append([]Entry(nil), entries...)
		for i := range more.Entries {
			e := &more.Entries[i]
			if e.At.IsZero() {
				e.At = now
			}
			e.At, e.Text = e.At.UTC().Round(0), Cut(e.Text)
			if err := e.validate(); err != nil {
				return nil, err
			}
		}
		next := r.merge(&more)
		if len(next.Entries) > maxEntries {
			return nil, fmt.Errorf("%w: run %s has %d entries", ErrFull, id, len(r.Entries))
		}
		return kept.merge(set{id: next}), nil
	}, now)
}

func (s *Store) change(f func(set) (set, error), now time.Time) error {
	s.mu.Lock()
	next, err := f(s.kept)
	if err == nil && !next.equal(s.kept) {
		err = s.writeLocked(next, now)
	}
	changed := s.changed
	s.mu.Unlock()
	if err == nil {
		changed()
	}
	return err
}

// Runs are all runs, the latest first. They are not written any more.
func (s *Store) Runs() []*Run { return *s.shown.Load() }

// Run is one run; nil for none.
func (s *Store) Run(id string) *Run {
	for _, r := range s.Runs() {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Since is how long this process has had an entry: never more than how long ago it was made. Zero for one that it does not have.
func (s *Store) Since(id string, e *Entry, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	heard, ok := s.heard[id][e.Key()]
	if !ok {
		return 0
	}
	return now.Sub(heard)
}
