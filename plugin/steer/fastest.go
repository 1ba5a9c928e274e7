package steer

import (
	"net/netip"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A fastest finds what was measured of the way from a client. It depends on the configuration alone, is immutable, and allocates nothing when
// asked.
type fastest struct {
	latency *config.Latency
	// v4 and v6 hold the prefixes, by index of latency.Networks; the longest one counts. The others are asked in the order of their fields.
	v4, v6             prefixTree
	asn                map[uint32]int
	country, continent map[string]int
}

func newFastest(l *config.Latency) *fastest {
	f := &fastest{latency: l, asn: make(map[uint32]int), country: make(map[string]int), continent: make(map[string]int)}
	for i := range l.Networks {
		switch n := &l.Networks[i]; {
		case n.Prefix.IsValid() && n.Prefix.Addr().Is4():
			f.v4.add(n.Prefix, i)
		case n.Prefix.IsValid():
			f.v6.add(n.Prefix, i)
		case n.ASN != 0:
			f.asn[n.ASN] = i
		case n.Country != "":
			f.country[n.Country] = i
		default:
			f.continent[n.Continent] = i
		}
	}
	return f
}

// byPlace tells whether a location can decide.
func (f *fastest) byPlace() bool { return len(f.asn)+len(f.country)+len(f.continent) > 0 }

// find is what was measured from addr, which is at loc; nil for nothing. bits is how much of the address decided that.
func (f *fastest) find(addr netip.Addr, loc *Location) (n *config.MeasuredNetwork, bits int) {
	tree := &f.v6
	if addr.Is4() {
		tree = &f.v4
	}
	i, bits := tree.find(addr)
	if i < 0 && f.byPlace() {
		bits = max(bits, loc.Bits)
		var known bool
		if i, known = f.asn[loc.ASN]; !known {
			if i, known = f.country[loc.Country]; !known {
				i, known = f.continent[loc.Continent]
			}
		}
		if !known {
			return nil, bits
		}
	}
	if i < 0 {
		return nil, bits
	}
	return &f.latency.Networks[i], bits
}

// pick is the one of near whose region is chosen, or where that one has no turn the fastest of them; nil if no time to any is known.
func (f *fastest) pick(near []Near, n *config.MeasuredNetwork) *Class {
	best := -1
	for i := range near {
		d := n.RTT[near[i].Region]
		switch {
		case near[i].Region == n.Region && d > 0:
			return near[i].Class
		case d > 0 && (best < 0 || d < n.RTT[near[best].Region]):
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return near[best].Class
}

// A Measurement is what was measured of the way from a client.
type Measurement struct {
	// Network is nil where nothing was measured, and has no Region where none of it counts yet.
	Network *config.MeasuredNetwork
	// Fresh is unset where it is too old to count, or does not count yet.
	Fresh bool
	// Ahead is the first instant of measurements that do not count yet, since it lies ahead; zero for none.
	Ahead time.Time
}

// Measured is what was measured of the way from a client.
func (c *Chooser) Measured(addr netip.Addr, locator Locator, now time.Time) Measurement {
	if c.fastest == nil || !addr.IsValid() {
		return Measurement{}
	}
	loc := &nowhere
	if c.fastest.byPlace() && locator != nil {
		loc = locator.Locate(addr)
	}
	n, _ := c.fastest.find(addr, loc)
	if n == nil {
		return Measurement{}
	}
	m := Measurement{Network: n, Ahead: n.Ahead(now)}
	if known := n.AsOf(now); known != nil {
		m.Network, m.Fresh = known, c.fastest.latency.Fresh(known, now)
	}
	return m
}

// Timed tells whether the choice depends on the age of what was measured.
func (c *Chooser) Timed() bool { return c.fastest != nil }
