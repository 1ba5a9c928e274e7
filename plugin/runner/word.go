package runner

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// say keeps a person's word on a run, whichever node carries it on.
func (r *Runner) say(id string, req *api.RunRequest, word func(p *config.Plan, u *run.Run, st *run.State) (run.Entry, error)) (*api.Run, error) {
	if err := health.ValidateWords(req.Actor, req.Reason); err != nil {
		return nil, err
	}
	u := r.opts.Store.Run(id)
	if u == nil {
		return nil, fmt.Errorf("%w: run %s", health.ErrNothingNamed, id)
	}
	p, err := u.Parse()
	if err != nil {
		return nil, err
	}
	st := run.StateOf(p, u)
	e, err := word(p, u, st)
	if err != nil {
		return nil, err
	}
	e.Node, e.Actor, e.Text = r.opts.Node, req.Actor, req.Reason
	if err := r.opts.Store.Add(id, time.Now(), e); err != nil {
		return nil, err
	}
	r.opts.Logger.Info("word on a run", "run", id, "word", string(e.Kind), "actor", req.Actor, "reason", req.Reason)
	r.Poke()
	return r.ShowRun(id)
}

// over refuses a word on a run that has ended.
func over(u *run.Run, st *run.State) error {
	if st.End == nil {
		return nil
	}
	return fmt.Errorf("%w: %s has ended: %s", health.ErrIntentConflict, u.ID, st.Status())
}

// Approve lets a run go on that waits for a person, by the name of a login, or what whoever opened the unix socket says; admin is set for the role
// admin. The step may be left out where it is the one that waits.
func (r *Runner) Approve(id string, name string, admin bool, req *api.RunRequest) (*api.Run, error) {
	return r.say(id, req, func(p *config.Plan, u *run.Run, st *run.State) (run.Entry, error) {
		if err := over(u, st); err != nil {
			return run.Entry{}, err
		}
		i := st.Current()
		for k := range p.Steps {
			if req.Step != "" && p.Steps[k].Name == req.Step {
				i = k
			}
		}
		if i == len(p.Steps) || req.Step != "" && p.Steps[i].Name != req.Step {
			return run.Entry{}, fmt.Errorf("%w: step %q of plan %s", health.ErrNothingNamed, req.Step, p.Name)
		}
		step := &p.Steps[i]
		a := step.Approve
		switch {
		case a == nil:
			return run.Entry{}, fmt.Errorf("%w: step %s is a %s: nothing waits for approval", health.ErrIntentConflict, step.Name, step.Kind)
		case st.Steps[i].Approved != nil:
			return run.Entry{}, fmt.Errorf("%w: %s was approved by %s", health.ErrIntentConflict, step.Name, st.Steps[i].Approved.Actor)
		case st.Steps[i].Status != run.Waiting:
			return run.Entry{}, fmt.Errorf("%w: %s is %s: it does not wait yet", health.ErrIntentConflict, step.Name, st.Steps[i].Status)
		case a.Role == "admin" && !admin:
			return run.Entry{}, fmt.Errorf("%w: %s asks for the role admin", run.ErrNotYours, step.Name)
		case a.Person != "" && a.Person != name:
			return run.Entry{}, fmt.Errorf("%w: %s asks for the word of %s, not of %s", run.ErrNotYours, step.Name, a.Person, name)
		case a.Other && (name == "" || name == u.Actor || req.Actor == u.Actor):
			return run.Entry{}, fmt.Errorf("%w: %s asks for somebody else than %s, who started the run", run.ErrNotYours, step.Name, u.Actor)
		}
		return run.Entry{Kind: run.Approved, Step: i}, nil
	})
}

// Pause has a run do nothing more until it is resumed.
func (r *Runner) Pause(id string, req *api.RunRequest) (*api.Run, error) {
	return r.say(id, req, func(_ *config.Plan, u *run.Run, st *run.State) (run.Entry, error) {
		if err := over(u, st); err != nil {
			return run.Entry{}, err
		}
		if st.Paused != nil || st.Abort != nil {
			return run.Entry{}, fmt.Errorf("%w: %s is %s", health.ErrIntentConflict, id, st.Status())
		}
		return run.Entry{Kind: run.Paused, Sub: st.Controls + 1}, nil
	})
}

// Resume has a run go on that is paused, or whose step has failed: again, or as done.
func (r *Runner) Resume(id string, req *api.RunRequest) (*api.Run, error) {
	return r.say(id, req, func(p *config.Plan, u *run.Run, st *run.State) (run.Entry, error) {
		if err := over(u, st); err != nil {
			return run.Entry{}, err
		}
		i := st.Current()
		stopped := st.Status() == run.Stopped
		switch {
		case req.As != "" && req.As != "again" && req.As != "done":
			return run.Entry{}, fmt.Errorf("%w: as %q: want again or done", health.ErrInvalidIntent, req.As)
		case st.Paused != nil && req.As == "":
			return run.Entry{Kind: run.Resumed, Sub: st.Controls + 1}, nil
		case !stopped:
			return run.Entry{}, fmt.Errorf("%w: %s is %s", health.ErrIntentConflict, id, st.Status())
		case req.As == "" && st.Steps[i].Status == run.Uncertain:
			return run.Entry{}, fmt.Errorf("%w: whether the hook of %s got through is not known: say whether the step is done, or to be done again", health.ErrIntentConflict, p.Steps[i].Name)
		}
		e := run.Entry{Kind: run.Retried, Step: i, Attempt: st.Steps[i].Attempt}
		if req.As == "done" {
			e.Sub = 1
		}
		return e, nil
	})
}

// Abort has what a run did undone, the last step first, also once all its steps are done: that is the way back.
func (r *Runner) Abort(id string, req *api.RunRequest) (*api.Run, error) {
	return r.say(id, req, func(p *config.Plan, u *run.Run, st *run.State) (run.Entry, error) {
		if st.Abort != nil {
			return run.Entry{}, fmt.Errorf("%w: %s is %s already", health.ErrIntentConflict, id, st.Status())
		}
		for _, other := range r.opts.Store.Runs() {
			if other.Plan == p.Name && other.StartedAt.After(u.StartedAt) && st.End != nil && !other.Over() {
				return run.Entry{}, fmt.Errorf("%w: %s of the same plan has not ended", health.ErrIntentConflict, other.ID)
			}
		}
		return run.Entry{Kind: run.Aborted}, nil
	})
}
