package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/run"
)

var errNothingServed = errors.New("nothing is served yet")

// refused tells whether another try would change nothing.
func refused(err error) bool {
	if _, ok := errors.AsType[*health.RuleError](err); ok {
		return true
	}
	for _, e := range []error{health.ErrInvalidIntent, health.ErrNothingNamed, health.ErrIntentConflict} {
		if errors.Is(err, e) {
			return true
		}
	}
	return errors.Is(err, intent.ErrFull)
}

// A foresight is what a graceful run of a plan would come to.
type foresight struct {
	at        time.Time
	prospects []run.Prospect
	// of is the plan, and zones the configuration, for which it was looked at.
	of, zones config.Hash
}

// readPlans reads the directory of plans, and looks at what has changed, or was looked at too long ago.
func (r *Runner) readPlans(now time.Time) {
	snap := r.opts.Snapshot()
	dir := r.opts.Plans().Directory
	if snap == nil {
		return
	}
	zones := snap.View.Model.Zones
	if zones == nil {
		zones = []*config.Zone{}
	}
	var plans []*config.Plan
	var problems config.Problems
	if dir != "" {
		var err error
		if plans, problems, err = config.ReadPlans(dir, zones); err != nil && !errors.Is(err, fs.ErrNotExist) {
			problems = append(problems, config.Problem{File: dir, Message: "cannot be read: " + err.Error()})
		} else if err != nil {
			problems = append(problems, config.Problem{File: dir, Message: "there is no such directory"})
		}
	}
	r.mu.Lock()
	before := r.problems
	r.plans, r.problems = plans, problems
	r.mu.Unlock()
	for _, p := range problems {
		if !slices.Contains(before, p) && p.Severity == config.Error {
			r.opts.Logger.Warn("plan", "problem", p.Head())
		}
	}
	for _, p := range plans {
		r.refresh(p, snap.View.Model.Hash, now)
	}
	r.drop(plans)
}

// drop forgets what was foreseen of plans that are gone.
func (r *Runner) drop(plans []*config.Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.foresight {
		if !slices.ContainsFunc(plans, func(p *config.Plan) bool { return p.Name == name }) {
			delete(r.foresight, name)
			delete(r.skipped, name)
			r.metrics.stops.DeleteLabelValues(name)
		}
	}
}

// refresh looks at what a run of the plan would come to, and says so where that has changed.
func (r *Runner) refresh(p *config.Plan, zones config.Hash, now time.Time) {
	r.mu.Lock()
	was, known := r.foresight[p.Name]
	r.mu.Unlock()
	if known && was.of == p.Hash && was.zones == zones && now.Sub(was.at) < foreseeEvery {
		return
	}
	is := foresight{at: now, of: p.Hash, zones: zones, prospects: r.foresee(p, config.PlanGraceful, false, now)}
	r.mu.Lock()
	r.foresight[p.Name] = is
	r.mu.Unlock()
	step, why := run.Stops(is.prospects)
	r.metrics.stops.WithLabelValues(p.Name).Set(float64(step))
	before, whyBefore := run.Stops(was.prospects)
	switch {
	case step != 0 && (step != before || why != whyBefore):
		r.opts.Logger.Warn("plan would stop", "plan", p.Name, "step", step, "cause", why)
		r.opts.Events.Add("plan.would_stop", p.Name, foreseen(p.Name, step, why), map[string]any{"step": step})
	case step == 0 && before != 0:
		r.opts.Logger.Info("plan would go through", "plan", p.Name)
		r.opts.Events.Add("plan.would_run", p.Name, foreseen(p.Name, step, why), nil)
	}
}

func foreseen(plan string, step int, why string) string {
	if step == 0 {
		return "plan " + plan + " would go through"
	}
	return fmt.Sprintf("plan %s would stop at step %d: %s", plan, step, why)
}

// foresee is what a run of the plan would come to that began now.
func (r *Runner) foresee(p *config.Plan, variant string, practice bool, now time.Time) []run.Prospect {
	u := run.New(p, r.opts.Node, now)
	u.Variant, u.Practice = variant, practice
	return run.Foresee(p, u, r.world(u, p, now))
}
