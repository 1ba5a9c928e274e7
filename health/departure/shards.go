package departure

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A shardOrder is what is known of an order about shards while it is planned or in force. Until it begins, and until it ends by itself, no answer
// about its shards outlives that instant but for the floor, at every node where it has effect: for how long nodes have had it says which of their
// answers can be longer.
type shardOrder struct {
	service string
	shards  config.Shards
	// open is set until it has ended here; start is when it begins, end when it ends unless it is forever.
	open       bool
	start, end time.Time
	forever    bool
	// known is since when another node has had it, and all other orders as this node, without a break, and when it begins there, by name.
	known map[string]knownSince
}

type knownSince struct{ at, start time.Time }

// startSlack is by how much the start of an order may move at a node without a new beginning: what the way between two nodes explains.
const startSlack = 2 * time.Second

// followShards notes which nodes have the orders about shards, of those that are open here.
func (s *Set) followShards(open []health.Intent, others []Other, now time.Time) {
	for _, k := range s.shardOrders {
		k.open = false
	}
	for i := range open {
		o := &open[i]
		if o.Scope.Kind != health.ScopeShards {
			continue
		}
		k := s.shardOrders[o.ID]
		if k == nil {
			k = &shardOrder{service: o.Service, shards: o.Scope.Shards(), known: make(map[string]knownSince)}
			s.shardOrders[o.ID] = k
		}
		k.open, k.start, k.end, k.forever = true, o.Start, o.End, o.Forever
		for n := range others {
			start, has := others[n].Starts[o.ID]
			k.note(others[n].Node, start, has && others[n].same(), now)
		}
	}
	for id, k := range s.shardOrders {
		if k.open {
			continue
		}
		// A move that its end brought about asks for it a moment later.
		if k.forever || now.Sub(k.end) > time.Minute {
			delete(s.shardOrders, id)
		}
		for n := range others {
			if !others[n].same() {
				delete(k.known, others[n].Node)
			}
		}
	}
}

// same tells whether it serves the same files, and has the same orders: what they make of each other, it makes of them too.
func (o *Other) same() bool { return o.Silent.Why == "" && o.SameOrders }

// sameMoves tells whether another node is known to have the same orders about shards of a move in force as this one.
func (s *Set) sameMoves(m *movedNames, o *Other, now time.Time) bool {
	for id := range o.Starts {
		if k := s.shardOrders[id]; k == nil || !k.open {
			return false
		}
	}
	for id, k := range s.shardOrders {
		if !k.open || k.service != m.service || !k.shards.Meets(m.shards) {
			continue
		}
		if start, has := o.Starts[id]; !has || k.start.After(now) != start.After(o.Heard) {
			return false
		}
	}
	return true
}

// note takes what a node is known to have now.
func (k *shardOrder) note(node string, start time.Time, has bool, now time.Time) {
	was, known := k.known[node]
	switch {
	case !has:
		delete(k.known, node)
	case !known || was.start.Sub(start) > startSlack || start.Sub(was.start) > startSlack:
		k.known[node] = knownSince{now, start}
	}
}

// homesIn is where shards are at home in a view of a zone.
func homesIn(zv *health.ZoneView) config.ShardHome {
	return func(z *config.Zone, service, shard int) (int, bool) {
		return zv.Scoped[service].ShardAt(z.Services[service].Cells, shard)
	}
}

// sameHomes tells, without a look at each shard, whether two views of a zone have all shards at the same homes.
func sameHomes(was, is *health.ZoneView) bool {
	if was.Zone != is.Zone {
		return false
	}
	for _, views := range []*health.ZoneView{was, is} {
		for i := range views.Scoped {
			a, b := was.Scoped[i], is.Scoped[i]
			if a != b && views.Zone.Services[i].Cells != nil && (a == nil || b == nil || !a.SameShards(b)) {
				return false
			}
		}
	}
	return true
}

// Published notes the shards that v answers from elsewhere than the view before.
func (s *Set) Published(v *health.View, swap *ledger.Swap, now time.Time) {
	old := s.view
	s.view, s.movedCells = v, nil
	defer s.noteDeadlines(v, now)
	if old == nil {
		s.claimShards(v)
		return
	}
	for _, is := range v.Zones {
		at := slices.IndexFunc(old.Zones, func(was *health.ZoneView) bool { return was.Zone.Name == is.Zone.Name })
		if at < 0 {
			continue
		}
		was := old.Zones[at]
		if was.Zone != is.Zone {
			s.noteTTL(was.Zone, is.Zone, now)
		}
		if sameHomes(was, is) {
			continue
		}
		for _, moved := range config.MovedCells(was.Zone, is.Zone, homesIn(was), homesIn(is)) {
			m := newMoved(was.Zone.Name, &moved, now)
			s.moveBack(m)
			m.quiet = swap.Quiet
			s.findDeadline(m, was, is, now)
			s.holdOwn(m, now)
			s.moved = append(s.moved, m)
			s.movedCells = append(s.movedCells, Left{
				Label: ledger.Label{Zone: m.zone}, Owner: m.service, RData: m.what, Service: m.service, Why: moved.Why, Expires: m.until,
			})
		}
	}
}

// moveBack takes out of earlier moves the shards that now go back to where they were.
func (s *Set) moveBack(now *movedNames) {
	s.moved = slices.DeleteFunc(s.moved, func(m *movedNames) bool {
		if m.service != now.service || m.from != now.to || len(m.shards) == 0 || !m.shards.Meets(now.shards) {
			return false
		}
		m.shards = m.shards.Without(now.shards)
		m.what = "cells " + m.shards.Short() + m.way
		return len(m.shards) == 0
	})
}

// A shardDeadline is that of an order in what is answered: since when all answers about its shards have one, and the latest instant at which that
// comes.
type shardDeadline struct{ since, at time.Time }

type deadlineKey struct {
	service string
	order   health.IntentID
}

// noteDeadlines notes what deadlines answers have from now on.
func (s *Set) noteDeadlines(v *health.View, now time.Time) {
	next := make(map[deadlineKey]shardDeadline)
	for _, zv := range v.Zones {
		for i, scoped := range zv.Scoped {
			for _, move := range scoped.ShardMoves {
				key := deadlineKey{zv.Zone.Services[i].Name, move.ID}
				was, had := s.deadlines[key]
				if !had || move.At.Before(was.at) {
					// Answers until now may have a later one.
					was.since = now
				}
				next[key] = shardDeadline{was.since, move.At}
			}
		}
	}
	s.deadlines = next
}

// findDeadline finds out whether answers before a move had a deadline that has come: whatever moved the shards. An order that began or ended
// otherwise (it was suspended, another one that held instead of it was ended, it ended early) had given them none.
func (s *Set) findDeadline(m *movedNames, was, is *health.ZoneView, now time.Time) {
	if len(m.shards) == 0 || was.Zone != is.Zone {
		return
	}
	service := slices.IndexFunc(is.Zone.Services, func(s *config.Service) bool { return s.Name == m.service })
	scoped := was.Scoped[service]
	if scoped == nil {
		return
	}
	rest := m.shards
	for _, move := range scoped.ShardMoves {
		if move.At.After(now) || !move.Shards.Meets(rest) {
			continue
		}
		rest = rest.Without(move.Shards)
		m.orders = append(m.orders, move.ID)
		m.bounded = ledger.Later(m.bounded, s.deadlines[deadlineKey{m.service, move.ID}].since)
	}
	if len(rest) > 0 {
		m.orders = nil
	}
}

// deadline tells since when answers of another node before the move had the deadline; false if some had none.
func (s *Set) deadline(m *movedNames, node string) (since time.Time, had bool) {
	// The way between two nodes explains that it began to have effect a moment later there.
	since = m.bounded.Add(startSlack)
	for _, id := range m.orders {
		k := s.shardOrders[id]
		if k == nil {
			return since, false
		}
		at, known := k.known[node]
		if !known {
			return since, false
		}
		since = ledger.Later(since, at.at)
	}
	return since, len(m.orders) > 0
}

// claimShards has moves stand that orders in force have brought about before this process began: an earlier one may have answered the homes.
func (s *Set) claimShards(v *health.View) {
	for _, zv := range v.Zones {
		file := &health.ZoneView{Zone: zv.Zone}
		if sameHomes(file, zv) {
			continue
		}
		for _, moved := range config.MovedCells(zv.Zone, zv.Zone, homesIn(file), homesIn(zv)) {
			s.moved = append(s.moved, newMoved(zv.Zone.Name, &moved, s.opts.Started))
		}
	}
}
