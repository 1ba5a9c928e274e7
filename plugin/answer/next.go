package answer

import (
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// maxNext is for how many classes of clients of a service it is found out what would be answered next: each costs one decision more.
const maxNext = 8

// A nextMember is an address that would be answered next, with the slot of the holding that it is under the owner name.
type nextMember struct {
	GivenMember
	slot ledger.Slot
}

// nextMembers are the addresses of a plan, which may be nil, of one family.
func nextMembers(zv *health.ZoneView, p *steer.Plan, holdings *carrier) (out []nextMember) {
	if p == nil {
		return nil
	}
	for _, f := range []steer.Family{steer.V4, steer.V6} {
		for _, m := range p.Sets[f] {
			v4, v6 := addressesOf(zv, int(m.Pool), int(m.Endpoint))
			addr := v4
			if f == steer.V6 {
				addr = v6
			}
			if !addr.IsValid() {
				continue
			}
			out = append(out, nextMember{
				GivenMember{Data: addr.String(), Address: addr, Weight: m.Weight, Pool: int(m.Pool), Endpoint: int(m.Endpoint)}, holdings.address(addr),
			})
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}
