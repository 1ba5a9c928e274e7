package answer

import (
	"iter"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A ServiceTTL is the TTL of a service's name at an instant, in seconds, and why it is that.
type ServiceTTL struct {
	Zone *health.ZoneView
	// Service indexes Zone.Zone.Services.
	Service int
	// TTL is what an answer carries; Max, what it carries in peace.
	TTL, Max uint32
	Reason   TTLReason
	// Pool and Endpoint are as in Look.
	Pool, Endpoint int
}

// TTLs gives the TTL of each service at now.
func (s *Snapshot) TTLs(now time.Time) iter.Seq[ServiceTTL] {
	return func(yield func(ServiceTTL) bool) {
		c := clockAt(s.base, now)
		for k, z := range s.zones {
			for i, svc := range z.services {
				t := ServiceTTL{Zone: s.View.Zones[k], Service: i, Max: svc.ttl.max}
				t.TTL, t.Reason, t.Pool = svc.ttl.at(z, &c)
				t.Endpoint = -1
				if len(z.pools) > 0 {
					t.Endpoint = int(z.pools[t.Pool].first.Load())
				}
				if !yield(t) {
					return
				}
			}
		}
	}
}
