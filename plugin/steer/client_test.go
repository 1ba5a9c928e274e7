package steer

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// netLocator knows networks that do not overlap.
type netLocator map[netip.Prefix]*Location

func (l netLocator) Locate(a netip.Addr) *Location {
	unknown := new(Location)
	for p, loc := range l {
		if p.Contains(a) {
			return loc
		}
		// Nothing is known of a as far as it is apart from all that is known.
		for bits := 1; a.Is4() && netip.PrefixFrom(a, bits-1).Contains(p.Addr()); bits++ {
			unknown.Bits = max(unknown.Bits, bits)
		}
	}
	return unknown
}

// TestChooseLooksAtSoManyBits: all addresses that share the bits which Choose says it looked at are in the class of the first, so a
// resolver may keep the answer for all of them (RFC 7871 section 7.2.1).
func TestChooseLooksAtSoManyBits(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	// Few leading octets make rules, locations and clients meet.
	addr := func(six bool) netip.Addr {
		b := [16]byte{0x20, 1}
		for i := 2; i < len(b); i++ {
			b[i] = byte(r.IntN(3))
		}
		if six {
			return netip.AddrFrom16(b)
		}
		return netip.AddrFrom4([4]byte{16 * b[2], 64 * b[3], b[4], b[5]})
	}
	z := demo()
	z.Regions = []config.Region{{Name: "eu", HasLocation: true}, {Name: "us", Longitude: -90, HasLocation: true}}
	z.Pools[1].Region = 1
	looked := map[int]int{}
	for range 300 {
		svc := &config.Service{Tiers: tiersOf("0:1 1:1"), Pools: []int{0, 1}, Nearest: r.IntN(2) == 0}
		for i := range 1 + r.IntN(3) {
			rule := config.ClientRule{Tiers: tiersOf("0:1 1:1"), Strict: true}
			for range r.IntN(4) {
				a := addr(r.IntN(2) == 0)
				p, _ := a.Prefix(r.IntN(min(a.BitLen(), 40) + 1))
				rule.CIDR = append(rule.CIDR, p)
			}
			if r.IntN(2) == 0 {
				rule.Country = []string{[]string{"DE", "FR", "US"}[i]}
			}
			svc.Clients = append(svc.Clients, rule)
		}
		locator := netLocator{}
		for third := range byte(3) {
			loc := &Location{Bits: 24, Country: []string{"DE", "FR", "US"}[r.IntN(3)], HasPoint: r.IntN(2) == 0, Longitude: float64(-90 * r.IntN(2))}
			locator[netip.PrefixFrom(netip.AddrFrom4([4]byte{0, 0, third, 0}), 24)] = loc
		}
		d, c := Decide(viewOf(z, "UU UU U"), svc, 0), NewChooser(z, svc)
		for range 60 {
			a := addr(r.IntN(2) == 0)
			class, bits := c.Choose(d, a, locator, time.Time{})
			require.LessOrEqual(t, bits, a.BitLen())
			looked[bits]++
			for range 20 {
				b := sharing(a, bits, addr(!a.Is4()))
				other, _ := c.Choose(d, b, locator, time.Time{})
				require.Same(t, class, other, "%v and %v share %d bits; rules %v", a, b, bits, svc.Clients)
			}
		}
	}
	require.Greater(t, len(looked), 10, "%v", looked)
	t.Logf("addresses by bits looked at: %v", looked)
}

// sharing is b with the first bits of a; both are of one family.
func sharing(a netip.Addr, bits int, b netip.Addr) netip.Addr {
	x, y := a.AsSlice(), b.AsSlice()
	for i := range bits {
		mask := byte(0x80) >> (i % 8)
		y[i/8] = y[i/8]&^mask | x[i/8]&mask
	}
	out, _ := netip.AddrFromSlice(y)
	return out
}
