package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/table"
)

// Intend takes an order. A start of zero is now, an end of zero that is not Forever is health.DefaultIntent later. When it
// returns without an error the intent is on disk and, if it has started, in force. An order that replaces another one of the
// same kind, scope and service ends that one. A safety rule refuses by a *health.RuleError.
func (e *Engine) Intend(i health.Intent) (id health.IntentID, err error) {
	err = e.keep(func(now time.Time) (then intent.Finish, err error) {
		i.Fill(now)
		id, then, err = e.replace(i, now, e.replacedBy(&i, now)...)
		return then, err
	})
	return id, err
}

// Admissible tells whether Intend would take an order, and changes nothing.
func (e *Engine) Admissible(i health.Intent) error {
	return e.loop.Do(func(now time.Time) error {
		i.Fill(now)
		if err := i.Validate(); err != nil {
			return err
		}
		return e.admissible(&i, now, e.replacedBy(&i, now)...)
	})
}

// EndIntent ends intents that are open; all of them or none.
func (e *Engine) EndIntent(ids []health.IntentID, actor, reason string) error {
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return e.keep(func(now time.Time) (intent.Finish, error) { return e.endIntents(ids, actor, reason, now) })
}

func (e *Engine) endIntents(ids []health.IntentID, actor, reason string, now time.Time) (then intent.Finish, err error) {
	return func(now time.Time, err error) error {
		if err != nil {
			return err
		}
		e.opts.Logger.Info("intents ended", "ids", fmt.Sprint(ids), "actor", actor, "reason", reason)
		e.nowInForce(ids, now)
		return nil
	}, e.intents.End(intent.End{Actor: actor, Reason: reason, At: now}, ids...)
}

// nowInForce publishes what an order that is on disk has changed, and hands it to the other nodes.
func (e *Engine) nowInForce(ids []health.IntentID, now time.Time) {
	e.applyIntents(now)
	e.publish(now, true)
	e.share(ids, now)
}

// Freeze stops every automatic verdict, or lets them move again. When it returns nil the order is on disk and in force.
func (e *Engine) Freeze(on bool, actor, reason string) error {
	if on {
		_, err := e.Intend(health.Intent{Kind: health.IntentFreeze, Scope: health.Scope{Kind: health.ScopeCluster}, Actor: actor, Reason: reason, Forever: true})
		return err
	}
	if err := health.ValidateWords(actor, reason); err != nil {
		return err
	}
	return e.keep(func(now time.Time) (intent.Finish, error) {
		var ids []health.IntentID
		for _, i := range e.intents.Set().Open(now) {
			if i.Kind == health.IntentFreeze {
				ids = append(ids, i.ID)
			}
		}
		if len(ids) == 0 {
			return nil, nil
		}
		return e.endIntents(ids, actor, reason, now)
	})
}

// shownIntents are what has become of the intents; moved is closed when that, or who holds them, is out of date.
type shownIntents struct {
	states []health.IntentState
	moved  chan struct{}
}

// Intents are the intents in force and those planned, by id, as of the latest change.
func (e *Engine) Intents() []health.IntentState { return e.shownIntents.Load().states }

// replace begins an order that is filled, in the place of others: one without an id gets one.
func (e *Engine) replace(i health.Intent, now time.Time, replaced ...health.IntentID) (id health.IntentID, then intent.Finish, err error) {
	if err := i.Validate(); err != nil {
		return i.ID, nil, err
	}
	if err := e.admissible(&i, now, replaced...); err != nil {
		return i.ID, nil, err
	}
	if !e.mayOrder() {
		return i.ID, nil, fmt.Errorf("%w: %s", health.ErrNotJoined, e.Shut())
	}
	if !e.opts.Without.Without(health.GuardBound) {
		i.Bound = i.Bound.Union(judge.Bind(e.cur.Model.Zones, &i))
	}
	wrapped := func(err error) error { return fmt.Errorf("%s %s: %w", i.Kind, i.Scope, err) }
	if id = i.ID; id != (health.IntentID{}) {
		err = e.intents.PutAs(i, now, replaced...)
	} else {
		id, err = e.intents.Put(i, now, replaced...)
	}
	if err != nil {
		return id, nil, wrapped(err)
	}
	return id, func(now time.Time, err error) error {
		if err != nil {
			return wrapped(err)
		}
		e.opts.Logger.Info("intent taken", "id", id.String(), "kind", i.Kind.String(), "scope", i.Scope.String(), "service", i.Service,
			"actor", i.Actor, "reason", i.Reason)
		e.nowInForce(append(replaced, id), now)
		return nil
	}, nil
}

// admissible refuses what would have no effect, or an effect that a rule forbids once it has the place of those that it replaces.
func (e *Engine) admissible(i *health.Intent, now time.Time, replaced ...health.IntentID) error {
	if e.namesNothing(e.cur.Model, i) {
		what := i.Scope.String()
		if i.Service != "" {
			what += " for service " + i.Service
		}
		return fmt.Errorf("%w: %s", health.ErrNothingNamed, what)
	}
	switch i.Kind {
	case health.IntentStopped, health.IntentRemoved:
		return e.canLeave(i)
	case health.IntentReady:
		if p, _ := e.poolNamed(i.Scope); !p.Gate.Manual {
			return fmt.Errorf("%w: %s has no gate that waits for `ready`", health.ErrIntentConflict, i.Scope)
		}
	case health.IntentFailback:
		if err := e.canReturn(i); err != nil {
			return err
		}
	}
	if err := e.cur.Behind(i, now); err != nil {
		return err
	}
	if !i.TakesOut() {
		return nil
	}
	if err := e.cur.Short(i, now); err != nil {
		return err
	}
	// With the ids that are given now it is the last one: only its own fate can be new.
	last := *i
	last.ID, last.Confirmed = health.IntentID{Node: "\U0010FFFF"}, false
	drains := []*health.Intent{}
	for _, other := range e.intents.Set().Open(now) {
		if overlap(&other, i) && !slices.Contains(replaced, other.ID) {
			drains = append(drains, &other)
		}
	}
	fates := judge.Drains(e.cur.Model.Zones, append(drains, &last), e.answersNobody)
	if f := fates[len(fates)-1]; !f.Effective() {
		return &health.RuleError{Suspension: f.Suspension, Why: f.Why}
	}
	return nil
}

// answersNobody says why a pool, by zone and pool of the model in force, answers nobody now whatever its health; empty if it may.
func (e *Engine) answersNobody(zone, pool int) string {
	p, view := e.cur.Model.Zones[zone].Pools[pool], e.cur.Pool(table.Ref{Zone: zone, Pool: pool})
	switch {
	case view == nil:
		return ""
	case view.GateClosed:
		return judge.GateClosed
	case p.Stateful && view.AwaitsPerson(p):
		return "it has data and waits for `fairlead failback`"
	}
	return ""
}

// overlap tells whether there is an instant at which both are in force.
func overlap(a, b *health.Intent) bool {
	return (a.Forever || b.Start.Before(a.End)) && (b.Forever || a.Start.Before(b.End))
}

// canReturn tells whether a failback would let anything in.
func (e *Engine) canReturn(i *health.Intent) error {
	p, view := e.poolNamed(i.Scope)
	if len(p.Failbacks) > 0 && !slices.ContainsFunc(p.Failbacks, func(f config.Failback) bool { return f.Mode != config.FailbackNever }) {
		return fmt.Errorf("%w: %s never returns by itself or by hand (failback.mode: never): it returns with a new version of its zone file",
			health.ErrIntentConflict, i.Scope)
	}
	if view.Return.On() || slices.ContainsFunc(view.ReturnAZ, func(r health.Return) bool { return r.On() }) {
		return nil
	}
	return fmt.Errorf("%w: %s is not on its way back: it is in service, or nothing in it is eligible", health.ErrIntentConflict, i.Scope)
}

// replacedBy are the open intents that i, in force from now on, takes the place of. A second drain stands beside the first:
// each has an end and a reason of its own.
func (e *Engine) replacedBy(i *health.Intent, now time.Time) []health.IntentID {
	var ids []health.IntentID
	if i.Kind == health.IntentDrain || i.Start.After(now) {
		return nil
	}
	for _, other := range e.intents.Set().Open(now) {
		if other.Active(now) && other.Kind == i.Kind && other.Scope == i.Scope && other.Service == i.Service {
			ids = append(ids, other.ID)
		}
	}
	return ids
}

// poolNamed is the pool that scope names in the model in force, which is known to have it.
func (e *Engine) poolNamed(scope health.Scope) (*config.Pool, *health.PoolView) {
	for zi, z := range e.cur.Model.Zones {
		if z.Name != scope.Zone {
			continue
		}
		for pi, p := range z.Pools {
			if p.Name == scope.Pool {
				return p, e.cur.Pool(table.Ref{Zone: zi, Pool: pi})
			}
		}
	}
	return nil, nil
}

// namesNothing tells whether the scope, or the service in it, is not in the model.
func (e *Engine) namesNothing(m *config.Model, i *health.Intent) bool {
	switch i.Scope.Kind {
	case health.ScopeCluster:
		return false
	case health.ScopeNode:
		return i.Scope.Name != e.opts.Node && (e.cluster == nil || !e.knows(i.Scope.Name, time.Now()))
	}
	return judge.AboutNothing(m.Zones, i, judge.Resolve(m.Zones, []*health.Intent{i})[0])
}

// elsewhere are those of the endpoints, by zone, that i holds for though it does not name them.
func elsewhere(m *config.Model, i *health.Intent, refs [][]health.EndpointRef) (paths []string) {
	if i.Bound.Len() == 0 {
		return nil
	}
	for zi, z := range m.Zones {
		for _, ref := range refs[zi] {
			p := z.Pools[ref.Pool]
			if e := p.Endpoints[ref.Endpoint]; len(paths) < health.MaxElsewhere && !judge.ByName(z, p, e, i) {
				paths = append(paths, health.Scope{Kind: health.ScopeEndpoint, Zone: z.Name, Pool: p.Name, Endpoint: e.Name}.Path())
			}
		}
	}
	return paths
}

// applyIntents brings what the intents change at now into the tables. The pools that it concerns are judged by the next
// judge; changed tells whether anything is different.
func (e *Engine) applyIntents(now time.Time) (changed bool) {
	set := e.intents.Set()
	e.intentWake = set.Next(now)
	open := set.Open(now)
	active := health.ActiveAt(open, now)
	changed = e.setFreeze(active)
	changed = e.setNodeOrders(active) || changed
	for _, t := range e.tables() {
		changed = t.Overlay(open, now) || changed
	}
	e.showIntents(open, now)
	return changed
}

// showIntents publishes what has become of the intents.
func (e *Engine) showIntents(open []health.Intent, now time.Time) {
	active := health.ActiveAt(open, now)
	fates := judge.Drains(e.cur.Model.Zones, active, nil)
	states := make([]health.IntentState, 0, len(open))
	counts := make(map[string]float64)
	var configured []string
	set := e.intents.Set()
	if e.cluster != nil {
		configured = e.configuredNames(now)
	}
	all := make([]*health.Intent, len(open))
	for n := range open {
		all[n] = &open[n]
	}
	resolved := judge.Resolve(e.cur.Model.Zones, all)
	for n, i := range open {
		s := health.IntentState{Intent: i, Planned: !i.Active(now), Elsewhere: elsewhere(e.cur.Model, &i, resolved[n])}
		if i.Scope.Kind == health.ScopeCluster || i.Scope.Kind == health.ScopeNode {
			s.Nothing = e.namesNothing(e.cur.Model, &i)
		} else {
			s.Nothing = judge.AboutNothing(e.cur.Model.Zones, &i, resolved[n])
		}
		if e.cluster != nil {
			s.Missing = e.cluster.lacking(configured, set, i.ID)
		}
		for k, a := range active {
			if a.ID == i.ID && !fates[k].Effective() {
				s.Suspended = &fates[k].Suspension
			}
		}
		states = append(states, s)
		switch {
		case s.Planned:
			counts[intentPlanned]++
		case s.Suspended != nil:
			counts[intentSuspended]++
		default:
			counts[intentInForce]++
		}
	}
	for state, gauge := range e.metrics.intents {
		gauge.Set(counts[state])
	}
	was := e.shownIntents.Swap(&shownIntents{states: states, moved: make(chan struct{})})
	switch {
	case was != nil:
		e.reporter.Orders(was.states, states, now)
		close(was.moved)
	case e.cluster.alone():
		// The other nodes of a cluster have told it, and may know of a later end.
		e.reporter.Lapsed(e.intents.Lapsed())
	}
}
