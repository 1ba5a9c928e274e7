package answer

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/miekg/dns"
)

// maxSequences bounds the table of shared sequences; past it the table starts anew, and nothing is lost but sharing.
const maxSequences = 65536

// A Compiler makes snapshots. Compile may run on several goroutines at once: a whole model is compiled beside the engine.
type Compiler struct {
	node string
	base time.Time

	mu        sync.Mutex
	sequences map[string]*steer.Sequence // guarded by mu
}

// NewCompiler makes a compiler for a node. The name sets the node's phase in every sequence, base is the zero of its clock.
func NewCompiler(node string, base time.Time) *Compiler {
	return &Compiler{node: node, base: base, sequences: make(map[string]*steer.Sequence)}
}

// A Snapshot is everything that is answered at one moment. It is immutable; see ttlRule for what moves all the same.
type Snapshot struct {
	// View is what it was compiled from.
	View *health.View
	base time.Time
	// zones stand in the order of View.Zones; byName holds their names in lower-case wire format.
	zones  []*zone
	byName map[string]int32
}

// A zone is the compiled form of one ZoneView.
type zone struct {
	cfg   *config.Zone
	index *index
	// services stand in the order of Zone.Services.
	services []*service
	// pools stand in the order of Zone.Pools; troubled is set for those with a suspect or pending member.
	pools    []*poolCell
	troubled []bool
	// counters are shared by all snapshots of a zone of this name.
	counters *Counters
}

// Compile makes the snapshot for v. What did not change since prev, which may be nil, is shared with it; tickets and
// counters go on where a name goes on. Work beyond a copy of the service table grows with the services of the pools that
// changed.
func (c *Compiler) Compile(prev *Snapshot, v *health.View) *Snapshot {
	s := &Snapshot{View: v, base: c.base, zones: make([]*zone, len(v.Zones))}
	for i, zv := range v.Zones {
		old, oldView := prev.zoneNamed(zv.Zone.Name)
		if old != nil && old.cfg == zv.Zone {
			s.zones[i] = c.update(old, oldView, zv, v.At)
		} else {
			s.zones[i] = c.whole(old, zv, v.At)
		}
	}
	if prev != nil && prev.View.Model == v.Model {
		s.byName = prev.byName
		return s
	}
	s.byName = make(map[string]int32, len(s.zones))
	for i, z := range s.zones {
		s.byName[string(z.index.apex)] = int32(i)
	}
	return s
}

// zoneNamed is the compiled zone of that name and the view that it was compiled from; nil if there is none.
func (s *Snapshot) zoneNamed(name string) (*zone, *health.ZoneView) {
	if s == nil {
		return nil, nil
	}
	i, ok := slices.BinarySearchFunc(s.zones, name, func(z *zone, name string) int { return cmpString(z.cfg.Name, name) })
	if !ok {
		return nil, nil
	}
	return s.zones[i], s.View.Zones[i]
}

func cmpString(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// whole compiles a zone that is new or whose file changed.
func (c *Compiler) whole(old *zone, zv *health.ZoneView, at time.Time) *zone {
	cfg := zv.Zone
	z := &zone{cfg: cfg, index: newIndex(cfg), services: make([]*service, len(cfg.Services)), counters: new(Counters)}
	z.pools, z.troubled = make([]*poolCell, len(cfg.Pools)), make([]bool, len(cfg.Pools))
	for i, p := range cfg.Pools {
		// A monitored pool begins with a horizon of now, which is the floor, until the engine knows better: what the
		// older file made of it rests on other checks.
		z.pools[i], z.troubled[i] = new(poolCell), !zv.Pools[i].Calm
		if len(p.Watched()) == 0 {
			z.pools[i].flip.Store(never)
		}
	}
	before := map[string]*service{}
	if old != nil {
		z.counters = old.counters
		for i, svc := range old.cfg.Services {
			before[svc.Name] = old.services[i]
		}
	}
	for i, svc := range cfg.Services {
		z.services[i] = c.service(z, zv, svc, before[svc.Name], at)
	}
	return z
}

// update compiles the services whose pools changed.
func (c *Compiler) update(old *zone, was, zv *health.ZoneView, at time.Time) *zone {
	z := *old
	z.troubled = slices.Clone(old.troubled)
	var stale []bool
	for i, p := range zv.Pools {
		if p == was.Pools[i] {
			continue
		}
		z.troubled[i] = !p.Calm
		if was.Pools[i].SameSteering(p) {
			continue
		}
		if stale == nil {
			stale = make([]bool, len(z.services))
			z.services = slices.Clone(z.services)
		}
		for _, s := range z.cfg.Pools[i].Services {
			stale[s] = true
		}
	}
	for i, again := range stale {
		if again {
			z.services[i] = c.service(&z, zv, z.cfg.Services[i], old.services[i], at)
		}
	}
	return &z
}

// service compiles one service; old is what the name had before, nil for a new name.
func (c *Compiler) service(z *zone, zv *health.ZoneView, svc *config.Service, old *service, at time.Time) *service {
	plan := steer.Compute(zv, svc)
	s := &service{plan: plan}
	switch {
	case plan.Source == steer.FromFixed:
		s.sets = [2]rrset{fixedSet(svc, dns.TypeA), fixedSet(svc, dns.TypeAAAA)}
	case svc.Kind == config.Targets:
		s.sets[0] = c.newRRset(z.cfg, svc, plan.Sets[steer.Target], steer.Target)
	default:
		s.sets[0] = c.newRRset(z.cfg, svc, plan.Sets[steer.V4], steer.V4)
		s.sets[1] = c.newRRset(z.cfg, svc, plan.Sets[steer.V6], steer.V6)
	}
	s.ttl = ttlRule{mode: svc.TTL.Mode, min: svc.TTL.Min, max: svc.TTL.Max, floor: plan.Floor, pools: svc.Pools}
	s.tickets = new([2]ticket)
	if old != nil {
		s.tickets, s.ttl.floorUntil = old.tickets, old.ttl.floorUntil
	}
	c.goOn(s, old, svc.Name, at)
	return s
}

// goOn continues the sequences of old where nothing changed and begins anew where something did: a change starts a new
// count, so that the split is exact from then on, and in ceiling mode a time of short TTLs.
func (c *Compiler) goOn(s, old *service, name string, at time.Time) {
	for i := range s.sets {
		r := &s.sets[i]
		if old != nil && r.same(&old.sets[i]) {
			r.base = old.sets[i].base
			continue
		}
		if r.seq != nil {
			t := s.tickets[i].next()
			r.base = r.seq.Start(c.phase(name, i, t)) - t
		}
		if old != nil {
			s.ttl.floorUntil = int64(at.Sub(c.base)) + int64(s.ttl.max)*int64(time.Second)
		}
	}
}

// phase spreads where nodes begin: each node, name, family and change begins elsewhere.
func (c *Compiler) phase(name string, family int, t uint64) uint64 {
	h := fnv.New64a()
	h.Write([]byte(c.node))
	h.Write([]byte{0, byte(family)})
	h.Write([]byte(name))
	h.Write(binary.BigEndian.AppendUint64(nil, t))
	return h.Sum64()
}

// sequence is the shared sequence for weights.
func (c *Compiler) sequence(weights []uint64) *steer.Sequence {
	key := make([]byte, 0, 4*len(weights))
	for _, w := range weights {
		key = binary.AppendUvarint(key, w)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s, ok := c.sequences[string(key)]; ok {
		return s
	}
	if len(c.sequences) >= maxSequences {
		clear(c.sequences)
	}
	s := steer.NewSequence(weights)
	c.sequences[string(key)] = s
	return s
}

// MoveHorizons moves the earliest flips of pools of s. Zones and pools are those of s.View.
func (s *Snapshot) MoveHorizons(moves []health.PoolHorizon) {
	for _, m := range moves {
		flip := int64(never)
		if !m.Flip.IsZero() {
			flip = int64(m.Flip.Sub(s.base))
		}
		s.zones[m.Zone].pools[m.Pool].flip.Store(flip)
	}
}
