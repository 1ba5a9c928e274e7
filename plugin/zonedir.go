package fairlead

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// A zoneDir is a zones directory of the Corefile.
type zoneDir struct {
	// path is absolute, shown is as the Corefile has it.
	path, shown string
	// origins are the names of the server blocks that serve it, sorted.
	origins []string
	// geo says whether the node has a geo database; set by loadDirs.
	geo config.GeoDatabase
	dir *config.Dir
	// failing is the error of the last look, as text; owned by source.
	failing string
}

// loadDirs loads the directories that are wanted, for a node with or without a geo database. Those that run already, with
// the same names, go on as they are: zone files have a watch of their own, and a reload of the Corefile is no reason to
// forget a last good version. Errors name every problem.
func loadDirs(wanted, running []*zoneDir, geo config.GeoDatabase, state string, logger *slog.Logger) ([]*zoneDir, error) {
	var errs []error
	owners := make(map[string]string)
	for i, d := range wanted {
		d.geo = geo
		same := func(r *zoneDir) bool {
			return r.path == d.path && r.geo == d.geo && slices.Equal(r.origins, d.origins)
		}
		if j := slices.IndexFunc(running, same); j >= 0 {
			wanted[i] = running[j]
		} else if err := d.load(state, logger); err != nil {
			errs = append(errs, err)
			continue
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

func (d *zoneDir) load(state string, logger *slog.Logger) error {
	d.dir = config.OpenDir(d.shown, config.DirOptions{State: keptState(state, d.path), Origins: d.origins, Geo: d.geo, Logger: logger})
	_, problems, err := d.dir.Load()
	if err != nil {
		return err
	}
	if problems.HasErrors() {
		return fmt.Errorf("%s:\n%s", d.shown, strings.TrimRight(problems.String(), "\n"))
	}
	logProblems(problems)
	return nil
}

// keptState is where the last good versions of a directory are kept: apart from those of other directories, which may
// have files of the same names.
func keptState(state, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(state, "good-"+hex.EncodeToString(sum[:4]))
}

// logProblems writes one line for each problem.
func logProblems(problems config.Problems) {
	for _, p := range problems {
		switch p.Severity {
		case config.Error:
			log.Error(p.Head())
		case config.Warning:
			log.Warning(p.Head())
		default:
			log.Info(p.Head())
		}
	}
}
