package table

import (
	"maps"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// A takeover is a pool that takes a service over by steps.
type takeover struct {
	ref     Ref
	service int
}

// takeovers are those of the model: of pools that keep no data, in tiers after the first.
func takeovers(m *config.Model) (all []takeover) {
	for zi, z := range m.Zones {
		for si, svc := range z.Services {
			if len(svc.Failover.Ramp) == 0 {
				continue
			}
			for _, pi := range svc.Pools {
				if tierIn(svc, pi) > 0 && !z.Pools[pi].KeepsData() {
					all = append(all, takeover{Ref{zi, pi}, si})
				}
			}
		}
	}
	return all
}

// takeOver brings the takeovers on: one begins when its turn comes, a step follows once it is due and the check lets it, and it is over when
// something before the pool answers again. It returns what changed.
func (t *Table) takeOver(now time.Time) (changes []health.Transition) {
	if t.e.still() {
		return nil
	}
	for _, o := range t.forward {
		z, pt := t.Model.Zones[o.ref.Zone], &t.zones[o.ref.Zone].pools[o.ref.Pool]
		p, svc := z.Pools[o.ref.Pool], z.Services[o.service]
		if pt.view == nil {
			continue
		}
		was, on := pt.view.Forward[o.service]
		is := was
		turn, _, _ := t.turn(o.ref, o.service, now)
		turn = turn && lets(svc, p, pt.view, now)
		switch {
		case turn && !on:
			is = t.begun(o, now)
		case turn:
			is = t.stepped(o, was, now)
		}
		if on == turn && is == was {
			continue
		}
		view := *pt.view
		if view.Forward = maps.Clone(view.Forward); view.Forward == nil {
			view.Forward = make(map[int]health.Forward)
		}
		if view.Forward[o.service] = is; !turn {
			delete(view.Forward, o.service)
		}
		changes = append(changes, diff(z, p, pt.view, &view)...)
		pt.view = &view
	}
	return changes
}

// begun is the first step of a takeover. A node that begins finds those that others began when what answers before the pool left, and goes on
// with them.
func (t *Table) begun(o takeover, now time.Time) health.Forward {
	z := t.Model.Zones[o.ref.Zone]
	svc := z.Services[o.service]
	f := health.Forward{Percent: svc.Failover.Ramp[0], Next: now.Add(svc.Failover.Step)}
	if t.judgedOnce {
		return f
	}
	var left time.Time
	for _, tier := range svc.Tiers[:tierIn(svc, o.ref.Pool)] {
		for _, share := range tier {
			if view := t.zones[o.ref.Zone].pools[share.Pool].view; view != nil {
				for _, e := range view.Endpoints {
					if e.Left.After(left) {
						left = e.Left
					}
				}
			}
		}
	}
	if left.IsZero() {
		return f
	}
	for f.Next = left.Add(svc.Failover.Step); f.Step < len(svc.Failover.Ramp)-1 && !now.Before(f.Next); f.Step++ {
		f.Next = f.Next.Add(svc.Failover.Step)
	}
	f.Percent = svc.Failover.Ramp[f.Step]
	return f
}

// stepped is the takeover after the step that is due, if the check lets it.
func (t *Table) stepped(o takeover, f health.Forward, now time.Time) health.Forward {
	svc := t.Model.Zones[o.ref.Zone].Services[o.service]
	last := len(svc.Failover.Ramp) - 1
	if f.Step = min(f.Step, last); f.Step < last && !now.Before(f.Next) && t.bears(o, now) {
		f.Step++
		f.Next = now.Add(svc.Failover.Step)
	}
	f.Percent = svc.Failover.Ramp[f.Step]
	return f
}

// bears tells whether the check of the takeover is up on every endpoint of the pool that is in service, without a doubt.
func (t *Table) bears(o takeover, now time.Time) bool {
	z, pt := t.Model.Zones[o.ref.Zone], &t.zones[o.ref.Zone].pools[o.ref.Pool]
	p, f := z.Pools[o.ref.Pool], &z.Services[o.service].Failover
	if !f.ByCheck {
		return true
	}
	of := &config.Pool{Check: f.While}
	for i, e := range pt.view.Endpoints {
		if !e.Eligible() {
			continue
		}
		for _, family := range health.Dialled(p.Endpoints[i]) {
			v := judge.Combine(z, of, func(check int) health.Verdict { return t.leaf(z, pt, t.at(i, family), check, now) })
			if v.State != health.Up || v.Stale {
				return false
			}
		}
	}
	return true
}
