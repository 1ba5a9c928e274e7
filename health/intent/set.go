package intent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

const (
	// keepEnds is how long an end stays after every configured node had it, so that no late message brings the intent back.
	// By gossip's order of rounds one shard could be late by no more than its repetitions take; this is far beyond.
	keepEnds = 10 * time.Minute
	// keepOver is how long an intent stays whose time has passed: another node's clock may say that it has not.
	keepOver = 10 * time.Minute
)

// An End says that an intent is over, and by whom. It takes the intent's place.
type End struct {
	Actor, Reason string
	// At is when, on this process's clock.
	At time.Time
	// Seen is set once every configured node has the end.
	Seen bool
	// seenAt is when this process learned of that; it does not travel.
	seenAt time.Time
}

// A Set is intents and their ends. The zero Set is empty. Its methods never write what a Set shares with another. An id has
// either an intent or an end.
type Set struct {
	intents map[health.IntentID]health.Intent
	ends    map[health.IntentID]End
	// bounds are what intents bind; it is not in intents. One may come before its intent, and grows by the union.
	bounds map[health.IntentID]health.Binding
}

// Add is s with i in it. An id that is there already merges.
func (s Set) Add(i health.Intent) Set {
	one := Set{}
	if i.Bound.Len() > 0 {
		one.bounds = map[health.IntentID]health.Binding{i.ID: i.Bound}
	}
	i.Bound = health.Binding{}
	one.intents = map[health.IntentID]health.Intent{i.ID: i}
	return s.Merge(one)
}

// End is s with the intents named over. An id that s does not know is kept as ended all the same: it may arrive later.
func (s Set) End(e End, ids ...health.IntentID) Set {
	ends := make(map[health.IntentID]End, len(ids))
	for _, id := range ids {
		ends[id] = e
	}
	return s.Merge(Set{ends: ends})
}

// Merge is all that either of the two knows: idempotent, commutative and associative. Of one intent the least start and the
// greatest end win: it is in force for as long as either says. An end is final.
func (s Set) Merge(o Set) Set {
	out := Set{intents: maps.Clone(s.intents), ends: maps.Clone(s.ends), bounds: maps.Clone(s.bounds)}
	if out.bounds == nil {
		out.bounds = make(map[health.IntentID]health.Binding)
	}
	if out.intents == nil {
		out.intents = make(map[health.IntentID]health.Intent)
	}
	if out.ends == nil {
		out.ends = make(map[health.IntentID]End)
	}
	for id, i := range o.intents {
		if was, ok := out.intents[id]; ok {
			i = mergeIntents(was, i)
		}
		out.intents[id] = i
	}
	for id, e := range o.ends {
		if was, ok := out.ends[id]; ok {
			e = mergeEnds(was, e)
		}
		out.ends[id] = e
	}
	for id, b := range o.bounds {
		out.bounds[id] = out.bounds[id].Union(b)
	}
	for id := range out.ends {
		delete(out.intents, id)
		delete(out.bounds, id)
	}
	return out
}

// mergeIntents merges two copies of one intent. All but the times and the confirmation is written once, by the node that
// accepted it; if two copies differ in it all the same, one of them is taken whichever comes first.
func mergeIntents(a, b health.Intent) health.Intent {
	out := a
	if compareFixed(b, a) < 0 {
		out = b
	}
	out.Start = a.Start
	if b.Start.Before(a.Start) {
		out.Start = b.Start
	}
	out.End, out.Forever = a.End, a.Forever || b.Forever
	if b.End.After(a.End) {
		out.End = b.End
	}
	if out.Forever {
		out.End = time.Time{}
	}
	out.Confirmed = a.Confirmed || b.Confirmed
	// A node of an earlier version hands an order on without it.
	out.Lifeboat = a.Lifeboat || b.Lifeboat
	return out
}

// mergeEnds merges two ends of one intent: the first one ended it.
func mergeEnds(a, b End) End {
	out := a
	if compareEnds(b, a) < 0 {
		out = b
	}
	out.Seen, out.seenAt = a.Seen || b.Seen, a.seenAt
	if a.seenAt.IsZero() || !b.seenAt.IsZero() && b.seenAt.Before(a.seenAt) {
		out.seenAt = b.seenAt
	}
	return out
}

func compareFixed(a, b health.Intent) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), compareScopes(a.Scope, b.Scope), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.State, b.State),
		cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.Reason, b.Reason), slices.Compare(a.Override, b.Override),
	)
}

func compareScopes(a, b health.Scope) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Zone, b.Zone), cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Name, b.Name))
}

func compareEnds(a, b End) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Actor, b.Actor), cmp.Compare(a.Reason, b.Reason))
}

// Open are the intents that nobody ended and whose time has not passed, by id: those in force, and those planned.
func (s Set) Open(at time.Time) []health.Intent {
	return s.that(func(i *health.Intent) bool { return !i.Over(at) })
}

// Over are the intents that nobody ended and whose time has passed, by id, as long as they are kept.
func (s Set) Over(at time.Time) []health.Intent {
	return s.that(func(i *health.Intent) bool { return i.Over(at) })
}

// that are the intents for which ok holds, by id.
func (s Set) that(ok func(*health.Intent) bool) (list []health.Intent) {
	for _, i := range s.intents {
		if ok(&i) {
			i.Bound = s.bounds[i.ID]
			list = append(list, i)
		}
	}
	slices.SortFunc(list, func(a, b health.Intent) int { return a.ID.Compare(b.ID) })
	return list
}

// Next is the nearest start or end after the given instant; zero if there is none.
func (s Set) Next(at time.Time) time.Time {
	var next time.Time
	for _, i := range s.Open(at) {
		for _, t := range []time.Time{i.Start, i.End} {
			if t.After(at) && (next.IsZero() || t.Before(next)) {
				next = t
			}
		}
	}
	return next
}

// Len is how many intents and ends there are.
func (s Set) Len() int { return len(s.intents) + len(s.ends) }

// Both is what of s is also in o.
func (s Set) Both(o Set) Set {
	ids := slices.Concat(slices.Collect(maps.Keys(s.intents)), slices.Collect(maps.Keys(s.ends)))
	return s.Only(slices.DeleteFunc(ids, func(id health.IntentID) bool {
		known, _ := o.Holds(id)
		return !known
	})...)
}

// Holds tells what s says of an id: that it is known at all, and that it is over.
func (s Set) Holds(id health.IntentID) (known, ended bool) {
	_, ended = s.ends[id]
	_, open := s.intents[id]
	return open || ended, ended
}

// Covers tells whether s knows what o knows of an id: that it is over, or that it is in force for as long, but for what
// the way between two nodes explains.
func (s Set) Covers(o Set, id health.IntentID) bool {
	known, over := s.Holds(id)
	if over || !known {
		return over
	}
	if _, ended := o.Holds(id); ended {
		return false
	}
	have, want := s.intents[id], o.intents[id]
	return have.Forever || !want.Forever && have.End.After(want.End.Add(-LeastMove/2))
}

// Unconfirmed are the intents, and Unseen the ends, of which nobody has said yet that every configured node has them.
func (s Set) Unconfirmed() []health.IntentID {
	return idsOf(s.intents, func(i health.Intent) bool { return !i.Confirmed })
}

// Unseen are the ends; see Unconfirmed.
func (s Set) Unseen() []health.IntentID {
	return idsOf(s.ends, func(e End) bool { return !e.Seen })
}

func idsOf[T any](m map[health.IntentID]T, want func(T) bool) []health.IntentID {
	var ids []health.IntentID
	for id, v := range m {
		if want(v) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, health.IntentID.Compare)
	return ids
}

// Everywhere is s with the note that every configured node has the ids, in the way in which s has them.
func (s Set) Everywhere(ids []health.IntentID) Set {
	out := s.Merge(Set{})
	for _, id := range ids {
		if i, ok := out.intents[id]; ok {
			i.Confirmed = true
			out.intents[id] = i
		}
		if e, ok := out.ends[id]; ok {
			e.Seen = true
			out.ends[id] = e
		}
	}
	return out
}

// Collect is s without what is over for good: ends that every configured node has had for some time, and intents whose time
// passed as long ago.
func (s Set) Collect(at time.Time) Set {
	out := s.Merge(Set{})
	maps.DeleteFunc(out.intents, func(_ health.IntentID, i health.Intent) bool { return i.Over(at.Add(-keepOver)) })
	maps.DeleteFunc(out.bounds, func(id health.IntentID, _ health.Binding) bool { _, ok := out.intents[id]; return !ok })
	for id, e := range out.ends {
		switch {
		case !e.Seen:
		case e.seenAt.IsZero():
			e.seenAt = at
			out.ends[id] = e
		case !at.Before(e.seenAt.Add(keepEnds)):
			delete(out.ends, id)
		}
	}
	return out
}

// Same tells whether the two say the same, but for when this process learned that an end is known everywhere.
func (s Set) Same(o Set) bool {
	return maps.EqualFunc(s.intents, o.intents, func(a, b health.Intent) bool {
		return compareFixed(a, b) == 0 && a.Start.Equal(b.Start) && a.End.Equal(b.End) && a.Forever == b.Forever && a.Confirmed == b.Confirmed && a.Lifeboat == b.Lifeboat
	}) && maps.EqualFunc(s.ends, o.ends, func(a, b End) bool { return compareEnds(a, b) == 0 && a.Seen == b.Seen }) &&
		s.sameBounds(o)
}

// sameBounds tells whether the two bind the same.
func (s Set) sameBounds(o Set) bool { return maps.EqualFunc(s.bounds, o.bounds, health.Binding.Equal) }

// Bound counts what intents bind.
func (s Set) Bound() (n int) {
	for _, b := range s.bounds {
		n += b.Len()
	}
	return n
}

// Incarnation is the greatest incarnation of a node that any id bears; 0 without one.
func (s Set) Incarnation(node string) (greatest uint64) {
	for id := range s.intents {
		if id.Node == node {
			greatest = max(greatest, id.Incarnation)
		}
	}
	for id := range s.ends {
		if id.Node == node {
			greatest = max(greatest, id.Incarnation)
		}
	}
	return greatest
}

// endAlike is s with an end for all that has the scope of an intent that from ends: what an end by name would do. It is for
// simulators.
func (s Set) endAlike(known, from Set) Set {
	out := s.Merge(Set{})
	for id, end := range from.ends {
		ended, ok := known.intents[id]
		if !ok {
			continue
		}
		for alike, i := range out.intents {
			if i.Scope == ended.Scope {
				delete(out.intents, alike)
				out.ends[alike] = end
			}
		}
	}
	return out
}
