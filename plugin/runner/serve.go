package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// agreeTimeout is how long a start waits until a majority has the run on disk.
const agreeTimeout = 3 * time.Second

// List is the plans of the directory.
func (r *Runner) List() api.Plans {
	r.mu.Lock()
	plans, problems := r.plans, r.problems
	r.mu.Unlock()
	out := api.Plans{Node: r.opts.Node, Plans: []api.Plan{}}
	for _, p := range plans {
		out.Plans = append(out.Plans, r.shown(p))
	}
	slices.SortFunc(out.Plans, func(a, b api.Plan) int { return strings.Compare(a.Name, b.Name) })
	for _, p := range problems {
		out.Problems = append(out.Problems, p.Head())
	}
	return out
}

// Any tells whether there are plans, files that are none, or runs: those of other nodes are here too.
func (r *Runner) Any() bool {
	r.mu.Lock()
	files := len(r.plans) + len(r.problems)
	r.mu.Unlock()
	return files > 0 || len(r.opts.Store.Runs()) > 0
}

func (r *Runner) shown(p *config.Plan) api.Plan {
	out := api.Plan{Name: p.Name, Says: p.Says, File: p.File, Hash: p.Hash.String(), OnFailure: "stop", Steps: []api.PlanStep{}}
	if p.Undo {
		out.OnFailure = "undo"
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		out.Steps = append(out.Steps, api.PlanStep{
			Name: s.Name, Kind: string(s.Kind), Does: run.Does(s), Says: s.Says, Only: s.Only, Practised: s.Practised, TimeoutSeconds: s.Timeout.Seconds(),
		})
	}
	runs := r.opts.Store.Runs()
	for _, u := range runs {
		if u.Plan == p.Name && !u.Over() {
			out.Run = u.ID
		}
	}
	r.mu.Lock()
	seen, known := r.foresight[p.Name]
	skipped := r.skipped[p.Name]
	r.mu.Unlock()
	if known {
		out.Foresight = shownForesight(p.Name, config.PlanGraceful, false, seen.at, seen.prospects)
	}
	if w := p.Practice; w != nil {
		open, _ := run.Window(w, time.Now())
		out.Practice = &api.PlanPractice{
			Day: strings.ToLower(w.Day.String()), At: fmt.Sprintf("%02d:%02d", int(w.At.Hours()), int(w.At.Minutes())%60), WindowSeconds: w.Window.Seconds(),
			HoldSeconds: w.Hold.Seconds(), OpensAt: open, Skipped: skipped.why,
		}
		for _, u := range slices.Backward(runs) {
			if u.Plan == p.Name && u.Auto {
				out.Practice.Last = u.ID
			}
		}
	}
	return out
}

func shownForesight(plan, variant string, practice bool, at time.Time, prospects []run.Prospect) *api.PlanForesight {
	step, why := run.Stops(prospects)
	out := &api.PlanForesight{At: at, Variant: variant, Practice: practice, StopsAt: step, Why: why, Text: foreseen(plan, step, why), Steps: []api.PlanProspect{}}
	for _, p := range prospects {
		out.Steps = append(out.Steps, api.PlanProspect(p))
	}
	return out
}

// find is a plan of the directory.
func (r *Runner) find(name string) (*config.Plan, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.plans {
		if p.Name == name {
			return p, nil
		}
	}
	for _, p := range r.problems {
		if p.Severity == config.Error && strings.HasSuffix(p.File, "/"+name+".yaml") {
			return nil, fmt.Errorf("%w: plan %s: %s", health.ErrNothingNamed, name, p.Head())
		}
	}
	return nil, fmt.Errorf("%w: plan %s", health.ErrNothingNamed, name)
}

// request is the run that a request asks for.
func (r *Runner) request(name string, req *api.PlanStartRequest) (*config.Plan, *run.Run, error) {
	p, err := r.find(name)
	if err != nil {
		return nil, nil, err
	}
	u := run.New(p, r.opts.Node, time.Now())
	u.Practice, u.Actor, u.Reason = req.Practice, req.Actor, req.Reason
	switch req.Variant {
	case "", config.PlanGraceful:
	case config.PlanUngraceful:
		u.Variant = config.PlanUngraceful
	default:
		return nil, nil, fmt.Errorf("%w: variant %q: want graceful or ungraceful", health.ErrInvalidIntent, req.Variant)
	}
	return p, u, nil
}

// Foresee is what a run would come to that began now.
func (r *Runner) Foresee(name string, req *api.PlanStartRequest) (*api.PlanForesight, error) {
	p, u, err := r.request(name, req)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	w := r.world(u, p, now)
	prospects := run.Foresee(p, u, w)
	if w.err != nil {
		return nil, w.err
	}
	return shownForesight(name, u.Variant, u.Practice, now, prospects), nil
}

// Start begins a run. It returns once a majority of the nodes has it on disk, and soon in any case.
func (r *Runner) Start(ctx context.Context, name string, req *api.PlanStartRequest) (*api.Run, error) {
	p, u, err := r.request(name, req)
	if err != nil {
		return nil, err
	}
	members, err := r.opts.Orders.Members()
	if err != nil {
		return nil, err
	}
	if why := run.Majority(members); why != "" {
		return nil, fmt.Errorf("%w: %s", health.ErrNotJoined, why)
	}
	now := time.Now()
	if u.Practice {
		if why := r.world(u, p, now).Trouble(); why != "" {
			return nil, fmt.Errorf("%w: no practice while something is wrong: %s", health.ErrIntentConflict, why)
		}
	}
	if err := r.begin(u, now); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, agreeTimeout)
	defer cancel()
	r.awaitAgreed(ctx)
	return r.ShowRun(u.ID)
}

// awaitAgreed returns once a majority of the nodes has what this one has on disk, and when ctx ends.
func (r *Runner) awaitAgreed(ctx context.Context) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if members, err := r.opts.Orders.Members(); err != nil || run.Agreed(members) == "" {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Runs are those that are kept, the latest first.
func (r *Runner) Runs() api.Runs {
	out := api.Runs{Runs: []api.Run{}}
	for _, u := range r.opts.Store.Runs() {
		out.Runs = append(out.Runs, r.shownRun(u))
	}
	return out
}

// ShowRun is one run.
func (r *Runner) ShowRun(id string) (*api.Run, error) {
	u := r.opts.Store.Run(id)
	if u == nil {
		return nil, fmt.Errorf("%w: run %s", health.ErrNothingNamed, id)
	}
	out := r.shownRun(u)
	return &out, nil
}

func (r *Runner) shownRun(u *run.Run) api.Run {
	out := api.Run{ID: u.ID, Plan: u.Plan, Variant: u.Variant, Practice: u.Practice, Auto: u.Auto, Actor: u.Actor, Reason: u.Reason, StartedAt: u.StartedAt, Status: "broken", Steps: []api.RunStep{}}
	p, err := u.Parse()
	if err != nil {
		out.Why = err.Error()
		return out
	}
	st := run.StateOf(p, u)
	out.Status, out.Why, out.Owner, out.Epoch, out.Current = string(st.Status()), st.Why(p), st.Owner, st.Epoch, st.Current()+1
	if st.End != nil {
		at := st.End.At
		out.EndedAt = &at
	}
	r.mu.Lock()
	out.Waits = r.waits[u.ID]
	r.mu.Unlock()
	for i := range p.Steps {
		s, step := &st.Steps[i], &p.Steps[i]
		shown := api.RunStep{
			Name: step.Name, Kind: string(step.Kind), Status: string(s.Status), Does: run.Does(step), Text: run.TextOf(s), Attempt: s.Attempt, Orders: run.OrdersOf(p, u, st, i),
		}
		if s.Began != nil {
			at := s.Began.At
			shown.BeganAt = &at
		}
		if s.Ended != nil {
			at := s.Ended.At
			shown.EndedAt = &at
		}
		out.Steps = append(out.Steps, shown)
	}
	return out
}

// Evidence is what a run did, signed by this node.
func (r *Runner) Evidence(id string) (*ledger.Envelope, error) {
	u := r.opts.Store.Run(id)
	if u == nil {
		return nil, fmt.Errorf("%w: run %s", health.ErrNothingNamed, id)
	}
	p, err := u.Parse()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	w := r.world(u, p, now)
	e := run.EvidenceOf(p, u, w, r.opts.Node, now)
	if w.err != nil {
		return nil, w.err
	}
	payload, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return r.opts.Seal(run.EvidenceType, payload)
}
