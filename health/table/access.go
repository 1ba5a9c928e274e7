package table

import (
	"iter"
	"maps"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// Pool is the view of a pool as of the last Judge; nil before it was judged, unless something was known of it before.
func (t *Table) Pool(ref Ref) *health.PoolView { return t.zones[ref.Zone].pools[ref.Pool].view }

// Amend has view, which is never written again, take the place of the view of a pool, as a word of other nodes about it; nobody is judged
// for that.
func (t *Table) Amend(ref Ref, view *health.PoolView) { t.zones[ref.Zone].pools[ref.Pool].view = view }

// Watched are the pools of which something is dialled, with their views.
func (t *Table) Watched() iter.Seq2[Ref, *health.PoolView] {
	return func(yield func(Ref, *health.PoolView) bool) {
		for zi := range t.zones {
			for pi := range t.zones[zi].pools {
				if pt := &t.zones[zi].pools[pi]; pt.view != nil && len(pt.leaves) > 0 && !yield(Ref{zi, pi}, pt.view) {
					return
				}
			}
		}
	}
}

// Targets are all that endpoints rest on, whoever probes them.
func (t *Table) Targets() iter.Seq[health.TargetID] { return maps.Keys(t.targets) }

// Target is one of them; ok is unset for what no endpoint rests on.
func (t *Table) Target(id health.TargetID) (target health.Target, ok bool) {
	use := t.targets[id]
	if use == nil {
		return target, false
	}
	return use.target, true
}

// Probed are those of them that this node is to probe, each with the verdict on it.
func (t *Table) Probed() iter.Seq2[health.Target, health.Verdict] {
	return func(yield func(health.Target, health.Verdict) bool) {
		for id, use := range t.targets {
			if use.mine && !yield(use.target, t.leaves[id]) {
				return
			}
		}
	}
}

// Probes tells whether this node is to probe a target.
func (t *Table) Probes(id health.TargetID) bool {
	use := t.targets[id]
	return use != nil && use.mine
}

// Older tells whether a pool that shares a service with the one at ref has been on its way back since before the given instant, and some
// service has to wait for it.
func (t *Table) Older(ref Ref, since, now time.Time) bool {
	z := t.Model.Zones[ref.Zone]
	for _, si := range z.Pools[ref.Pool].Services {
		for _, pi := range z.Services[si].Pools {
			if pi == ref.Pool {
				continue
			}
			view := t.zones[ref.Zone].pools[pi].view
			if view != nil && view.Waits(z.Pools[pi].Failbacks, now) && (!view.Return.On() || view.Return.Since.Before(since)) {
				return true
			}
		}
	}
	return false
}
