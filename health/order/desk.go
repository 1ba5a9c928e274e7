package order

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
)

// A Desk is where operators, and programs for them, give orders and ask for them. It may be used from any goroutine.
type Desk struct{ orders *Orders }

// Desk is where others give orders.
func (s *Orders) Desk() *Desk { return &Desk{s} }

// Intend takes an order. A start of zero is now, an end of zero that is not Forever is health.DefaultIntent later. When it
// returns without an error the intent is on disk and, if it has started, in force. An order that replaces another one of the
// same kind, scope and service ends that one. A safety rule refuses by a *health.RuleError.
func (d *Desk) Intend(i health.Intent) (id health.IntentID, err error) {
	err = d.keep(func(now time.Time) (then intent.Finish, err error) {
		i.Fill(now)
		id, then, err = d.orders.replace(i, now, replacedBy(&i, d.orders.Open(now), now)...)
		return then, err
	})
	return id, err
}

// Admissible tells whether Intend would take an order, and changes nothing.
func (d *Desk) Admissible(i health.Intent) error {
	return d.orders.opts.Loop.Do(func(now time.Time) error {
		i.Fill(now)
		if err := i.Validate(); err != nil {
			return err
		}
		return d.orders.rules.admissible(&i, d.orders.Open(now), now, replacedBy(&i, d.orders.Open(now), now)...)
	})
}

// EndIntent ends intents that are open; all of them or none.
func (d *Desk) EndIntent(ids []health.IntentID, actor, reason string) error {
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return d.keep(func(now time.Time) (intent.Finish, error) { return d.orders.end(ids, actor, reason, now) })
}

// Freeze stops every automatic verdict, or lets them move again. When it returns nil the order is on disk and in force.
func (d *Desk) Freeze(on bool, actor, reason string) error {
	if on {
		_, err := d.Intend(health.Intent{Kind: health.IntentFreeze, Scope: health.Scope{Kind: health.ScopeCluster}, Actor: actor, Reason: reason, Forever: true})
		return err
	}
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return d.keep(func(now time.Time) (intent.Finish, error) {
		var ids []health.IntentID
		for _, i := range d.orders.store.Set().Open(now) {
			if i.Kind == health.IntentFreeze {
				ids = append(ids, i.ID)
			}
		}
		if len(ids) == 0 {
			return nil, nil
		}
		return d.orders.end(ids, actor, reason, now)
	})
}

// Intents are the intents in force and those planned, by id, as of the latest change.
func (d *Desk) Intents() []health.IntentState { return d.orders.shown.Load().states }

// Frozen is the latest order.
func (d *Desk) Frozen() FreezeOrder { return *d.orders.frozen.Load() }

// Extend moves the end of an intent to a later instant; a zero end is forever. The intent stays the same one, with its id: of one
// intent the greatest end wins wherever two nodes meet, so that a later end reaches all. An earlier one would be undone by the
// next node that has not heard of it, and is refused. For the time that it gains, a safety rule may refuse it as it would a new
// intent.
func (d *Desk) Extend(id health.IntentID, end time.Time, actor, reason string) error {
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return d.keep(func(now time.Time) (intent.Finish, error) {
		was, err := d.orders.extendable(id, end, now)
		if err != nil {
			return nil, err
		}
		if err := d.orders.store.Extend(id, end, now); err != nil {
			return nil, fmt.Errorf("%s %s: %w", was.Kind, id, err)
		}
		return func(now time.Time, err error) error {
			if err != nil {
				return fmt.Errorf("%s %s: %w", was.Kind, id, err)
			}
			d.orders.opts.Logger.Info("intent extended", "id", id.String(), "kind", was.Kind.String(), "scope", was.Scope.String(),
				"old", endWord(was.End), "new", endWord(end), "actor", actor, "reason", reason)
			d.orders.inForce([]health.IntentID{id})
			return nil
		}, nil
	})
}

// Extendable tells whether Extend would move the end of an intent there, and changes nothing.
func (d *Desk) Extendable(id health.IntentID, end time.Time) error {
	return d.orders.opts.Loop.Do(func(now time.Time) error {
		_, err := d.orders.extendable(id, end, now)
		return err
	})
}

// Resume puts an intent that a rule suspends in force by an operator's word: another one with the same scope, service and end,
// which overrides that rule and those of override, takes its place. One order does both, or nothing.
func (d *Desk) Resume(id health.IntentID, override []string, actor, reason string) (resumed health.IntentID, err error) {
	if err := health.ValidateWords(actor, reason); err != nil {
		return resumed, err
	}
	err = d.keep(func(now time.Time) (then intent.Finish, err error) {
		was, ok := openOf(d.orders.Open(now), id)
		if !ok {
			return nil, fmt.Errorf("%w: %s", health.ErrNoIntent, id)
		}
		states := d.Intents()
		n := slices.IndexFunc(states, func(s health.IntentState) bool { return s.ID == id })
		if n < 0 || states[n].Suspended == nil {
			return nil, fmt.Errorf("%w: no rule suspends %s", health.ErrIntentConflict, id)
		}
		was.Actor, was.Reason = actor, reason
		was.Override = slices.Concat(was.Override, override, []string{states[n].Suspended.Rule})
		was.Fill(now)
		resumed, then, err = d.orders.replace(was, now, id)
		return then, err
	})
	return resumed, err
}

// AwaitHolding returns who has the intents, or their ends, once done says so, and at the latest when ctx ends.
func (d *Desk) AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*cluster.Holding) bool) cluster.Holding {
	for {
		var h cluster.Holding
		shown := d.orders.shown.Load().moved
		if err := d.orders.opts.Loop.Do(func(now time.Time) error { h = d.holding(ids, now); return nil }); err != nil {
			return h
		}
		if done(&h) {
			return h
		}
		select {
		case <-ctx.Done():
			return h
		case <-d.orders.opts.Loop.Ended():
			return h
		case <-shown:
		}
	}
}

// keep carries an order out: what begin asks the store to keep is on disk, and in force, when keep returns nil.
func (d *Desk) keep(begin func(now time.Time) (intent.Finish, error)) error {
	o := intent.NewOrder(begin)
	if err := d.orders.opts.Loop.Do(func(now time.Time) error { d.orders.queue.Add(o, now); return nil }); err != nil {
		return err
	}
	select {
	case err := <-o.Done():
		return err
	case <-d.orders.opts.Loop.Ended():
	}
	select {
	case err := <-o.Done():
		return err
	default:
		return loop.ErrEnded
	}
}

// holding is who has all of ids.
func (d *Desk) holding(ids []health.IntentID, now time.Time) cluster.Holding {
	if d.orders.members == nil {
		return cluster.Holding{Holders: []string{d.orders.opts.Node}}
	}
	return d.orders.opts.Holders.Holding(d.orders.store.Set(), ids, now)
}
