package engine

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// setNodeOrders takes up what the intents in force say about nodes; changed tells whether this node is drained from now on, or
// no longer.
func (e *Engine) setNodeOrders(active []*health.Intent) (changed bool) {
	self, removed, stopped := false, make(map[string]time.Time), make(map[string]time.Time)
	for _, i := range active {
		if i.Scope.Kind != health.ScopeNode {
			continue
		}
		switch i.Kind {
		case health.IntentDrain:
			self = self || i.Scope.Name == e.opts.Node
		case health.IntentRemoved:
			removed[i.Scope.Name] = i.Start
		case health.IntentStopped:
			stopped[i.Scope.Name] = i.Start
		}
	}
	if changed = e.drained.Swap(self) != self; changed {
		e.opts.Logger.Info("this node", "drained", self)
	}
	c := e.cluster
	if c == nil {
		return changed
	}
	c.removed, c.stopped = removed, stopped
	// A drained node abstains as a vantage; alone it is the only one there is.
	if e.evidence.Drained != self {
		e.evidence.Drained = self
		e.rejudge()
	}
	return changed
}

// canLeave tells whether a node may be declared stopped or removed: not this one, and not one that is heard.
func (e *Engine) canLeave(i *health.Intent) error {
	name := i.Scope.Name
	if name == e.opts.Node {
		return fmt.Errorf("%w: node %s answers you", health.ErrIntentConflict, name)
	}
	if p := e.cluster.peers[name]; p != nil && p.fresh {
		return fmt.Errorf("%w: node %s is heard: stop it first", health.ErrIntentConflict, name)
	}
	return nil
}

// knows tells whether any roster has the node.
func (e *Engine) knows(name string, now time.Time) bool {
	return slices.Contains(e.configuredNames(now), name) || !e.cluster.removed[name].IsZero()
}

// mayOrder tells whether this node knows enough to take orders: what it has not heard of it could contradict, and its ids could
// be those of an earlier life.
func (e *Engine) mayOrder() bool { return e.cluster == nil || e.cluster.gate.open }
