package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
)

// Extend moves the end of an intent to a later instant; a zero end is forever. The intent stays the same one, with its id: of one
// intent the greatest end wins wherever two nodes meet, so that a later end reaches all. An earlier one would be undone by the
// next node that has not heard of it, and is refused. For the time that it gains, a safety rule may refuse it as it would a new
// intent.
func (e *Engine) Extend(id health.IntentID, end time.Time, actor, reason string) error {
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return e.keep(func(now time.Time) (intent.Finish, error) {
		was, err := e.extendable(id, end, now)
		if err != nil {
			return nil, err
		}
		if err := e.intents.Extend(id, end, now); err != nil {
			return nil, fmt.Errorf("%s %s: %w", was.Kind, id, err)
		}
		return func(now time.Time, err error) error {
			if err != nil {
				return fmt.Errorf("%s %s: %w", was.Kind, id, err)
			}
			e.opts.Logger.Info("intent extended", "id", id.String(), "kind", was.Kind.String(), "scope", was.Scope.String(),
				"old", endWord(was.End), "new", endWord(end), "actor", actor, "reason", reason)
			e.nowInForce([]health.IntentID{id}, now)
			return nil
		}, nil
	})
}

// Extendable tells whether Extend would move the end of an intent there, and changes nothing.
func (e *Engine) Extendable(id health.IntentID, end time.Time) error {
	return e.loop.Do(func(now time.Time) error {
		_, err := e.extendable(id, end, now)
		return err
	})
}

// extendable is the intent whose end may be moved.
func (e *Engine) extendable(id health.IntentID, end, now time.Time) (was health.Intent, err error) {
	was, ok := e.open(id, now)
	if !ok {
		return was, fmt.Errorf("%w: %s", health.ErrNoIntent, id)
	}
	longer, err := extended(was, end)
	switch {
	case err != nil:
		return was, err
	case !e.mayOrder():
		return was, fmt.Errorf("%w: %s", health.ErrNotJoined, e.Shut())
	}
	return was, e.admissible(&longer, now, id)
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

// Resume puts an intent that a rule suspends in force by an operator's word: another one with the same scope, service and end,
// which overrides that rule and those of override, takes its place. One order does both, or nothing.
func (e *Engine) Resume(id health.IntentID, override []string, actor, reason string) (resumed health.IntentID, err error) {
	if err := health.ValidateWords(actor, reason); err != nil {
		return resumed, err
	}
	err = e.keep(func(now time.Time) (then intent.Finish, err error) {
		was, ok := e.open(id, now)
		if !ok {
			return nil, fmt.Errorf("%w: %s", health.ErrNoIntent, id)
		}
		states := e.Intents()
		n := slices.IndexFunc(states, func(s health.IntentState) bool { return s.ID == id })
		if n < 0 || states[n].Suspended == nil {
			return nil, fmt.Errorf("%w: no rule suspends %s", health.ErrIntentConflict, id)
		}
		was.Actor, was.Reason = actor, reason
		was.Override = slices.Concat(was.Override, override, []string{states[n].Suspended.Rule})
		was.Fill(now)
		resumed, then, err = e.replace(was, now, id)
		return then, err
	})
	return resumed, err
}

// open is an intent that nobody ended and whose time has not passed.
func (e *Engine) open(id health.IntentID, now time.Time) (health.Intent, bool) {
	open := e.intents.Set().Open(now)
	n := slices.IndexFunc(open, func(i health.Intent) bool { return i.ID == id })
	if n < 0 {
		return health.Intent{}, false
	}
	return open[n], true
}
