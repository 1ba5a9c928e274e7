package answer

import "github.com/fairlead-dns/fairlead/health/ledger"

// Holdings calls f for each holding that answers of s carry, with the service whose name carries it, empty for a host name of an SRV
// target, and where the endpoint stands in the zone; pool is -1 for fixed addresses. One holding may come several times.
func (s *Snapshot) Holdings(f func(h ledger.Holding, service string, pool, endpoint int)) {
	for _, z := range s.zones {
		z.names(func(n name) {
			z.carries(n.compiled, n.host, func(c carried) {
				f(ledger.Holding{Owner: n.owner, RData: c.rdata}, n.service, c.pool, c.endpoint)
			})
		})
	}
}
