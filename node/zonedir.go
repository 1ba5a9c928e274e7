package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
)

// A zoneDir is a zones directory of the Corefile.
type zoneDir struct {
	// path is absolute, shown is as the Corefile has it.
	path, shown string
	// origins are the names of the server blocks that serve it, sorted.
	origins []string
	// geo says whether the node has a geo database; set when it is loaded.
	geo config.GeoDatabase
	dir *zonedir.Dir
	// failing is the error of the last look, as text; owned by source.
	failing string
}

// A loader loads zones directories for a node with or without a geo database.
type loader struct {
	geo    config.GeoDatabase
	state  string
	served map[string]string
	logger *slog.Logger
}

// start loads the directories of a first Corefile. A file with errors stops its own zone alone, and a directory that cannot be
// read what is in it: both are said, and watched. It is an error when there are zone files and none of them can be served.
func (l *loader) start(wanted []*zoneDir) ([]*zoneDir, error) {
	var errs []error
	zones := 0
	for _, d := range wanted {
		problems, err := d.load(l)
		if err != nil {
			d.failing = err.Error()
			l.logger.Error("zones directory not readable: nothing of it is served", "dir", d.shown, "err", err)
			continue
		}
		if zones += len(d.dir.Zones()); problems.HasErrors() {
			errs = append(errs, fmt.Errorf("%s:\n%s", d.shown, strings.TrimRight(problems.String(), "\n")))
		}
		logProblems(l.logger, problems)
	}
	if zones == 0 && len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return wanted, nil
}

// reload loads the directories of a later Corefile. Those that run already, with the same names, go on as they are: zone files have
// a watch of their own, and a reload of the Corefile is no reason to forget a last good version. Errors name every problem: the
// Corefile in force goes on.
func (l *loader) reload(wanted, running []*zoneDir) ([]*zoneDir, error) {
	var errs []error
	owners := make(map[string]string)
	for i, d := range wanted {
		same := func(r *zoneDir) bool {
			return r.path == d.path && r.geo == l.geo && slices.Equal(r.origins, d.origins)
		}
		if j := slices.IndexFunc(running, same); j >= 0 {
			wanted[i] = running[j]
		} else if problems, err := d.load(l); err != nil || problems.HasErrors() {
			if err == nil {
				err = fmt.Errorf("%s:\n%s", d.shown, strings.TrimRight(problems.String(), "\n"))
			}
			errs = append(errs, err)
			continue
		} else {
			logProblems(l.logger, problems)
		}
		for _, z := range wanted[i].dir.Zones() {
			if other, taken := owners[z.Name]; taken {
				errs = append(errs, fmt.Errorf("%s: the zone %s runs from %s", z.File, z.Name, other))
			}
			owners[z.Name] = z.File
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return wanted, nil
}

// load reads d for the first time. The error is that of the directory.
func (d *zoneDir) load(l *loader) (config.Problems, error) {
	d.geo = l.geo
	d.dir = zonedir.Open(d.shown, zonedir.Options{State: keptState(l.state, d.path), Origins: d.origins, Geo: d.geo, Served: l.served, Logger: l.logger})
	_, problems, err := d.dir.Load()
	return problems, err
}

// found says in short what a directory without a zone holds.
func (d *zoneDir) found() string {
	if d.failing != "" {
		return d.failing
	}
	if files := d.dir.Files(); len(files) > 0 {
		return fmt.Sprintf("%s: none of the %d zone files can be served", d.shown, len(files))
	}
	list, err := os.ReadDir(d.shown)
	if err != nil {
		return fmt.Sprintf("zones directory: %v", err)
	}
	if len(list) == 0 {
		return d.shown + " is empty"
	}
	const few = 3
	var names []string
	for _, e := range list[:min(len(list), few)] {
		names = append(names, strconv.Quote(e.Name()))
	}
	if more := len(list) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Sprintf("%s has no *.yaml, but %s", d.shown, strings.Join(names, ", "))
}

// keptState is where the last good versions of a directory are kept: apart from those of other directories, which may
// have files of the same names.
func keptState(state, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(state, "good-"+hex.EncodeToString(sum[:4]))
}

// logProblems writes one line for each problem.
func logProblems(logger *slog.Logger, problems config.Problems) {
	levels := map[config.Severity]slog.Level{config.Error: slog.LevelError, config.Warning: slog.LevelWarn}
	for _, p := range problems {
		logger.Log(context.Background(), levels[p.Severity], p.Head())
	}
}
