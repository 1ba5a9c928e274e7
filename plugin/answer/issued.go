package answer

import (
	"slices"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A slot is where an endpoint stands in the ledger.
type slot struct {
	ledger.Slot
	// hostTTL is the longest TTL of the address to which an SRV record leads, in seconds.
	hostTTL uint32
}

// number gives the endpoints of a zone their numbers and their slots.
func (z *zone) number(l *ledger.Ledger) {
	n := 0
	for _, p := range z.cfg.Pools {
		z.firsts = append(z.firsts, n)
		n += len(p.Endpoints)
		slots := make([]slot, len(p.Endpoints))
		for i, e := range p.Endpoints {
			slots[i].Slot = l.Slot(z.cfg.Name, p.Name, e.Name)
		}
		z.slots = append(z.slots, slots)
	}
	for _, h := range z.cfg.Hosts {
		z.slots[h.Pool][h.Endpoint].hostTTL = h.TTL.Max
	}
	z.served = make([]int32, n)
}

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

// Since tells which endpoints answers for services in s name and those in prev, which may be nil, do not, and the other way round, by
// the model of s. The host name of an endpoint, which stands for it whatever health says, is no service.
func (s *Snapshot) Since(prev *Snapshot) (left, entered []ledger.Endpoint) {
	for zi, z := range s.zones {
		old, _ := prev.zoneNamed(z.cfg.Name)
		if old != nil && old.cfg == z.cfg && len(z.served) > 0 && &old.served[0] == &z.served[0] {
			continue
		}
		served := old.servedAs(z)
		for pi, p := range z.cfg.Pools {
			for i := range p.Endpoints {
				n := z.firsts[pi] + i
				if is := z.served[n] > 0; is && !served[n] {
					entered = append(entered, ledger.Endpoint{Zone: zi, Pool: pi, Endpoint: i})
				} else if !is && served[n] {
					left = append(left, ledger.Endpoint{Zone: zi, Pool: pi, Endpoint: i})
				}
			}
		}
	}
	return left, entered
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

// Issued is which endpoints a reply names. Its zero value names none; it is filled by Snapshot.Append, and used once.
type Issued struct {
	n    int
	sets [maxChase]issuedSet
}

// An issuedSet is the members of plan from first on, as many as a reply of set holds.
type issuedSet struct {
	zone  *zone
	plan  *steer.Plan
	set   *rrset
	first int32
	ttl   uint32
}

func (i *Issued) clear() {
	if i != nil {
		i.n = 0
	}
}

// issue notes what a reply names.
func (r *reply) issue(p *steer.Plan, set *rrset, first int, ttl uint32) {
	if r.q.Issued == nil {
		return
	}
	i := r.q.Issued
	i.sets[i.n] = issuedSet{zone: r.z, plan: p, set: set, first: int32(first), ttl: ttl}
	i.n++
}

// Empty tells whether the reply names no endpoint.
func (i *Issued) Empty() bool { return i.n == 0 }

// Stamp notes in w that the reply was written at now.
func (i *Issued) Stamp(w *ledger.Worker, now int64) {
	for k := range i.n {
		i.sets[k].stamp(w, now)
	}
	i.n = 0
}

func (s *issuedSet) stamp(w *ledger.Worker, now int64) {
	f, _ := familyOf(s.set.typ)
	members := s.plan.Sets[f]
	if len(members) != int(s.set.count) {
		// Fixed addresses, and host names, are no members.
		return
	}
	at := int(s.first)
	for range s.set.per {
		m := &members[at]
		slot := &s.zone.slots[m.Pool][m.Endpoint]
		ttl := s.ttl
		if s.set.typ == dns.TypeSRV {
			ttl += slot.hostTTL
		}
		w.Stamp(slot.Slot, now, ttl)
		if at++; at == len(members) {
			at = 0
		}
	}
}
