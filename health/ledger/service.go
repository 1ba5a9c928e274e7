package ledger

import (
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A Drop is a service of a new snapshot, by indices of Model.Zones and Zone.Services, whose answers do not name endpoints any more that
// they named in the one before. All stands for endpoints of another version of the file.
type Drop struct {
	Zone, Service int
	Endpoints     []Endpoint
	All           bool
}

// A Partial is a service that does not answer with some endpoints, by an order or by health, that other services answer with.
type Partial struct {
	Zone, Service int
	Missing       []Endpoint
}

// A dropper is how endpoints stand that one service does not name. Most of the time nobody asks: an endpoint that is out of all answers
// has a Standing of its own.
type dropper struct {
	zone, name string
	ceiling    time.Duration
	// drops are those that it named before; rest is how all others stand, whatever an older file or process named.
	drops map[Slot]Standing
	rest  Standing
}

// A dropped is an endpoint that a service dropped and that may be in answers under way; rest stands for all that are not in drops.
type dropped struct {
	service int
	slot    Slot
	rest    bool
}

// serviceCeiling is the longest TTL of an answer of svc; SRV records lead to an address with a TTL of its own.
func serviceCeiling(svc *config.Service) time.Duration {
	if svc.SRV != nil {
		return 2 * time.Duration(svc.TTL.Max) * time.Second
	}
	return time.Duration(svc.TTL.Max) * time.Second
}

// setServices makes those of m the services of what follows.
func (b *Book) setServices(m *config.Model, now time.Time) {
	was := make(map[string]*dropper, len(b.services))
	for _, s := range b.services {
		was[s.name], b.ceilings[s.name] = s, s.ceiling
	}
	b.services, b.firstService, b.dropping = b.services[:0:0], make([]int, len(m.Zones)), nil
	b.serviceNumbers = make(map[string]int, len(b.services))
	for zi, z := range m.Zones {
		b.firstService[zi] = len(b.services)
		for _, svc := range z.Services {
			name, k := z.Name+"/"+svc.Name, len(b.services)
			s := was[name]
			if s == nil {
				s = &dropper{zone: z.Name, name: name, drops: make(map[Slot]Standing), rest: Standing{State: Leaving, Since: now, swap: b.swaps}}
			}
			// What the name answered before, if it was one, is in caches for that long at most.
			s.ceiling = max(s.ceiling, b.ceilings[name], serviceCeiling(svc))
			b.serviceNumbers[name] = k
			if s.rest.State == Leaving {
				b.dropping = append(b.dropping, dropped{service: k, rest: true})
			}
			for slot, d := range s.drops {
				if d.State == Leaving {
					b.dropping = append(b.dropping, dropped{service: k, slot: slot})
				}
			}
			b.services = append(b.services, s)
		}
	}
}

// drop notes what services dropped with the latest swap.
func (b *Book) drop(drops []Drop, now time.Time) {
	for _, d := range drops {
		k := b.ServiceNumber(d.Zone, d.Service)
		s := b.services[k]
		if d.All {
			clear(s.drops)
			s.rest = Standing{State: Leaving, Since: now, swap: b.swaps}
			b.dropping = append(b.dropping, dropped{service: k, rest: true})
		}
		for _, e := range d.Endpoints {
			slot := b.all[b.Number(e)].slot
			s.drops[slot] = Standing{State: Leaving, Since: now, swap: b.swaps}
			b.dropping = append(b.dropping, dropped{service: k, slot: slot})
		}
	}
}

// pollServices finds out what is quiet; count is how much is.
func (b *Book) pollServices(now time.Time) (count int) {
	keep := b.dropping[:0]
	for _, d := range b.dropping {
		s := b.services[d.service]
		standing := s.drops[d.slot]
		if d.rest {
			standing = s.rest
		}
		switch {
		case standing.State != Leaving:
		case standing.swap > b.quiet:
			keep = append(keep, d)
		default:
			b.freezeDropped(s, d, standing, now)
			count++
		}
	}
	b.dropping = keep
	return count
}

// freezeDropped notes until when the last answer of a service with what it dropped lives. All of them have been written and stamped.
// Stamps do not tell services apart, so that an answer of another one may make it later, but never later than its own longest TTL.
func (b *Book) freezeDropped(s *dropper, d dropped, standing Standing, now time.Time) {
	most := now.Add(s.ceiling)
	standing.State, standing.Quiet, standing.Until = Left, now, most
	if !d.rest {
		if last := b.ledger.Until(d.slot); last.Before(most) {
			standing.Until = Later(now, last)
		}
	}
	standing.Until = Later(standing.Until, b.floor(s.zone))
	if b.guards.Without(health.GuardStamp) {
		standing.Until = now
	}
	if d.rest {
		s.rest = standing
	} else {
		s.drops[d.slot] = standing
	}
}

// ServiceNumber is the number of a service through the model.
func (b *Book) ServiceNumber(zone, service int) int { return b.firstService[zone] + service }

// FindService is the number of the service of a name in the zone of an endpoint, as ZONE/POOL/ENDPOINT; ok is unset if there is none.
func (b *Book) FindService(endpoint, service string) (number int, ok bool) {
	zone, _, _ := strings.Cut(endpoint, "/")
	number, ok = b.serviceNumbers[zone+"/"+service]
	return number, ok
}

// Lacking is how the endpoint of a number stands that the service of a number does not name; it is never Serving.
func (b *Book) Lacking(service, endpoint int) Standing {
	s := b.services[service]
	if d, ok := s.drops[b.all[endpoint].slot]; ok {
		return d
	}
	return s.rest
}

// ServiceCeiling is the longest TTL that an answer of the service of a number may have.
func (b *Book) ServiceCeiling(number int) time.Duration { return b.services[number].ceiling }
