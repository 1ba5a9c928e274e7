package steer

import (
	"net/netip"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Chooser finds the class of a client. It depends on the configuration alone, is immutable, and allocates nothing when
// asked.
type Chooser struct {
	// v4 and v6 hold the CIDR rules; the longest prefix wins.
	v4, v6 prefixTree
	// The rest is geography: what is nearer to the client goes first, a network before a subdivision, a country, a continent.
	asn                             map[uint32]int
	subdivision, country, continent map[string]int
	nearest                         bool
	// regions are the points of Zone.Regions; placed is unset for those that have none.
	regions []point
	placed  []bool
	// fastest goes before distance; nil without measurements.
	fastest *fastest
}

// NewChooser makes the chooser of a service of z; nil when all of its clients are in one class.
func NewChooser(z *config.Zone, svc *config.Service) *Chooser { return NewTimings(svc).Chooser(z, svc) }

// Timings are what services go by that have `order: fastest`: those with the same log share it.
type Timings map[*config.Latency]*fastest

// NewTimings are those of some services.
func NewTimings(services ...*config.Service) Timings {
	t := make(Timings)
	for _, svc := range services {
		if svc.Latency != nil && t[svc.Latency] == nil {
			t[svc.Latency] = newFastest(svc.Latency)
		}
	}
	return t
}

// Chooser is NewChooser, for a service that t knows.
func (t Timings) Chooser(z *config.Zone, svc *config.Service) *Chooser {
	if len(svc.Clients) == 0 && !svc.Nearest {
		return nil
	}
	c := &Chooser{
		asn: make(map[uint32]int), subdivision: make(map[string]int), country: make(map[string]int), continent: make(map[string]int),
		nearest: svc.Nearest, fastest: t[svc.Latency],
	}
	for r, rule := range svc.Clients {
		for _, p := range rule.CIDR {
			c.tree(p.Addr()).add(p, r)
		}
		for _, asn := range rule.ASN {
			firstRule(c.asn, asn, r)
		}
		for _, code := range rule.Subdivision {
			firstRule(c.subdivision, code, r)
		}
		for _, code := range rule.Country {
			firstRule(c.country, code, r)
		}
		for _, code := range rule.Continent {
			firstRule(c.continent, code, r)
		}
	}
	for _, region := range z.Regions {
		c.regions, c.placed = append(c.regions, pointOf(region.Latitude, region.Longitude)), append(c.placed, region.HasLocation)
	}
	return c
}

// firstRule notes rule r for key unless an earlier one has it.
func firstRule[K comparable](m map[K]int, key K, r int) {
	if _, known := m[key]; !known {
		m[key] = r
	}
}

func (c *Chooser) tree(addr netip.Addr) *prefixTree {
	if addr.Is4() {
		return &c.v4
	}
	return &c.v6
}

// A Locator tells where on the internet an address is. It must be safe for concurrent use, and must not block.
type Locator interface {
	// Locate is what is known of addr; the zero Location if nothing is. The result must not be written to.
	Locate(addr netip.Addr) *Location
}

// nowhere is where clients are of whom nothing is known.
var nowhere Location

// Choose is the class of the client at addr, and the length of the longest prefix around addr that had to be looked at: all
// its addresses are in the same class (RFC 7871 section 7.2.1). An invalid address is in the default class. locator may be nil, and now zero
// where the chooser is not Timed.
func (c *Chooser) Choose(d *Decision, addr netip.Addr, locator Locator, now time.Time) (class *Class, bits int) {
	if !addr.IsValid() {
		return d.Default, 0
	}
	rule, bits := c.tree(addr).find(addr)
	loc := &nowhere
	geo := rule < 0 && len(c.asn)+len(c.subdivision)+len(c.country)+len(c.continent) > 0
	if (geo || c.nearest) && locator != nil {
		loc = locator.Locate(addr)
	}
	if geo {
		rule, bits = c.place(loc), max(bits, loc.Bits)
	}
	class = d.Default
	if rule >= 0 {
		class = d.Rules[rule]
	}
	if len(class.Near) == 0 {
		return class, bits
	}
	if c.fastest != nil {
		n, looked := c.fastest.find(addr, loc)
		bits = max(bits, looked)
		if n != nil {
			n = n.AsOf(now)
		}
		for n != nil && c.fastest.latency.Fresh(n, now) && len(class.Near) > 0 {
			faster := c.fastest.pick(class.Near, n)
			if faster == nil {
				break
			}
			class = faster
		}
		if len(class.Near) == 0 {
			return class, bits
		}
	}
	bits = max(bits, loc.Bits)
	if !loc.HasPoint {
		return class, bits
	}
	at := pointOf(loc.Latitude, loc.Longitude)
	for len(class.Near) > 0 {
		closest := c.closest(class.Near, at)
		if closest == nil {
			break
		}
		class = closest
	}
	return class, bits
}

// place is the rule for a location; -1 if there is none.
func (c *Chooser) place(loc *Location) int {
	if r, ok := c.asn[loc.ASN]; ok {
		return r
	}
	for i := len(loc.Subdivisions) - 1; i >= 0; i-- {
		if r, ok := c.subdivision[loc.Subdivisions[i]]; ok {
			return r
		}
	}
	if r, ok := c.country[loc.Country]; ok {
		return r
	}
	if r, ok := c.continent[loc.Continent]; ok {
		return r
	}
	return -1
}

// closest is the one of near whose region is closest to at, of equal ones the first; nil if none of them stands anywhere.
func (c *Chooser) closest(near []Near, at point) *Class {
	best := -1
	for i := range near {
		if c.placed[near[i].Region] && (best < 0 || c.regions[near[i].Region].dot(at) > c.regions[near[best].Region].dot(at)) {
			best = i
		}
	}
	if best < 0 {
		return nil
	}
	return near[best].Class
}
