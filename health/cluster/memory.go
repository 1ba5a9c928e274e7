package cluster

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

// memorySlack is the difference of two memories of one thing that is put down to the way between the nodes, and to when each of
// them heard of it.
const memorySlack = 3 * time.Second

// memoryKey names a pool with an empty endpoint and AZ, an AZ of it, or an endpoint.
func memoryKey(z *config.Zone, p *config.Pool, endpoint, az string) (key round.MemoryKey) {
	sum := sha256.Sum256([]byte(z.Name + "\x00" + p.Name + "\x00" + endpoint + "\x00" + az))
	copy(key[:], sum[:])
	return key
}

// memoryKeys name what is remembered of one pool: itself, its AZs in the order of Pool.AZWeights, and its endpoints.
type memoryKeys struct {
	pool           round.MemoryKey
	azs, endpoints []round.MemoryKey
}

// A Memory is what this node remembers of the pools of a table: who is out, or on the way back, and since when. Make it with NewMemory; it
// belongs to the goroutine of the table.
type Memory struct {
	table *table.Table
	// keys are what pools are called in rounds, made when they are first asked for; sum is what they come to, 0 before.
	keys map[table.Ref]*memoryKeys
	sum  uint64
}

// NewMemory is that of the pools of t.
func NewMemory(t *table.Table) *Memory {
	return &Memory{table: t, keys: make(map[table.Ref]*memoryKeys)}
}

// keysOf are those of a pool.
func (m *Memory) keysOf(ref table.Ref) *memoryKeys {
	keys := m.keys[ref]
	if keys == nil {
		z := m.table.Model.Zones[ref.Zone]
		p := z.Pools[ref.Pool]
		keys = &memoryKeys{pool: memoryKey(z, p, "", "")}
		for _, w := range p.AZWeights {
			keys.azs = append(keys.azs, memoryKey(z, p, "", z.AZs[w.AZ].Name))
		}
		for _, e := range p.Endpoints {
			keys.endpoints = append(keys.endpoints, memoryKey(z, p, e.Name, ""))
		}
		m.keys[ref] = keys
	}
	return keys
}

// A HeardMemory is what another node said that it remembers, by shard of its part.
type HeardMemory struct {
	shards map[int]round.Memory
	at     map[int]time.Time
	count  int
	// others is set while the sender has a file with other names: it may lack what it does not name, which is not the word that it is over.
	others bool
}

// ReturnsDigest is the same for memories that have the same returns at the same points, whatever the ages.
func ReturnsDigest(m *round.Memory) (sum uint64) {
	for key, r := range m.Returns {
		sum += binary.LittleEndian.Uint64(key[:]) * uint64(1+r.Doubled+len(r.Retries))
	}
	return sum
}

// Take takes in a block.
func (h *HeardMemory) Take(r *gossip.Round) error {
	m, err := round.ParseMemory(r.Data, r.At)
	if err != nil {
		return err
	}
	if h.shards == nil {
		h.shards, h.at = make(map[int]round.Memory), make(map[int]time.Time)
	}
	h.shards[r.Shard], h.at[r.Shard], h.count = m, r.At, r.Shards
	for shard := range h.shards {
		if shard >= r.Shards {
			delete(h.shards, shard)
			delete(h.at, shard)
		}
	}
	return nil
}

// Whole tells whether all of it is known as it was a moment ago, so that what is not in it is not.
func (h *HeardMemory) Whole(now time.Time) bool {
	return h.count > 0 && len(h.shards) == h.count && now.Sub(h.asOf()) < health.HeardFor
}

// asOf is when the oldest part of it was heard.
func (h *HeardMemory) asOf() (oldest time.Time) {
	for _, at := range h.at {
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

func (h *HeardMemory) returned(key round.MemoryKey) (health.Return, bool) {
	for _, m := range h.shards {
		if r, ok := m.Returns[key]; ok {
			return r, true
		}
	}
	return health.Return{}, false
}

// Gone are until when caches may hold static records that no file of the other node has, by shard.
func (h *HeardMemory) Gone() iter.Seq[map[round.MemoryKey]time.Time] {
	return func(yield func(map[round.MemoryKey]time.Time) bool) {
		for _, m := range h.shards {
			if !yield(m.Gone) {
				return
			}
		}
	}
}

func (h *HeardMemory) names() (sum uint64) {
	for _, m := range h.shards {
		sum |= m.Names
	}
	return sum
}

func (h *HeardMemory) left(key round.MemoryKey) time.Time {
	for _, m := range h.shards {
		if t, ok := m.Left[key]; ok {
			return t
		}
	}
	return time.Time{}
}

// Of is what this node remembers, for the others; gone is until when caches may hold static records that no file has. A return that is over
// is told only for as long as others have to wait by it, though it stands in a view for some time: else the nodes remind each other of it, and
// take it for the next one.
func (m *Memory) Of(gone map[round.MemoryKey]time.Time, now time.Time) *round.Memory {
	out := &round.Memory{Names: m.names(), Returns: make(map[round.MemoryKey]health.Return), Left: make(map[round.MemoryKey]time.Time), Gone: gone}
	for ref, view := range m.table.Watched() {
		p := m.table.Model.Zones[ref.Zone].Pools[ref.Pool]
		keys := m.keysOf(ref)
		if r := view.Return; !r.Over(p.Failbacks, now) || r.On() && (view.Waits(p.Failbacks, now) || m.table.Older(ref, r.Since, now)) {
			out.Returns[keys.pool] = r
		}
		for i, r := range view.ReturnAZ {
			if !r.Over(p.Failbacks, now) {
				out.Returns[keys.azs[i]] = r
			}
		}
		for i, v := range view.Endpoints {
			if !v.Verdict.InService() && !v.Left.IsZero() {
				out.Left[keys.endpoints[i]] = v.Left
			}
		}
	}
	return out
}

// names is round.Memory.Names of the table.
func (m *Memory) names() uint64 {
	if m.sum == 0 {
		for ref := range m.table.Watched() {
			keys := m.keysOf(ref)
			for _, key := range append(slices.Clip(keys.azs), keys.pool) {
				m.sum += binary.BigEndian.Uint64(key[:])
			}
		}
	}
	return m.sum
}

// forcedUp tells whether an operator has let something of the pool in: then nobody's memory holds it back.
func forcedUp(v *health.PoolView) bool {
	return slices.ContainsFunc(v.Endpoints, func(e health.EndpointView) bool { return e.Forced == health.Up && !e.Drained })
}

func noneInService(v *health.PoolView) bool {
	return !slices.ContainsFunc(v.Endpoints, func(e health.EndpointView) bool { return e.InService() })
}

// Follow brings the table's memory in line with that of most of the nodes that are heard; changed tells whether it was not. A
// node that was cut off, or stopped, may have missed how a pool left, or that a person let it in; the word of one alone, though,
// must not let in what the others hold back. Of an even number the more careful half decides. first is the one of heard with the least name, if
// that is before this node's, else nil.
func (m *Memory) Follow(heard []*HeardMemory, first *HeardMemory, now time.Time) (changed bool) {
	for _, h := range heard {
		h.others = h.names() != m.names()
	}
	for ref, own := range m.table.Watched() {
		p := m.table.Model.Zones[ref.Zone].Pools[ref.Pool]
		r := recall{heard: heard, failbacks: p.Failbacks, now: now, keys: m.keysOf(ref),
			older: func(since time.Time) bool { return own.Waits(p.Failbacks, now) || m.table.Older(ref, since, now) }}
		if view := r.view(own); view != nil {
			m.table.Amend(ref, view)
			changed = true
		}
	}
	if first != nil {
		changed = m.align(first, now) || changed
	}
	if changed {
		m.table.AllDirty()
	}
	return changed
}

// alignWithin is how far the instants of two nodes may be apart that are the same but for the way between them.
const alignWithin = 50 * time.Millisecond

// align takes up when endpoints left lately as another node, the same for all, remembers it, where that is another order or
// further off than the way explains: the speed limit goes by the order, and two nodes may have seen two endpoints leave within
// a second in two orders.
func (m *Memory) align(other *HeardMemory, now time.Time) bool {
	type departure struct {
		ref      table.Ref
		i        int
		own, his time.Time
	}
	var list []departure
	off := false
	for ref, view := range m.table.Watched() {
		for i, v := range view.Endpoints {
			if v.Verdict.InService() || v.Left.IsZero() || now.Sub(v.Left) > health.RemovalWindow+memorySlack {
				continue
			}
			his := other.left(m.keysOf(ref).endpoints[i])
			if d := his.Sub(v.Left).Abs(); d <= memorySlack {
				list = append(list, departure{ref, i, v.Left, his})
				off = off || d > alignWithin
			}
		}
	}
	slices.SortStableFunc(list, func(a, b departure) int { return a.his.Compare(b.his) })
	for i := 1; i < len(list); i++ {
		off = off || list[i-1].own.Compare(list[i].own) != list[i-1].his.Compare(list[i].his)
	}
	if !off {
		return false
	}
	copied := make(map[table.Ref]*health.PoolView)
	for _, d := range list {
		if copied[d.ref] == nil {
			next := *m.table.Pool(d.ref)
			next.Endpoints = slices.Clone(next.Endpoints)
			copied[d.ref] = &next
			m.table.Amend(d.ref, &next)
		}
		copied[d.ref].Endpoints[d.i].Left = d.his
	}
	return true
}

// A recall is what other nodes remember of one pool, for one look.
type recall struct {
	heard     []*HeardMemory
	failbacks []config.Failback
	now       time.Time
	keys      *memoryKeys
	older     func(since time.Time) bool
}

// view is the view with what most remember; nil if it is that already.
func (r *recall) view(view *health.PoolView) *health.PoolView {
	next := *view
	changed := recallLeft(&next, r.keys.endpoints, r.heard)
	if !noneInService(view) && !forcedUp(view) {
		changed = r.returned(&next.Return, r.keys.pool, r.older) || changed
		changed = r.azs(&next) || changed
	}
	if !changed {
		return nil
	}
	return &next
}

// azs is returned for the AZs of the pool. ReturnAZ is nil where all are zero.
func (r *recall) azs(view *health.PoolView) (changed bool) {
	returns := slices.Clone(view.ReturnAZ)
	if returns == nil {
		returns = make([]health.Return, len(r.keys.azs))
	}
	for i, key := range r.keys.azs {
		changed = r.returned(&returns[i], key, func(time.Time) bool { return false }) || changed
	}
	if !changed {
		return false
	}
	if view.ReturnAZ = returns; !slices.ContainsFunc(returns, func(r health.Return) bool { return !r.IsZero() }) {
		view.ReturnAZ = nil
	}
	return true
}

// returned takes up the return that stands in the middle of what all remember, the least advanced first, then the earliest instants that
// anybody has for it: on its way an instant only ever becomes later, so that all come to the same one, and never past it. Who spoke before a return or its retry began, or just after, knows nothing of it yet, which is not the word that it is
// over; and what is over by now holds nobody back, whenever it was said. older is for returns that are over and remembered all the same.
func (r *recall) returned(own *health.Return, key round.MemoryKey, older func(since time.Time) bool) (changed bool) {
	said := func(h *HeardMemory) health.Return {
		o, _ := h.returned(key)
		if o.On() && o.Over(r.failbacks, r.now) && !older(o.Since) {
			return health.Return{}
		}
		return o
	}
	all := []health.Return{*own}
	for _, h := range r.heard {
		if _, named := h.returned(key); !named && h.others {
			continue
		}
		if o := said(h); !behind(&o, own, h.asOf()) {
			all = append(all, o)
		}
	}
	slices.SortStableFunc(all, func(a, b health.Return) int { return compareProgress(&a, &b) })
	if middle := all[(len(all)-1)/2]; !sameReturn(own, &middle) {
		*own, changed = middle, true
	}
	if !own.On() || own.Over(r.failbacks, r.now) {
		return changed
	}
	for _, h := range r.heard {
		if o := said(h); sameReturn(own, &o) {
			changed = takeEarlier(own, &o) || changed
		}
	}
	return changed
}

// behind tells whether who said o at the given instant had not heard yet how own goes on: that it began, or that it was sent back.
func behind(o, own *health.Return, at time.Time) bool {
	if !own.On() {
		return false
	}
	if o.Since.Before(own.Since.Add(-memorySlack)) {
		return at.Before(own.Since.Add(memorySlack))
	}
	n := len(own.Retries)
	return len(o.Retries) < n && at.Before(own.Retries[n-1].Add(memorySlack))
}

// takeEarlier gives own the instants of o, another copy of the same return, that are earlier by more than nothing worth a new view.
func takeEarlier(own, o *health.Return) (changed bool) {
	take := func(mine *time.Time, other time.Time) {
		if !other.IsZero() && mine.Sub(other) > alignWithin {
			*mine, changed = other, true
		}
	}
	take(&own.Since, o.Since)
	take(&own.Admitted, o.Admitted)
	take(&own.Reloaded, o.Reloaded)
	own.Retries = slices.Clone(own.Retries)
	for i := range own.Retries {
		take(&own.Retries[i], o.Retries[i])
	}
	return changed
}

// compareProgress orders returns by how far they are: one that is over, or never was, is the furthest.
func compareProgress(a, b *health.Return) int {
	switch {
	case a.On() != b.On():
		if a.On() {
			return -1
		}
		return 1
	case !a.On():
		return 0
	case a.Admitted.IsZero() != b.Admitted.IsZero():
		if a.Admitted.IsZero() {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(b.Doubled+len(b.Retries), a.Doubled+len(a.Retries)), b.Since.Compare(a.Since))
}

// sameReturn tells whether two nodes speak of the same return at the same point.
func sameReturn(a, b *health.Return) bool {
	near := func(x, y time.Time) bool {
		d := x.Sub(y)
		return x.IsZero() == y.IsZero() && d < memorySlack && d > -memorySlack
	}
	if a.On() != b.On() {
		return false
	}
	return !a.On() || near(a.Since, b.Since) && near(a.Admitted, b.Admitted) && near(a.Reloaded, b.Reloaded) && len(a.Retries) == len(b.Retries) && a.Doubled == b.Doubled
}

// recallLeft takes up when the endpoints left, in the middle of what all remember: the speed limit and last_good follow from it.
func recallLeft(view *health.PoolView, keys []round.MemoryKey, heard []*HeardMemory) (changed bool) {
	for i, v := range view.Endpoints {
		if v.Verdict.InService() || v.Verdict.Pending() {
			continue
		}
		var all []time.Time
		if !v.Left.IsZero() {
			all = append(all, v.Left)
		}
		for _, h := range heard {
			if t := h.left(keys[i]); !t.IsZero() {
				all = append(all, t)
			}
		}
		if len(all) == 0 {
			continue
		}
		slices.SortFunc(all, time.Time.Compare)
		middle := all[(len(all)-1)/2]
		if d := middle.Sub(v.Left); d < memorySlack && d > -memorySlack {
			continue
		}
		if !changed {
			view.Endpoints, changed = slices.Clone(view.Endpoints), true
		}
		view.Endpoints[i].Left = middle
	}
	return changed
}
