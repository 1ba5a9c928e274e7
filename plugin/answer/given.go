package answer

import (
	"encoding/binary"
	"hash/fnv"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// A Given is all that one class of clients gets under one name, for those who balance by themselves: every member of every set, of which replies
// hold some in turn. No ticket is taken for it. Whoever gives it to somebody stamps it, as one stamps a reply.
type Given struct {
	Zone *config.Zone
	// Service is nil for the host name of one endpoint.
	Service *config.Service
	// Plan is what Sets were compiled from; its Service is nil for a host name.
	Plan *steer.Plan
	// TTL is for how many seconds it may be kept: what a reply would carry.
	TTL uint32
	// Sets are shared by all to whom they are given, as is Next: nobody changes them.
	Sets []GivenSet
	// Next are the addresses that would be answered if nothing of Sets were left, of one family: those of IPv4 if there are any. They are there
	// where Compiler.TellNext was called, and no part of Hash; NextHash is theirs.
	Next     []GivenMember
	NextHash uint64
	// Hash is the same for two of the same sets; how long they may be kept, and from which version of the file they are, plays no part.
	Hash uint64

	compiled []rrset
	next     []nextMember
}

// A GivenSet is one type of records, in the order of the plan.
type GivenSet struct {
	Type    uint16
	Members []GivenMember
}

// A GivenMember is one record.
type GivenMember struct {
	// Data is the RDATA as in a zone file, Address what an A or AAAA record holds.
	Data    string
	Address netip.Addr
	Weight  uint64
	// Pool and Endpoint index Zone.Pools and Pool.Endpoints; Pool is -1 for fixed addresses.
	Pool, Endpoint int
}

// Give is what the client of q gets at now; the type of q plays no part. ok is unset where no plan answers the name: records of the file, names
// that do not exist, other people's zones.
func (s *Snapshot) Give(q *Question, now time.Time) (g Given, ok bool) {
	var buf [maxNameLen]byte
	name := lower(&buf, q.Name)
	z, _ := s.zoneFor(name, q)
	if z == nil || !strings.HasPrefix(z.cfg.File, q.Files) {
		return g, false
	}
	f := z.index.find(name)
	if f.barrier >= 0 || f.owner < 0 {
		return g, false
	}
	o := &z.index.owners[f.owner]
	var svc *service
	switch {
	case o.place >= 0:
		svc = z.services[o.service].places[o.place]
	case o.service >= 0:
		svc = z.services[o.service]
	case o.host >= 0:
		svc = z.hosts[o.host]
	default:
		return g, false
	}
	r := reply{q: q, z: z, now: clockAt(s.base, now)}
	c := r.class(svc, f.cell)
	g = Given{Zone: z.cfg, Service: svc.cfg, Plan: c.plan.plan, compiled: c.plan.sets, next: c.plan.next}
	g.TTL, _, _ = svc.ttl.at(z, &r.now)
	host := -1
	if svc.cfg == nil {
		host = int(o.host)
	}
	sets := c.plan.given.Load()
	if sets == nil {
		// Two who are the first make the same.
		sets = new(givenSets)
		sets.fill(c.plan, z.cfg, host)
		c.plan.given.Store(sets)
	}
	g.Sets, g.Next, g.Hash, g.NextHash = sets.sets, sets.next, sets.hash, sets.nextHash
	return g, true
}

// ZoneAt is the zone that holds a name in wire format; nil if there is none.
func (s *Snapshot) ZoneAt(name []byte) *config.Zone {
	var buf [maxNameLen]byte
	if z, _ := s.zoneOf(lower(&buf, name)); z != nil {
		return z.cfg
	}
	return nil
}

// givenSets are Sets, Next and their hashes of what is given of a plan: made for the first to whom it is, never changed.
type givenSets struct {
	sets           []GivenSet
	next           []GivenMember
	hash, nextHash uint64
}

// fill makes them of a plan; host is the index of a host name, else -1.
func (g *givenSets) fill(p *compiledPlan, z *config.Zone, host int) {
	h := fnv.New64a()
	for i := range p.sets {
		set := &p.sets[i]
		out := GivenSet{Type: set.typ, Members: make([]GivenMember, set.count)}
		f, steered := familyOf(set.typ)
		steered = steered && host < 0 && p.plan.Source != steer.FromFixed
		for k := range out.Members {
			m := GivenMember{Weight: 1, Pool: -1}
			if steered {
				member := p.plan.Sets[f][k]
				m.Weight, m.Pool, m.Endpoint = member.Weight, int(member.Pool), int(member.Endpoint)
			} else if host >= 0 {
				m.Pool, m.Endpoint = z.Hosts[host].Pool, z.Hosts[host].Endpoint
			}
			rdata := set.record(k)[2+rrFixed:]
			m.Data, m.Address = textOf(set.typ, rdata)
			out.Members[k] = m
			// An FNV does not fail.
			_, _ = h.Write(binary.AppendUvarint(binary.AppendUvarint(append([]byte{}, set.record(k)[2:4]...), m.Weight), uint64(len(rdata))))
			_, _ = h.Write(rdata)
		}
		g.sets = append(g.sets, out)
	}
	g.hash = h.Sum64()
	h.Reset()
	for _, m := range p.next {
		g.next = append(g.next, m.GivenMember)
		_, _ = h.Write(binary.AppendUvarint([]byte(m.Data), m.Weight))
	}
	g.nextHash = h.Sum64()
}

// textOf is RDATA as in a zone file, and the address if it is one.
func textOf(typ uint16, rdata []byte) (string, netip.Addr) {
	if a, ok := netip.AddrFromSlice(rdata); ok && (typ == dns.TypeA || typ == dns.TypeAAAA) {
		return a.String(), a
	}
	header := dns.RR_Header{Name: ".", Rrtype: typ, Class: dns.ClassINET, Rdlength: uint16(len(rdata))}
	rr, _, err := dns.UnpackRRWithHeader(header, rdata, 0)
	if err != nil {
		// It was packed here.
		panic(err)
	}
	return strings.TrimPrefix(rr.String(), rr.Header().String()), netip.Addr{}
}

// StampNext notes in w that Next was written at now.
func (g *Given) StampNext(w *ledger.Worker, now int64, ttl uint32) {
	for i := range g.next {
		w.Stamp(g.next[i].slot, now, ttl)
	}
}

// KeysNext adds the holdings of Next to keys.
func (g *Given) KeysNext(l *ledger.Ledger, keys map[ledger.Key]bool) {
	for i := range g.next {
		keys[l.KeyOf(g.next[i].slot)] = true
	}
}

// Stamp notes in w that all of Sets was written at now, to be kept for ttl seconds, which is not more than g.TTL.
func (g *Given) Stamp(w *ledger.Worker, now int64, ttl uint32) {
	for i := range g.compiled {
		for _, slot := range g.compiled[i].slots {
			w.Stamp(slot, now, ttl)
		}
	}
}

// Keys adds the holdings of Sets to keys.
func (g *Given) Keys(l *ledger.Ledger, keys map[ledger.Key]bool) {
	for i := range g.compiled {
		for _, slot := range g.compiled[i].slots {
			if slot != 0 {
				keys[l.KeyOf(slot)] = true
			}
		}
	}
}

// WeightOf is the weight of an endpoint in the first set that has it, and the greatest in that set; 0 if none has.
func (g *Given) WeightOf(pool, endpoint int) (own, most uint64) {
	for _, set := range g.Sets {
		most = 0
		for _, m := range set.Members {
			if most = max(most, m.Weight); m.Pool == pool && m.Endpoint == endpoint {
				own = m.Weight
			}
		}
		if own > 0 {
			return own, most
		}
	}
	return 0, 0
}

// StampOne notes in w that what is given of one endpoint was written at now.
func (g *Given) StampOne(w *ledger.Worker, now int64, of health.EndpointRef) {
	for i, set := range g.Sets {
		stride := int(g.compiled[i].holds)
		for k, m := range set.Members {
			if m.Pool != of.Pool || m.Endpoint != of.Endpoint {
				continue
			}
			for _, slot := range g.compiled[i].slots[k*stride : (k+1)*stride] {
				w.Stamp(slot, now, g.TTL)
			}
		}
	}
}
