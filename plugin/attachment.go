package fairlead

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/geo"
)

// An attachment is what one CoreDNS instance wants from the node: all its `fairlead` blocks together. setup fills
// blocks; the rest belongs to the steward.
type attachment struct {
	blocks []block

	// config is the node file, geo are its databases and dirs are the zone directories, loaded, from attach on.
	config *config.Node
	geo    *geo.Set
	dirs   []*zoneDir
	// ended is set once the instance was released: a server of it may just begin. The mutex of streams guards it.
	ended bool

	// released is set once the instance has ended; see attachMu.
	released bool
}

type block struct {
	*directive
	handler *Handler
	config  *dnsserver.Config
}

// add takes in one more block of the same Corefile.
func (a *attachment) add(d *directive, h *Handler, c *dnsserver.Config) error {
	if len(a.blocks) > 0 {
		first := a.blocks[0]
		for _, same := range []struct{ option, mine, theirs string }{
			{"state", d.state, first.state}, {"node", d.node, first.node},
		} {
			if absolute(same.mine) != absolute(same.theirs) {
				return fmt.Errorf("%s %q here and %q in another block: one process has one %s", same.option, same.mine, same.theirs, same.option)
			}
		}
	}
	a.blocks = append(a.blocks, block{d, h, c})
	return nil
}

// state is the state directory, node the node file.
func (a *attachment) state() string { return a.blocks[0].state }
func (a *attachment) node() string  { return a.blocks[0].directive.node }

// wanted are the zone directories that the blocks name, each once, with the names of all blocks that name it.
func (a *attachment) wanted() []*zoneDir {
	var dirs []*zoneDir
	for _, b := range a.blocks {
		path := absolute(b.zones)
		i := slices.IndexFunc(dirs, func(d *zoneDir) bool { return d.path == path })
		if i < 0 {
			dirs = append(dirs, &zoneDir{path: path, shown: b.zones})
			i = len(dirs) - 1
		}
		dirs[i].origins = append(dirs[i].origins, b.origins...)
	}
	for _, d := range dirs {
		slices.Sort(d.origins)
		d.origins = slices.Compact(d.origins)
	}
	return dirs
}

// bind points the handlers at n. Each block serves its own directory alone.
func (a *attachment) bind(n *node) {
	for _, b := range a.blocks {
		if len(a.dirs) > 1 {
			// As the directory's own watch writes it: the same path can be written in many ways.
			i := slices.IndexFunc(a.dirs, func(d *zoneDir) bool { return d.path == absolute(b.zones) })
			b.handler.files = filepath.Clean(a.dirs[i].shown) + string(filepath.Separator)
		}
		b.handler.node.Store(n)
	}
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
