package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/table"
)

// fold takes what the prober and the other nodes reported, judges the pools that it concerns and publishes if a verdict moved.
func (e *Engine) fold(now time.Time) {
	e.hear(now)
	ordered, _ := e.orders.Moved()
	// What is over by now must not outlive what was seen since: another node may have had it end before.
	if ordered || e.orders.Due(now) {
		ordered = e.orders.Apply(e.tables(), now) || ordered
	}
	e.publish(now, e.foldOwn(now) || ordered)
}

// hear takes in what the other nodes said. The pools that it concerns are judged by the next judge.
func (e *Engine) hear(now time.Time) {
	if e.cluster == nil {
		return
	}
	heard := e.cluster.Hear(now)
	for _, id := range heard.Moved {
		e.observed(id, true)
	}
	if heard.Restored != "" {
		e.gate.restored(heard.Restored)
	}
}

// foldOwn takes what the prober reported; looked tells whether blindness began or ended.
func (e *Engine) foldOwn(now time.Time) (looked bool) {
	seen := e.vantage.Take(e.tables())
	if len(seen) == 0 {
		return false
	}
	looked = e.look(now)
	for _, s := range seen {
		e.incidents.Probed(s.Target, s.Was, s.Known, s.Observation)
		e.observed(s.Target, s.Moved)
		if e.cluster != nil && e.cluster.Marks.One(s.Target, now) {
			e.rounds.Urge()
		}
	}
	return looked
}

// look finds out whether this vantage is late or blind.
func (e *Engine) look(now time.Time) (changed bool) {
	changed, everything := e.vantage.Look(e.cur.Table, now)
	if everything {
		e.rejudge()
	}
	return changed
}

// observed notes that there is something new about a target.
func (e *Engine) observed(id health.TargetID, moved bool) {
	for _, t := range e.tables() {
		t.Observed(id, moved)
	}
}

// freshnessTicks is how many ticks pass between two looks for observations that went stale.
const freshnessTicks = 4

// endTicks is how many ticks pass between two looks at the ends of orders.
const endTicks = 4

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
	if e.orders.Due(now) {
		looked = e.orders.Apply(e.tables(), now) || looked
	}
	e.publish(now, looked)
	if e.stale.Poll(now); e.ticks%tellTicks == 0 {
		e.stale.Mind(e.orders.Digest(), now)
	}
	if e.ticks%endTicks == 0 {
		e.orders.WatchEnds(now)
	}
	if e.ticks%saveTicks == 0 {
		e.state.Save(e.view.Load())
		e.gone.Mind(e.goneElsewhere(), now)
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
	e.stale.Published(v, &swap, now)
	e.publishing.Observe(time.Since(now).Seconds())
	if e.generation > 1 {
		e.reporter.Published(changes, v)
		e.incidents.Published(changes, &swap, v, now)
		e.stale.Departed(&swap, now)
	}
	e.state.Save(v)
	return swap
}

// takeModel starts to compile the model that waits, unless one is being compiled.
func (e *Engine) takeModel(now time.Time) {
	if e.next != nil {
		return
	}
	m := e.models.Next(e.cur.Model)
	if m == nil {
		return
	}
	t := e.newVersion(m, e.cur.Table, now)
	t.Overlay(e.orders.Open(now), now)
	t.Judge(now)
	v := t.View(0, now)
	e.next = t
	e.vantage.SetTargets(e.cur.Table, t.Table)
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
	defer e.tidy.TookUp(t.Model, old)
	e.cur, e.next = t, nil
	e.markAll(now)
	e.vantage.SetTargets(t.Table)
	e.evidence.Forget(func(id health.TargetID) bool { return e.vantage.Wants(id, e.tables()) })
	e.evidence.Lags.Forget(func(id health.TargetID) bool { _, ok := t.Target(id); return ok })
	e.orders.Use(t.Table)
	e.orders.Apply(e.tables(), now)
	changes := t.Judge(now)
	e.incidents.TakenUp(now)
	e.opts.Logger.Info("configuration taken up", "old", old.Hash.String(), "new", t.Model.Hash.String(), "zones", len(t.Model.Zones))
	swap := e.serve(changes, now)
	e.departures.TakeUp(old, e.View(), &swap, e.goneBy(t, now), now)
	e.lives.Greatest().Want(ledger.TTLOf(t.Model))
	e.lives.Mind(now)
	e.models.Served()
}

// goneBy are the static records that no file has any more since a configuration was taken up.
func (e *Engine) goneBy(t *version, now time.Time) (left []departure.Left) {
	for _, g := range e.gone.TakeUp(t.Model, t.standing, e.goneElsewhere(), now) {
		left = append(left, departure.Left{Label: ledger.Label{Zone: g.Zone}, Owner: g.Name, RData: g.RData, Why: "the static record was removed", Expires: g.Until})
	}
	return left
}

// rejudge marks every pool.
func (e *Engine) rejudge() { table.AllDirty(e.tables()) }
