package runner

import (
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// A world is what one turn of a run looks at. It implements run.World.
type world struct {
	runner *Runner
	run    *run.Run
	plan   *config.Plan
	now    time.Time
	snap   *answer.Snapshot
	orders []health.IntentState
	// err is why something could not be asked: nothing is done on what was said then.
	err error
}

func (r *Runner) world(u *run.Run, p *config.Plan, now time.Time) *world {
	w := &world{runner: r, run: u, plan: p, now: now, snap: r.opts.Snapshot(), orders: r.opts.Orders.Intents()}
	if w.snap == nil {
		w.err = errNothingServed
	}
	return w
}

// Since is how long this process has had an entry.
func (w *world) Since(e *run.Entry) time.Duration {
	return w.runner.opts.Store.Since(w.run.ID, e, w.now)
}

// find is a pool of what is served.
func (w *world) find(zone, pool string) (zv *health.ZoneView, p *config.Pool, v *health.PoolView) {
	if w.snap == nil {
		return nil, nil, nil
	}
	for _, zv := range w.snap.View.Zones {
		if zv.Zone.Name != zone {
			continue
		}
		for i, p := range zv.Zone.Pools {
			if p.Name == pool {
				return zv, p, zv.Pools[i]
			}
		}
	}
	return nil, nil, nil
}

// Pool is what is known of a pool.
func (w *world) Pool(zone, pool string) (s run.PoolState) {
	_, p, v := w.find(zone, pool)
	if p == nil {
		return s
	}
	s.Known, s.Endpoints, s.Shut = true, len(p.Endpoints), v.GateClosed
	for _, e := range v.Endpoints {
		if e.Drained {
			s.Drained++
			continue
		}
		if e.InService() {
			s.Up++
		}
		if e.State == health.Suspect {
			s.Suspect++
		}
	}
	return s
}

// Failing are the endpoints of a check that are not up.
func (w *world) Failing(zone, check string) (names []string, why string) {
	if w.snap == nil {
		return nil, errNothingServed.Error()
	}
	for _, zv := range w.snap.View.Zones {
		if zv.Zone.Name != zone {
			continue
		}
		found := false
		for pi, p := range zv.Zone.Pools {
			if !watches(zv.Zone, p, check) {
				continue
			}
			found = true
			for i, e := range zv.Pools[pi].Endpoints {
				if !e.Drained && !e.InService() {
					names = append(names, p.Name+"/"+p.Endpoints[i].Name)
				}
			}
		}
		if found {
			return names, ""
		}
	}
	return nil, fmt.Sprintf("no pool of zone %s has the check %s", zone, check)
}

func watches(z *config.Zone, p *config.Pool, check string) bool {
	for _, c := range p.Watched() {
		if z.Checks[c].Name == check {
			return true
		}
	}
	return false
}

// Lag is how far the data of a pool is behind.
func (w *world) Lag(zone, pool string) (value float64, known bool, text string) {
	zv, p, v := w.find(zone, pool)
	if p == nil || !p.HasLag {
		return 0, false, "nothing measures how far pool " + pool + " is behind"
	}
	lag := w.runner.opts.Orders.Lag(zv.Zone, p, v, w.now)
	return lag.Value, lag.Known() && !lag.Unknown, lag.Text(pool, zv.Zone.Checks[p.Lag].Lag.Unit, w.now)
}

// Order is what has become of an order.
func (w *world) Order(id health.IntentID) run.OrderState {
	states, err := w.runner.opts.Orders.Orders([]health.IntentID{id})
	if err != nil {
		w.err = err
		return run.OrderState{}
	}
	return states[0]
}

// Ready are the orders that hold the gate of a pool open.
func (w *world) Ready(zone, pool string) (out []health.IntentState) {
	for _, i := range w.orders {
		if i.Kind == health.IntentReady && i.Scope.Zone == zone && i.Scope.Pool == pool && !i.Planned {
			out = append(out, i)
		}
	}
	return out
}

// Freezes are the orders that stop verdicts.
func (w *world) Freezes() (out []health.IntentState) {
	for _, i := range w.orders {
		if i.Kind == health.IntentFreeze && !i.Planned {
			out = append(out, i)
		}
	}
	return out
}

// Trace is what caches may hold of what an order took out, by the incident of it.
func (w *world) Trace(id health.IntentID) (t run.Trace) {
	var found *ledger.Incident
	for _, i := range w.runner.opts.Orders.Incidents() {
		if i.Intent == id.String() {
			found = i
		}
	}
	if found == nil {
		return t
	}
	t.Out, t.Forgotten, t.Placed = true, found.Forgotten(), found.OpenedAt
	switch {
	case len(found.Unknown) > 0:
		t.Why = found.Unknown[0].Node + " has not said"
	case !found.Known():
		t.Why = "not every node has said that it does not answer it any more"
	default:
		t.Known, t.Within = true, found.SafeAt.Sub(found.OpenedAt)
	}
	return t
}

// Weights are those of the pools of a shift.
func (w *world) Weights(step int) (from, to int, why string) {
	if w.snap == nil {
		return 0, 0, errNothingServed.Error()
	}
	return w.plan.Steps[step].Shift.Weights(w.snap.View.Model.Zones)
}

// Admissible is nil if the rules would let an order in.
func (w *world) Admissible(i health.Intent) error { return w.runner.opts.Orders.Admissible(i) }

// Trouble names what is down, or a service that answers on a last resort.
func (w *world) Trouble() string {
	if w.snap == nil {
		return errNothingServed.Error()
	}
	for _, zv := range w.snap.View.Zones {
		for pi, p := range zv.Zone.Pools {
			for i, e := range zv.Pools[pi].Endpoints {
				if !e.Drained && !e.InService() && !e.Pending() {
					return p.Name + "/" + p.Endpoints[i].Name + " is " + e.State.String()
				}
			}
		}
		for i, svc := range zv.Zone.Services {
			if plan := w.snap.Plan(zv.Zone, i); plan.Source.Degraded() {
				return strings.TrimSuffix(svc.Name, ".") + " answers from " + plan.Source.String()
			}
		}
	}
	return ""
}

// May says why the hook of a step cannot be called from this node.
func (w *world) May(step int) string {
	h := w.plan.Steps[step].Hook
	if len(h.Run) == 0 {
		if h.Secret != "" {
			if _, err := config.ReadKeyFile(h.Secret); err != nil {
				return "secret: " + err.Error()
			}
		}
		return ""
	}
	if !w.runner.opts.Plans().Exec {
		return "hooks may not run programs on node " + w.runner.opts.Node + ": plans.exec in its node file"
	}
	if _, err := exec.LookPath(h.Run[0]); err != nil {
		return err.Error()
	}
	return ""
}
