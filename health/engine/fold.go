package engine

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/table"
)

// fold takes what the prober and the other nodes reported, judges the pools that it concerns and publishes if a verdict moved.
func (e *Engine) fold(now time.Time) {
	ordered := e.hear(now)
	// What is over by now must not outlive what was seen since: another node may have had it end before.
	if ordered || e.intentsDue(now) {
		ordered = e.applyIntents(now) || ordered
	}
	e.publish(now, e.foldOwn(now) || ordered)
}

// intentsDue tells whether an order has begun or ended since orders were applied.
func (e *Engine) intentsDue(now time.Time) bool {
	return !e.intentWake.IsZero() && !now.Before(e.intentWake)
}

// foldOwn takes what the prober reported; looked tells whether blindness began or ended.
func (e *Engine) foldOwn(now time.Time) (looked bool) {
	e.mu.Lock()
	batch := e.inbox
	e.inbox = make(map[health.TargetID]health.Observation, len(batch))
	e.mu.Unlock()
	if len(batch) == 0 {
		return false
	}
	moved := make(map[health.TargetID]bool, len(batch))
	for id, o := range batch {
		if !e.wants(id) {
			delete(batch, id)
			continue
		}
		was, known := e.evidence.Own(id)
		e.incidents.Probed(id, was, known, o)
		before := e.evidence.Restored(id)
		e.evidence.BearOut(o)
		e.evidence.Lags.Note(id, table.Measured{Lag: o.Lag})
		moved[id] = !known || before != e.evidence.Restored(id) || was.State != o.State || was.Suspect() != o.Suspect() || o.Reason != was.Reason || o.Reduction != was.Reduction || e.standingMoved(id, was, o)
	}
	e.evidence.Put(batch)
	looked = e.look(now)
	for id, m := range moved {
		e.observed(id, m)
		if e.cluster != nil {
			e.cluster.urgent = e.cluster.marks.One(id, now) || e.cluster.urgent
		}
	}
	return looked
}

// observed notes that there is something new about a target.
func (e *Engine) observed(id health.TargetID, moved bool) {
	for _, t := range e.tables() {
		t.Observed(id, moved)
	}
}

// freshnessTicks is how many ticks pass between two looks for observations that went stale.
const freshnessTicks = 4

// saveTicks is how many ticks pass between two writings while nothing changes: a minute. Verdicts that go on being true must
// not look old to the run after a crash.
const saveTicks = 240

// onTick does what time alone brings: holds that end, observations that go stale, horizons that moved.
func (e *Engine) onTick(now time.Time) {
	e.ticks++
	e.state.Expire(now)
	for _, t := range e.tables() {
		t.StandStill(now)
		t.EndHolds(now)
		if e.ticks%freshnessTicks == 0 {
			t.EndFreshness(now)
		}
	}
	looked := e.onClusterTick(now)
	looked = e.look(now) || looked
	if e.intentsDue(now) {
		looked = e.applyIntents(now) || looked
	}
	e.publish(now, looked)
	e.pollIssued(now)
	if e.ticks%endTicks == 0 {
		e.watchEnds(now)
	}
	if e.ticks%saveTicks == 0 {
		e.state.Save(e.view.Load())
		e.gone.Mind(e.cluster.goneElsewhere(), now)
	}
	if moves := e.cur.Horizons(now); len(moves) > 0 {
		e.opts.Publisher.MoveHorizons(moves)
	}
}

// publish judges the dirty pools and, if one of them changed or always is set, publishes a new view.
func (e *Engine) publish(now time.Time, always bool) {
	changes := e.cur.Judge(now)
	if len(changes) == 0 && !always {
		return
	}
	e.serve(changes, now)
}

// serve publishes the current table. The order keeps the bound: horizons first fall to the least of old and new, then the
// snapshot is swapped, then they take their new values, so that an answer from the old snapshot never carries a TTL that
// only the new one may give.
func (e *Engine) serve(changes []health.Transition, now time.Time) ledger.Swap {
	e.generation++
	v := e.cur.View(e.generation, now)
	if e.generation > 1 {
		e.reporter.Forward(v)
	}
	swap := e.opts.Publisher.Publish(v, e.cur.Lowered(now))
	e.view.Store(v)
	if moves := e.cur.Horizons(now); len(moves) > 0 {
		e.opts.Publisher.MoveHorizons(moves)
	}
	e.issued.book.Published(&swap, now)
	e.metrics.publish.Observe(time.Since(now).Seconds())
	if e.generation > 1 {
		e.reporter.Published(changes, v)
		e.incidents.Published(changes, &swap, v, now)
		if len(swap.Left) > 0 && (len(e.issued.departures) < manyOut || now.Sub(e.issued.followed) >= followPause) {
			// Nobody is told that there is nothing to forget, not even for a second.
			e.follow(now)
		}
	}
	e.state.Save(v)
	return swap
}

// takeModel starts to compile the model that waits, unless one is being compiled.
func (e *Engine) takeModel(now time.Time) {
	if e.next != nil {
		return
	}
	e.mu.Lock()
	m := e.model
	e.model = nil
	e.mu.Unlock()
	if m == nil || m == e.cur.Model {
		return
	}
	t := e.newVersion(m, e.cur.Table, now)
	t.Overlay(e.intents.Set().Open(now), now)
	t.Judge(now)
	v := t.View(0, now)
	e.next = t
	e.setTargets(e.cur.Table, t.Table)
	keep := e.gone.Keep(now)
	e.loop.Go(func() {
		e.opts.Publisher.Prepare(v)
		t.standing = gone.StandingOf(t.Model)
		keep(e.loop.Context(), t.standing)
		e.prepared <- t
	})
}

// takeUp serves a model that has been compiled. What was observed meanwhile is judged first.
func (e *Engine) takeUp(t *version, now time.Time) {
	old := e.cur.Model
	defer e.tookUp(t.Model, old)
	e.cur, e.next = t, nil
	e.markAll(now)
	e.setTargets(t.Table)
	e.evidence.Forget(e.wants)
	e.evidence.Lags.Forget(func(id health.TargetID) bool { _, ok := t.Target(id); return ok })
	e.applyIntents(now)
	changes := t.Judge(now)
	e.incidents.TakenUp(now)
	e.opts.Logger.Info("configuration taken up", "old", old.Hash.String(), "new", t.Model.Hash.String(), "zones", len(t.Model.Zones))
	swap := e.serve(changes, now)
	e.tellLeft(old, &swap, now)
	e.wantTTL()
	e.mindGreatest(now)
	e.mu.Lock()
	close(e.taken)
	e.taken = make(chan struct{})
	e.mu.Unlock()
}

// targets are what is to be probed for the tables, references included.
func (e *Engine) targets(tables ...*table.Table) []health.Target {
	all := make(map[health.TargetID]health.Target)
	for _, t := range tables {
		for target := range t.Probed() {
			all[target.ID] = target
		}
	}
	for _, r := range e.evidence.References() {
		all[r.ID] = r
	}
	return slices.Collect(maps.Values(all))
}

// wants tells whether anything depends on the target. What does not is from a probe that was in flight when it went.
func (e *Engine) wants(id health.TargetID) bool {
	return slices.ContainsFunc(e.tables(), func(t *table.Table) bool { return t.Probes(id) }) ||
		slices.ContainsFunc(e.evidence.References(), func(r health.Target) bool { return r.ID == id })
}

// look finds out whether this vantage is late or blind, and says so when that changed.
func (e *Engine) look(now time.Time) (changed bool) {
	late := e.lookLate(now)
	if !e.evidence.LookOutside(e.cur.Table, now) {
		return late
	}
	e.metrics.blind.Set(boolValue(e.evidence.Blind()))
	e.opts.Events.Add(either(e.evidence.Blind(), "node.blind", "node.sees"), e.opts.Node, either(e.evidence.Blind(), "this vantage abstains", "this vantage sees again"), nil)
	if e.evidence.Blind() {
		e.opts.Logger.Warn("blind: most probes fail, and neither reference targets nor other nodes answer; this vantage abstains")
	} else {
		e.opts.Logger.Info("the world outside answers again; this vantage sees")
		if p, ok := e.opts.Prober.(interface{ Hasten() }); ok {
			p.Hasten()
		}
	}
	e.rejudge()
	return true
}

// lookLate finds out whether this vantage is late by itself.
func (e *Engine) lookLate(now time.Time) (changed bool) {
	prober, ok := e.opts.Prober.(interface {
		Late(now time.Time) (by time.Duration, late bool)
	})
	if !ok {
		return false
	}
	by, late := prober.Late(now)
	if late == e.evidence.Late {
		return false
	}
	e.evidence.Late = late
	e.metrics.late.Set(boolValue(late))
	e.opts.Events.Add(either(late, "node.late", "node.in_time"), e.opts.Node,
		either(late, fmt.Sprintf("this vantage is late by itself, by %v: probes that time out do not count", by.Round(time.Millisecond)),
			"this vantage is in time again"), nil)
	if late {
		e.opts.Logger.Warn("this vantage is late by itself: probes that time out do not count", "late_seconds", by.Seconds())
	} else {
		e.opts.Logger.Info("this vantage is in time again")
	}
	return true
}

// standingMoved tells whether was no longer counted, or only now does not, though o says the same: it had gone stale, or
// this vantage's blindness stood between them.
func (e *Engine) standingMoved(id health.TargetID, was, o health.Observation) bool {
	target, ok := e.cur.Target(id)
	if !ok {
		return false
	}
	c := target.Check
	return !o.At.Before(judge.FreshUntil(c, was)) || e.evidence.Trusts(id, c, was) != e.evidence.Trusts(id, c, o)
}

// rejudge marks every pool.
func (e *Engine) rejudge() {
	for _, t := range e.tables() {
		t.AllDirty()
	}
}
