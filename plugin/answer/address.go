package answer

import (
	"net/netip"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// addressesOf are those of an endpoint's addresses that are answered while the endpoint is, each the zero Addr if there is none: a dead
// one is withheld while the other lives.
func addressesOf(zv *health.ZoneView, pool, endpoint int) (v4, v6 netip.Addr) {
	e, view := zv.Zone.Pools[pool].Endpoints[endpoint], &zv.Pools[pool].Endpoints[endpoint]
	if !view.Withheld(config.IPv4) {
		v4 = e.V4
	}
	if !view.Withheld(config.IPv6) {
		v6 = e.V6
	}
	return v4, v6
}

// hostAddresses is addressesOf as a list.
func hostAddresses(zv *health.ZoneView, pool, endpoint int) (all []netip.Addr) {
	v4, v6 := addressesOf(zv, pool, endpoint)
	for _, a := range []netip.Addr{v4, v6} {
		if a.IsValid() {
			all = append(all, a)
		}
	}
	return all
}

// hasAddresses tells whether s, which is a host name, answers with these addresses, at the most one of each family of its endpoint.
func (s *service) hasAddresses(answers []netip.Addr) bool {
	sets := s.plans[0].sets
	if len(sets) != len(answers) {
		return false
	}
	for i, a := range answers {
		if sets[i].typ != addressType(a) {
			return false
		}
	}
	return true
}
