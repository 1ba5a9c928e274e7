package answer

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// maxSequences bounds the table of shared sequences; past it the table starts anew, and nothing is lost but sharing.
const maxSequences = 65536

// A Compiler makes snapshots. Compile may run on several goroutines at once: a whole model is compiled beside the engine.
type Compiler struct {
	node string
	base time.Time
	// ledger gives endpoints their slots.
	ledger *ledger.Ledger

	// tellsNext is set where somebody is told what would be answered next; set before anything is compiled.
	tellsNext bool
	// bareHosts leaves answers for host names without slots: a guard of the simulator.
	bareHosts bool
	// signatures are of all zones.
	signatures signatures

	mu        sync.Mutex
	sequences map[string]*steer.Sequence // guarded by mu
	// expiries are those of pools, by zone and name; guarded by mu.
	expiries map[[2]string]*atomic.Int64
	// serials are those of zones that are transferred, by name; guarded by mu.
	serials map[string]*atomic.Uint32
	// signing is held while the security of a zone is replaced.
	signing sync.Mutex
}

// NewCompiler makes a compiler for a node. The name sets the node's phase in every sequence, base is the zero of its clock.
func NewCompiler(node string, base time.Time) *Compiler {
	return &Compiler{node: node, base: base, ledger: ledger.New(base), sequences: make(map[string]*steer.Sequence)}
}

// SetWithout switches guards off, for simulators, before anything is compiled.
func (c *Compiler) SetWithout(g health.Guards) { c.bareHosts = g.Without(health.GuardHosts) }

// TellNext makes what would be answered next a part of what is given (Given.Next), before anything is compiled: whoever is told of it may use it,
// so that it has to leave before it is forgotten, as answers do.
func (c *Compiler) TellNext() { c.tellsNext = true }

// Ledger is where answers of the compiler's snapshots are to be stamped; see Issued.
func (c *Compiler) Ledger() *ledger.Ledger { return c.ledger }

// A Snapshot is everything that is answered at one moment. It is immutable; see ttlRule for what moves all the same.
type Snapshot struct {
	// View is what it was compiled from.
	View *health.View
	base time.Time
	// ledger is where its answers are stamped.
	ledger *ledger.Ledger
	// zones stand in the order of View.Zones; byName holds their names in lower-case wire format.
	zones  []*zone
	byName map[string]int32
	// lengths has a bit for each length that a name in byName has: most of a name's ends need not be looked up.
	lengths [(maxNameLen + 63) / 64]uint64
}

// A zone is the compiled form of one ZoneView.
type zone struct {
	cfg   *config.Zone
	index *index
	// services stand in the order of Zone.Services, hosts in that of Zone.Hosts.
	services, hosts []*service
	// pools stand in the order of Zone.Pools; troubled is set for those with a suspect or pending member.
	pools    []*poolCell
	troubled []bool
	// planned is when the first order begins that is to take a member of a pool out, in nanoseconds since the base, never for
	// none; nil where there are no such orders.
	planned []int64
	// resolves is set where endpoints of some pool are resolved.
	resolves bool
	// hash is the sum of the services' hashes.
	hash uint64
	// lots are where services begin to count; the same as long as the file is.
	lots []uint64
	// timings are what its choosers go by; the same as long as the file is.
	timings steer.Timings
	// ledger knows the greatest TTL that may be given.
	ledger *ledger.Ledger
	// sec is what makes the zone signed; nil where the file does not ask for it. It is the same as long as the file is.
	sec *atomic.Pointer[security]
	// serial is that of a zone that is transferred, in all its snapshots; nil for others, whose serial is that of the file.
	serial *atomic.Uint32
	// counters are shared by all snapshots of a zone of this name.
	counters *Counters
}

// Compile makes the snapshot for v. What did not change since prev, which may be nil, is shared with it; tickets and
// counters go on where a name goes on. Work beyond a copy of the service table grows with the services of the pools that
// changed.
func (c *Compiler) Compile(prev *Snapshot, v *health.View) *Snapshot {
	s := &Snapshot{View: v, base: c.base, ledger: c.ledger, zones: make([]*zone, len(v.Zones))}
	for i, zv := range v.Zones {
		old, oldView := prev.zoneNamed(zv.Zone.Name)
		if old != nil && old.cfg == zv.Zone {
			s.zones[i] = c.update(old, oldView, zv, v.At)
		} else {
			s.zones[i] = c.whole(old, zv, v.At)
		}
	}
	if prev != nil && prev.View.Model == v.Model {
		s.byName, s.lengths = prev.byName, prev.lengths
		return s
	}
	s.byName = make(map[string]int32, len(s.zones))
	for i, z := range s.zones {
		s.byName[string(z.index.apex)] = int32(i)
		s.lengths[len(z.index.apex)/64] |= 1 << (len(z.index.apex) % 64)
	}
	return s
}

// Ledger is where the snapshot's answers are to be stamped, and whose clock is that of its TTLs.
func (s *Snapshot) Ledger() *ledger.Ledger { return s.ledger }

// PlanHash is the same for two snapshots of one model that decide the same for every service: members, weights and last resorts. Services with
// resolved addresses are no part of it.
// It says nothing of TTLs, nor of whose turn it is.
func (s *Snapshot) PlanHash() (hash uint64) {
	if s == nil {
		return 0
	}
	for _, z := range s.zones {
		hash += z.hash
	}
	return hash
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
	z := &zone{
		cfg: cfg, ledger: c.ledger, index: newIndex(cfg), services: make([]*service, len(cfg.Services)), counters: new(Counters),
		timings: steer.NewTimings(cfg.Services...),
	}
	z.pools, z.troubled = make([]*poolCell, len(cfg.Pools)), make([]bool, len(cfg.Pools))
	for i, p := range cfg.Pools {
		// A monitored pool begins with a horizon of now, which is the floor, until the engine knows better: what the
		// older file made of it rests on other checks.
		z.pools[i], z.troubled[i] = new(poolCell), !zv.Pools[i].Calm
		if len(p.Watched()) == 0 {
			z.pools[i].flip.Store(never)
		}
		if len(p.Named) > 0 {
			z.pools[i].expires, z.resolves = c.expiry(cfg.Name, p.Name), true
		}
	}
	if cfg.Transfer != config.NoTransfer {
		z.serial = c.serialOf(cfg.Name, uint32(at.Unix()))
	}
	if cfg.DNSSEC != nil {
		z.sec = new(atomic.Pointer[security])
		if s := newSigner(cfg, at, &c.signatures); s != nil {
			z.sec.Store(z.secure(s))
		}
	}
	z.lots = c.lots(cfg)
	before := map[string]*service{}
	if old != nil {
		z.counters = old.counters
		for i, svc := range old.cfg.Services {
			before[svc.Name] = old.services[i]
		}
	}
	parallel(len(cfg.Services), func(i int) { z.services[i] = c.service(z, zv, i, before[cfg.Services[i].Name], at) })
	for _, s := range z.services {
		z.hash += s.hash
	}
	z.hosts = c.hosts(z, zv, nil)
	z.planned = c.planned(zv)
	return z
}

// hosts compiles the host names of a zone whose services are compiled; old, which may be nil, are those of the same file before.
func (c *Compiler) hosts(z *zone, zv *health.ZoneView, old []*service) []*service {
	if len(zv.Zone.Hosts) == 0 {
		return nil
	}
	led, hosts := z.led(), make([]*service, len(zv.Zone.Hosts))
	for i, h := range zv.Zone.Hosts {
		var answers []netip.Addr
		if hostAnswers(&zv.Pools[h.Pool].Endpoints[h.Endpoint], led[[2]int{h.Pool, h.Endpoint}]) {
			answers = hostAddresses(zv, h.Pool, h.Endpoint)
		}
		if old != nil && old[i].hasAddresses(answers) {
			hosts[i] = old[i]
		} else {
			hosts[i] = c.host(h, answers)
			var was *service
			if old != nil {
				was = old[i]
			}
			z.sealAll(hosts[i], was, h.Name, hostTypes(z.cfg, h))
		}
	}
	return hosts
}

// update compiles the services whose pools changed.
func (c *Compiler) update(old *zone, was, zv *health.ZoneView, at time.Time) *zone {
	z := *old
	z.troubled = slices.Clone(old.troubled)
	var stale []bool
	var again []int
	touch := func(service int) {
		if stale == nil {
			stale = make([]bool, len(z.services))
			z.services = slices.Clone(z.services)
		}
		if !stale[service] {
			stale[service] = true
			again = append(again, service)
		}
	}
	for i := range was.Scoped {
		if was.Scoped[i] != zv.Scoped[i] {
			touch(i)
		}
	}
	for i := range zv.Scoped {
		if was.Scoped[i] != zv.Scoped[i] {
			touch(i)
		}
	}
	for i, p := range zv.Pools {
		if p == was.Pools[i] {
			continue
		}
		z.troubled[i] = !p.Calm
		if was.Pools[i].SameSteering(p, z.cfg.Pools[i].Failbacks) {
			continue
		}
		for _, s := range z.cfg.Pools[i].Services {
			touch(s)
		}
	}
	parallel(len(again), func(k int) {
		i := again[k]
		z.services[i] = c.service(&z, zv, i, old.services[i], at)
	})
	for _, i := range again {
		z.hash += z.services[i].hash - old.services[i].hash
	}
	z.planned = c.planned(zv)
	if stale != nil && z.hosts != nil {
		z.hosts = c.hosts(&z, zv, old.hosts)
	}
	return &z
}

// planned are the beginnings of orders, by pool.
func (c *Compiler) planned(zv *health.ZoneView) (at []int64) {
	for i, p := range zv.Pools {
		if p.Planned.IsZero() {
			continue
		}
		if at == nil {
			at = slices.Repeat([]int64{never}, len(zv.Pools))
		}
		at[i] = int64(p.Planned.Sub(c.base))
	}
	return at
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
		cell := s.zones[m.Zone].pools[m.Pool]
		cell.flip.Store(flip)
		cell.first.Store(int32(m.Endpoint))
	}
}
