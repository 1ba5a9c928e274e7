package run

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Actor is on whose word the orders of runs are: that of the plan.
func (r *Run) actor() string { return "plan " + r.Plan }

// practiceSlack is how much later than it should be over the orders of a practice end by themselves, whoever lives by then.
const practiceSlack = 30 * time.Minute

// A turn is one look at a run.
type turn struct {
	plan *config.Plan
	run  *Run
	st   *State
	w    World
}

// Next is what the owner of a run is to do now.
func Next(p *config.Plan, r *Run, st *State, w World) Action {
	t := &turn{p, r, st, w}
	switch {
	case st.End != nil:
		return waits("it is over")
	case st.Abort != nil:
		return t.undo()
	case st.Paused != nil:
		return waits(st.Why(p))
	}
	if r.Practice {
		if why := w.Trouble(); why != "" {
			return t.abort("practice", why)
		}
	}
	i := st.Current()
	if i == len(p.Steps) {
		return t.finish()
	}
	s := &st.Steps[i]
	switch s.Status {
	case Failing:
		if p.Undo || r.Practice {
			return t.abort("plan "+p.Name, "step "+p.Steps[i].Name+": "+s.Ended.Text)
		}
		return waits(s.Ended.Text)
	case Uncertain:
		if r.Practice {
			return t.abort("plan "+p.Name, "step "+p.Steps[i].Name+": "+s.Ended.Text)
		}
		return waits(s.Ended.Text)
	case Pending:
		return record(Entry{Kind: Began, Step: i, Attempt: s.Attempt + 1})
	}
	a := t.step(i)
	// What can be done now comes first: a wait that holds is not late.
	if len(a.Record)+len(a.End) == 0 && a.Place == nil && a.Call == nil && w.Since(s.Began) > p.Steps[i].Timeout {
		return t.failed(i, fmt.Sprintf("not within %s: %s", config.DurationText(p.Steps[i].Timeout), a.Why))
	}
	return a
}

// finish ends a run all of whose steps are done.
func (t *turn) finish() Action {
	if !t.run.Practice {
		return record(Entry{Kind: Ended, Text: "all steps are done", Data: map[string]string{dataOutcome: string(Succeeded)}})
	}
	if t.st.Held == nil {
		return record(Entry{Kind: Held})
	}
	hold := time.Duration(0)
	if t.plan.Practice != nil {
		hold = t.plan.Practice.Hold
	}
	if left := hold - t.w.Since(t.st.Held); left > 0 {
		return waits("holds for another " + left.Round(time.Second).String())
	}
	return record(Entry{Kind: Aborted, Actor: "practice", Text: practised})
}

// practised is the reason for which a practice that went well is undone.
const practised = "the practice is over"

func (t *turn) abort(actor, why string) Action {
	return record(Entry{Kind: Aborted, Actor: actor, Text: why})
}

func (t *turn) done(i int, text string, data map[string]string) Action {
	return record(Entry{Kind: Done, Step: i, Attempt: t.st.Steps[i].Attempt, Text: text, Data: data})
}

func (t *turn) failed(i int, text string) Action {
	return record(FailureOf(t.st, i, text))
}

// FailureOf is the entry by which the present attempt at a step has failed.
func FailureOf(st *State, i int, text string) Entry {
	return Entry{Kind: Failed, Step: i, Attempt: st.Steps[i].Attempt, Text: text}
}

// Doubt is a failure of a hook that may have got through.
func Doubt(e Entry) Entry {
	e.Data = map[string]string{dataUncertain: "yes"}
	return e
}

// step is what the present attempt at step i asks for.
func (t *turn) step(i int) Action {
	step := &t.plan.Steps[i]
	switch step.Kind {
	case config.StepHook:
		return t.hook(i)
	case config.StepWait:
		return t.until(i, step.Wait)
	case config.StepVerify:
		return t.until(i, step.Verify)
	case config.StepReady:
		return t.ready(i)
	case config.StepUnready:
		return t.unready(i)
	case config.StepDrain:
		return t.place(i, 0, t.drainOf(i))
	case config.StepFreeze:
		return t.freeze(i)
	case config.StepShift:
		return t.shift(i)
	case config.StepApprove:
		return t.approve(i)
	}
	return t.failed(i, "this version does not know steps of the kind "+string(step.Kind))
}

// hook calls the hook of a step once, or finds out that somebody may have.
func (t *turn) hook(i int) Action {
	s, step := &t.st.Steps[i], &t.plan.Steps[i]
	switch {
	case len(s.Intended) == 0:
		if why := t.w.May(i); why != "" {
			return t.failed(i, why)
		}
		return record(Entry{Kind: Intended, Step: i, Attempt: s.Attempt, Epoch: t.st.Epoch})
	case !t.mine(s.Intended) && !step.Hook.Idempotent:
		return record(Doubt(FailureOf(t.st, i, fmt.Sprintf("%s was about to call it and never said what came of it: has it been done?", s.Intended[0].Node))))
	}
	return Action{Call: &Hook{Step: i, Attempt: s.Attempt}}
}

// mine tells whether the present ownership alone was about to call.
func (t *turn) mine(intended []*Entry) bool {
	return !slices.ContainsFunc(intended, func(e *Entry) bool { return e.Node != t.st.Owner || e.Epoch != t.st.Epoch })
}

// until is done once a condition holds.
func (t *turn) until(i int, c *config.PlanCondition) Action {
	text, data, why := t.holds(i, c)
	if why != "" {
		return waits(why)
	}
	return t.done(i, text, data)
}

// holds says what keeps a condition from holding; if nothing does, what was seen.
func (t *turn) holds(i int, c *config.PlanCondition) (text string, data map[string]string, why string) {
	if left := c.For - t.w.Since(t.st.Steps[i].Began); c.For > 0 && left > 0 {
		return "", nil, "another " + left.Round(time.Second).String()
	}
	if why := Unmet(c, t.w); why != "" {
		return "", nil, why
	}
	if c.RPO.On() {
		value, _, said := t.w.Lag(c.Lag.Zone, c.Lag.Pool)
		text, data = said, map[string]string{dataLag: config.LagText(value, c.RPO.Unit)}
		if c.RPO.Unit == config.LagSeconds {
			data[DataRPO] = fmt.Sprintf("%.3f", value)
		}
	}
	if c.Bound == 0 && !c.Forgotten {
		return text, data, ""
	}
	bound, more, why := t.traces(i, c)
	if more == nil {
		more = data
	}
	maps.Copy(more, data)
	return strings.TrimPrefix(text+"; "+bound, "; "), more, why
}

// Unmet says what keeps the part of a condition from holding that is about the world as it is; empty if nothing does.
func Unmet(c *config.PlanCondition, w World) string {
	if c.Up.Pool != "" {
		p := w.Pool(c.Up.Zone, c.Up.Pool)
		switch {
		case !p.Known:
			return "there is no pool " + c.Up.String()
		case p.Shut:
			return c.Up.Pool + ": its gate is shut"
		case p.Endpoints == 0 || 100*p.Up < c.Least*p.Endpoints:
			return fmt.Sprintf("%s: %d of %d endpoints are up", c.Up.Pool, p.Up, p.Endpoints)
		}
	}
	if c.Down.Pool != "" {
		p := w.Pool(c.Down.Zone, c.Down.Pool)
		switch {
		case !p.Known:
			return "there is no pool " + c.Down.String()
		case p.Up > 0:
			return fmt.Sprintf("%s: %d of %d endpoints are up", c.Down.Pool, p.Up, p.Endpoints)
		}
	}
	if c.RPO.On() {
		if value, known, text := w.Lag(c.Lag.Zone, c.Lag.Pool); !known {
			return text
		} else if value > c.RPO.Max {
			return text + ", more than " + c.RPO.Text()
		}
	}
	if c.Check != "" {
		names, why := w.Failing(c.Zone, c.Check)
		switch {
		case why != "":
			return why
		case len(names) > 0:
			return fmt.Sprintf("check %s: not up: %s", c.Check, strings.Join(names[:min(len(names), 5)], ", "))
		}
	}
	return ""
}

// traces asks what caches may hold of what the steps before i took out.
func (t *turn) traces(i int, c *config.PlanCondition) (text string, data map[string]string, why string) {
	var worst time.Duration
	out := false
	for _, id := range t.takenOut(i) {
		trace := t.w.Trace(id)
		switch {
		case !trace.Out:
			continue
		case !trace.Known:
			return "", nil, "what caches hold of " + id.String() + " is not known: " + trace.Why
		case c.Forgotten && !trace.Forgotten:
			return "", nil, "not every node has said that no honest cache holds " + id.String()
		}
		out, worst = true, max(worst, trace.Within)
	}
	if !out {
		return "nothing that it took out was answered", nil, ""
	}
	data = map[string]string{DataBound: fmt.Sprintf("%.3f", worst.Seconds())}
	if c.Bound > 0 && worst > c.Bound {
		return "", nil, fmt.Sprintf("caches may hold it for %s, more than %s", worst.Round(time.Millisecond), config.DurationText(c.Bound))
	}
	return fmt.Sprintf("no honest cache holds it %s after its order", worst.Round(time.Millisecond)), data, ""
}

// dataLag is how far data was behind, in words.
const dataLag = "lag"

// DataBound is how long after its order caches held what a run took out at most, in seconds, in the entry of a verify step.
const DataBound = "bound_seconds"

// takenOut are the orders of the steps before i that take something out.
func (t *turn) takenOut(i int) (ids []health.IntentID) {
	for k := range i {
		s := &t.st.Steps[k]
		if s.Status != Succeeded {
			continue
		}
		switch t.plan.Steps[k].Kind {
		case config.StepDrain:
			ids = append(ids, t.run.OrderID(k, s.Attempt, 0))
		case config.StepShift:
			ids = append(ids, t.run.OrderID(k, s.Attempt, 2*parts(t.plan.Steps[k].Shift)+1))
		}
	}
	return ids
}

// approve waits for a person.
func (t *turn) approve(i int) Action {
	step := &t.plan.Steps[i]
	if e := t.st.Steps[i].Approved; e != nil {
		return t.done(i, strings.TrimSuffix("approved by "+e.Actor+": "+e.Text, ": "), nil)
	}
	who := step.Approve.Person
	if who == "" {
		who = "somebody with the role " + step.Approve.Role
	}
	return waits(who + " has to approve: fairlead plan approve " + t.run.ID + " " + step.Name)
}
