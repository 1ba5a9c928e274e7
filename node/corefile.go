package node

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/geo"
	"github.com/fairlead-dns/fairlead/plugin/stream"
)

// A Corefile is what the server blocks of one CoreDNS instance want of the node, all together.
type Corefile struct {
	// State is the state directory, Node the node file, empty for none; as they are written.
	State, Node string

	zones []*zoneDir
	// config is the node file, geo are its databases and dirs are the zone directories, loaded, from Start or Admit on.
	config *config.Node
	geo    *geo.Set
	dirs   []*zoneDir
}

// Serve adds a zones directory, as the Corefile has it, with the names of a block that serves it.
func (c *Corefile) Serve(zones string, origins []string) {
	path := absolute(zones)
	i := slices.IndexFunc(c.zones, func(d *zoneDir) bool { return d.path == path })
	if i < 0 {
		c.zones = append(c.zones, &zoneDir{path: path, shown: zones})
		i = len(c.zones) - 1
	}
	d := c.zones[i]
	d.origins = append(d.origins, origins...)
	slices.Sort(d.origins)
	d.origins = slices.Compact(d.origins)
}

// wanted are the directories, not loaded yet.
func (c *Corefile) wanted() (dirs []*zoneDir) {
	for _, d := range c.zones {
		dirs = append(dirs, &zoneDir{path: d.path, shown: d.shown, origins: d.origins})
	}
	return dirs
}

// Files is with what the paths of the zone files of a directory begin; empty where there is one directory alone, and before Start or Admit.
func (c *Corefile) Files(zones string) string {
	if len(c.dirs) < 2 {
		return ""
	}
	// As the directory's own watch writes it: the same path can be written in many ways.
	i := slices.IndexFunc(c.dirs, func(d *zoneDir) bool { return d.path == absolute(zones) })
	return filepath.Clean(c.dirs[i].shown) + string(filepath.Separator)
}

// Ready tells whether Start or Admit has taken it.
func (c *Corefile) Ready() bool { return c.dirs != nil }

// Streams are the limits of TCP connections.
func (c *Corefile) Streams() stream.Limits {
	if c.config == nil {
		return stream.Limits{}
	}
	return stream.Limits{Conns: c.config.TCP.Connections, PerClient: c.config.TCP.PerClient}
}

// read reads the node file. Warnings go to the log.
func (c *Corefile) read(logger *slog.Logger) error {
	n, problems, err := ReadFile(c.Node)
	if err != nil {
		return fmt.Errorf("node file %s: %w", c.Node, err)
	}
	if err := problems.Err(); err != nil {
		return fmt.Errorf("node file:\n%w", err)
	}
	logProblems(logger, problems)
	c.config = n
	return nil
}

// absolute is path without a base that could differ; empty stays empty.
func absolute(path string) string {
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return filepath.Clean(path)
}
