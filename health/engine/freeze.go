package engine

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A FreezeOrder is an operator's word that no verdict moves by itself. It is an intent for the whole cluster, so it outlives a
// restart.
type FreezeOrder struct {
	On     bool
	Actor  string
	Reason string
	Since  time.Time
}

// Frozen is the latest order.
func (e *Engine) Frozen() FreezeOrder { return *e.frozen.Load() }

// setFreeze takes up what the intents in force say about verdicts; changed tells whether that is new.
func (e *Engine) setFreeze(active []*health.Intent) (changed bool) {
	f := FreezeOrder{}
	for _, i := range active {
		if i.Kind == health.IntentFreeze && !f.On && !e.opts.Without.Without(health.GuardFreeze) {
			f = FreezeOrder{On: true, Actor: i.Actor, Reason: i.Reason, Since: i.Start}
		}
	}
	if f == e.freeze {
		return false
	}
	changed = f.On != e.freeze.On
	e.freeze, e.evidence.Frozen = f, f.On
	e.frozen.Store(&f)
	e.metrics.frozen.Set(boolValue(f.On))
	if changed {
		e.opts.Logger.Info("automatic verdicts", "frozen", f.On, "actor", f.Actor, "reason", f.Reason)
		e.rejudge()
	}
	return changed
}
