package answer

import (
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
