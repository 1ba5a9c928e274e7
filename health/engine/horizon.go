package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// flip is the earliest instant at which health could take a member of the pool out; zero when nothing can.
//
// A vantage with k failures whose next probe starts at s can be down at s + (fall - 1 - k) × interval⁻ (DESIGN.md section
// 6, "Horizon, exactly"). While a probe is in flight s lies in the past, which errs on the safe side. A later success only
// moves the instant on, so an old value is a lower bound. Each leaf of a composite counts by itself, which errs on the safe
// side too: a whole falls no sooner than one of its leaves changes. A `not` falls when its leaf rises, in one probe.
func (t *table) flip(ref poolRef) time.Time {
	z, pt := t.model.Zones[ref.zone], &t.zones[ref.zone].pools[ref.pool]
	var least time.Time
	for i, e := range pt.view.Endpoints {
		if !e.Eligible() {
			continue
		}
		for l, check := range pt.leaves {
			c := z.Checks[check]
			o, ok := t.obs.get(pt.targets[i][l])
			if !ok || c.Type == config.CheckPush {
				// Believed without an observation of its own, or by a report that may be taken back at any time.
				return pt.view.At
			}
			if at := o.Next.Add(time.Duration(c.Fall-1-o.Failures) * shortest(c)); least.IsZero() || at.Before(least) {
				least = at
			}
		}
	}
	return least
}

// shortest is the least time between the starts of two probes.
func shortest(c *config.Check) time.Duration {
	return c.Interval - c.Interval*health.JitterPercent/100
}

// horizons are the moves since the last call.
func (t *table) horizons() []health.PoolHorizon {
	var moves []health.PoolHorizon
	for ref := range t.moved {
		if !t.zones[ref.zone].pools[ref.pool].horizon {
			continue
		}
		flip := t.flip(ref)
		if was, ok := t.sent[ref]; ok && was.Equal(flip) {
			continue
		}
		t.sent[ref] = flip
		moves = append(moves, health.PoolHorizon{Zone: ref.zone, Pool: ref.pool, Flip: flip})
	}
	clear(t.moved)
	return moves
}

// lowered are the moves to an earlier instant. They stay due, so that the next horizons sends the rest.
func (t *table) lowered() []health.PoolHorizon {
	var moves []health.PoolHorizon
	for ref := range t.moved {
		was, ok := t.sent[ref]
		if !ok || !t.zones[ref.zone].pools[ref.pool].horizon {
			continue
		}
		if flip := t.flip(ref); !flip.IsZero() && (was.IsZero() || flip.Before(was)) {
			t.sent[ref] = flip
			moves = append(moves, health.PoolHorizon{Zone: ref.zone, Pool: ref.pool, Flip: flip})
		}
	}
	return moves
}

// horizonOf is what was last sent for the pool of a zone that is taken over unchanged, with its cells.
func (t *table) horizonOf(before *poolsBefore, z *config.Zone, pool int) (time.Time, bool) {
	if t == nil || before.zone != z {
		return time.Time{}, false
	}
	flip, ok := t.sent[poolRef{before.index, pool}]
	return flip, ok
}
