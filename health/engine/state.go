package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	stateName    = "verdicts.json"
	stateVersion = 1
	// saveEvery bounds how often the file is written.
	saveEvery = time.Second
	// maxStateSize bounds what is read back: 128 octets for each of a million targets.
	maxStateSize = 128 << 20
)

// A stateFile keeps the last verdicts on disk, so that a restart does not begin with everything unknown. Ages are stored,
// not instants. It is lost without harm: then endpoints start pending.
type stateFile struct {
	path   string // empty: nothing is kept
	logger *slog.Logger
	loaded map[health.TargetID]health.Verdict // never written after openState

	mu   sync.Mutex
	view *health.View // guarded by mu: the latest one that is not on disk
	wake chan struct{}
}

type savedVerdicts struct {
	Version int                              `json:"version"`
	SavedAt time.Time                        `json:"saved_at"`
	Targets map[health.TargetID]savedVerdict `json:"targets"`
}

type savedVerdict struct {
	State      health.State `json:"state"`
	AgeSeconds float64      `json:"age_seconds"`
	Reason     string       `json:"reason,omitempty"`
}

// openState reads what an earlier run left in dir, unless it is older than maxAge. A file that cannot be understood is
// reported and ignored; a directory that cannot be written is an error.
func openState(dir string, maxAge time.Duration, now time.Time, logger *slog.Logger) (*stateFile, error) {
	s := &stateFile{logger: logger, wake: make(chan struct{}, 1)}
	if dir == "" {
		return s, nil
	}
	s.path = filepath.Join(dir, stateName)
	saved, err := readState(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		logger.Warn("last verdicts not understood: starting without them", "file", s.path, "err", err)
		return s, nil
	}
	// The wall clock is the only one that outlives a process; a file from the future is as good as no file.
	away := now.Sub(saved.SavedAt)
	if away < 0 || away > maxAge {
		logger.Info("last verdicts too old: starting without them", "file", s.path, "age_seconds", away.Seconds())
		return s, nil
	}
	s.loaded = make(map[health.TargetID]health.Verdict, len(saved.Targets))
	for id, v := range saved.Targets {
		age := away + time.Duration(v.AgeSeconds*float64(time.Second))
		s.loaded[id] = health.Verdict{State: v.State, Stale: true, Since: now.Add(-age), Reason: v.Reason}
	}
	return s, nil
}

func readState(path string) (*savedVerdicts, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxStateSize {
		return nil, fmt.Errorf("%d octets, at most %d are read", info.Size(), maxStateSize)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var saved savedVerdicts
	if err := json.Unmarshal(b, &saved); err != nil {
		return nil, err
	}
	if saved.Version != stateVersion {
		return nil, fmt.Errorf("version %d, want %d", saved.Version, stateVersion)
	}
	return &saved, nil
}

// verdict is what an earlier run believed of a target.
func (s *stateFile) verdict(id health.TargetID) (health.Verdict, bool) {
	v, ok := s.loaded[id]
	return v, ok
}

// carry is the view of a pool from the verdicts of an earlier run; nil if there are none.
func (s *stateFile) carry(pt *poolTable) *health.PoolView {
	var view *health.PoolView
	for i, id := range pt.targets {
		if v, ok := s.verdict(id); ok {
			if view == nil {
				view = &health.PoolView{Endpoints: make([]health.EndpointView, len(pt.targets))}
			}
			view.Endpoints[i].Verdict = v
		}
	}
	return view
}

// save asks for v to be written soon.
func (s *stateFile) save(v *health.View) {
	if s.path == "" {
		return
	}
	s.mu.Lock()
	s.view = v
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run writes until ctx ends, at most once in saveEvery, and a last time then.
func (s *stateFile) run(ctx context.Context) error {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			s.flush()
			return nil
		case <-pause.C:
		}
		select {
		case <-ctx.Done():
			s.flush()
			return nil
		case <-s.wake:
			s.flush()
			pause.Reset(saveEvery)
		}
	}
}

func (s *stateFile) flush() {
	s.mu.Lock()
	v := s.view
	s.view = nil
	s.mu.Unlock()
	if v == nil {
		return
	}
	if err := s.write(v, time.Now()); err != nil {
		s.logger.Warn("last verdicts not kept", "file", s.path, "err", err)
	}
}

func (s *stateFile) write(v *health.View, now time.Time) error {
	saved := savedVerdicts{Version: stateVersion, SavedAt: now, Targets: make(map[health.TargetID]savedVerdict)}
	for _, zv := range v.Zones {
		for pi, p := range zv.Zone.Pools {
			if p.Check < 0 {
				continue
			}
			for i, e := range p.Endpoints {
				verdict := zv.Pools[pi].Endpoints[i].Verdict
				if verdict.Pending() {
					continue
				}
				id := health.TargetOf(zv.Zone.Checks[p.Check], e).ID
				saved.Targets[id] = savedVerdict{State: settled(verdict.State), AgeSeconds: now.Sub(verdict.Since).Seconds(), Reason: verdict.Reason}
			}
		}
	}
	b, err := json.Marshal(saved)
	if err != nil {
		return err
	}
	return writeFile(s.path, b)
}

// settled leaves out what is about single failures: their count is not kept.
func settled(s health.State) health.State {
	if s == health.Suspect {
		return health.Up
	}
	return s
}

// writeFile replaces path by b: temp, write, fsync, rename, fsync of the directory; the temp file is removed on any error.
func writeFile(path string, b []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
