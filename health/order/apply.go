package order

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/table"
)

// A FreezeOrder is an operator's word that no verdict moves by itself. It is an intent for the whole cluster, so it outlives a
// restart.
type FreezeOrder struct {
	On     bool
	Actor  string
	Reason string
	Since  time.Time
}

// Apply brings what the intents change at now into the tables. The pools that it concerns are judged by the next
// judge; changed tells whether anything is different.
func (s *Orders) Apply(tables []*table.Table, now time.Time) (changed bool) {
	set := s.store.Set()
	s.wake = set.Next(now)
	open := set.Open(now)
	active := health.ActiveAt(open, now)
	changed = s.setFreeze(active, tables)
	changed = s.setNodeOrders(active, tables) || changed
	for _, t := range tables {
		changed = t.Overlay(open, now) || changed
	}
	s.show(open, now)
	return changed
}

// setFreeze takes up what the intents in force say about verdicts; changed tells whether that is new.
func (s *Orders) setFreeze(active []*health.Intent, tables []*table.Table) (changed bool) {
	f := FreezeOrder{}
	for _, i := range active {
		if i.Kind == health.IntentFreeze && !f.On && !s.opts.Without.Without(health.GuardFreeze) {
			f = FreezeOrder{On: true, Actor: i.Actor, Reason: i.Reason, Since: i.Start}
		}
	}
	if f == s.freeze {
		return false
	}
	changed = f.On != s.freeze.On
	s.freeze, s.opts.Evidence.Frozen = f, f.On
	s.frozen.Store(&f)
	s.metrics.frozen.Set(boolValue(f.On))
	if changed {
		s.opts.Logger.Info("automatic verdicts", "frozen", f.On, "actor", f.Actor, "reason", f.Reason)
		table.AllDirty(tables)
	}
	return changed
}

// setNodeOrders takes up what the intents in force say about nodes; changed tells whether this node is drained from now on, or
// no longer.
func (s *Orders) setNodeOrders(active []*health.Intent, tables []*table.Table) (changed bool) {
	self, removed, stopped := false, make(map[string]time.Time), make(map[string]time.Time)
	for _, i := range active {
		if i.Scope.Kind != health.ScopeNode {
			continue
		}
		switch i.Kind {
		case health.IntentDrain:
			self = self || i.Scope.Name == s.opts.Node
		case health.IntentRemoved:
			removed[i.Scope.Name] = i.Start
		case health.IntentStopped:
			stopped[i.Scope.Name] = i.Start
		}
	}
	if changed = s.drained.Swap(self) != self; changed {
		s.opts.Logger.Info("this node", "drained", self)
	}
	if s.members == nil {
		return changed
	}
	s.members.Order(removed, stopped)
	// A drained node abstains as a vantage; alone it is the only one there is.
	if s.opts.Evidence.Drained != self {
		s.opts.Evidence.Drained = self
		table.AllDirty(tables)
	}
	return changed
}

// show publishes what has become of the intents.
func (s *Orders) show(open []health.Intent, now time.Time) {
	active := health.ActiveAt(open, now)
	fates := judge.Drains(s.rules.table.Model.Zones, active, nil)
	states := make([]health.IntentState, 0, len(open))
	counts := make(map[string]float64)
	var lacking [][]string
	if s.members != nil {
		lacking = s.opts.Holders.Lacking(s.store.Set(), open, now)
	}
	all := make([]*health.Intent, len(open))
	for n := range open {
		all[n] = &open[n]
	}
	resolved := judge.Resolve(s.rules.table.Model.Zones, all)
	for n, i := range open {
		one := health.IntentState{Intent: i, Planned: !i.Active(now), Elsewhere: elsewhere(s.rules.table.Model, &i, resolved[n])}
		if i.Scope.Kind == health.ScopeCluster || i.Scope.Kind == health.ScopeNode {
			one.Nothing = s.rules.namesNothing(s.rules.table.Model, &i)
		} else {
			one.Nothing = judge.AboutNothing(s.rules.table.Model.Zones, &i, resolved[n])
		}
		if s.members != nil {
			one.Missing = lacking[n]
		}
		for k, a := range active {
			if a.ID == i.ID && !fates[k].Effective() {
				one.Suspended = &fates[k].Suspension
			}
		}
		states = append(states, one)
		switch {
		case one.Planned:
			counts[intentPlanned]++
		case one.Suspended != nil:
			counts[intentSuspended]++
		default:
			counts[intentInForce]++
		}
	}
	for state, gauge := range s.metrics.intents {
		gauge.Set(counts[state])
	}
	was := s.shown.Swap(&shown{states: states, moved: make(chan struct{})})
	switch {
	case was != nil:
		s.opts.Reporter.Orders(was.states, states, now)
		close(was.moved)
	case s.members.Alone():
		// The other nodes of a cluster have told it, and may know of a later end.
		s.opts.Reporter.Lapsed(s.store.Lapsed())
	}
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
