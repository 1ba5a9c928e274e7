package departure

import (
	"slices"
	"strings"
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
			if a != b && views.Zone.Services[i].Cells != nil && (a == nil || b == nil || !a.SameHomes(b)) {
				return false
			}
		}
	}
	return true
}

// Published notes the shards that v answers from elsewhere than the view before: by orders and files, and by health.
func (s *Set) Published(v *health.View, swap *ledger.Swap, now time.Time) {
	old := s.view
	s.view, s.movedCells, s.answered = v, nil, swap.Shards
	defer s.noteDeadlines(v, now)
	if old == nil || old.Model == nil || old.Model != v.Model {
		s.cells = slices.ContainsFunc(v.Zones, func(zv *health.ZoneView) bool {
			return slices.ContainsFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Cells != nil })
		})
	}
	if old == nil {
		s.claimShards(v)
		return
	}
	s.moveBack()
	before := len(s.moved)
	for k, is := range v.Zones {
		was := zoneOf(old, k, is.Zone.Name)
		if was == nil {
			continue
		}
		if was.Zone != is.Zone {
			s.noteTTL(was.Zone, is.Zone, now)
		}
		if !sameHomes(was, is) {
			s.moveHomes(was, is, swap.Quiet, now)
		}
	}
	s.moveAnswers(old, v, s.moved[before:], swap.Quiet, now)
}

// zoneOf is the zone of a name in v, which mostly stands at k; nil for none. Zones are sorted by name.
func zoneOf(v *health.View, k int, name string) *health.ZoneView {
	if k >= len(v.Zones) || v.Zones[k].Zone.Name != name {
		var found bool
		if k, found = slices.BinarySearchFunc(v.Zones, name, func(z *health.ZoneView, name string) int { return strings.Compare(z.Zone.Name, name) }); !found {
			return nil
		}
	}
	return v.Zones[k]
}

// moveHomes notes the shards of a zone that have another home by orders, or by a file.
func (s *Set) moveHomes(was, is *health.ZoneView, quiet <-chan struct{}, now time.Time) {
	for _, moved := range config.MovedCells(was.Zone, is.Zone, homesIn(was), homesIn(is)) {
		if answered := s.answeredOf(moved.Service); answered != nil && len(moved.Shards) > 0 {
			if !moved.FromHome {
				// From which pools they went, their answers say.
				continue
			}
			// The older home may answer them as one that takes over.
			moved.Shards = moved.Shards.Without(answered.From(moved.From, moved.Shards))
			if len(moved.Shards) == 0 {
				continue
			}
			moved.What = cellsInWords(moved.Shards, moved.From, moved.To)
		}
		m := newMoved(was.Zone.Name, &moved, now)
		if s.answeredOf(m.service) == nil {
			s.takeBack(m.service, m.shards, m.to)
		}
		s.begin(m, was, is, quiet, now)
		s.movedCells = append(s.movedCells, Left{
			Label: ledger.Label{Zone: m.zone}, Owner: m.service, RData: m.what, Service: m.service, Why: moved.Why, Expires: m.until,
		})
	}
}

// moveAnswers notes the shards whose answers have moved, but for those that are noted already.
func (s *Set) moveAnswers(old, v *health.View, noted []*movedNames, quiet <-chan struct{}, now time.Time) {
	noted = slices.Clone(noted)
	for i := range s.answered {
		a := &s.answered[i]
		if len(a.Moved) == 0 {
			continue
		}
		was, is := zoneOf(old, 0, a.Zone), zoneOf(v, 0, a.Zone)
		if was == nil || is == nil {
			continue
		}
		service := slices.IndexFunc(was.Zone.Services, func(svc *config.Service) bool { return svc.Name == a.Service })
		for k := 0; service >= 0 && k < len(a.Moved); k++ {
			for _, from := range a.Moved[k].From {
				rest := a.Moved[k].Shards
				for _, m := range noted {
					if m.service == a.Service && m.from == from {
						rest = rest.Without(m.shards)
					}
				}
				if len(rest) > 0 {
					s.begin(newMoved(a.Zone, movedOf(was.Zone.Services[service], rest, from, a.Moved[k].To), now), was, is, quiet, now)
				}
			}
		}
	}
}

// movedOf are shards of a service that a pool answered, and others, by name, answer now.
func movedOf(svc *config.Service, shards config.Shards, from string, to []string) *config.MovedNames {
	m := &config.MovedNames{Before: svc, Service: svc.Name, Shards: shards, From: from, To: "nowhere"}
	if len(to) > 0 {
		m.To = strings.Join(to, " and ")
	}
	m.What = cellsInWords(shards, m.From, m.To)
	return m
}

func cellsInWords(shards config.Shards, from, to string) string {
	return "cells " + shards.Short() + " from " + from + " to " + to
}

// begin has a move stand.
func (s *Set) begin(m *movedNames, was, is *health.ZoneView, quiet <-chan struct{}, now time.Time) {
	m.quiet = quiet
	s.findDeadline(m, was, is, now)
	s.holdOwn(m, now)
	s.moved = append(s.moved, m)
}

// answeredOf is from where the shards of a service are answered; nil where whoever publishes does not say it.
func (s *Set) answeredOf(service string) *ledger.ServiceShards {
	at := slices.IndexFunc(s.answered, func(a ledger.ServiceShards) bool { return a.Service == service })
	if at < 0 {
		return nil
	}
	return &s.answered[at]
}

// moveBack takes the shards out of earlier moves that are answered from there again.
func (s *Set) moveBack() {
	for i := range s.answered {
		a := &s.answered[i]
		for _, at := range a.At {
			for _, pool := range at.Pools {
				s.takeBack(a.Service, at.Shards, pool)
			}
		}
	}
}

// takeBack takes shards out of earlier moves from a pool, which answers them again.
func (s *Set) takeBack(service string, shards config.Shards, pool string) {
	s.moved = slices.DeleteFunc(s.moved, func(m *movedNames) bool {
		if m.service != service || m.from != pool || len(m.shards) == 0 || !m.shards.Meets(shards) {
			return false
		}
		m.shards = m.shards.Without(shards)
		m.what = cellsInWords(m.shards, m.from, m.to)
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

// claimShards has moves stand that orders in force, and health, have brought about before this process began: an earlier one may have answered
// the homes.
func (s *Set) claimShards(v *health.View) {
	for _, zv := range v.Zones {
		if file := (&health.ZoneView{Zone: zv.Zone}); !sameHomes(file, zv) {
			for _, moved := range config.MovedCells(zv.Zone, zv.Zone, homesIn(file), homesIn(zv)) {
				if answered := s.answeredOf(moved.Service); answered == nil || len(answered.From(moved.From, moved.Shards)) == 0 {
					s.moved = append(s.moved, newMoved(zv.Zone.Name, &moved, s.opts.Started))
				}
			}
		}
		s.claimAnswers(zv)
	}
}

// claimAnswers has moves stand of shards that are not answered from their homes by health, unless caches hold nothing of an earlier process.
func (s *Set) claimAnswers(zv *health.ZoneView) {
	if g := s.opts.Greatest; g.Unnamed() == "" && !g.Asks() && !s.opts.Started.Before(s.book.Earlier().Add(s.opts.Transit)) {
		return
	}
	for _, svc := range zv.Zone.Services {
		answered := s.answeredOf(svc.Name)
		if answered == nil || svc.Cells == nil {
			continue
		}
		for _, home := range svc.Cells.Homes() {
			name := zv.Zone.Pools[home].Name
			away := svc.Cells.ShardsAt(home).Without(answered.From(name, svc.Cells.ShardsAt(home)))
			for _, m := range s.moved {
				if m.service == svc.Name && m.from == name {
					away = away.Without(m.shards)
				}
			}
			for _, at := range answered.At {
				if shards := at.Shards.Both(away); len(shards) > 0 {
					s.moved = append(s.moved, newMoved(zv.Zone.Name, movedOf(svc, shards, name, at.Pools), s.opts.Started))
				}
			}
		}
	}
}
