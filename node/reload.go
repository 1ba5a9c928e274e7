package node

import (
	"context"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const (
	// settleLook is the time between the two looks that see the same content before it counts.
	settleLook = 500 * time.Millisecond
	// serveTimeout is how long a reply waits for a configuration to be in force: 64 MiB of zone files take seconds.
	serveTimeout = 8 * time.Second
)

// look looks at all files as Poll does, whatever stat says of them. With force, versions pass that config.Shrinks refuses.
func (s *source) look(force bool) (model *config.Model, settling bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.dirs {
		_, err := d.dir.Look(force)
		s.failing(d, err)
		settling = settling || d.dir.Settling()
	}
	return s.changed(), settling
}

// discovered is the new model after clusters gave something else; nil if it is the old one.
func (s *source) discovered() *config.Model {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed()
}

// change does something to the file that file names, by its path or, where only one directory has it, by its name.
func (s *source) change(file string, do func(d *zonedir.Dir, path string) error) (*config.Model, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var dirs []*zoneDir
	var paths []string
	for _, d := range s.dirs {
		for _, f := range d.dir.Files() {
			if f.Path == file || filepath.Base(f.Path) == file {
				dirs, paths = append(dirs, d), append(paths, f.Path)
			}
		}
	}
	switch {
	case len(paths) == 0:
		return nil, fmt.Errorf("%w: %s", zonedir.ErrNoSuchFile, file)
	case len(paths) > 1:
		return nil, fmt.Errorf("%w: %s is one of %v", zonedir.ErrNoSuchFile, file, paths)
	}
	if err := do(dirs[0].dir, paths[0]); err != nil {
		return nil, err
	}
	return s.changed(), nil
}

// kept is every file with the versions that are kept of it.
func (s *source) kept() []api.ConfigFile {
	shown := s.status()
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]api.ConfigFile, 0, len(shown))
	for _, f := range shown {
		file := api.ConfigFile{File: f, Kept: []api.KeptVersion{}}
		for _, d := range s.dirs {
			versions, err := d.dir.Kept(f.Path)
			if err != nil {
				continue
			}
			for _, v := range versions {
				file.Kept = append(file.Kept, api.KeptVersion{Hash: v.Hash.String(), KeptAt: v.At})
			}
		}
		out = append(out, file)
	}
	return out
}

// zoneFiles are the zone files of a node, and what becomes of them. It implements admin.ZoneFiles.
type zoneFiles struct{ node *Node }

// Status is every file and what is wrong with it.
func (f *zoneFiles) Status() []api.File { return f.node.source.status() }

// Bare are the names of server blocks for which there is no zone, sorted.
func (f *zoneFiles) Bare() []string {
	if bare := f.node.source.bare.Load(); bare != nil {
		return *bare
	}
	return nil
}

// Running is the text of the file from which z runs.
func (f *zoneFiles) Running(z *config.Zone) (*api.RunningZone, error) {
	t, err := f.node.source.text(z)
	if err != nil {
		return nil, err
	}
	return &api.RunningZone{
		Path: t.Path, Hash: hex.EncodeToString(z.FileHash[:]), Content: t.Content, Pending: f.node.source.pending(t), Files: t.Files, Secret: t.Secret,
	}, nil
}

// Config is what is configured, and the versions to go back to.
func (f *zoneFiles) Config() *api.Config {
	return &api.Config{Node: f.node.Name(), ConfigHash: f.configHash(), Files: f.node.source.kept()}
}

func (f *zoneFiles) configHash() string {
	if s := f.node.current.Load(); s != nil {
		return s.View.Model.Hash.String()
	}
	return ""
}

// Reload looks at the zone files now and says what came of each.
func (f *zoneFiles) Reload(ctx context.Context, force bool) (*api.ReloadResult, error) {
	before, signed := f.Status(), f.node.rollover.SignedZones()
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	taken, err := f.node.engine.Look(ctx, func() *config.Model {
		model, settling := f.node.source.look(force)
		if !settling {
			return model
		}
		select {
		case <-time.After(settleLook):
		case <-ctx.Done():
			return model
		}
		if later, _ := f.node.source.look(force); later != nil {
			return later
		}
		return model
	})
	if err != nil {
		return nil, err
	}
	out := &api.ReloadResult{Served: taken.Served, ConfigHash: f.configHash(), Files: []api.ReloadedFile{}, LeftByConfig: f.leftByConfig(&taken, signed)}
	for _, file := range f.Status() {
		i := slices.IndexFunc(before, func(b api.File) bool { return b.Path == file.Path })
		r := api.ReloadedFile{File: file, Outcome: api.ReloadUnchanged}
		switch {
		case file.LastGood || file.BrokenSince != nil || file.Hash == "":
			r.Outcome = api.ReloadBroken
		case i < 0 || before[i].Hash != file.Hash:
			r.Outcome = api.ReloadTakenUp
		case file.RolledBack != nil:
			r.Outcome = api.ReloadRolledBack
		}
		out.Files = append(out.Files, r)
	}
	return out, nil
}

// leftByConfig is what left the answers by a configuration, as the API has it. signed are the zones that were signed before.
func (f *zoneFiles) leftByConfig(t *departure.Taken, signed []string) api.LeftByConfig {
	out := api.LeftByConfig{More: t.More}
	still := f.node.rollover.SignedZones()
	for _, zone := range signed {
		if !slices.Contains(still, zone) && f.node.rollover.Serves(zone) {
			out.Unsigned = append(out.Unsigned, zone)
		}
	}
	for _, l := range t.Left {
		one := api.LeftHolding{
			Name: l.Owner, Data: l.RData, Service: l.Service, Endpoint: l.Label.Name(), Zone: l.Zone, Why: l.Why,
		}
		if !l.Expires.IsZero() {
			at := l.Expires.UTC()
			one.ExpiresAt = &at
		}
		out.Left = append(out.Left, one)
	}
	return out
}

// Rollback has the version of a zone file run that was in force before the present one.
func (f *zoneFiles) Rollback(ctx context.Context, file, actor, reason string) (api.LeftByConfig, error) {
	by := zonedir.Rollback{Actor: actor, Reason: reason, At: time.Now()}
	return f.changeFile(ctx, file, func(d *zonedir.Dir, path string) error { return d.Rollback(path, by) })
}

// Forward ends a rollback.
func (f *zoneFiles) Forward(ctx context.Context, file string) (api.LeftByConfig, error) {
	return f.changeFile(ctx, file, (*zonedir.Dir).Forward)
}

func (f *zoneFiles) changeFile(ctx context.Context, file string, do func(d *zonedir.Dir, path string) error) (api.LeftByConfig, error) {
	ctx, cancel := context.WithTimeout(ctx, serveTimeout)
	defer cancel()
	var failed error
	signed := f.node.rollover.SignedZones()
	taken, err := f.node.engine.Look(ctx, func() (m *config.Model) {
		m, failed = f.node.source.change(file, do)
		return m
	})
	if err == nil {
		err = failed
	}
	return f.leftByConfig(&taken, signed), err
}
