package table

import (
	"crypto/sha256"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// A Table is the working state for one model: which target stands behind which endpoint, and the latest view of each pool.
// Make it with New.
type Table struct {
	// stood is when holds last stood still; zero while they do not.
	stood time.Time
	// Model is what is judged.
	Model *config.Model
	e     *Evidence
	// targets are those that are probed, with the pools that depend on each.
	targets map[health.TargetID]*targetUse
	zones   []zoneTable
	// leaves are the latest verdicts on what is dialled: the memory that Target asks for.
	leaves map[health.TargetID]health.Verdict
	// dirty pools are judged by the next judge; wakes are pools that change without new input.
	dirty map[Ref]bool
	wakes map[Ref]time.Time
	// unclaimed are pools that keep data and are out, in part or as a whole, while no other pool has taken their turn.
	unclaimed map[Ref]bool
	// lagging are the pools whose lag an rpo is held against.
	lagging []Ref
	// forward are the pools that take a service over by steps, by that service.
	forward []takeover
	// judgedOnce is set once all pools have been judged.
	judgedOnce bool
	// now is the instant for which horizons are reckoned.
	now time.Time
	// moved are pools with a horizon that may have moved since the last horizons.
	moved map[Ref]bool
	// sent is the horizon that was last sent for a pool.
	sent map[Ref]time.Time
}

type zoneTable struct {
	view *health.ZoneView
	// reloaded is when this version of the zone file replaced another; zero for the first one.
	reloaded time.Time
	pools    []poolTable
	// scoped is what intents for one service alone change.
	scoped map[int]*health.ServiceView
	// islands is set where a service of the zone has an island, whatever pools that has: they all say what the region sees of them.
	islands bool
}

// poolTable is one pool: the checks behind it that dial something, and what they dial for each endpoint.
type poolTable struct {
	// leaves index Zone.Checks. targets are what they dial for the first endpoint, then for the second, and so on; both are
	// empty where nobody looks. For an endpoint of which each address is dialled for itself that is once for IPv4 and once for IPv6.
	leaves  []int
	targets []health.TargetID
	// begins are the places in targets where those of each endpoint begin, counted in times of all leaves; nil where each has one.
	begins []int32
	view   *health.PoolView
	// orders is nil for most pools.
	orders *judge.Orders
	// horizon is set when a service that uses the pool is in horizon mode.
	horizon bool
}

// A Ref indexes Model.Zones and Zone.Pools.
type Ref struct{ Zone, Pool int }

type targetUse struct {
	target health.Target
	pools  []Ref
	// wanted is which nodes are to probe it, for all checks that ask for it together. az is where the first endpoint behind it
	// stands.
	wanted config.Vantages
	az     string
	// vantages are the names of those that probe it, sorted; nil on a node alone. mine is set when this node is one of them.
	vantages []string
	mine     bool
}

// A Memory is what an earlier process believed, or this one of what a file dropped. It is asked only for what the table before says nothing of.
type Memory interface {
	// Verdict is that on a target.
	Verdict(id health.TargetID) (v health.Verdict, ok bool)
	// Part is that on an endpoint in service that rests on the target among others: of which it was in service is not known.
	Part(id health.TargetID) (v health.Verdict, ok bool)
	// Endpoint is the view of endpoint i of p, if what is dialled for it now was dialled then.
	Endpoint(z *config.Zone, p *config.Pool, i int, dialled []health.TargetID) (view health.EndpointView, ok bool)
	// Returns is the view with which p starts, which may be nil, with how far the pool and its AZs were on their way back.
	Returns(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) *health.PoolView
}

// New makes the table for m. What old, which may be nil, believed of the same endpoints goes on; endpoints that are new start from memory.
func New(m *config.Model, old *Table, e *Evidence, memory Memory, now time.Time) *Table {
	t := &Table{
		Model: m, e: e,
		targets: make(map[health.TargetID]*targetUse),
		zones:   make([]zoneTable, len(m.Zones)),
		leaves:  make(map[health.TargetID]health.Verdict),
		dirty:   make(map[Ref]bool),
		wakes:   make(map[Ref]time.Time), unclaimed: make(map[Ref]bool),
		moved: make(map[Ref]bool),
		sent:  make(map[Ref]time.Time), lagging: keptBehind(m), forward: takeovers(m),
	}
	defer t.ChooseVantages()
	for zi, z := range m.Zones {
		t.zones[zi].pools = make([]poolTable, len(z.Pools))
		t.zones[zi].islands = slices.ContainsFunc(z.Services, func(s *config.Service) bool { return s.Island })
		before := old.poolsOf(z.Name)
		before.without = e.without
		t.zones[zi].reloaded = before.reloaded(z, now)
		for pi, p := range z.Pools {
			pt := &t.zones[zi].pools[pi]
			ref := Ref{zi, pi}
			t.addPool(pt, z, p, ref)
			pt.view = before.carry(z, p, pt, memory, now)
			t.remember(pt, old, memory)
			t.noteUnclaimed(ref)
			t.dirty[ref] = true
			t.moves(ref)
			if flip, ok := old.horizonOf(before, z, pi); ok {
				t.sent[ref] = flip
			}
		}
	}
	return t
}

// addPool notes which targets stand behind p.
func (t *Table) addPool(pt *poolTable, z *config.Zone, p *config.Pool, ref Ref) {
	for _, s := range p.Services {
		pt.horizon = pt.horizon || z.Services[s].TTL.Mode == config.Horizon
	}
	pt.leaves = judge.Leaves(z, p)
	if len(pt.leaves) == 0 {
		return
	}
	pt.targets = make([]health.TargetID, 0, len(p.Endpoints)*len(pt.leaves))
	tier := firstTier(z, ref.Pool)
	if slices.ContainsFunc(p.Endpoints, (*config.Endpoint).Dual) {
		pt.begins = make([]int32, 0, len(p.Endpoints)+1)
	}
	dialled := int32(0)
	for _, e := range p.Endpoints {
		if pt.begins != nil {
			pt.begins = append(pt.begins, dialled)
		}
		for _, f := range health.Dialled(e) {
			dialled++
			for _, check := range pt.leaves {
				target := health.TargetOn(z.Name, z.Checks[check], e, f)
				target.Tier = tier
				if t.e.without.Without(health.GuardIdentity) {
					target.ID = editedID(target)
				}
				pt.targets = append(pt.targets, target.ID)
				t.use(target, ref, z.Checks[check].Vantages, z.AZs[e.AZ].Name)
			}
		}
	}
	if pt.begins != nil {
		pt.begins = append(pt.begins, dialled)
	}
}

// editedID is an identity that every edit of the check makes another one.
func editedID(target health.Target) (id health.TargetID) {
	sum := sha256.Sum256(append(target.ID[:], target.Check.Digest[:]...))
	copy(id[:], sum[:])
	return id
}

// noTier is for pools that no service answers with: they are probed last.
const noTier = math.MaxInt32

// firstTier is the first tier of a service in which the pool stands. Pools of client rules and cells stand first.
func firstTier(z *config.Zone, pool int) int {
	tier := noTier
	for _, s := range z.Pools[pool].Services {
		tier = min(tier, tierIn(z.Services[s], pool))
	}
	return tier
}

func (t *Table) use(target health.Target, ref Ref, wanted config.Vantages, az string) {
	use := t.targets[target.ID]
	if use == nil {
		use = &targetUse{target: target, wanted: wanted, az: az}
		t.targets[target.ID] = use
	} else {
		use.wanted = use.wanted.And(wanted)
	}
	use.target.Tier = min(use.target.Tier, target.Tier)
	if n := len(use.pools); n == 0 || use.pools[n-1] != ref {
		use.pools = append(use.pools, ref)
	}
}

// remember takes the verdicts on the pool's targets over from old, which may be nil, or from what was persisted.
func (t *Table) remember(pt *poolTable, old *Table, memory Memory) {
	for _, id := range pt.targets {
		if old != nil {
			if v, ok := old.leaves[id]; ok {
				t.leaves[id] = v
				continue
			}
		}
		if v, ok := memory.Verdict(id); ok {
			t.leaves[id] = v
		} else if v, ok := memory.Part(id); ok && t.targets[id].target.Check.Type == config.CheckPush {
			// Who was told last is told nothing any more: its lease counts from now on, and ends. What is dialled is dialled anew.
			t.leaves[id] = health.Verdict{State: health.Up, Stale: true, Since: v.Since}
		}
	}
}

// AllMoved notes that every horizon may have moved.
func (t *Table) AllMoved() {
	for zi := range t.zones {
		for pi := range t.zones[zi].pools {
			t.moves(Ref{zi, pi})
		}
	}
}

// moves notes that the pool's horizon may have moved. Only services in horizon mode ask for one.
func (t *Table) moves(ref Ref) {
	if t.zones[ref.Zone].pools[ref.Pool].horizon {
		t.moved[ref] = true
	}
}

// Observed notes that a target was probed; moved tells whether a verdict may depend on it.
func (t *Table) Observed(id health.TargetID, moved bool) {
	use := t.targets[id]
	if use == nil {
		return
	}
	for _, ref := range use.pools {
		t.moves(ref)
		if moved {
			t.dirty[ref] = true
		}
	}
}

// EndHolds marks the pools for which a failback hold ended.
func (t *Table) EndHolds(now time.Time) {
	for ref, at := range t.wakes {
		if !now.Before(at) {
			t.dirty[ref] = true
		}
	}
}

// StandStill has holds, ramps and failbacks stand still while this node is isolated: what it sees alone returns nothing. It is to be called
// before anything is judged.
func (t *Table) StandStill(now time.Time) {
	last := t.stood
	t.stood = time.Time{}
	if t.e.Isolated {
		t.stood = now
	}
	if last.IsZero() {
		return
	}
	d := now.Sub(last)
	for zi := range t.zones {
		for pi := range t.zones[zi].pools {
			pt := &t.zones[zi].pools[pi]
			if pt.view == nil || !pt.view.Return.On() && !slices.ContainsFunc(pt.view.ReturnAZ, func(r health.Return) bool { return r.On() }) {
				continue
			}
			view := *pt.view
			view.Return, view.ReturnAZ = view.Return.Later(d), slices.Clone(view.ReturnAZ)
			for i, r := range view.ReturnAZ {
				view.ReturnAZ[i] = r.Later(d)
			}
			view.At = view.At.Add(d)
			pt.view = &view
			t.dirty[Ref{zi, pi}] = true
		}
	}
}

// EndFreshness marks the pools of which an observation no longer counts.
func (t *Table) EndFreshness(now time.Time) {
	t.e.mu.RLock()
	defer t.e.mu.RUnlock()
	for id, use := range t.targets {
		if o, ok := t.e.own[id]; ok && !now.Before(judge.FreshUntil(use.target.Check, o)) {
			t.Observed(id, true)
		}
	}
	for id, v := range t.leaves {
		if at := judge.NextChange(v); !at.IsZero() && !now.Before(at) {
			t.Observed(id, true)
		}
	}
}

// Judge reckons the dirty pools anew and returns the endpoints that changed. A pool that did not change keeps its view.
func (t *Table) Judge(now time.Time) []health.Transition {
	var changes []health.Transition
	shared := make(sharedViews)
	for ref := range t.dirty {
		z := t.Model.Zones[ref.Zone]
		pt := &t.zones[ref.Zone].pools[ref.Pool]
		view, wake := judge.Pool(judge.PoolInput{
			Zone: z, Pool: z.Pools[ref.Pool], Prev: pt.view, Now: now, Frozen: t.e.still(), Reloaded: t.zones[ref.Zone].reloaded, Without: t.e.without,
			Lost: t.lost(z.Pools[ref.Pool], pt, now), Orders: pt.orders, Reductions: t.reductions(z, z.Pools[ref.Pool], pt),
			Older: func(since time.Time) bool { return t.Older(ref, since, now) }, Settle: t.e.settle(),
			Leaf: func(i int, f config.Family, check int) health.Verdict { return t.leaf(z, pt, t.at(i, f), check, now) },
		})
		if t.e.Isolated {
			view.Calm = false
			if t.zones[ref.Zone].islands {
				view.Island = t.island(z, z.Pools[ref.Pool], pt, view, now)
			}
		}
		if wake.IsZero() {
			delete(t.wakes, ref)
		} else {
			t.wakes[ref] = wake
		}
		if !same(z.Pools[ref.Pool].Failbacks, pt.view, view) {
			changes = append(changes, diff(z, z.Pools[ref.Pool], pt.view, view)...)
			if pt.view == nil {
				view = shared.of(pt, view)
			}
			pt.view = view
			t.noteUnclaimed(ref)
			t.moves(ref)
		}
	}
	changes = append(changes, t.weighLags(now)...)
	changes = append(changes, t.takeOver(now)...)
	t.claim()
	t.judgedOnce = true
	// Not cleared: after a model was taken up it holds every pool, and would be as large ever after.
	t.dirty = make(map[Ref]bool)
	return changes
}

// sharedViews are the first views of pools that nobody watches, by the number of endpoints: in a big zone most of them are
// equal, and a view is never written.
type sharedViews map[int]*health.PoolView

// of is view, or one equal to it. All views that it is asked for are of one instant.
func (s sharedViews) of(pt *poolTable, view *health.PoolView) *health.PoolView {
	if len(pt.leaves) > 0 {
		return view
	}
	known := s[len(view.Endpoints)]
	if known == nil || !same(nil, known, view) {
		s[len(view.Endpoints)] = view
		return view
	}
	return known
}

// A point is an endpoint of a pool, and of which family its address is meant, which plays no part where not each is dialled for itself.
type point struct {
	endpoint int
	family   config.Family
}

// target is what check dials at a point of the pool.
func (t *Table) target(pt *poolTable, at point, check int) health.TargetID {
	l, _ := slices.BinarySearch(pt.leaves, check)
	return pt.dialledOn(at.endpoint, at.family)[l]
}

// leaf judges what check dials at a point of the pool.
func (t *Table) leaf(z *config.Zone, pt *poolTable, at point, check int, now time.Time) health.Verdict {
	id, c := t.target(pt, at, check), z.Checks[check]
	if known := t.leaves[id]; t.e.still() && !known.Pending() {
		// Gates rest on leaves too: an operator's freeze holds them as it holds endpoints.
		return known
	}
	var buf [4]health.Observation
	v := judge.Target(c, t.seen(id, c, buf[:0]), t.jury(id), t.leaves[id], now)
	t.leaves[id] = v
	return v
}

// reductions are the greatest that fresh reports on each endpoint ask for; nil where none asks for any.
func (t *Table) reductions(z *config.Zone, p *config.Pool, pt *poolTable) (all []int) {
	n := len(p.Endpoints)
	if len(pt.leaves) == 0 {
		return nil
	}
	for i := range n {
		if r := t.reduction(z, pt, i); r > 0 {
			if all == nil {
				all = make([]int, n)
			}
			all[i] = r
		}
	}
	return all
}

// reduction is the greatest that a fresh report on endpoint i asks for.
func (t *Table) reduction(z *config.Zone, pt *poolTable, i int) int {
	most := 0
	var buf [4]health.Observation
	for l, id := range pt.dialled(i) {
		for _, o := range t.seen(id, z.Checks[pt.leaves[l%len(pt.leaves)]], buf[:0]) {
			if o.State == health.Up {
				most = max(most, o.Reduction)
			}
		}
	}
	return most
}

// same tells whether nothing that anybody could see differs.
func same(failbacks []config.Failback, a, b *health.PoolView) bool {
	return a != nil && a.Calm == b.Calm && a.Planned.Equal(b.Planned) && a.SameIsland(b) && a.SameSteering(b, failbacks) && slices.Equal(a.Endpoints, b.Endpoints)
}

func diff(z *config.Zone, p *config.Pool, a, b *health.PoolView) []health.Transition {
	var changes []health.Transition
	for i, e := range b.Endpoints {
		var was health.EndpointView
		if a != nil {
			was = a.Endpoints[i]
		}
		if was != e {
			changes = append(changes, health.Transition{Zone: z, Pool: p, Endpoint: p.Endpoints[i], Old: was, New: e})
		}
	}
	if changes == nil && len(b.Endpoints) > 0 {
		// The holds moved, nothing else.
		changes = []health.Transition{{Zone: z, Pool: p, Endpoint: p.Endpoints[0], Old: b.Endpoints[0], New: b.Endpoints[0]}}
	}
	return changes
}

// AllDirty has every pool judged by the next Judge.
func (t *Table) AllDirty() {
	for zi := range t.zones {
		for pi := range t.zones[zi].pools {
			t.dirty[Ref{zi, pi}] = true
		}
	}
}

// AllDirty has every pool of some tables judged by their next Judge.
func AllDirty(tables []*Table) {
	for _, t := range tables {
		t.AllDirty()
	}
}

// View makes the present state immutable.
func (t *Table) View(generation uint64, now time.Time) *health.View {
	v := &health.View{Generation: generation, At: now, Model: t.Model, Zones: make([]*health.ZoneView, len(t.zones)), Blind: t.e.blind, Late: t.e.Late, Frozen: t.e.Frozen, Isolated: t.e.Isolated}
	for zi := range t.zones {
		zt := &t.zones[zi]
		if zt.view == nil || zt.stale() {
			zt.view = &health.ZoneView{Zone: t.Model.Zones[zi], Pools: make([]*health.PoolView, len(zt.pools)), Scoped: zt.scoped, Without: t.e.without}
			for pi := range zt.pools {
				zt.view.Pools[pi] = zt.pools[pi].view
			}
		}
		v.Zones[zi] = zt.view
	}
	return v
}

// stale tells whether the zone's view no longer shows its pools.
func (zt *zoneTable) stale() bool {
	for pi := range zt.pools {
		if zt.pools[pi].view != zt.view.Pools[pi] {
			return true
		}
	}
	return !maps.Equal(zt.scoped, zt.view.Scoped)
}
