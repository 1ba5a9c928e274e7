package node

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/fairlead-dns/fairlead/config"
)

// ownPorts are where this node itself listens for operators, for the other nodes and for programs: whoever may write zone files must not have it talk to
// them. A host that is a name stands for all addresses of this host: what the name means may change.
func ownPorts(cfg *config.Node) (own []netip.AddrPort) {
	listens := []string{cfg.Admin.Listen}
	if cfg.Cluster != nil {
		listens = append(listens, cfg.Cluster.Gossip.Listen)
	}
	if cfg.Feed != nil {
		listens = append(listens, cfg.Feed.Listens()...)
	}
	for _, listen := range listens {
		host, text, err := net.SplitHostPort(listen)
		if err != nil {
			// Nowhere: what is no address was refused when the file was read.
			continue
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			continue
		}
		addr, err := netip.ParseAddr(host)
		if err != nil {
			addr = netip.IPv6Unspecified()
		}
		own = append(own, netip.AddrPortFrom(addr, uint16(port)))
	}
	return own
}
