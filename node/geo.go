package node

import (
	"fmt"
	"net/netip"

	"github.com/fairlead-dns/fairlead/plugin/geo"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A locator shows geo databases to answers. It implements steer.Locator.
type locator struct{ databases *geo.Databases }

// Locate is what the databases know of addr.
func (l *locator) Locate(addr netip.Addr) *steer.Location {
	return (*steer.Location)(l.databases.Locate(addr))
}

// OpenLocator reads geo databases for an Explainer; nil for none. They are not watched.
func OpenLocator(paths []string) (steer.Locator, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	d, err := geo.New(geo.Options{})
	if err != nil {
		return nil, err
	}
	set, err := d.Read(paths)
	if err != nil {
		return nil, err
	}
	d.Use(set)
	return &locator{d}, nil
}

// where tells where clients are; nil while there is no geo database.
func (n *Node) where() steer.Locator {
	if n.geo != nil && n.geo.Empty() {
		return nil
	}
	return n.locator
}

// readGeo reads the databases that the node file of a Corefile names, for Use. Those in use stay in use.
func (n *Node) readGeo(c *Corefile) (err error) {
	if c.geo, err = n.geo.Read(c.config.Geo.Databases); err != nil {
		return fmt.Errorf("node file %s: geo.databases: %w", c.Node, err)
	}
	return nil
}
