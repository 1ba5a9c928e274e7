package probe

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A ForbiddenError is an address that probes refuse. It is a failure of the target: clients who are sent there would be
// no better off.
type ForbiddenError struct {
	// Dialled is what was to be connected to; Means is the address that it stands for, often itself.
	Dialled, Means netip.Addr
	// What says in words what Means is.
	What string
	// Final is set where Options.Allow opens nothing.
	Final bool
}

func (e *ForbiddenError) Error() string {
	s := e.Dialled.String() + " is refused: "
	if e.Means != e.Dialled {
		s = fmt.Sprintf("%v is refused: it stands for %v, ", e.Dialled, e.Means)
	}
	if e.Final {
		return s + e.What
	}
	return s + e.What + " (probe.allow)"
}

// refused is what probes refuse by default, the most particular first. Loopback is not in it: whoever may write zone
// files decides what is probed, sidecars and local services are probed in earnest, and what is worth a fence on this
// host is the admin port, which Options.Forbidden names.
var refused = []struct {
	prefix netip.Prefix
	what   string
}{
	// Metadata services give credentials to whoever can connect.
	{netip.MustParsePrefix("169.254.169.254/32"), "cloud metadata"},
	{netip.MustParsePrefix("169.254.170.2/32"), "cloud metadata"},   // Amazon ECS
	{netip.MustParsePrefix("169.254.170.23/32"), "cloud metadata"},  // Amazon EKS
	{netip.MustParsePrefix("fd00:ec2::/32"), "cloud metadata"},      // Amazon: ::254, and its neighbours for time and DNS
	{netip.MustParsePrefix("fd20:ce::254/128"), "cloud metadata"},   // Google
	{netip.MustParsePrefix("168.63.129.16/32"), "cloud metadata"},   // Azure WireServer
	{netip.MustParsePrefix("100.100.100.200/32"), "cloud metadata"}, // Alibaba
	{netip.MustParsePrefix("192.0.0.192/32"), "cloud metadata"},     // Oracle
	{netip.MustParsePrefix("fd00:42::42/128"), "cloud metadata"},    // Scaleway

	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	// Linux takes all of 0.0.0.0/8 and :: for the host itself.
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
}

// A fence refuses addresses. It sees them after resolution, so that a name, a redirect or an odd way to write an address
// makes no difference.
type fence struct {
	allow []netip.Prefix
	own   []netip.AddrPort
	local atomic.Pointer[localAddrs]
}

func newFence(allow []netip.Prefix, own []netip.AddrPort) *fence {
	return &fence{allow: allow, own: own}
}

// check refuses to, or is nil. The port is 0 where there is none.
func (f *fence) check(to netip.AddrPort) error {
	dialled := to.Addr().WithZone("").Unmap()
	if err := f.checkOne(dialled, dialled, to.Port()); err != nil {
		return err
	}
	var forms [8]netip.Addr
	for _, means := range embedded(forms[:0], dialled) {
		if err := f.checkOne(dialled, means, to.Port()); err != nil {
			return err
		}
	}
	return nil
}

func (f *fence) checkOne(dialled, means netip.Addr, port uint16) error {
	for _, own := range f.own {
		if own.Port() == port && f.same(own.Addr().Unmap(), means) {
			return &ForbiddenError{Dialled: dialled, Means: means, What: "this node's own admin or gossip port", Final: true}
		}
	}
	for _, p := range f.allow {
		if p.Contains(means) {
			return nil
		}
	}
	for _, no := range refused {
		if no.prefix.Contains(means) {
			return &ForbiddenError{Dialled: dialled, Means: means, What: no.what}
		}
	}
	return nil
}

// same tells whether a listener on own hears what goes to a.
func (f *fence) same(own, a netip.Addr) bool {
	if !own.IsUnspecified() {
		return own.WithZone("") == a
	}
	return a.IsLoopback() || a.IsUnspecified() || f.isLocal(a)
}

// embedded appends the IPv4 addresses that a router or the host itself may take a for.
func embedded(to []netip.Addr, a netip.Addr) []netip.Addr {
	if !a.Is6() {
		return to
	}
	b := a.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case compatible.Contains(a) && !a.IsLoopback() && !a.IsUnspecified(), nat64.Contains(a):
		to = append(to, v4(12, 13, 14, 15))
	case localNAT64.Contains(a):
		// RFC 6052 section 2.2: where the address stands depends on the length of the operator's prefix.
		for _, means := range [...]netip.Addr{v4(6, 7, 9, 10), v4(7, 9, 10, 11), v4(9, 10, 11, 12), v4(12, 13, 14, 15)} {
			if means.As4()[0] != 0 {
				to = append(to, means)
			}
		}
	case sixToFour.Contains(a):
		to = append(to, v4(2, 3, 4, 5))
	case teredo.Contains(a):
		to = append(to, v4(4, 5, 6, 7), netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}))
	}
	if b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe { // ISATAP, RFC 5214 section 6.1
		to = append(to, v4(12, 13, 14, 15))
	}
	return to
}

var (
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291 section 2.5.5.1
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	teredo     = netip.MustParsePrefix("2001::/32")      // RFC 4380
)

// localFor is how long the list of this host's addresses is good.
const localFor = 10 * time.Second

// localAddrs is what the interfaces had at an instant.
type localAddrs struct {
	at  time.Time
	all map[netip.Addr]bool
}

// isLocal tells whether an interface of this host has a.
func (f *fence) isLocal(a netip.Addr) bool {
	l := f.local.Load()
	if l == nil || time.Since(l.at) > localFor {
		l = &localAddrs{at: time.Now(), all: map[netip.Addr]bool{}}
		list, _ := net.InterfaceAddrs() // without the list, loopback is still refused
		for _, i := range list {
			if n, ok := i.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(n.IP); ok {
					l.all[addr.Unmap()] = true
				}
			}
		}
		f.local.Store(l)
	}
	return l.all[a]
}
