package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A damper holds a target out that changes too often: more than flap.transitions changes of its counter in flap.window
// keep it down for flap.hold, whatever the probes say. Every further change in that time begins the hold anew. The zero
// damper holds nothing.
type damper struct {
	// flaps is nil before the first change of a counter whose check has flap: a node has many dampers and few flaps.
	*flaps
}

type flaps struct {
	// changes are when the counter changed, the latest ones, at most transitions + 1.
	changes []time.Time
	// since and until are when the target is held out.
	since, until time.Time
}

// note takes in a change of the counter at now.
func (d *damper) note(f *config.Flap, now time.Time) {
	if f == nil {
		return
	}
	if d.flaps == nil {
		d.flaps = new(flaps)
	}
	if d.changes = append(d.changes, now); len(d.changes) > f.Transitions+1 {
		d.changes = d.changes[1:]
	}
	if len(d.changes) > f.Transitions && !d.changes[0].Before(now.Add(-f.Window)) {
		if !d.held(now) {
			d.since = now
		}
		d.until = now.Add(f.Hold)
	}
}

// clone is a damper that goes on by itself from what d holds.
func (d *damper) clone() damper {
	if d.flaps == nil {
		return damper{}
	}
	copied := *d.flaps
	copied.changes = slices.Clone(copied.changes)
	return damper{&copied}
}

func (d *damper) held(now time.Time) bool { return d.flaps != nil && now.Before(d.until) }

// apply puts the hold over an observation that ended at o.At.
func (d *damper) apply(f *config.Flap, o health.Observation) health.Observation {
	if f == nil || !d.held(o.At) {
		return o
	}
	o.State, o.Since = health.Down, d.since
	o.Reason = fmt.Sprintf("flaps: more than %d changes in %v, held out for %v", f.Transitions, f.Window, f.Hold)
	return o
}
