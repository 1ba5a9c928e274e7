package departure

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// A shardOrder is what is known of an order about shards while it is planned or in force. Until it begins, and until it ends by itself, no answer
// about its shards outlives that instant but for the floor, at every node that has it: for how long nodes have had it says which of their
// answers can be longer.
type shardOrder struct {
	end     time.Time
	forever bool
	// known is since when a node has had it without a break, and start when the order begins there, by name.
	known map[string]knownSince
}

type knownSince struct{ at, start time.Time }

// startSlack is by how much the start of an order may move at a node without a new beginning: what the way between two nodes explains.
const startSlack = 2 * time.Second

// self stands for this node among the nodes that have an order.
const self = ""

// followShards notes which nodes have the orders about shards, of those that are open here.
func (s *Set) followShards(open []health.Intent, others []Other, now time.Time) {
	seen := make(map[health.IntentID]bool)
	for i := range open {
		o := &open[i]
		if o.Scope.Kind != health.ScopeShards {
			continue
		}
		seen[o.ID] = true
		k := s.shardOrders[o.ID]
		if k == nil {
			k = &shardOrder{known: make(map[string]knownSince)}
			s.shardOrders[o.ID] = k
		}
		k.end, k.forever = o.End, o.Forever
		k.note(self, o.Start, true, now)
		for n := range others {
			start, has := others[n].Starts[o.ID]
			k.note(others[n].Node, start, has && others[n].Silent.Why == "", now)
		}
	}
	for id, k := range s.shardOrders {
		// A move that its end brought about asks for it a moment later.
		if !seen[id] && (k.forever || now.Sub(k.end) > time.Minute) {
			delete(s.shardOrders, id)
		}
	}
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
	if old == nil {
		s.claimShards(v)
		return
	}
	for _, is := range v.Zones {
		at := slices.IndexFunc(old.Zones, func(was *health.ZoneView) bool { return was.Zone.Name == is.Zone.Name })
		if at < 0 || sameHomes(old.Zones[at], is) {
			continue
		}
		was := old.Zones[at]
		for _, moved := range config.MovedCells(was.Zone, is.Zone, homesIn(was), homesIn(is)) {
			m := newMoved(was.Zone.Name, &moved, now)
			s.moveBack(m)
			m.quiet = swap.Quiet
			s.labelOrder(m, was, is)
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

// labelOrder finds out by which order shards moved, if it is one for all of them, and whether all answers before had its deadline.
func (s *Set) labelOrder(m *movedNames, was, is *health.ZoneView) {
	if len(m.shards) == 0 || was.Zone != is.Zone {
		return
	}
	service := slices.IndexFunc(is.Zone.Services, func(s *config.Service) bool { return s.Name == m.service })
	first := true
	for _, r := range m.shards {
		for shard := r.First; shard <= r.Last; shard++ {
			o, ended := is.Scoped[service].ShardOrder(shard), false
			if o == nil {
				o, ended = was.Scoped[service].ShardOrder(shard), true
			}
			if o == nil || !first && (o.ID != m.order || ended != m.ended) {
				m.order = health.IntentID{}
				return
			}
			m.order, m.ended, first = o.ID, ended, false
		}
	}
}

// deadline tells since when answers of a node before the move had the deadline; false if some had none.
func (s *Set) deadline(m *movedNames, node string, now time.Time) (since time.Time, had bool) {
	k := s.shardOrders[m.order]
	if m.order == (health.IntentID{}) || k == nil || m.ended && (k.forever || now.Before(k.end)) {
		return since, false
	}
	at, had := k.known[node]
	return at.at, had
}

// claimShards has moves stand that orders in force have brought about before this process began: an earlier one may have answered the homes.
func (s *Set) claimShards(v *health.View) {
	for _, zv := range v.Zones {
		file := &health.ZoneView{Zone: zv.Zone}
		if sameHomes(file, zv) {
			continue
		}
		for _, moved := range config.MovedCells(zv.Zone, zv.Zone, homesIn(file), homesIn(zv)) {
			m := newMoved(zv.Zone.Name, &moved, s.opts.Started)
			m.claimed = true
			s.moved = append(s.moved, m)
		}
	}
}
