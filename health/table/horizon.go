package table

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// flip is the earliest instant at which health could take a member of the pool out; zero when nothing can. What is behind a
// closed gate is answered by nobody. who is the endpoint, -1 for the gate. Whoever is forced up cannot leave before the force ends.
//
// A vantage with k failures whose next probe starts at s can be down at s + (fall - 1 - k) × interval⁻ (docs/design.md section
// 6, "Horizon, exactly"). While a probe is in flight s lies in the past, which errs on the safe side. A later success only
// moves the instant on, so an old value is a lower bound.
func (t *Table) flip(ref Ref) (least time.Time, who int) {
	z, pt := t.Model.Zones[ref.Zone], &t.zones[ref.Zone].pools[ref.Pool]
	p := z.Pools[ref.Pool]
	if pt.view.GateClosed {
		return time.Time{}, -1
	}
	if t.e.Isolated && len(pt.leaves) > 0 {
		// What the others see, and what they make of it, is not known here.
		return t.e.isolatedSince, 0
	}
	least = t.lostAt(p, pt)
	watched := p.Watched()
	for i, e := range pt.view.Endpoints {
		if !e.Eligible() {
			continue
		}
		at := t.departs(z, pt, watched, i, &e)
		if e.Forced == health.Up {
			at = t.forceEnds(pt, i, at)
		}
		if sooner(least, at) != least {
			least, who = at, i
		}
	}
	if !p.Gate.ByCheck {
		return least, who
	}
	// The gate closes with the last endpoint for which it holds.
	var last time.Time
	gate := []int{p.Gate.Check}
	for i := range pt.view.Endpoints {
		for _, f := range health.Dialled(p.Endpoints[i]) {
			at := point{i, f}
			if !t.holds(z, pt, gate, at, time.Time{}) {
				continue
			}
			falls := t.fall(z, pt, gate, at)
			if falls.IsZero() {
				return least, who
			}
			if falls.After(last) {
				last = falls
			}
		}
	}
	if at := sooner(least, last); at != least {
		return at, -1
	}
	return least, who
}

// forceEnds is the earliest instant at which endpoint i, which is forced up, could leave, given when health could take it out were
// it not forced; zero if it cannot.
func (t *Table) forceEnds(pt *poolTable, i int, fall time.Time) time.Time {
	f := pt.orders.Or().Forced[i]
	v := pt.view.Endpoints[i].Verdict
	switch {
	case f.State != health.Up:
		// The force has ended; the pool is judged next.
		return pt.view.At
	case f.Until.IsZero():
		return time.Time{}
	case v.InService() && (fall.IsZero() || fall.After(f.Until)):
		return fall
	}
	return f.Until
}

// sooner is the earlier of two instants; zero stands for never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// departs is the earliest instant at which health could take endpoint i, of which e is the view, or one of its addresses that are answered out of
// service; zero if it cannot. What no vantage can probe stays.
func (t *Table) departs(z *config.Zone, pt *poolTable, watched []int, i int, e *health.EndpointView) (least time.Time) {
	if e.Each == nil {
		return t.fall(z, pt, watched, point{endpoint: i})
	}
	for _, f := range config.Families() {
		if !e.Withheld(f) && !e.Each[f].Mute {
			least = sooner(least, t.fall(z, pt, watched, point{i, f}))
		}
	}
	return least
}

// fall is the earliest instant at which one of checks could cease to hold at a point; zero if none can. A composite
// holds until so many of its leaves may have changed that it is no longer sure: a `not` falls when its leaf rises, and an
// `any` not with one leaf of two.
func (t *Table) fall(z *config.Zone, pt *poolTable, checks []int, of point) time.Time {
	leaves := checks
	composite := slices.ContainsFunc(checks, func(c int) bool { return z.Checks[c].Composite != nil })
	if composite {
		leaves = z.Leaves(checks...)
	}
	var instants []time.Time
	var least time.Time
	for _, check := range leaves {
		at := t.change(z, pt, of, check)
		least = sooner(least, at)
		if composite {
			instants = append(instants, at)
		}
	}
	if !composite {
		return least
	}
	slices.SortFunc(instants, time.Time.Compare)
	for _, at := range instants {
		if !t.holds(z, pt, checks, of, at) {
			return at
		}
	}
	return time.Time{}
}

// holds tells whether checks surely hold at a point, when whatever could change until at may have changed.
func (t *Table) holds(z *config.Zone, pt *poolTable, checks []int, of point, at time.Time) bool {
	p := &config.Pool{Check: -1, Needs: checks}
	return judge.Combine(z, p, func(check int) health.Verdict {
		if !at.IsZero() && !t.change(z, pt, of, check).After(at) {
			return health.Verdict{}
		}
		return t.leaves[t.target(pt, of, check)]
	}).InService()
}

// change is the earliest instant at which the verdict on what check dials at a point could change.
func (t *Table) change(z *config.Zone, pt *poolTable, of point, check int) time.Time {
	c, id := z.Checks[check], t.target(pt, of, check)
	var buf [4]health.Observation
	believed := t.leaves[id]
	return judge.Change(c, t.voices(id, c, buf[:0]), t.jury(id), believed, pt.view.At, t.now, t.e.allowance)
}

// Horizons are the moves since the last call.
func (t *Table) Horizons(now time.Time) []health.PoolHorizon {
	t.now = now
	var moves []health.PoolHorizon
	for ref := range t.moved {
		flip, who := t.flip(ref)
		if was, ok := t.sent[ref]; ok && was.Equal(flip) {
			continue
		}
		t.sent[ref] = flip
		moves = append(moves, health.PoolHorizon{Zone: ref.Zone, Pool: ref.Pool, Flip: flip, Endpoint: who})
	}
	t.moved = make(map[Ref]bool)
	return moves
}

// Lowered are the moves to an earlier instant. They stay due, so that the next Horizons sends the rest.
func (t *Table) Lowered(now time.Time) []health.PoolHorizon {
	t.now = now
	var moves []health.PoolHorizon
	for ref := range t.moved {
		was, ok := t.sent[ref]
		if !ok {
			continue
		}
		if flip, who := t.flip(ref); !flip.IsZero() && (was.IsZero() || flip.Before(was)) {
			t.sent[ref] = flip
			moves = append(moves, health.PoolHorizon{Zone: ref.Zone, Pool: ref.Pool, Flip: flip, Endpoint: who})
		}
	}
	return moves
}

// horizonOf is what was last sent for the pool of a zone that is taken over unchanged, with its cells.
func (t *Table) horizonOf(before *poolsBefore, z *config.Zone, pool int) (time.Time, bool) {
	if t == nil || before.zone != z {
		return time.Time{}, false
	}
	flip, ok := t.sent[Ref{before.index, pool}]
	return flip, ok
}
