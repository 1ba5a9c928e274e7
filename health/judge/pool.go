package judge

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// A PoolInput is all that the view of one pool depends on.
type PoolInput struct {
	Zone *config.Zone
	Pool *config.Pool
	// Prev is the view before; nil at the very first one.
	Prev *health.PoolView
	// Leaf gives the verdict on what a check dials for the address of endpoint i in a family, which plays no part where not each address is
	// dialled for itself; check indexes Zone.Checks.
	Leaf func(i int, f config.Family, check int) health.Verdict
	// Reductions are how many percent of its weight each endpoint asks to be relieved of; nil means none.
	Reductions []int
	// Orders are what orders make of the pool; nil changes nothing.
	Orders *Orders
	// Reloaded is when a new version of the zone file came; zero for never. It concerns returns that began before.
	Reloaded time.Time
	// Older tells whether another pool of a service of the pool has been on its way back since before the given instant and is not wholly
	// back; nil means never.
	Older func(since time.Time) bool
	// Settle is how long a return is remembered after its end: nodes come to it some moments apart, and who is there first must not take
	// the word of the others for another return. It is 0 for a node alone.
	Settle time.Duration
	// Lost says in words that none of the vantages of the pool is heard, where that takes its endpoints out; else it is empty.
	Lost string
	// Frozen keeps every verdict that there is.
	Frozen bool
	// Without is for simulators.
	Without health.Guards
	Now     time.Time
}

// Pool is the view of one pool at in.Now, and the next instant at which it changes without any new input (a step of a
// failback); zero if there is none.
func Pool(in PoolInput) (view *health.PoolView, wake time.Time) {
	orders := in.Orders.Or()
	p := &health.PoolView{
		Endpoints: make([]health.EndpointView, len(in.Pool.Endpoints)), At: in.Now, Calm: true,
		Weight: orders.Weight, EndpointWeights: orders.Weights, Planned: orders.Planned,
	}
	if in.Prev != nil {
		p.RPO, p.Forward = in.Prev.RPO, in.Prev.Forward
	}
	for i := range p.Endpoints {
		e := &p.Endpoints[i]
		in.judge(i, e)
		orders.show(i, e)
		if in.Reductions != nil {
			e.Reduction = in.Reductions[i]
		}
		if e.Uneasy() && in.answerable(i) {
			p.Calm = false
		}
	}
	gate := in.gate()
	p.GateClosed = !gate.InService() || in.Pool.Gate.Manual && !orders.Ready
	// The pool leaves with its gate, as it leaves with its members.
	p.Calm = p.Calm && (gate.State != health.Suspect || gate.Disputed) && !(gate.InService() && gate.Stale)
	if in.Prev != nil {
		in.holds(p)
	}
	return p, in.wake(p)
}

// judge gives e, the view of endpoint i, its verdict: that of its one target, or the best of those of its addresses.
func (in *PoolInput) judge(i int, e *health.EndpointView) {
	var prev health.EndpointView
	if in.Prev != nil {
		prev = in.Prev.Endpoints[i]
	}
	cfg := in.Pool.Endpoints[i]
	if !cfg.Dual() || len(in.Pool.Watched()) == 0 {
		e.Verdict = in.verdict(i, config.IPv4, prev.Verdict)
		return
	}
	var was health.Each
	if prev.Each != nil {
		was = *prev.Each
	}
	each := health.Each{in.verdict(i, config.IPv4, was[config.IPv4]), in.verdict(i, config.IPv6, was[config.IPv6])}
	if e.Each = prev.Each; e.Each == nil || *e.Each != each {
		e.Each = &each
	}
	e.Verdict = health.Best(cfg, &each, prev.Verdict, in.Now)
}

// verdict combines what the checks say of endpoint i, or of its address in a family, of which prev is the verdict before. What is Unknown
// keeps the earlier verdict and is marked stale.
func (in *PoolInput) verdict(i int, f config.Family, prev health.Verdict) health.Verdict {
	if len(in.Pool.Watched()) == 0 {
		if prev.Unmonitored {
			return prev
		}
		return health.Verdict{State: health.Up, Unmonitored: true, Since: in.Now}
	}
	// Leaves are asked also while frozen: what they remember must not depend on who was heard first.
	v := Combine(in.Zone, in.Pool, func(check int) health.Verdict { return in.Leaf(i, f, check) })
	if in.Frozen && !prev.Pending() {
		return prev
	}
	switch {
	case in.Lost != "":
		v = health.Verdict{State: health.Down, Lost: true, Reason: in.Lost}
	case prev.Lost && v.InService() && v.Stale:
		// What the vantages said before they were lost brings nothing back.
		prev.Stale = true
		return prev
	}
	if v.State == health.Unknown && !prev.Pending() {
		prev.Stale, prev.Unmonitored = true, false
		return prev
	}
	v.Since = prev.Since
	if v.InService() != prev.InService() || prev.Pending() && !v.Pending() {
		v.Since = in.Now
	}
	if !v.InService() {
		if v.Left = prev.Left; prev.InService() {
			v.Left = in.Now
		}
	}
	return v
}

// gate is the best verdict of the gate's check on any endpoint; up without a gate. A closed gate is no outage: the endpoints
// stay what they are. Every leaf is asked, whatever the others say: each has a memory that must not depend on them.
func (in *PoolInput) gate() health.Verdict {
	if !in.Pool.Gate.ByCheck {
		return health.Verdict{State: health.Up}
	}
	gate := &config.Pool{Check: in.Pool.Gate.Check}
	var best health.Verdict
	calm := false
	for i, e := range in.Pool.Endpoints {
		for _, f := range config.Families() {
			v := Combine(in.Zone, gate, func(check int) health.Verdict { return in.Leaf(i, f, check) })
			if v.InService() && !calm {
				best, calm = v, v.State == health.Up && !v.Stale
			}
			if !e.Dual() {
				break
			}
		}
	}
	return best
}

// answerable tells whether weights let endpoint i be answered at all.
func (in *PoolInput) answerable(i int) bool {
	e := in.Pool.Endpoints[i]
	if e.Weight == 0 {
		return false
	}
	if in.Pool.Explicit {
		for _, w := range in.Pool.AZWeights {
			if w.AZ == e.AZ {
				return w.Weight > 0
			}
		}
	}
	return true
}

// holds carries the returns of the pool and of its AZs from in.Prev to p.
func (in *PoolInput) holds(p *health.PoolView) {
	p.Return = in.returned(p, func(int) bool { return true }, true, in.Prev.Return)
	azs := make([]health.Return, len(in.Pool.AZWeights))
	some := false
	for a, w := range in.Pool.AZWeights {
		var was health.Return
		if in.Prev.ReturnAZ != nil {
			was = in.Prev.ReturnAZ[a]
		}
		azs[a] = in.returned(p, func(i int) bool { return in.Pool.Endpoints[i].AZ == w.AZ }, false, was)
		some = some || !azs[a].IsZero() || azs[a].Unclaimed
	}
	if some {
		p.ReturnAZ = azs
	}
}

// returned is how the group comes back: from now on if it had nothing eligible before and has now, as before if it was
// already on its way, zero if it has wholly returned. While it is out, what it has failed before is kept. In the whole pool
// those who were never judged may have answered; in an AZ those whom something spoke against did not while another AZ had somebody
// up. An endpoint that is forced
// up lets its pool and its AZ in.
func (in *PoolInput) returned(p *health.PoolView, group func(int) bool, whole bool, was health.Return) health.Return {
	c := in.count(p, group, whole)
	over := was.On() && was.Over(in.Pool.Failbacks, in.Now)
	ended := was
	if over {
		ended = health.Return{}
	}
	switch {
	case c.forced:
		// Somebody wants it to answer now, and not once it has waited.
		return health.Return{}
	case c.now == 0 && !c.known:
		// A node that begins has not looked yet.
		return was
	case c.now == 0:
		out := ended.Out()
		// One that left while it was on its way back may lack what was written meanwhile.
		out.Unclaimed = in.Pool.KeepsData() && (was.Unclaimed || c.before > 0 && !ended.On())
		return out
	case c.before == 0 && c.judged:
		unclaimed := was.Unclaimed
		was = ended.Out()
		if was.Since = in.Now; unclaimed {
			was.Admitted = in.Now
		}
	case c.before == 0 && !was.On():
		return health.Return{}
	case c.failed && in.ramping(was) && !in.Without.Without(health.GuardRamp):
		was = was.Retry(in.Now)
	}
	was = was.Let(in.Orders.Or().Admitted, in.Reloaded)
	if was.Over(in.Pool.Failbacks, in.Now) && !in.remembers(was, whole) {
		return health.Return{}
	}
	return was
}

// remembers tells whether a return that is over is kept: until it has settled, while an AZ that came back with the pool waits, and for as
// long as a pool that was there first has not come to the end of its own. Who came first decides who has to wait (package steer).
func (in *PoolInput) remembers(r health.Return, whole bool) bool {
	if !r.On() || !whole {
		return r.On() && !r.Over(in.Pool.Failbacks, in.Now.Add(-in.Settle))
	}
	return !r.Over(in.Pool.Failbacks, in.Now.Add(-in.Settle)) || in.Prev.Waits(in.Pool.Failbacks, in.Now) || in.Older != nil && in.Older(r.Since)
}

// A counted is what a group has and had.
type counted struct {
	// now and before count the eligible ones of this view and of the one before.
	now, before int
	// known and judged are set when somebody has ever been judged, or drained, now and before.
	known, judged bool
	// failed is set when health alone has bad news of one that was in service, by a quorum; forced when an operator has one be up.
	failed, forced bool
}

func (in *PoolInput) count(p *health.PoolView, group func(int) bool, whole bool) (c counted) {
	for i := range p.Endpoints {
		if !group(i) {
			continue
		}
		is, prev := p.Endpoints[i], in.Prev.Endpoints[i]
		if is.Eligible() {
			c.now++
			c.forced = c.forced || is.Forced == health.Up
		}
		if prev.Eligible() || (whole && prev.Pending() || prev.Untried()) && !prev.Drained {
			c.before++
		}
		c.known = c.known || is.Drained || !is.Pending()
		c.judged = c.judged || prev.Drained || !prev.Pending()
		untouched := !prev.Drained && !is.Drained && prev.Forced == health.Unknown && is.Forced == health.Unknown
		bad := is.Failing || prev.Verdict.InService() && is.State == health.Down
		c.failed = c.failed || bad && untouched && in.answerable(i)
	}
	return c
}

// ramping tells whether some service gives r a part of its share and not all.
func (in *PoolInput) ramping(r health.Return) bool {
	for _, f := range in.Pool.Failbacks {
		if r.Ramping(f, in.Now) {
			return true
		}
	}
	return false
}

// wake is the nearest end of a hold or of a removal window after in.Now.
func (in *PoolInput) wake(p *health.PoolView) time.Time {
	var wake time.Time
	consider := func(r health.Return) {
		if end := in.Now.Add(max(in.Settle, time.Second)); r.On() && r.Over(in.Pool.Failbacks, in.Now) && (wake.IsZero() || end.Before(wake)) {
			wake = end
		}
		for _, f := range in.Pool.Failbacks {
			if _, next := r.Share(f, in.Now); !next.IsZero() && (wake.IsZero() || next.Before(wake)) {
				wake = next
			}
		}
	}
	for i, e := range p.Endpoints {
		if end := e.Left.Add(health.RemovalWindow); p.Leaving(i) && (wake.IsZero() || end.Before(wake)) {
			wake = end
		}
	}
	consider(p.Return)
	for _, r := range p.ReturnAZ {
		consider(r)
	}
	return wake
}
