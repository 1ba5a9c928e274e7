package admin

import (
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/departure"
)

// secondaries are the zones with one of the addresses, as "secondaries of ZONE", whose secondaries hold what services answered last
// (`transfer: {view: last}`). Which version they answer is in nobody's words, and no TTL ends it.
func secondaries(n Node, addresses []string) (found []string) {
	snap := n.Snapshot()
	if snap == nil {
		return nil
	}
	for _, zv := range snap.View.Zones {
		z := zv.Zone
		if z.Transfer == config.TransferLast && slices.ContainsFunc(z.Pools, func(p *config.Pool) bool { return holdsAny(p, addresses) }) {
			found = append(found, "secondaries of "+strings.TrimSuffix(z.Name, "."))
		}
	}
	return found
}

// secondariesOf are those that may answer what left, while a file has it.
func secondariesOf(n Node, left []departure.Departure) []string {
	var rdata []string
	for i := range left {
		rdata = append(rdata, left[i].RData)
	}
	return secondaries(n, rdata)
}

func holdsAny(p *config.Pool, addresses []string) bool {
	return slices.ContainsFunc(p.Endpoints, func(e *config.Endpoint) bool {
		return e.Target != "" && slices.Contains(addresses, e.Target) || e.V4.IsValid() && slices.Contains(addresses, e.V4.String()) ||
			e.V6.IsValid() && slices.Contains(addresses, e.V6.String())
	})
}
