package steer

import (
	"net/netip"
	"testing"

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
		class, _ := NewChooser(z, svc).Choose(d, accra, locator)
		require.Equal(t, want, text(z, d.Plans[class.Plan]), states)
	}
}
