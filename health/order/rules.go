package order

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/table"
)

// rules judge, by the model and the nodes of now, whether an order may be. They are values: nothing is changed.
type rules struct {
	node  string
	table *table.Table
	// members and barrier are nil for a node alone.
	members *cluster.Members
	barrier *cluster.Barrier
	shut    *cluster.Shut
}

// admissible refuses what would have no effect, or an effect that a rule forbids once it has the place of those of open that it replaces.
func (r *rules) admissible(i *health.Intent, open []health.Intent, now time.Time, replaced ...health.IntentID) error {
	if r.namesNothing(r.table.Model, i) {
		what := i.Scope.String()
		if i.Service != "" {
			what += " for service " + i.Service
		}
		return fmt.Errorf("%w: %s", health.ErrNothingNamed, what)
	}
	switch i.Kind {
	case health.IntentStopped, health.IntentRemoved:
		return r.canLeave(i)
	case health.IntentReady:
		if p, _ := r.poolNamed(i.Scope); !p.Gate.Manual {
			return fmt.Errorf("%w: %s has no gate that waits for `ready`", health.ErrIntentConflict, i.Scope)
		}
	case health.IntentFailback:
		if err := r.canReturn(i); err != nil {
			return err
		}
	}
	if err := r.table.Behind(i, now); err != nil {
		return err
	}
	if !i.TakesOut() {
		return nil
	}
	if err := r.table.Short(i, now); err != nil {
		return err
	}
	// With the ids that are given now it is the last one: only its own fate can be new.
	last := *i
	last.ID, last.Confirmed = health.IntentID{Node: "\U0010FFFF"}, false
	drains := []*health.Intent{}
	for _, other := range open {
		if overlap(&other, i) && !slices.Contains(replaced, other.ID) {
			drains = append(drains, &other)
		}
	}
	fates := judge.Drains(r.table.Model.Zones, append(drains, &last), r.answersNobody)
	if f := fates[len(fates)-1]; !f.Effective() {
		return &health.RuleError{Suspension: f.Suspension, Why: f.Why}
	}
	return nil
}

// answersNobody says why a pool, by zone and pool of the model in force, answers nobody now whatever its health; empty if it may.
func (r *rules) answersNobody(zone, pool int) string {
	p, view := r.table.Model.Zones[zone].Pools[pool], r.table.Pool(table.Ref{Zone: zone, Pool: pool})
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
func (r *rules) canReturn(i *health.Intent) error {
	p, view := r.poolNamed(i.Scope)
	if len(p.Failbacks) > 0 && !slices.ContainsFunc(p.Failbacks, func(f config.Failback) bool { return f.Mode != config.FailbackNever }) {
		return fmt.Errorf("%w: %s never returns by itself or by hand (failback.mode: never): it returns with a new version of its zone file",
			health.ErrIntentConflict, i.Scope)
	}
	if view.Return.On() || slices.ContainsFunc(view.ReturnAZ, func(r health.Return) bool { return r.On() }) {
		return nil
	}
	return fmt.Errorf("%w: %s is not on its way back: it is in service, or nothing in it is eligible", health.ErrIntentConflict, i.Scope)
}

// poolNamed is the pool that scope names in the model in force, which is known to have it.
func (r *rules) poolNamed(scope health.Scope) (*config.Pool, *health.PoolView) {
	for zi, z := range r.table.Model.Zones {
		if z.Name != scope.Zone {
			continue
		}
		for pi, p := range z.Pools {
			if p.Name == scope.Pool {
				return p, r.table.Pool(table.Ref{Zone: zi, Pool: pi})
			}
		}
	}
	return nil, nil
}

// namesNothing tells whether the scope, or the service in it, is not in the model.
func (r *rules) namesNothing(m *config.Model, i *health.Intent) bool {
	switch i.Scope.Kind {
	case health.ScopeCluster:
		return false
	case health.ScopeNode:
		return i.Scope.Name != r.node && !r.members.Knows(i.Scope.Name, time.Now())
	}
	return judge.AboutNothing(m.Zones, i, judge.Resolve(m.Zones, []*health.Intent{i})[0])
}

// canLeave tells whether a node may be declared stopped or removed: not this one, and not one that is heard.
func (r *rules) canLeave(i *health.Intent) error {
	name := i.Scope.Name
	if name == r.node {
		return fmt.Errorf("%w: node %s answers you", health.ErrIntentConflict, name)
	}
	if r.members.Fresh(name) {
		return fmt.Errorf("%w: node %s is heard: stop it first", health.ErrIntentConflict, name)
	}
	return nil
}

// mayOrder is nil where this node knows enough to take orders: what it has not heard of it could contradict, and its ids could
// be those of an earlier life.
func (r *rules) mayOrder() error {
	if r.barrier == nil || r.barrier.Open() {
		return nil
	}
	return fmt.Errorf("%w: %s", health.ErrNotJoined, r.shut.Why())
}
