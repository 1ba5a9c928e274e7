package answer

import (
	"cmp"
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// A service is the compiled form of a decision, or of one place of it, or of a host. It is immutable but for the tickets and
// cells that it points to.
type service struct {
	cfg *config.Service
	// decision is nil for places and hosts, which have one plan for everybody.
	decision *steer.Decision
	// plans stand in the order of Decision.Plans.
	plans []compiledPlan
	// chooser finds the class of a client; nil where all are in one. It is the same as long as the file is.
	chooser *steer.Chooser
	// seed sets the choices for sticky clients apart from those of other services.
	seed uint64
	// places stand in the order of Service.Places.
	places []*service
	ttl    ttlRule
	// moves are when orders move shards of the service; nil for none. shards are from where they are answered; nil without cells.
	moves  []shardMove
	shards *shardPlaces
	// hash is that of the decision.
	hash uint64
	// seals are the signatures, under the name and, where the service has cells, under the wildcard below it; nil where the
	// zone is not signed. types are those that there can be.
	seals []*sealCell
	types []uint16
	// slots are those of all holdings of the name, each once, sorted; it has them until it is collected by the garbage collector.
	slots []ledger.Slot
}

// A compiledPlan is what one class of clients gets.
type compiledPlan struct {
	plan *steer.Plan
	sets []rrset
	// next are the addresses that would be answered if nothing of plan were left, of one family; nil where nobody is told.
	next []nextMember
	// given is what is given of it to those who balance by themselves; nil before somebody is.
	given atomic.Pointer[givenSets]
}

// set is what answers a question of type typ: the RRset of that type, or the CNAME; nil means NODATA.
func (p *compiledPlan) set(typ uint16) *rrset {
	for i := range p.sets {
		if p.sets[i].typ == typ || p.sets[i].typ == dns.TypeCNAME {
			return &p.sets[i]
		}
	}
	return nil
}

// service compiles one service; old is what the name had before, nil for a new name.
func (c *Compiler) service(z *zone, zv *health.ZoneView, i int, old *service, at time.Time) *service {
	svc := zv.Zone.Services[i]
	d := steer.Decide(zv, svc, i)
	s := &service{cfg: svc, decision: d, plans: make([]compiledPlan, len(d.Plans))}
	if !slices.ContainsFunc(svc.Pools, func(p int) bool { return len(z.cfg.Pools[p].Named) > 0 }) {
		// What each node resolves for itself is not compared.
		s.hash = d.Hash()
	}
	if old != nil && old.cfg == svc {
		s.chooser, s.seed = old.chooser, old.seed
	} else {
		s.chooser = z.timings.Chooser(zv.Zone, svc)
		if svc.Sticky != nil {
			s.seed = steer.StickySeed(svc)
		}
	}
	holdings := c.carrier(svc.Name)
	for k, p := range d.Plans {
		c.plan(&s.plans[k], zv, svc, p, holdings)
		if c.tellsNext && k < maxNext {
			s.plans[k].next = nextMembers(zv, d.Next(zv, i, p), holdings)
		}
	}
	holdings.done(s)
	s.ttl = ttlRule{mode: svc.TTL.Mode, min: svc.TTL.Min, max: svc.TTL.Max, floor: d.Floor, pools: svc.Pools}
	s.moves = c.shardMoves(zv.Scoped[i])
	if svc.Cells != nil {
		s.shards = newShardPlaces(zv.Zone, d)
	}
	c.goOn(s, old, z, z.lots[i], at)
	for k, place := range svc.Places {
		var before *service
		if old != nil && k < len(old.places) && old.cfg.Places[k].Name == place.Name {
			before = old.places[k]
		}
		s.places = append(s.places, c.place(z, zv, svc, place, d.Places[k], before, at))
	}
	z.sealAll(s, old, svc.Name, serviceTypes(z.cfg, svc))
	return s
}

// place compiles an `also` name, which has a TTL of its own.
func (c *Compiler) place(z *zone, zv *health.ZoneView, svc *config.Service, place config.Place, p *steer.Plan, old *service, at time.Time) *service {
	holdings := c.carrier(place.Name)
	s := &service{cfg: svc, plans: make([]compiledPlan, 1)}
	c.plan(&s.plans[0], zv, svc, p, holdings)
	holdings.done(s)
	if svc.Sticky != nil {
		s.seed = steer.StickySeed(svc)
	}
	s.ttl = ttlRule{mode: svc.TTL.Mode, min: svc.TTL.Min, max: svc.TTL.Max, floor: p.Floor}
	for _, pool := range svc.Pools {
		if z.cfg.Pools[pool].Region == place.Region {
			s.ttl.pools = append(s.ttl.pools, pool)
		}
	}
	c.goOn(s, old, z, lotOf(c.node, place.Name), at)
	z.sealAll(s, old, place.Name, serviceTypes(z.cfg, svc))
	return s
}

// plan compiles the sets of one plan of the name whose holdings are collected into out.
func (c *Compiler) plan(out *compiledPlan, zv *health.ZoneView, svc *config.Service, p *steer.Plan, holdings *carrier) {
	out.plan = p
	if p.Source == steer.FromFixed {
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if set := fixedSet(svc, typ, holdings); set.per > 0 {
				out.sets = append(out.sets, set)
			}
		}
		return
	}
	for _, typ := range typesOf(svc) {
		f, _ := familyOf(typ)
		if members := p.Sets[f]; len(members) > 0 {
			out.sets = append(out.sets, c.newRRset(zv, svc, typ, members, holdings))
		}
	}
}

// typesOf are the types of the records that a service has.
func typesOf(svc *config.Service) []uint16 {
	if svc.Kind == config.Targets {
		return []uint16{dns.TypeCNAME}
	}
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	if svc.SRV != nil {
		types = append(types, dns.TypeSRV)
	}
	if svc.HTTPS != nil {
		types = append(types, dns.TypeHTTPS)
	}
	if svc.Kind == config.Mixed {
		// A plan has members of one kind.
		types = append(types, dns.TypeCNAME)
	}
	return types
}

// familyOf is the family of the members that have records of a type.
func familyOf(typ uint16) (f steer.Family, ok bool) {
	switch typ {
	case dns.TypeA:
		return steer.V4, true
	case dns.TypeAAAA:
		return steer.V6, true
	case dns.TypeCNAME:
		return steer.Target, true
	case dns.TypeSRV, dns.TypeHTTPS:
		return steer.Any, true
	}
	return 0, false
}

// goOn continues the sequences of old where nothing changed and begins anew where something did: a change starts a new
// count, so that the split is exact from then on, and in ceiling mode a time of short TTLs.
func (c *Compiler) goOn(s, old *service, z *zone, lot uint64, at time.Time) {
	changed := old == nil || len(s.plans) != len(old.plans)
	if old != nil {
		s.ttl.floorUntil = old.ttl.floorUntil
	}
	for i := range s.plans {
		before := old.planOf(s.plans[i].plan.Key, i)
		changed = changed || before == nil || len(before.sets) != len(s.plans[i].sets)
		for k := range s.plans[i].sets {
			r := &s.plans[i].sets[k]
			was := before.same(r)
			if was != nil && r.same(was) {
				r.seq, r.turn, r.base = was.seq, was.turn, was.base
				continue
			}
			changed = true
			var t uint64
			if was != nil && was.turn != nil {
				t, r.turn = was.turn.next(), was.turn
			}
			if r.seq == nil {
				continue
			}
			// A new ticket: answers that the older snapshot still gives do not count.
			r.turn = new(ticket)
			r.turn.n.Store(t)
			r.seq, r.base = r.seq.Phase(lot + c.draw(z, s.plans[i].plan.Key, r.typ, t))
			r.base -= t
		}
	}
	if changed && old != nil {
		s.ttl.floorUntil = int64(at.Sub(c.base)) + int64(s.ttl.max)*int64(time.Second)
	}
}

// planOf is the plan for the same clients, which is mostly at the same place i; nil if there was none.
func (s *service) planOf(key string, i int) *compiledPlan {
	if s == nil {
		return nil
	}
	if i < len(s.plans) && s.plans[i].plan.Key == key {
		return &s.plans[i]
	}
	for k := range s.plans {
		if s.plans[k].plan.Key == key {
			return &s.plans[k]
		}
	}
	return nil
}

// same is the set of the type of r; nil if there was none.
func (p *compiledPlan) same(r *rrset) *rrset {
	if p == nil {
		return nil
	}
	if was := p.set(r.typ); was != nil && was.typ == r.typ {
		return was
	}
	return nil
}

// draw is what turns the lots of a zone's names: each node, zone, class of clients, type and change has another one.
func (c *Compiler) draw(z *zone, key string, typ uint16, t uint64) uint64 {
	return lotOf(c.node, z.cfg.Name, key, string([]byte{byte(typ >> 8), byte(typ)}), string(binary.BigEndian.AppendUint64(nil, t)))
}

// lotOf is a hash of parts.
func lotOf(parts ...string) uint64 {
	h := fnv.New64a()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return steer.Mix(h.Sum64())
}

// lots are where the services of a zone begin, as fractions of 2^64: in the order of their hashes and at like distances, so that
// their first answers share the load better than by chance.
func (c *Compiler) lots(cfg *config.Zone) []uint64 {
	type drawn struct {
		hash    uint64
		service int
	}
	order := make([]drawn, len(cfg.Services))
	for i, svc := range cfg.Services {
		order[i] = drawn{lotOf(c.node, svc.Name), i}
	}
	slices.SortFunc(order, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.hash, b.hash), a.service-b.service) })
	out := make([]uint64, len(order))
	for rank, t := range order {
		out[t.service], _ = bits.Div64(uint64(rank), 0, uint64(len(order)))
	}
	return out
}

// host compiles the host name of an endpoint, to which SRV records lead: those of its addresses that are answered, or NODATA.
func (c *Compiler) host(host config.Host, answers []netip.Addr) *service {
	s := &service{plans: make([]compiledPlan, 1)}
	p := &s.plans[0]
	p.plan = &steer.Plan{Source: steer.FromNothing}
	holdings := c.carrier(host.Name)
	holdings.bare = c.bareHosts
	if len(answers) > 0 {
		p.plan = new(steer.Plan)
		for _, a := range answers {
			r := rrset{per: 1, holds: 1, slots: []ledger.Slot{holdings.address(a)}}
			r.add(addressType(a), a.AsSlice())
			p.sets = append(p.sets, r)
		}
	}
	holdings.done(s)
	s.ttl = ttlRule{mode: host.TTL.Mode, min: host.TTL.Min, max: host.TTL.Max, pools: []int{host.Pool}}
	return s
}

func addressType(a netip.Addr) uint16 {
	if a.Is4() {
		return dns.TypeA
	}
	return dns.TypeAAAA
}
