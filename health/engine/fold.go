package engine

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// observations holds the latest observation of each target. Run's goroutine writes; status reads.
type observations struct {
	mu sync.RWMutex
	m  map[health.TargetID]health.Observation // guarded by mu
	// peers are what the other nodes said, by name; guarded by mu, with what is in them.
	peers []*round.Vantage
}

func (o *observations) get(id health.TargetID) (health.Observation, bool) {
	o.mu.RLock()
	defer o.mu.RUnlock()
	obs, ok := o.m[id]
	return obs, ok
}

func (o *observations) put(batch map[health.TargetID]health.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, obs := range batch {
		o.m[id] = obs
	}
}

// forget drops what keep does not name.
func (o *observations) forget(keep func(health.TargetID) bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.m {
		if !keep(id) {
			delete(o.m, id)
		}
	}
}

// fold takes what the prober and the other nodes reported, judges the pools that it concerns and publishes if a verdict moved.
func (e *Engine) fold(now time.Time) {
	ordered := e.hear(now)
	if ordered {
		e.applyIntents(now)
	}
	e.publish(now, e.foldOwn(now) || ordered)
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
		was, known := e.observations.get(id)
		e.noteProbe(id, was, known, o)
		before := e.panel.restored[id]
		e.panel.bearOut(o)
		moved[id] = !known || before != e.panel.restored[id] || was.State != o.State || was.Suspect() != o.Suspect() || o.Reason != was.Reason || o.Reduction != was.Reduction || e.standingMoved(id, was, o)
	}
	e.observations.put(batch)
	looked = e.look(now)
	for id, m := range moved {
		e.observed(id, m)
		if e.cluster != nil {
			e.mark(id, now)
		}
	}
	return looked
}

// observed notes that there is something new about a target.
func (e *Engine) observed(id health.TargetID, moved bool) {
	e.cur.observed(id, moved)
	if e.next != nil {
		e.next.observed(id, moved)
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
	e.state.expire(now)
	for _, t := range []*table{e.cur, e.next} {
		if t == nil {
			continue
		}
		t.standStill(now)
		t.endHolds(now)
		if e.ticks%freshnessTicks == 0 {
			t.endFreshness(now)
		}
	}
	looked := e.onClusterTick(now)
	looked = e.look(now) || looked
	if !e.intentWake.IsZero() && !now.Before(e.intentWake) {
		looked = e.applyIntents(now) || looked
	}
	e.publish(now, looked)
	e.pollIssued(now)
	if e.ticks%endTicks == 0 {
		e.watchEnds(now)
	}
	if e.ticks%saveTicks == 0 {
		e.state.save(e.view.Load())
		e.mindRecords(now)
	}
	if moves := e.cur.horizons(now); len(moves) > 0 {
		e.opts.Publisher.MoveHorizons(moves)
	}
}

// publish judges the dirty pools and, if one of them changed or always is set, publishes a new view.
func (e *Engine) publish(now time.Time, always bool) {
	changes := e.cur.judge(now)
	if len(changes) == 0 && !always {
		return
	}
	e.serve(changes, now)
}

// serve publishes the current table. The order keeps the bound: horizons first fall to the least of old and new, then the
// snapshot is swapped, then they take their new values, so that an answer from the old snapshot never carries a TTL that
// only the new one may give.
func (e *Engine) serve(changes []change, now time.Time) ledger.Swap {
	e.generation++
	v := e.cur.newView(e.generation, now)
	swap := e.opts.Publisher.Publish(v, e.cur.lowered(now))
	e.view.Store(v)
	if moves := e.cur.horizons(now); len(moves) > 0 {
		e.opts.Publisher.MoveHorizons(moves)
	}
	e.issued.book.Published(&swap, now)
	e.metrics.publish.Observe(time.Since(now).Seconds())
	if e.generation > 1 {
		e.report(changes)
		e.tellChanges(changes)
		e.tellAddresses(changes)
		e.happened(changes, &swap, now)
		if len(swap.Left) > 0 && (len(e.issued.departures) < manyOut || now.Sub(e.issued.followed) >= followPause) {
			// Nobody is told that there is nothing to forget, not even for a second.
			e.follow(now)
		}
	}
	e.state.save(v)
	return swap
}

// takeModel starts to compile the model that waits, unless one is being compiled.
func (e *Engine) takeModel(g *errgroup.Group, now time.Time) {
	if e.next != nil {
		return
	}
	e.mu.Lock()
	m := e.model
	e.model = nil
	e.mu.Unlock()
	if m == nil || m == e.cur.model {
		return
	}
	t := e.newTable(m, e.cur)
	t.overlay(e.intents.Set().Open(now), now)
	t.judge(now)
	v := t.newView(0, now)
	e.next = t
	e.setTargets(e.cur, t)
	keep := e.keepRecords(now)
	g.Go(func() error {
		e.opts.Publisher.Prepare(v)
		t.standing = sharedRecords(t.model.Zones, t.model.Zones)
		keep(t.standing)
		e.prepared <- t
		return nil
	})
}

// takeUp serves a model that has been compiled. What was observed meanwhile is judged first.
func (e *Engine) takeUp(t *table, now time.Time) {
	old := e.cur.model
	defer e.tookUp(t.model, old)
	e.cur, e.next = t, nil
	e.markAll(now)
	e.setTargets(t)
	e.observations.forget(e.wants)
	e.applyIntents(now)
	changes := t.judge(now)
	e.incidents.model = now
	e.opts.Logger.Info("configuration taken up", "old", old.Hash.String(), "new", t.model.Hash.String(), "zones", len(t.model.Zones))
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
func (e *Engine) targets(tables ...*table) []health.Target {
	all := make(map[health.TargetID]health.Target)
	for _, t := range tables {
		for id, use := range t.targets {
			if use.mine {
				all[id] = use.target
			}
		}
	}
	for _, r := range e.sight.references {
		all[r.ID] = r
	}
	return slices.Collect(maps.Values(all))
}

// wants tells whether anything depends on the target. What does not is from a probe that was in flight when it went.
func (e *Engine) wants(id health.TargetID) bool {
	return e.cur.probes(id) || e.next != nil && e.next.probes(id) ||
		slices.ContainsFunc(e.sight.references, func(r health.Target) bool { return r.ID == id })
}

// look finds out whether this vantage is late or blind, and says so when that changed.
func (e *Engine) look(now time.Time) (changed bool) {
	late := e.lookLate(now)
	if !e.sight.look(e.cur, now) {
		return late
	}
	e.metrics.blind.Set(boolValue(e.sight.blind))
	e.opts.Events.Add(either(e.sight.blind, "node.blind", "node.sees"), e.opts.Node, either(e.sight.blind, "this vantage abstains", "this vantage sees again"), nil)
	if e.sight.blind {
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
	if late == e.sight.late {
		return false
	}
	e.sight.late = late
	e.metrics.late.Set(boolValue(late))
	e.opts.Events.Add(either(late, "node.late", "node.in_time"), e.opts.Node,
		either(late, fmt.Sprintf("this vantage is late by itself, by %v: probes that time out do not count", by.Round(time.Millisecond)),
			"this vantage is in time again"), nil)
	e.opts.Logger.Warn("vantage late by itself", "late", late, "late_seconds", by.Seconds())
	return true
}

// standingMoved tells whether was no longer counted, or only now does not, though o says the same: it had gone stale, or
// this vantage's blindness stood between them.
func (e *Engine) standingMoved(id health.TargetID, was, o health.Observation) bool {
	use := e.cur.targets[id]
	if use == nil {
		return false
	}
	c := use.target.Check
	return !o.At.Before(judge.FreshUntil(c, was)) || e.sight.trusts(id, c, was) != e.sight.trusts(id, c, o)
}

// probes tells whether this node probes a target for t.
func (t *table) probes(id health.TargetID) bool {
	use := t.targets[id]
	return use != nil && use.mine
}

// rejudge marks every pool.
func (e *Engine) rejudge() {
	e.cur.allDirty()
	if e.next != nil {
		e.next.allDirty()
	}
}

// A change is one endpoint whose shown state moved.
type change struct {
	zone     *config.Zone
	pool     *config.Pool
	endpoint *config.Endpoint
	old, new health.EndpointView
}

// maxLogged bounds the lines for one publication; an outage of thousands of endpoints is one event.
const maxLogged = 20

func (e *Engine) report(changes []change) {
	logged := 0
	for _, c := range changes {
		was, is := c.old.Shown(), c.new.Shown()
		if was == is {
			continue
		}
		e.metrics.transitions[is].Inc()
		if logged++; logged <= maxLogged {
			e.opts.Logger.Info("endpoint changed state", "zone", c.zone.Name, "pool", c.pool.Name, "endpoint", c.endpoint.Name,
				"old", was.String(), "new", is.String(), "cause", c.new.Reason)
		}
	}
	if logged > maxLogged {
		e.opts.Logger.Info("more endpoints changed state", "count", logged-maxLogged)
	}
}
