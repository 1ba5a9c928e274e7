package answer

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// Plan is what a service of the zone answers clients that no rule names, as decided for s.View. zone must be one of its zones.
func (s *Snapshot) Plan(zone *config.Zone, service int) *steer.Plan {
	z, _ := s.zoneNamed(zone.Name)
	return z.services[service].plans[0].plan
}

// Serves tells whether a service of a zone, both by name, answers clients that no rule names with something that is up.
func (s *Snapshot) Serves(zone, service string) bool {
	z, zv := s.zoneNamed(zone)
	if z == nil {
		return false
	}
	i := slices.IndexFunc(z.cfg.Services, func(svc *config.Service) bool { return svc.Name == service })
	if i < 0 {
		return false
	}
	plan := z.services[i].plans[0].plan
	for _, set := range plan.Sets {
		for _, m := range set {
			if e := &zv.Pools[m.Pool].Endpoints[m.Endpoint]; e.InService() && !e.Drained {
				return true
			}
		}
	}
	// Fixed addresses are nobody's endpoints: somebody chose them for this.
	return plan.Source == steer.FromFixed
}

// Decision is all that a service of the zone answers. zone must be one of its zones.
func (s *Snapshot) Decision(zone *config.Zone, service int) *steer.Decision {
	z, _ := s.zoneNamed(zone.Name)
	return z.services[service].decision
}

// ServiceTTL is the TTL in seconds that a service's answers carry at now.
func (s *Snapshot) ServiceTTL(zone *config.Zone, service int, now time.Time) (uint32, bool) {
	z, _ := s.zoneNamed(zone.Name)
	if z == nil || z.cfg != zone {
		return 0, false
	}
	at := clockAt(s.base, now)
	ttl, _, _ := z.services[service].ttl.at(z, &at)
	return ttl, true
}
