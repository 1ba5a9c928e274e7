package probe

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Router tells whether this node has a route to an address. It is called by many goroutines and sends nothing.
type Router func(netip.Addr) bool

// hasRoute asks the kernel: to connect a UDP socket chooses a route and sends nothing.
func hasRoute(to netip.Addr) bool {
	const discard = 9
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, discard)))
	if err != nil {
		return !errors.Is(err, syscall.ENETUNREACH)
	}
	_ = conn.Close()
	return true
}

// reach is what this node reaches of the addresses of each family. Prober.mu guards it.
type reach struct {
	// well counts the entries of a family whose latest probe went well.
	well [2]int
	// logged is when it was last logged that a family is out of reach.
	logged [2]time.Time
}

// familyOf is the family of the address that is dialled; ok is unset for a name.
func familyOf(host string) (addr netip.Addr, f config.Family, ok bool) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return addr, f, false
	}
	if f = config.IPv4; addr.Unmap().Is6() {
		f = config.IPv6
	}
	return addr, f, true
}

// wellLocked notes how the latest probe of e went.
func (p *Prober) wellLocked(e *entry, well bool) {
	if e.well == well {
		return
	}
	e.well = well
	if _, f, ok := familyOf(e.target.Host); ok {
		if well {
			p.reach.well[f]++
		} else {
			p.reach.well[f]--
		}
	}
}

// unroutedLocked says in words that a probe, which found no way to its target, does not count: this node has no route there, and reaches no
// other address of the family, so that it is the node that lacks something. Else it is empty.
func (p *Prober) unroutedLocked(host string, kind Kind, routed bool, now time.Time) string {
	if kind != Unreachable || routed {
		return ""
	}
	_, f, ok := familyOf(host)
	if !ok || p.reach.well[f] > 0 {
		return ""
	}
	text := fmt.Sprintf("not judged: this node has no %s route", f)
	p.metrics.unrouted.Inc()
	if last := &p.reach.logged[f]; last.IsZero() || now.Sub(*last) >= unroutedEvery {
		*last = now
		p.log.Warn("this node reaches no address of a family: its probes of them do not count", "family", f.String())
	}
	return text
}

// unroutedEvery is how often it is logged at the most that a family is out of reach: it may be for ever.
const unroutedEvery = time.Hour

// routed tells whether this node has a route to host. It is asked about failures that say there is none.
func (p *Prober) routed(host string, kind Kind) bool {
	addr, _, ok := familyOf(host)
	return kind != Unreachable || !ok || p.opts.Router(addr)
}
