package steer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// mapLocator knows these addresses.
type mapLocator map[netip.Addr]*Location

func (m mapLocator) Locate(a netip.Addr) *Location {
	if l := m[a]; l != nil {
		return l
	}
	return &nowhere
}

// TestNearestWithoutLocation: a region that stands nowhere is not taken for one at 0° 0°.
func TestNearestWithoutLocation(t *testing.T) {
	z := demo()
	z.Regions = []config.Region{{Name: "eu", Latitude: 53, Longitude: -6, HasLocation: true}, {Name: "us", Latitude: 39, Longitude: -77, HasLocation: true}, {Name: "ap"}}
	for i := range z.Pools {
		z.Pools[i].Region = i
	}
	svc := &config.Service{Tiers: tiersOf("0:1 1:1 2:2"), Pools: []int{0, 1, 2}, Nearest: true}
	accra := netip.MustParseAddr("192.0.2.1")
	locator := mapLocator{accra: {Latitude: 5.6, Longitude: -0.2, HasPoint: true}}
	for states, want := range map[string]string{
		"UU UU U": "tier 1 a:2 b:3",
		"OO UU U": "tier 1 c:1 d:3",
		"OO OO U": "tier 1 z:1",
	} {
		d := Decide(viewOf(z, states), svc, 0)
		class, _ := NewChooser(z, svc).Choose(d, accra, locator, time.Time{})
		require.Equal(t, want, text(z, d.Plans[class.Plan]), states)
	}
}

// TestPanicIsOverWholeTiers: how much of a tier is up does not depend on who asks.
func TestPanicIsOverWholeTiers(t *testing.T) {
	z := demo()
	z.Regions = []config.Region{{Name: "eu", HasLocation: true}, {Name: "us", Longitude: -77, HasLocation: true}}
	z.Pools[1].Region = 1
	for _, p := range z.Pools[:2] {
		p.MinHealthy = config.Amount{N: 2}
	}
	svc := &config.Service{Tiers: tiersOf("0:1 1:1"), Pools: []int{0, 1}, Nearest: true, Health: config.Limits{PanicBelow: 50}}
	d := Decide(viewOf(z, "UO OU U"), svc, 0)
	here := netip.MustParseAddr("192.0.2.1")
	class, _ := NewChooser(z, svc).Choose(d, here, mapLocator{here: {HasPoint: true}}, time.Time{})
	require.Equal(t, "below_min_healthy 1 a:1 floor", text(z, d.Plans[class.Plan]), "40 %% of eu is up, 57 %% of the tier")
}
