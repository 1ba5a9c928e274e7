package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// anywhere are addresses that nobody has (RFC 5737, RFC 3849): where a default route leads.
var anywhere = []string{"192.0.2.1:9", "[2001:db8::1]:9"}

// advertised is where the other nodes send gossip to. For config.AdvertiseAuto it is the address from which the system would send to
// another node of the roster, or else by its default route; nothing is sent. A pod has no other way to say where it is.
func advertised(c *config.Cluster, self string) (string, error) {
	if c.Gossip.Advertise != config.AdvertiseAuto {
		return c.Gossip.Advertise, nil
	}
	listen, err := netip.ParseAddrPort(c.Gossip.Listen)
	if err != nil {
		return "", err
	}
	var to []string
	for _, n := range c.Nodes {
		// A name may not resolve yet: the nodes of a site start together.
		if a, err := netip.ParseAddrPort(n.Address); err == nil && n.Name != self {
			to = append(to, a.String())
		}
	}
	errs := []error{errors.New("node file: cluster.gossip.advertise: auto: no route to another node, and no default route")}
	for _, address := range slices.Concat(to, anywhere) {
		own, err := sourceTo(address)
		if err == nil {
			return netip.AddrPortFrom(own, listen.Port()).String(), nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// sourceTo is the address from which the system sends to another one.
func sourceTo(address string) (netip.Addr, error) {
	c, err := net.Dial("udp", address)
	if err != nil {
		return netip.Addr{}, err
	}
	defer c.Close()
	own, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok || own.AddrPort().Addr().IsUnspecified() {
		return netip.Addr{}, fmt.Errorf("%s: no address to send from", address)
	}
	return own.AddrPort().Addr().Unmap(), nil
}
