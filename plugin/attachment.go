package fairlead

import (
	"fmt"
	"path/filepath"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin/transfer"

	"github.com/fairlead-dns/fairlead/node"
)

// An attachment is what one CoreDNS instance wants from the node: all its `fairlead` blocks together. setup fills
// blocks; the rest belongs to the steward.
type attachment struct {
	node.Corefile
	blocks []block

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
		for _, same := range []struct{ option, mine, theirs string }{{"state", d.state, a.State}, {"node", d.node, a.Node}} {
			if !samePath(same.mine, same.theirs) {
				return fmt.Errorf("%s %q here and %q in another block: one process has one %s", same.option, same.mine, same.theirs, same.option)
			}
		}
	} else {
		a.State, a.Node = d.state, d.node
	}
	a.Serve(d.zones, d.origins)
	a.blocks = append(a.blocks, block{d, h, c})
	return nil
}

// samePath tells whether two paths are written for the same one.
func samePath(a, b string) bool {
	for _, path := range []*string{&a, &b} {
		if abs, err := filepath.Abs(*path); err == nil && *path != "" {
			*path = abs
		}
	}
	return a == b
}

// bind points the handlers at n. Each block serves its own directory alone.
func (a *attachment) bind(n *node.Node) {
	for _, b := range a.blocks {
		b.handler.files = a.Files(b.zones)
		b.handler.serve(n)
		if t, ok := b.config.Handler("transfer").(*transfer.Transfer); ok {
			n.Secondaries().Listen(b.handler, b.handler.files, t.Notify)
		}
	}
}
