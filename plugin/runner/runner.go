package runner

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/health/table"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const (
	// lookEvery is how often runs are looked at, if nothing happens before; plansEvery how often the directory of plans is.
	lookEvery  = 250 * time.Millisecond
	plansEvery = time.Second
	// foreseeEvery is how often it is looked at what a run would come to.
	foreseeEvery = 30 * time.Minute
	// maxTurns bounds what is done of one run before the next one is looked at.
	maxTurns = 50
)

// Orders takes and ends orders, and knows the nodes. Errors are those of package health.
type Orders interface {
	IntendAs(i health.Intent, replaces ...health.IntentID) error
	EndAs(ids []health.IntentID, actor, reason string) error
	Orders(ids []health.IntentID) ([]run.OrderState, error)
	Intents() []health.IntentState
	Admissible(health.Intent) error
	Members() ([]run.Member, error)
	Incidents() []*ledger.Incident
	// Lag is how far a pool that has a check of its lag is behind.
	Lag(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) table.PoolLag
}

// Options are what a Runner needs; all but Client, Clock and Events are required.
type Options struct {
	// Node is the node's name.
	Node   string
	Store  *run.Store
	Orders Orders
	// Plans are where the plans are, and whether hooks may run programs.
	Plans func() config.NodePlans
	// Snapshot is what is served; nil before the first one.
	Snapshot func() *answer.Snapshot
	// Seal signs evidence.
	Seal   func(kind string, payload []byte) (*ledger.Envelope, error)
	Events *event.Log
	Logger *slog.Logger
	// Client calls hooks.
	Client     *http.Client
	Registerer prometheus.Registerer
}

// A Runner carries out runs.
type Runner struct {
	opts    Options
	metrics *metrics
	// poke has Run look at once.
	poke chan struct{}
	// calls are the hooks that are being called.
	calls sync.WaitGroup

	mu sync.Mutex
	// The rest is guarded by mu. plans are those of the directory, with what is wrong in it; by content, so that an unchanged one is kept.
	plans     []*config.Plan
	problems  config.Problems
	foresight map[string]foresight
	skipped   map[string]skip
	// waits is what each run waits for now, of those that this node carries on.
	waits map[string]string
	// begun are the runs that this process began.
	begun map[string]bool
	// calling are the hooks under way, results what came of those that have ended and is not recorded, both by idempotency key; later is when
	// one may be called again.
	calling map[string]bool
	results map[string]result
	later   map[string]later

	// Owned by Run's goroutine. owned is the epoch in which this process owns a run, agreed the one that a majority is known to have on disk.
	owned, agreed map[string]int
	parsed        map[string]*config.Plan
	told          map[string]run.Status
	looked        time.Time
}

// New makes a runner.
func New(o Options) *Runner {
	if o.Client == nil {
		o.Client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	r := &Runner{
		opts: o, poke: make(chan struct{}, 1), foresight: make(map[string]foresight), skipped: make(map[string]skip), waits: make(map[string]string), begun: make(map[string]bool),
		calling: make(map[string]bool), results: make(map[string]result), later: make(map[string]later),
		owned: make(map[string]int), agreed: make(map[string]int), parsed: make(map[string]*config.Plan), told: make(map[string]run.Status),
	}
	r.metrics = newMetrics(o.Registerer, r)
	// What an earlier process saw is no news.
	for _, u := range o.Store.Runs() {
		if p, err := u.Parse(); err == nil {
			r.told[u.ID] = run.StateOf(p, u).Status()
		}
	}
	return r
}

// Poke has the runs looked at soon: something has changed.
func (r *Runner) Poke() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// Run carries out runs until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	defer r.calls.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		now := time.Now()
		if now.Sub(r.looked) >= plansEvery {
			r.looked = now
			r.readPlans(now)
			r.practise(now)
		}
		r.look(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.poke:
		}
	}
}

// look goes on with every run.
func (r *Runner) look(ctx context.Context) {
	for _, u := range r.opts.Store.Runs() {
		if !u.Over() {
			r.carryOn(ctx, u.ID)
		}
		r.tell(u.ID)
	}
}

// planOf is the plan of a run, as it was when it began.
func (r *Runner) planOf(u *run.Run) (*config.Plan, error) {
	if p := r.parsed[u.ID]; p != nil {
		return p, nil
	}
	p, err := u.Parse()
	if err == nil {
		r.parsed[u.ID] = p
	}
	return p, err
}

// carryOn does what is to be done of a run now, if it is this node that does.
func (r *Runner) carryOn(ctx context.Context, id string) {
	for range maxTurns {
		u := r.opts.Store.Run(id)
		if u == nil || u.Over() || ctx.Err() != nil {
			r.wait(id, "")
			return
		}
		p, err := r.planOf(u)
		if err != nil {
			r.wait(id, "its plan cannot be read by this version: "+err.Error())
			return
		}
		why, more := r.turn(ctx, u, p)
		r.wait(id, why)
		if !more {
			return
		}
	}
}

// wait notes what a run waits for.
func (r *Runner) wait(id, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why == "" {
		delete(r.waits, id)
	} else {
		r.waits[id] = why
	}
}

// turn does one thing of a run; more is unset where there is nothing to do now, for the reason why.
func (r *Runner) turn(ctx context.Context, u *run.Run, p *config.Plan) (why string, more bool) {
	st, now := run.StateOf(p, u), time.Now()
	members, err := r.opts.Orders.Members()
	if err != nil {
		return err.Error(), false
	}
	if r.owned[u.ID] == 0 && r.beganHere(u.ID) {
		r.owned[u.ID] = 1
	}
	switch {
	case st.Owner != r.opts.Node && !run.Own(st, r.opts.Node, members):
		return "", false
	case r.owned[u.ID] == 0 || r.owned[u.ID] != st.Epoch || st.Owner != r.opts.Node:
		// Also where an earlier process of this node owned it: what that one was about to do, this one does not know.
		if why := run.Majority(members); why != "" {
			return why, false
		}
		r.owned[u.ID] = st.Epoch + 1
		r.opts.Logger.Info("run carried on", "run", u.ID, "owner", r.opts.Node, "before", st.Owner, "epoch", st.Epoch+1)
		return r.keep(u.ID, now, run.Entry{Kind: run.Owned, Epoch: st.Epoch + 1})
	case r.agreed[u.ID] != st.Epoch:
		if why := run.Agreed(members); why != "" {
			return why, false
		}
		r.agreed[u.ID] = st.Epoch
	}
	if why := run.Majority(members); why != "" {
		return why, false
	}
	return r.act(ctx, u, p, st, members, now)
}

// beganHere tells whether this process began the run: then it is its first owner.
func (r *Runner) beganHere(id string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begun[id]
}

// act does the next thing of a run that this node owns.
func (r *Runner) act(ctx context.Context, u *run.Run, p *config.Plan, st *run.State, members []run.Member, now time.Time) (why string, more bool) {
	w := r.world(u, p, now)
	a := run.Next(p, u, st, w)
	switch {
	case w.err != nil:
		return w.err.Error(), false
	case len(a.Record) > 0:
		return r.keep(u.ID, now, a.Record...)
	case a.Place != nil:
		return r.settle(u, st, now, r.opts.Orders.IntendAs(*a.Place, a.Replaces...))
	case len(a.End) > 0:
		return r.settle(u, st, now, r.opts.Orders.EndAs(a.End, "plan "+u.Plan, run.CutReason(a.Why)))
	case a.Call != nil:
		if why := run.Agreed(members); why != "" {
			return "before its hook is called: " + why, false
		}
		return r.call(ctx, u, p, st, a.Call, now)
	}
	return a.Why, false
}

// keep has entries of this node on disk.
func (r *Runner) keep(id string, now time.Time, entries ...run.Entry) (why string, more bool) {
	for i := range entries {
		entries[i].Node = r.opts.Node
	}
	if err := r.opts.Store.Add(id, now, entries...); err != nil {
		return "not kept: " + err.Error(), false
	}
	return "", true
}

// settle goes on after an order, or has the step fail where it is refused for good. What may pass is tried again.
func (r *Runner) settle(u *run.Run, st *run.State, now time.Time, err error) (why string, more bool) {
	switch {
	case err == nil:
		return "", true
	case !refused(err) || st.Abort != nil:
		return err.Error(), false
	}
	return r.keep(u.ID, now, run.FailureOf(st, st.Current(), err.Error()))
}

// tell says once what has become of a run.
func (r *Runner) tell(id string) {
	u, was := r.opts.Store.Run(id), r.told[id]
	if u == nil || was.Over() && u.Over() {
		return
	}
	p, err := r.planOf(u)
	if err != nil {
		return
	}
	st := run.StateOf(p, u)
	is := st.Status()
	if was == is {
		return
	}
	r.told[id] = is
	text := fmt.Sprintf("%s is %s", id, is)
	if why := st.Why(p); why != "" {
		text += ": " + why
	}
	r.opts.Logger.Info("run", "run", id, "plan", u.Plan, "status", string(is), "cause", st.Why(p))
	r.opts.Events.Add(eventOf[is], u.Plan, text, map[string]any{"run": id, "status": string(is), "owner": st.Owner, "practice": u.Practice})
	if is.Over() {
		r.metrics.runs.WithLabelValues(string(is)).Inc()
		delete(r.parsed, id)
	}
}

// eventOf are the types of the events that tell how runs are.
var eventOf = map[run.Status]string{
	run.Running: "plan.runs", run.Waiting: "plan.waits", run.PausedRun: "plan.paused", run.Stopped: "plan.stopped", run.Undoing: "plan.undoes",
	run.Succeeded: "plan.done", run.GaveUp: "plan.aborted", run.Incomplete: "plan.incomplete",
}
