package config

import (
	"fmt"
	"net/netip"
)

// MaxResolvers is how many resolvers a node asks.
const MaxResolvers = 8

// dnsPort is that of a resolver of which no other is said.
const dnsPort = 53

// parseResolver takes an address, alone or with a port.
func parseResolver(s string) (netip.AddrPort, error) {
	at := netip.AddrPort{}
	if a, err := netip.ParseAddr(s); err == nil {
		at = netip.AddrPortFrom(a, dnsPort)
	} else if at, err = netip.ParseAddrPort(s); err != nil {
		return at, fmt.Errorf("want an address, or an address and a port, as in 192.0.2.1 or 192.0.2.1:5353, got %q", shorten(s))
	}
	if at.Port() == 0 || at.Addr().IsUnspecified() || at.Addr().IsMulticast() {
		return at, fmt.Errorf("%s cannot be asked", shorten(s))
	}
	return at, nil
}

func resolverText(s string) error {
	_, err := parseResolver(s)
	return err
}
