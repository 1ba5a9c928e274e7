package answer

import (
	"net/netip"
	"runtime"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// A carrier collects the slots of the holdings of one owner name while its answers are compiled.
type carrier struct {
	ledger *ledger.Ledger
	owner  ledger.OwnerKey
	slots  []ledger.Slot
	// bare leaves answers without slots: a guard of the simulator.
	bare bool
}

func (c *Compiler) carrier(owner string) *carrier {
	return &carrier{ledger: c.ledger, owner: ledger.OwnerKeyOf(owner)}
}

// slot is that of RDATA under the owner name, as ledger.Holding has it; 0 for an invalid address.
func (c *carrier) slot(rdata string) ledger.Slot {
	if c.bare {
		return 0
	}
	s := c.ledger.Acquire(ledger.Key{Owner: c.owner, RData: ledger.RDataKeyOf(rdata)})
	c.slots = append(c.slots, s)
	return s
}

func (c *carrier) address(a netip.Addr) ledger.Slot {
	if !a.IsValid() {
		return 0
	}
	return c.slot(a.String())
}

// done makes s the holder of the slots: they are released when no snapshot has s any more, which is when no answer of it is under way.
func (c *carrier) done(s *service) {
	slices.Sort(c.slots)
	s.slots = slices.Clip(slices.Compact(slices.Clone(c.slots)))
	if len(c.slots) > 0 {
		runtime.AddCleanup(s, c.ledger.Release, c.slots)
	}
}

// carry adds the slots of what a record of type typ carries for a member, of which v4 and v6 may be answered.
func (r *rrset) carry(c *carrier, z *config.Zone, typ uint16, m steer.Member, v4, v6 netip.Addr) {
	e := z.Pools[m.Pool].Endpoints[m.Endpoint]
	switch typ {
	case dns.TypeA:
		r.holds, r.slots = 1, append(r.slots, c.address(e.V4))
	case dns.TypeAAAA:
		r.holds, r.slots = 1, append(r.slots, c.address(e.V6))
	case dns.TypeHTTPS:
		r.holds, r.slots = 2, append(r.slots, c.address(v4), c.address(v6))
	case dns.TypeSRV:
		r.holds, r.slots = 1, append(r.slots, c.slot(z.HostName(int(m.Pool), int(m.Endpoint))))
	default:
		r.holds, r.slots = 1, append(r.slots, c.slot(e.Target))
	}
}

// A carried is a holding of a compiled name. Pool is -1 for fixed addresses.
type carried struct {
	slot           ledger.Slot
	rdata          string
	pool, endpoint int
}

// carries calls f for all holdings of s, some of them several times. host is the index in Zone.Hosts of a host name, else -1.
func (z *zone) carries(s *service, host int, f func(carried)) {
	for i := range s.plans {
		p := &s.plans[i]
		for k := range p.sets {
			set := &p.sets[k]
			for n, slot := range set.slots {
				if slot == 0 {
					continue
				}
				f(z.carried(p.plan, set, n, host))
			}
		}
		for _, m := range p.next {
			f(carried{slot: m.slot, rdata: m.Data, pool: m.Pool, endpoint: m.Endpoint})
		}
	}
}

// carried is the holding of the slot number n of a set.
func (z *zone) carried(plan *steer.Plan, set *rrset, n, host int) carried {
	out := carried{slot: set.slots[n], pool: -1}
	switch {
	case host >= 0:
		out.pool, out.endpoint = z.cfg.Hosts[host].Pool, z.cfg.Hosts[host].Endpoint
	case plan.Source != steer.FromFixed:
		f, _ := familyOf(set.typ)
		m := plan.Sets[f][n/int(set.holds)]
		out.pool, out.endpoint = int(m.Pool), int(m.Endpoint)
		if set.typ == dns.TypeSRV {
			out.rdata = z.cfg.HostName(out.pool, out.endpoint)
			return out
		}
	}
	if set.typ == dns.TypeHTTPS {
		e := z.cfg.Pools[out.pool].Endpoints[out.endpoint]
		out.rdata = e.V4.String()
		if n%2 == 1 {
			out.rdata = e.V6.String()
		}
		return out
	}
	rdata := set.record(n / int(set.holds))[2+rrFixed:]
	if a, ok := netip.AddrFromSlice(rdata); ok && set.typ != dns.TypeCNAME {
		out.rdata = a.String()
	} else {
		out.rdata = z.cfg.Pools[out.pool].Endpoints[out.endpoint].Target
	}
	return out
}

// A name is one compiled owner name of a zone.
type name struct {
	owner, service string
	compiled       *service
	// host indexes Zone.Hosts; -1 for services and places.
	host int
}

// names calls f for all compiled owner names of z.
func (z *zone) names(f func(name)) {
	if z == nil {
		return
	}
	for i, s := range z.services {
		svc := z.cfg.Services[i]
		f(name{svc.Name, svc.Name, s, -1})
		for k, place := range s.places {
			f(name{svc.Places[k].Name, svc.Name, place, -1})
		}
	}
	for i, h := range z.hosts {
		f(name{z.cfg.Hosts[i].Name, "", h, i})
	}
}

// Since tells which holdings answers of s carry and those of prev, which may be nil, did not, and the other way round.
func (s *Snapshot) Since(prev *Snapshot) (swap ledger.Swap) {
	for _, z := range s.zones {
		old, _ := prev.zoneNamed(z.cfg.Name)
		switch {
		case old != nil && old.cfg == z.cfg:
			z.sinceSame(old, &swap)
		default:
			z.sinceOther(old, &swap)
		}
		z.shardsSince(old, &swap)
	}
	if prev == nil {
		return swap
	}
	first := len(swap.Left)
	for _, old := range prev.zones {
		if is, _ := s.zoneNamed(old.cfg.Name); is == nil {
			old.names(func(n name) { old.left(n, nil, &swap) })
		}
	}
	gone(&swap, first)
	return swap
}

// gone notes that what left, from the first on, is of another version of its file.
func gone(swap *ledger.Swap, first int) {
	for i := range swap.Left[first:] {
		swap.Left[first+i].Gone = true
	}
}

// sinceSame compares two zones of one version of the file, name by name: most are the same.
func (z *zone) sinceSame(old *zone, swap *ledger.Swap) {
	for i, s := range z.services {
		was := old.services[i]
		if was == s {
			continue
		}
		svc := z.cfg.Services[i]
		z.moved(old, name{svc.Name, svc.Name, was, -1}, s, swap)
		for k, place := range s.places {
			z.moved(old, name{svc.Places[k].Name, svc.Name, was.places[k], -1}, place, swap)
		}
	}
	for i, h := range z.hosts {
		if was := old.hosts[i]; was != h {
			z.moved(old, name{z.cfg.Hosts[i].Name, "", was, i}, h, swap)
		}
	}
}

// sinceOther compares a zone with another version of it, which may be nil.
func (z *zone) sinceOther(old *zone, swap *ledger.Swap) {
	first := len(swap.Left)
	defer gone(swap, first)
	before := make(map[string]name)
	old.names(func(n name) { before[n.owner] = n })
	z.names(func(n name) {
		was, ok := before[n.owner]
		if delete(before, n.owner); ok {
			z.moved(old, was, n.compiled, swap)
		} else {
			swap.Entered = append(swap.Entered, n.compiled.slots...)
		}
	})
	// In the order of the older file, and not of the map.
	old.names(func(n name) {
		if _, gone := before[n.owner]; gone {
			old.left(n, nil, swap)
		}
	})
}

// moved notes what one name carries and what it carried in old.
func (z *zone) moved(old *zone, was name, is *service, swap *ledger.Swap) {
	for _, slot := range is.slots {
		if _, had := slices.BinarySearch(was.compiled.slots, slot); !had {
			swap.Entered = append(swap.Entered, slot)
		}
	}
	old.left(was, is.slots, swap)
}

// left notes the holdings of a name that are not among those that stay.
func (z *zone) left(n name, stay []ledger.Slot, swap *ledger.Swap) {
	var gone []ledger.Slot
	for _, slot := range n.compiled.slots {
		if _, stays := slices.BinarySearch(stay, slot); !stays {
			gone = append(gone, slot)
		}
	}
	if gone == nil {
		return
	}
	z.carries(n.compiled, n.host, func(c carried) {
		i, ok := slices.BinarySearch(gone, c.slot)
		if !ok {
			return
		}
		gone = slices.Delete(gone, i, i+1)
		swap.Left = append(swap.Left, ledger.Departed{
			Holding: ledger.Holding{Owner: n.owner, RData: c.rdata}, Slot: c.slot, Service: n.service, Zone: z.cfg, Pool: c.pool, Endpoint: c.endpoint,
		})
	})
}

// Owners are names that answer RDATA, as ledger.Holding has it, most at the most; s may be nil.
func (s *Snapshot) Owners(most int, rdata string) []string { return s.OwnersOf(most, rdata)[rdata] }

// OwnersOf are the names that answer each of RDATA, as ledger.Holding has it, most of them at the most, in one walk; s may be nil.
func (s *Snapshot) OwnersOf(most int, rdata ...string) map[string][]string {
	if s == nil {
		return nil
	}
	keys, owners := make(map[ledger.RDataKey]string, len(rdata)), make(map[string][]string)
	for _, r := range rdata {
		keys[ledger.RDataKeyOf(r)] = r
	}
	for _, z := range s.zones {
		z.names(func(n name) {
			for _, slot := range n.compiled.slots {
				if r, wanted := keys[s.ledger.KeyOf(slot).RData]; wanted && len(owners[r]) < most && !slices.Contains(owners[r], n.owner) {
					owners[r] = append(owners[r], n.owner)
				}
			}
		})
	}
	return owners
}

// led are the endpoints, by pool and endpoint, to whose host names answers for services lead.
func (z *zone) led() map[[2]int]bool {
	led := make(map[[2]int]bool)
	for _, s := range z.services {
		if s.cfg.SRV == nil {
			continue
		}
		for _, d := range append([]*service{s}, s.places...) {
			for i := range d.plans {
				for _, m := range d.plans[i].plan.Sets[steer.Any] {
					led[[2]int{int(m.Pool), int(m.Endpoint)}] = true
				}
			}
		}
	}
	return led
}

// hostAnswers tells whether the host name of an endpoint is answered: not while it is drained, nor while it is down and no answer leads
// there. One whose tier has merely lost its turn lives, and clients that keep an SRV answer go on.
func hostAnswers(v *health.EndpointView, led bool) bool {
	return !v.Drained && (led || v.InService() || v.Pending())
}

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
