package ledger

import (
	"slices"
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
	// Named stands for the endpoints that its answers name: the same set, the same number.
	Named   uint64
	Missing []Endpoint
}

// A dropping is how the endpoints that a service named before leave the caches of its answers. Most of the time nobody asks: an
// endpoint that is out of all answers has a Standing of its own.
type dropping struct {
	// Standing is Leaving while an answer of an older snapshot is under way, and Left from then on. Until is of all drops so far.
	Standing
	// slots are those of the endpoints that were dropped and are not quiet yet; all stands for any.
	slots []Slot
	all   bool
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
	was := make(map[string]dropping, len(b.services))
	for _, d := range b.services {
		was[d.name], b.ceilings[d.name] = d, d.ceiling
	}
	b.services, b.firstService, b.dropping = b.services[:0:0], make([]int, len(m.Zones)), nil
	b.serviceNumbers = make(map[string]int, len(b.services))
	for zi, z := range m.Zones {
		b.firstService[zi] = len(b.services)
		for _, svc := range z.Services {
			name := z.Name + "/" + svc.Name
			d, ok := was[name]
			if !ok {
				// What the name answered before, if it was one, is in caches for that long at most.
				d = dropping{Standing: Standing{State: Leaving, Since: now, Until: b.floor(z.Name), swap: b.swaps, name: name}, all: true}
			}
			d.ceiling = max(d.ceiling, b.ceilings[name], serviceCeiling(svc))
			b.serviceNumbers[name] = len(b.services)
			if d.State == Leaving {
				b.dropping = append(b.dropping, len(b.services))
			}
			b.services = append(b.services, d)
		}
	}
}

// drop notes what services dropped with the latest swap.
func (b *Book) drop(drops []Drop, now time.Time) {
	for _, d := range drops {
		k := b.ServiceNumber(d.Zone, d.Service)
		s := &b.services[k]
		s.State, s.Since, s.swap, s.all = Leaving, now, b.swaps, s.all || d.All
		for _, e := range d.Endpoints {
			if slot := b.all[b.Number(e)].slot; !slices.Contains(s.slots, slot) {
				s.slots = append(s.slots, slot)
			}
		}
		b.dropping = append(b.dropping, k)
	}
}

// pollServices finds out what is quiet; count is how many services are.
func (b *Book) pollServices(now time.Time) (count int) {
	keep := b.dropping[:0]
	for _, k := range b.dropping {
		s := &b.services[k]
		switch {
		case s.State != Leaving:
		case s.swap > b.quiet:
			keep = append(keep, k)
		default:
			b.freezeService(s, now)
			count++
		}
	}
	b.dropping = keep
	return count
}

// freezeService notes until when the last answer of a service with what it dropped lives. All of them have been written and stamped.
// Stamps do not tell services apart, so that an answer of another one may make it later, but never later than its own longest TTL.
func (b *Book) freezeService(s *dropping, now time.Time) {
	last := now
	if s.all {
		last = now.Add(s.ceiling)
	}
	for _, slot := range s.slots {
		last = Later(last, b.ledger.Until(slot))
	}
	if most := now.Add(s.ceiling); last.After(most) {
		last = most
	}
	if b.guards.Without(health.GuardStamp) {
		last = now
	}
	s.State, s.Quiet, s.Until = Left, now, Later(s.Until, last)
	s.slots, s.all = nil, false
}

// ServiceNumber is the number of a service through the model.
func (b *Book) ServiceNumber(zone, service int) int { return b.firstService[zone] + service }

// Services is how many there are; Service is how what the one of a number dropped stands.
func (b *Book) Services() int { return len(b.services) }

// Service is how what the service of a number dropped stands; Serving is not among it.
func (b *Book) Service(number int) Standing { return b.services[number].Standing }

// ServiceCeiling is the longest TTL that an answer of the service of a number may have.
func (b *Book) ServiceCeiling(number int) time.Duration { return b.services[number].ceiling }

// FindService is the number of the service of a name in the zone of an endpoint, as ZONE/POOL/ENDPOINT; ok is unset if there is none.
func (b *Book) FindService(endpoint, service string) (number int, ok bool) {
	zone, _, _ := strings.Cut(endpoint, "/")
	number, ok = b.serviceNumbers[zone+"/"+service]
	return number, ok
}
