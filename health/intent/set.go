package intent

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// An End says that an intent is over, and by whom.
type End struct {
	Actor, Reason string
	// At is when, on this process's clock.
	At time.Time
}

// A Set is intents and their ends. The zero Set is empty. Its methods never write what a Set shares with another.
type Set struct {
	intents map[health.IntentID]health.Intent
	ends    map[health.IntentID]End
}

// Add is s with i in it. An id that is there already merges.
func (s Set) Add(i health.Intent) Set {
	return s.Merge(Set{intents: map[health.IntentID]health.Intent{i.ID: i}})
}

// End is s with the intents named over. An id that s does not know is kept as ended all the same: it may arrive later.
func (s Set) End(e End, ids ...health.IntentID) Set {
	ends := make(map[health.IntentID]End, len(ids))
	for _, id := range ids {
		ends[id] = e
	}
	return s.Merge(Set{ends: ends})
}

// Merge is all that either of the two knows. Of one intent the least start and the greatest end win: it is in force for as
// long as either says. An end is final.
func (s Set) Merge(o Set) Set {
	out := Set{intents: maps.Clone(s.intents), ends: maps.Clone(s.ends)}
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
		if was, ok := out.ends[id]; ok && compareEnds(was, e) <= 0 {
			e = was
		}
		out.ends[id] = e
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
	return out
}

func compareFixed(a, b health.Intent) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind), compareScopes(a.Scope, b.Scope), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Weight, b.Weight),
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
	var open []health.Intent
	for id, i := range s.intents {
		if _, ended := s.ends[id]; !ended && !i.Over(at) {
			open = append(open, i)
		}
	}
	slices.SortFunc(open, func(a, b health.Intent) int { return a.ID.Compare(b.ID) })
	return open
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

// Collect is s without the intents that are over, and without their ends, where seen says that nobody will bring them back.
func (s Set) Collect(at time.Time, seen func(health.IntentID) bool) Set {
	out := Set{intents: maps.Clone(s.intents), ends: maps.Clone(s.ends)}
	maps.DeleteFunc(out.intents, func(id health.IntentID, i health.Intent) bool {
		_, ended := s.ends[id]
		return (ended || i.Over(at)) && seen(id)
	})
	maps.DeleteFunc(out.ends, func(id health.IntentID, _ End) bool { return seen(id) })
	return out
}
