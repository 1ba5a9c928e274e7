package answer

import (
	"slices"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// named are the numbers of the endpoints that some answer of s names, each once.
func (z *zone) named(s *service) []int32 {
	var all []int32
	add := func(s *service) {
		for i := range s.plans {
			for _, set := range s.plans[i].plan.Sets {
				for _, m := range set {
					all = append(all, int32(z.firsts[m.Pool])+m.Endpoint)
				}
			}
		}
	}
	add(s)
	for _, place := range s.places {
		add(place)
	}
	slices.Sort(all)
	return slices.Clip(slices.Compact(all))
}

// count adds by to how many services answer what s names.
func (z *zone) count(s *service, by int32) {
	for _, n := range s.named {
		z.served[n] += by
	}
}

// missing are the numbers of the endpoints of a service's pools that are not among named, by an order or by health.
func (z *zone) missing(zv *health.ZoneView, service int, named []int32) (all []int32) {
	for _, pool := range z.cfg.Services[service].Pools {
		none := false
		if s := zv.Scoped[service]; s != nil {
			weight, ordered := s.PoolWeights[pool]
			none = ordered && weight == 0
		}
		for i, e := range zv.Pools[pool].Endpoints {
			ref := health.EndpointRef{Pool: pool, Endpoint: i}
			out := !e.InService() && !e.Pending() || zv.Drained(service, ref) || zv.EndpointWeight(service, ref) == 0 || none
			if n := int32(z.firsts[pool] + i); out {
				if _, names := slices.BinarySearch(named, n); !names {
					all = append(all, n)
				}
			}
		}
	}
	return all
}

// Since tells which endpoints answers for services in s name and those in prev, which may be nil, do not, and the other way round, and
// what each service dropped, by the model of s. The host name of an endpoint, which stands for it whatever health says, is no service.
func (s *Snapshot) Since(prev *Snapshot) (swap ledger.Swap) {
	for zi, z := range s.zones {
		old, _ := prev.zoneNamed(z.cfg.Name)
		if old != nil && old.cfg == z.cfg && len(z.served) > 0 && &old.served[0] == &z.served[0] {
			continue
		}
		swap.Dropped = append(swap.Dropped, z.dropped(zi, old)...)
		served := old.servedAs(z)
		for pi, p := range z.cfg.Pools {
			for i := range p.Endpoints {
				n := z.firsts[pi] + i
				if is := z.served[n] > 0; is && !served[n] {
					swap.Entered = append(swap.Entered, ledger.Endpoint{Zone: zi, Pool: pi, Endpoint: i})
				} else if !is && served[n] {
					swap.Left = append(swap.Left, ledger.Endpoint{Zone: zi, Pool: pi, Endpoint: i})
				}
			}
		}
	}
	return swap
}

// dropped are the services of z that name less than in old, which may be nil or of another version of the file.
func (z *zone) dropped(zone int, old *zone) (all []ledger.Drop) {
	if old == nil {
		return nil
	}
	for i, s := range z.services {
		d := ledger.Drop{Zone: zone, Service: i}
		switch {
		case old.cfg != z.cfg:
			d.All = true
		case old.services[i] == s:
			continue
		default:
			for _, n := range old.services[i].named {
				if _, names := slices.BinarySearch(s.named, n); !names {
					d.Endpoints = append(d.Endpoints, z.endpoint(zone, n))
				}
			}
		}
		if d.All || len(d.Endpoints) > 0 {
			all = append(all, d)
		}
	}
	return all
}

// endpoint is the endpoint of a number.
func (z *zone) endpoint(zone int, n int32) ledger.Endpoint {
	pool, found := slices.BinarySearch(z.firsts, int(n))
	if !found {
		pool--
	}
	// Pools without endpoints begin where the next one does.
	for pool+1 < len(z.firsts) && z.firsts[pool+1] == int(n) {
		pool++
	}
	return ledger.Endpoint{Zone: zone, Pool: pool, Endpoint: int(n) - z.firsts[pool]}
}

// Partials are the services that lack endpoints, by an order or by health, which other services answer with.
func (s *Snapshot) Partials() (all []ledger.Partial) {
	for zi, z := range s.zones {
		for i, svc := range z.services {
			var missing []ledger.Endpoint
			for _, n := range svc.missing {
				if z.served[n] > 0 {
					missing = append(missing, z.endpoint(zi, n))
				}
			}
			if missing == nil {
				continue
			}
			all = append(all, ledger.Partial{Zone: zi, Service: i, Missing: missing})
		}
	}
	return all
}

// servedAs tells for each endpoint of next, which may be of another version of the file, whether z names it. z may be nil.
func (z *zone) servedAs(next *zone) []bool {
	out := make([]bool, len(next.served))
	switch {
	case z == nil:
	case z.cfg == next.cfg:
		for n, count := range z.served {
			out[n] = count > 0
		}
	default:
		was := make(map[ledger.Slot]bool)
		for pi := range z.slots {
			for i, slot := range z.slots[pi] {
				was[slot.Slot] = z.served[z.firsts[pi]+i] > 0
			}
		}
		for pi := range next.slots {
			for i, slot := range next.slots[pi] {
				out[next.firsts[pi]+i] = was[slot.Slot]
			}
		}
	}
	return out
}
