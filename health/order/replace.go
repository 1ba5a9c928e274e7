package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// replace begins an order that is filled, in the place of others: one without an id gets one.
func (s *Orders) replace(i health.Intent, now time.Time, replaced ...health.IntentID) (id health.IntentID, then intent.Finish, err error) {
	if err := i.Validate(); err != nil {
		return i.ID, nil, err
	}
	if err := s.rules.admissible(&i, s.Open(now), now, replaced...); err != nil {
		return i.ID, nil, err
	}
	if err := s.rules.mayOrder(); err != nil {
		return i.ID, nil, err
	}
	if !s.opts.Without.Without(health.GuardBound) {
		i.Bound = i.Bound.Union(judge.Bind(s.rules.table.Model.Zones, &i))
	}
	wrapped := func(err error) error { return fmt.Errorf("%s %s: %w", i.Kind, i.Scope, err) }
	if id = i.ID; id != (health.IntentID{}) {
		err = s.store.PutAs(i, now, replaced...)
	} else {
		id, err = s.store.Put(i, now, replaced...)
	}
	if err != nil {
		return id, nil, wrapped(err)
	}
	return id, func(now time.Time, err error) error {
		if err != nil {
			return wrapped(err)
		}
		s.opts.Logger.Info("intent taken", "id", id.String(), "kind", i.Kind.String(), "scope", i.Scope.String(), "service", i.Service,
			"actor", i.Actor, "reason", i.Reason)
		s.inForce(append(replaced, id))
		return nil
	}, nil
}

// end has intents that are open ended; all of them or none.
func (s *Orders) end(ids []health.IntentID, actor, reason string, now time.Time) (then intent.Finish, err error) {
	return s.ended(ids, actor, reason), s.store.End(intent.End{Actor: actor, Reason: reason, At: now}, ids...)
}

// ended takes up that intents have ended once that is on disk.
func (s *Orders) ended(ids []health.IntentID, actor, reason string) intent.Finish {
	return func(_ time.Time, err error) error {
		if err != nil {
			return err
		}
		s.opts.Logger.Info("intents ended", "ids", fmt.Sprint(ids), "actor", actor, "reason", reason)
		s.inForce(ids)
		return nil
	}
}

// extendable is the intent whose end may be moved.
func (s *Orders) extendable(id health.IntentID, end, now time.Time) (was health.Intent, err error) {
	was, ok := openOf(s.Open(now), id)
	if !ok {
		return was, fmt.Errorf("%w: %s", health.ErrNoIntent, id)
	}
	longer, err := extended(was, end)
	if err != nil {
		return was, err
	}
	if err := s.rules.mayOrder(); err != nil {
		return was, err
	}
	return was, s.rules.admissible(&longer, s.Open(now), now, id)
}

// extended is i with a later end.
func extended(i health.Intent, end time.Time) (health.Intent, error) {
	switch {
	case i.Forever:
		return i, fmt.Errorf("%w: %s has no end already", health.ErrIntentConflict, i.ID)
	case end.IsZero():
		i.Forever = true
	case end.Before(i.End):
		return i, fmt.Errorf("%w: %s ends later than that, at %s, and an end only ever moves to a later time: end it and make a new one",
			health.ErrIntentConflict, i.ID, endWord(i.End))
	case end.Sub(i.End) < intent.LeastMove:
		return i, fmt.Errorf("%w: %s ends at %s already: an end moves by %s or more", health.ErrIntentConflict, i.ID, endWord(i.End), intent.LeastMove)
	}
	i.End = end
	return i, nil
}

// endWord is an end for people.
func endWord(end time.Time) string {
	if end.IsZero() {
		return "forever"
	}
	return end.UTC().Format(time.RFC3339)
}

// openOf is one of open, which are the intents that nobody ended and whose time has not passed.
func openOf(open []health.Intent, id health.IntentID) (health.Intent, bool) {
	n := slices.IndexFunc(open, func(i health.Intent) bool { return i.ID == id })
	if n < 0 {
		return health.Intent{}, false
	}
	return open[n], true
}

// replacedBy are those of open that i, in force from now on, takes the place of. A second drain stands beside the first:
// each has an end and a reason of its own.
func replacedBy(i *health.Intent, open []health.Intent, now time.Time) []health.IntentID {
	var ids []health.IntentID
	if i.Kind == health.IntentDrain || i.Start.After(now) {
		return nil
	}
	for _, other := range open {
		if other.Active(now) && other.Kind == i.Kind && other.Scope == i.Scope && other.Service == i.Service {
			ids = append(ids, other.ID)
		}
	}
	return ids
}
