package runner

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/run"
)

// A skip is why a plan is not practised in a window.
type skip struct {
	open time.Time
	why  string
	// told is set once the window has closed, and it was said that it passed.
	told bool
}

// practise begins practice runs whose window is open. Of the nodes that are heard the one with the least name does, and none that hears no
// majority.
func (r *Runner) practise(now time.Time) {
	r.mu.Lock()
	plans := r.plans
	r.mu.Unlock()
	for _, p := range plans {
		if p.Practice == nil {
			continue
		}
		open, shut := run.Window(p.Practice, now)
		r.passed(p.Name, open)
		if now.Before(open) || run.Practised(r.opts.Store.Runs(), p.Name, open, shut) {
			continue
		}
		why := r.unfit(p, now)
		if why == "" {
			why = r.beginPractice(p, now)
		}
		r.mu.Lock()
		r.skipped[p.Name] = skip{open: open, why: why}
		r.mu.Unlock()
	}
}

// passed says that a window has closed without a practice.
func (r *Runner) passed(plan string, open time.Time) {
	r.mu.Lock()
	s := r.skipped[plan]
	says := s.why != "" && !s.told && !s.open.Equal(open)
	if says {
		s.told = true
		r.skipped[plan] = s
	}
	r.mu.Unlock()
	if !says {
		return
	}
	r.opts.Logger.Warn("plan not practised", "plan", plan, "window", s.open, "cause", s.why)
	if r.leads() == "" {
		r.opts.Events.Add("plan.practice_skipped", plan, "plan "+plan+" was not practised: "+s.why, map[string]any{"window": s.open})
	}
}

// leads says why it is not this node that begins practices.
func (r *Runner) leads() string {
	members, err := r.opts.Orders.Members()
	if err != nil {
		return err.Error()
	}
	if why := run.Majority(members); why != "" {
		return why
	}
	if !run.Own(&run.State{}, r.opts.Node, members) {
		return "another node does that"
	}
	return ""
}

// unfit says why the plan is not practised now.
func (r *Runner) unfit(p *config.Plan, now time.Time) string {
	if why := r.leads(); why != "" {
		return why
	}
	for _, u := range r.opts.Store.Runs() {
		if !u.Over() {
			return u.ID + " has not ended"
		}
	}
	for _, i := range r.opts.Orders.Intents() {
		switch i.Kind {
		case health.IntentDrain, health.IntentWeight, health.IntentForce, health.IntentFreeze, health.IntentStopped:
			return i.Kind.String() + " " + i.ID.String() + " of " + i.Scope.String() + " stands, by " + i.Actor
		}
	}
	u := run.New(p, r.opts.Node, now)
	if why := r.world(u, p, now).Trouble(); why != "" {
		return why
	}
	if step, why := run.Stops(r.foresee(p, config.PlanGraceful, true, now)); step > 0 {
		return foreseen(p.Name, step, why)
	}
	return ""
}

// beginPractice begins a practice run; why says why it could not.
func (r *Runner) beginPractice(p *config.Plan, now time.Time) (why string) {
	u := run.New(p, r.opts.Node, now)
	u.Practice, u.Auto, u.Actor, u.Reason = true, true, "practice", "the weekly window"
	if err := r.begin(u, now); err != nil {
		return err.Error()
	}
	return ""
}

// begin keeps a new run, of which this process is the first owner.
func (r *Runner) begin(u *run.Run, now time.Time) error {
	r.mu.Lock()
	r.begun[u.ID] = true
	r.mu.Unlock()
	if err := r.opts.Store.Start(u, now); err != nil {
		r.mu.Lock()
		delete(r.begun, u.ID)
		r.mu.Unlock()
		return err
	}
	r.opts.Logger.Info("run begins", "run", u.ID, "plan", u.Plan, "variant", u.Variant, "practice", u.Practice, "actor", u.Actor, "reason", u.Reason)
	r.Poke()
	return nil
}
