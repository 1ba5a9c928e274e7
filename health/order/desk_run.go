package order

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/run"
)

var errNoID = errors.New("engine: an order by its id needs one")

// IntendAs takes an order whose id its giver has made, so that whoever gives it again gives the same one: one that is known, in force or
// ended, stays as it is. It takes the place of the orders named, and of no others: a weight, a gate or a freeze that somebody else ordered
// refuses it. As for Intend it is on disk and in force when the error is nil.
func (d *Desk) IntendAs(i health.Intent, replaces ...health.IntentID) error {
	if i.ID == (health.IntentID{}) {
		return errNoID
	}
	return d.keep(func(now time.Time) (then intent.Finish, err error) {
		id := i.ID
		if known, _ := d.orders.store.Set().Holds(id); known {
			return nil, nil
		}
		i.Fill(now)
		i.ID = id
		if !i.Forever && !i.End.After(now) {
			return nil, fmt.Errorf("%w: %s would have ended by now", health.ErrIntentConflict, id)
		}
		for _, other := range replacedBy(&i, d.orders.Open(now), now) {
			if !slices.Contains(replaces, other) {
				return nil, fmt.Errorf("%w: %s stands already for %s", health.ErrIntentConflict, other, i.Scope)
			}
		}
		known := slices.DeleteFunc(slices.Clone(replaces), func(id health.IntentID) bool {
			known, ended := d.orders.store.Set().Holds(id)
			return !known || ended
		})
		_, then, err = d.orders.replace(i, now, known...)
		return then, err
	})
}

// EndAs ends orders by their ids, those included that are not known here: should one lie on the disk of a node that is away, it has no effect
// when that node is back.
func (d *Desk) EndAs(ids []health.IntentID, actor, reason string) error {
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return d.keep(func(now time.Time) (intent.Finish, error) {
		set := d.orders.store.Set()
		open := slices.DeleteFunc(slices.Clone(ids), func(id health.IntentID) bool {
			_, ended := set.Holds(id)
			return ended
		})
		if len(open) == 0 {
			return nil, nil
		}
		return d.orders.ended(open, actor, reason), d.orders.store.EndAs(intent.End{Actor: actor, Reason: reason, At: now}, open...)
	})
}

// Orders is what has become of orders, in their order.
func (d *Desk) Orders(ids []health.IntentID) (out []run.OrderState, err error) {
	err = d.orders.opts.Loop.Do(func(now time.Time) error {
		set := d.orders.store.Set()
		suspended := make(map[health.IntentID]string)
		for _, i := range d.Intents() {
			if i.Suspended != nil {
				suspended[i.ID] = i.Suspended.Rule + " of " + i.Suspended.Service
			}
		}
		open := make(map[health.IntentID]bool)
		for _, i := range set.Open(now) {
			open[i.ID] = true
		}
		for _, id := range ids {
			known, ended := set.Holds(id)
			h := d.holding([]health.IntentID{id}, now)
			// One whose time has passed has ended too.
			out = append(out, run.OrderState{Open: open[id], Ended: ended || known && !open[id], Kept: h.Enough(), Suspended: suspended[id]})
		}
		return nil
	})
	return out, err
}
