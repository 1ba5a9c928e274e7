// Package drill runs rehearsals: drains with an end, which a condition ends earlier, and what came of them. It keeps them in the state
// directory, starts no goroutine, and orders what an operator could order. It is safe for concurrent use.
package drill

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config/durable"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

const (
	drillsName    = "drills.json"
	drillsVersion = 1
	// Interval is how often the conditions of a drill are to be looked at.
	Interval = 250 * time.Millisecond
	// maxDrills bounds how many are kept.
	maxDrills            = 100
	minDrill, maxDrill   = 10 * time.Second, 24 * time.Hour
	maxAbortConditions   = 20
	maxDrillsAtOnce      = 10
	drillActor           = "drill"
	drillStillInForceFor = 5 * time.Second
)

// Orders takes and ends drains, and has what became of them.
type Orders interface {
	// Admissible is nil if the rules would let an order in.
	Admissible(health.Intent) error
	Intend(health.Intent) (health.IntentID, error)
	EndIntent(ids []health.IntentID, actor, reason string) error
	Intents() []health.IntentState
	Incidents() []*ledger.Incident
}

// Options are what drills need; all are required.
type Options struct {
	// Node is the name of the node, State its state directory.
	Node, State string
	Orders      Orders
	// Explainer explains what is served.
	Explainer func() (*explain.Explainer, error)
	Logger    *slog.Logger
}

// Drills runs rehearsals. A drill is a drain with an end: it ends by itself also when the node that watches it does.
type Drills struct {
	opts Options
	path string
	mu   sync.Mutex
	all  []api.Drill // guarded by mu, the oldest first
}

type savedDrills struct {
	Version int         `json:"version"`
	Drills  []api.Drill `json:"drills"`
}

// Open goes on with the drills of an earlier process. A file that is not understood is reported and left alone.
func Open(opts Options) *Drills {
	d := &Drills{opts: opts, path: filepath.Join(opts.State, drillsName)}
	var saved savedDrills
	err := durable.ReadJSON(d.path, drillsVersion, &saved)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		opts.Logger.Warn("drills not understood: starting without them", "file", d.path, "err", err)
	default:
		d.all = saved.Drills
	}
	return d
}

// keepLocked writes all drills.
func (d *Drills) keepLocked() error {
	return durable.WriteJSON(d.path, savedDrills{Version: drillsVersion, Drills: d.all})
}

// List is all of them, the newest first.
func (d *Drills) List() []api.Drill {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := slices.Clone(d.all)
	slices.Reverse(all)
	if all == nil {
		all = []api.Drill{}
	}
	return all
}

// Start begins a drill by an order, drain, which is that of req.
func (d *Drills) Start(req *api.DrillRequest, drain health.Intent) (*api.Drill, error) {
	if len(req.AbortIf) == 0 {
		req.AbortIf = []string{api.AbortRule, api.AbortFailure, api.AbortDegraded}
	}
	length := time.Duration(req.ForSeconds * float64(time.Second))
	switch {
	case length < minDrill || length > maxDrill:
		return nil, fmt.Errorf("%w: for_seconds: a drill lasts 10 s to a day", health.ErrInvalidIntent)
	case len(req.AbortIf) > maxAbortConditions:
		return nil, fmt.Errorf("%w: abort_if: at most %d conditions", health.ErrInvalidIntent, maxAbortConditions)
	}
	for _, c := range req.AbortIf {
		if err := d.valid(c); err != nil {
			return nil, err
		}
	}
	// What a rule refuses, it refuses by its own name.
	if err := d.opts.Orders.Admissible(drain); err != nil {
		return nil, err
	}
	if why := d.abortsAtOnce(req, drain); why != "" {
		return nil, fmt.Errorf("%w: the drill would abort at once: %s", health.ErrIntentConflict, why)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	running := 0
	for i := range d.all {
		if d.all[i].Outcome == api.DrillRunning {
			running++
		}
	}
	if running >= maxDrillsAtOnce {
		return nil, fmt.Errorf("%w: %d drills run", health.ErrIntentConflict, running)
	}
	id, err := d.opts.Orders.Intend(drain)
	if err != nil {
		return nil, err
	}
	drill := api.Drill{
		ID: "drill-" + id.String(), Node: d.opts.Node, Scope: req.Scope, Service: req.Service, AbortIf: req.AbortIf, Actor: req.Actor, Reason: req.Reason,
		Override: req.Override, Intent: id.String(), StartedAt: drain.Start, EndsAt: drain.End, Outcome: api.DrillRunning,
	}
	d.all = append(d.all, drill)
	if over := len(d.all) - maxDrills; over > 0 {
		d.all = slices.Delete(d.all, 0, over)
	}
	if err := d.keepLocked(); err != nil {
		d.opts.Logger.Warn("drills not kept", "err", err)
	}
	d.opts.Logger.Info("drill begins", "id", drill.ID, "scope", req.Scope.Kind+" "+req.Scope.Name, "until", drill.EndsAt, "actor", req.Actor)
	return &drill, nil
}

// abortsAtOnce says which condition of a drill holds before it begins, or would as soon as it has begun; empty if none does. Rules have a
// say of their own when the drain is ordered.
func (d *Drills) abortsAtOnce(req *api.DrillRequest, drain health.Intent) string {
	x, err := d.opts.Explainer()
	if err != nil {
		return err.Error()
	}
	snap := x.Snapshot
	for _, condition := range req.AbortIf {
		why := ""
		switch {
		case condition == api.AbortDegraded:
			service := strings.TrimSuffix(strings.ToLower(req.Service), ".") + "."
			if req.Service == "" {
				service = ""
			}
			drill := &api.Drill{Service: service}
			if why = degradedSince(snap, drill); why != "" {
				break
			}
			why = degradedSince(x.Foresee(drain), drill)
		case strings.HasPrefix(condition, api.AbortCheck):
			why, _ = checkFails(snap, strings.TrimPrefix(condition, api.AbortCheck))
		}
		if why != "" {
			return condition + ": " + why
		}
	}
	return ""
}

// valid tells whether a condition means something in the configuration in force.
func (d *Drills) valid(condition string) error {
	if slices.Contains([]string{api.AbortRule, api.AbortFailure, api.AbortDegraded}, condition) {
		return nil
	}
	name, ok := strings.CutPrefix(condition, api.AbortCheck)
	if ok {
		x, err := d.opts.Explainer()
		if err != nil {
			return err
		}
		for _, z := range x.Snapshot.View.Model.Zones {
			for _, c := range z.Checks {
				if c.Name == name {
					return nil
				}
			}
		}
		return fmt.Errorf("%w: abort_if: no check %q", health.ErrNothingNamed, name)
	}
	return fmt.Errorf("%w: abort_if %q: want rule, failure, degraded or check=NAME", health.ErrInvalidIntent, condition)
}

// Abort ends a drill that runs, by hand.
func (d *Drills) Abort(id, actor, reason string) (*api.Drill, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.all {
		drill := &d.all[i]
		if drill.ID != id {
			continue
		}
		if drill.Outcome != api.DrillRunning {
			return nil, fmt.Errorf("%w: %s is over: %s", health.ErrIntentConflict, id, drill.Outcome)
		}
		d.endLocked(drill, api.DrillAborted, strings.TrimSuffix("by "+actor+": "+reason, ": "), time.Now())
		out := *drill
		return &out, nil
	}
	return nil, fmt.Errorf("%w: no drill %s", health.ErrNoIntent, id)
}

// Look ends the drills whose time has come or whose conditions hold, and completes the reports of those that are over.
func (d *Drills) Look(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	changed := false
	for i := range d.all {
		drill := &d.all[i]
		was := *drill
		if drill.Outcome == api.DrillRunning {
			d.watchLocked(drill, now)
		}
		d.reportLocked(drill)
		changed = changed || was.Outcome != drill.Outcome || was.Incident != drill.Incident || (was.TotalSeconds == nil) != (drill.TotalSeconds == nil)
	}
	if changed {
		if err := d.keepLocked(); err != nil {
			d.opts.Logger.Warn("drills not kept", "err", err)
		}
	}
}

func (d *Drills) watchLocked(drill *api.Drill, now time.Time) {
	var state *health.IntentState
	for _, s := range d.opts.Orders.Intents() {
		if s.ID.String() == drill.Intent {
			state = &s
		}
	}
	if state == nil {
		if now.Before(drill.EndsAt.Add(-drillStillInForceFor)) {
			d.endLocked(drill, api.DrillFailed, "the drain was ended by somebody else", now)
		} else {
			d.endLocked(drill, api.DrillSucceeded, "", now)
		}
		return
	}
	for _, condition := range drill.AbortIf {
		if why, since := d.holds(drill, state, condition); why != "" {
			if !since.IsZero() {
				s := max(0, now.Sub(since)).Seconds()
				drill.DetectionSeconds = &s
			}
			d.endLocked(drill, api.DrillAborted, condition+": "+why, now)
			return
		}
	}
}

// holds says why a condition holds, and since when what is behind it; empty while it does not.
func (d *Drills) holds(drill *api.Drill, state *health.IntentState, condition string) (why string, since time.Time) {
	x, err := d.opts.Explainer()
	if err != nil {
		return "", time.Time{}
	}
	switch condition {
	case api.AbortRule:
		if state.Suspended != nil {
			return fmt.Sprintf("%s of %s suspends the drain", state.Suspended.Rule, state.Suspended.Service), time.Time{}
		}
	case api.AbortFailure:
		for _, i := range d.opts.Orders.Incidents() {
			if i.Kind == ledger.ByHealth && !i.OpenedAt.Before(drill.StartedAt) {
				return i.Title, i.FirstFailedProbe
			}
		}
	case api.AbortDegraded:
		return degradedSince(x.Snapshot, drill), time.Time{}
	default:
		return checkFails(x.Snapshot, strings.TrimPrefix(condition, api.AbortCheck))
	}
	return "", time.Time{}
}

// degradedSince names a service that answers on a last resort.
func degradedSince(snap *answer.Snapshot, drill *api.Drill) string {
	for _, zv := range snap.View.Zones {
		for i, svc := range zv.Zone.Services {
			if drill.Service != "" && svc.Name != drill.Service {
				continue
			}
			if p := snap.Plan(zv.Zone, i); p.Source.Degraded() {
				return svc.Name + " answers from " + p.Source.String()
			}
		}
	}
	return ""
}

// checkFails names an endpoint that the check watches and that is down, unless it is drained.
func checkFails(snap *answer.Snapshot, check string) (why string, since time.Time) {
	for _, zv := range snap.View.Zones {
		for pi, p := range zv.Zone.Pools {
			watched := slices.ContainsFunc(p.Watched(), func(c int) bool { return zv.Zone.Checks[c].Name == check })
			if !watched {
				continue
			}
			for i, e := range zv.Pools[pi].Endpoints {
				if !e.Drained && !e.Verdict.InService() && !e.Verdict.Pending() {
					return p.Name + "/" + p.Endpoints[i].Name + " is " + e.State.String() + ": " + e.Reason, e.Since
				}
			}
		}
	}
	return "", time.Time{}
}

// endLocked ends the drain of a drill, and the drill.
func (d *Drills) endLocked(drill *api.Drill, outcome, why string, now time.Time) {
	drill.Outcome, drill.Why, drill.EndedAt = outcome, why, &now
	if outcome == api.DrillAborted {
		id, err := health.ParseIntentID(drill.Intent)
		if err == nil {
			err = d.opts.Orders.EndIntent([]health.IntentID{id}, drillActor, why[:min(len(why), health.MaxReason)])
		}
		if err != nil {
			drill.Outcome, drill.Why = api.DrillFailed, why+"; the drain goes on: "+err.Error()
		}
	}
	d.opts.Logger.Info("drill ends", "id", drill.ID, "outcome", drill.Outcome, "cause", drill.Why)
}

// reportLocked takes over what is known of the traces of a drill.
func (d *Drills) reportLocked(drill *api.Drill) {
	for _, i := range d.opts.Orders.Incidents() {
		if i.Intent != drill.Intent {
			continue
		}
		drill.Incident, drill.Unknown, drill.Missed = i.ID, nil, nil
		drill.Forgotten, drill.Returned = i.Forgotten(), i.CameBack()
		for _, u := range i.Unknown {
			drill.Unknown = append(drill.Unknown, u.Node)
		}
		if !i.Known() || len(i.Unknown) > 0 {
			continue
		}
		drill.ConvergenceSeconds, drill.CacheResidueSeconds, drill.TotalSeconds = parts(drill.StartedAt, i.LastAnswerAt, i.SafeAt)
		safe := i.SafeAt
		drill.LastStaleCacheAt = &safe
		for _, s := range i.Services {
			if s.WithinRTO != nil && !*s.WithinRTO {
				drill.Missed = append(drill.Missed, s.Service)
			}
		}
	}
}

// parts are from the order to the last answer, from there to the last honest cache, and both together, in seconds: what RTOs of services count is
// in the incident. last is zero where nothing was answered: then all of it is residue.
func parts(start, last, safe time.Time) (convergence, residue, total *float64) {
	all := max(0, safe.Sub(start)).Seconds()
	if last.IsZero() {
		return nil, &all, &all
	}
	first := min(max(0, last.Sub(start)).Seconds(), all)
	rest := all - first
	return &first, &rest, &all
}
