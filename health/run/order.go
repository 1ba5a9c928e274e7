package run

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// order is one of the run, for ever but in practice: then it ends by itself even if no node lives that would end it.
func (t *turn) order(i int, kind health.IntentKind, scope health.Scope) *health.Intent {
	step := &t.plan.Steps[i]
	out := &health.Intent{Kind: kind, Scope: scope, Actor: t.run.actor(), Forever: true}
	out.Reason = CutReason(strings.TrimSuffix(t.run.ID+" "+step.Name+": "+t.run.Reason, ": "))
	if t.run.Practice {
		out.Forever, out.End = false, t.practiceEnd()
	}
	return out
}

// practiceEnd is when the orders of a practice end by themselves: each step takes its timeout at most.
func (t *turn) practiceEnd() time.Time {
	length := practiceSlack
	if t.plan.Practice != nil {
		length += t.plan.Practice.Hold
	}
	for i := range t.plan.Steps {
		if t.st.Steps[i].Skip == "" {
			length += t.plan.Steps[i].Timeout
		}
	}
	return t.run.StartedAt.Add(length)
}

// drainOf is the order of a drain step.
func (t *turn) drainOf(i int) *health.Intent {
	d := t.plan.Steps[i].Drain
	scope, _ := ScopeOf(d)
	out := t.order(i, health.IntentDrain, scope)
	out.Service, out.Override = d.Service, d.Override
	return out
}

// ScopeOf is what a drain step is about.
func ScopeOf(d *config.PlanDrain) (health.Scope, error) {
	var kind health.ScopeKind
	if err := kind.UnmarshalText([]byte(d.Kind)); err != nil {
		return health.Scope{}, err
	}
	return health.ParseScope(kind, d.Name)
}

// place has an order in force, and the step done once another node has it too.
func (t *turn) place(i, sub int, order *health.Intent) Action {
	s := &t.st.Steps[i]
	id := t.run.OrderID(i, s.Attempt, sub)
	if a, settled := t.settle(i, id, order); !settled {
		return a
	}
	return t.done(i, order.Kind.String()+" "+order.Scope.String()+" as "+id.String(), map[string]string{dataOrder: id.String()})
}

// dataOrder is the order that a step placed.
const dataOrder = "order"

// settle has an order in force and kept; settled is set once it is.
func (t *turn) settle(i int, id health.IntentID, order *health.Intent, replaces ...health.IntentID) (a Action, settled bool) {
	order.ID = id
	switch o := t.w.Order(id); {
	case o.Ended:
		return t.failed(i, id.String()+" was ended by somebody else"), false
	case !o.Open:
		return Action{Place: order, Replaces: replaces}, false
	case o.Suspended != "":
		return waits(id.String() + " is suspended by " + o.Suspended), false
	case !o.Kept:
		return waits("no other node has " + id.String() + " on disk yet"), false
	}
	return Action{}, true
}

func poolScope(p config.PlanPool) health.Scope {
	return health.Scope{Kind: health.ScopePool, Zone: p.Zone, Pool: p.Pool}
}

// ready opens the gate of a pool, unless somebody has.
func (t *turn) ready(i int) Action {
	p := t.plan.Steps[i].Pool
	id := t.run.OrderID(i, t.st.Steps[i].Attempt, 0)
	for _, other := range t.w.Ready(p.Zone, p.Pool) {
		if other.ID.Node != t.run.ID {
			return t.done(i, "its gate is open already, by "+other.Actor, map[string]string{dataOrder: other.ID.String(), dataForeign: "yes"})
		}
	}
	order := t.order(i, health.IntentReady, poolScope(p))
	if o := t.w.Order(id); !o.Open && !o.Ended {
		order.ID = id
		return Action{Place: order}
	}
	return t.place(i, 0, order)
}

// dataForeign is set where a step found done what it should do: it undoes nothing.
const dataForeign = "foreign"

// unready ends what holds the gate of a pool open, whoever ordered it: the first time it looks it notes which orders these are.
func (t *turn) unready(i int) Action {
	p, s := t.plan.Steps[i].Pool, &t.st.Steps[i]
	var ids []health.IntentID
	for _, open := range t.w.Ready(p.Zone, p.Pool) {
		ids = append(ids, open.ID)
	}
	switch {
	case s.Did[0] == nil && len(ids) == 0:
		return t.done(i, "its gate is closed already", map[string]string{dataForeign: "yes"})
	case s.Did[0] == nil:
		return record(Entry{Kind: Did, Step: i, Attempt: s.Attempt, Text: "it was open"})
	case len(ids) > 0:
		return end(t.run.ID+" "+t.plan.Steps[i].Name, ids)
	}
	return t.done(i, "the gate of "+p.String()+" is closed", nil)
}

// freeze stops verdicts, or ends that the run stopped them.
func (t *turn) freeze(i int) Action {
	if t.plan.Steps[i].Freeze {
		for _, other := range t.w.Freezes() {
			if other.ID.Node != t.run.ID {
				return t.done(i, "frozen already, by "+other.Actor, map[string]string{dataForeign: "yes"})
			}
		}
		return t.place(i, 0, t.order(i, health.IntentFreeze, health.Scope{Kind: health.ScopeCluster}))
	}
	var ids []health.IntentID
	for _, open := range t.w.Freezes() {
		if open.ID.Node == t.run.ID {
			ids = append(ids, open.ID)
		}
	}
	if len(ids) > 0 {
		return end(t.run.ID+" "+t.plan.Steps[i].Name, ids)
	}
	return t.done(i, "verdicts move again", nil)
}

// parts is in how many parts a share is shifted.
func parts(s *config.PlanShift) int { return (100 + s.Step - 1) / s.Step }

// shift moves the share of a pool part by part. Part n is two orders, 2n and 2n+1: the receiver gets more before the giver has less.
func (t *turn) shift(i int) Action {
	step, s := t.plan.Steps[i].Shift, &t.st.Steps[i]
	from, to, why := t.w.Weights(i)
	if why != "" {
		return t.failed(i, why)
	}
	n, last := 1, t.st.Steps[i].Began
	for ; s.Did[n] != nil; n++ {
		last = s.Did[n]
	}
	if n > parts(step) {
		return t.done(i, fmt.Sprintf("%s has the share of %s", step.To.Pool, step.From.Pool), map[string]string{dataOrder: t.run.OrderID(i, s.Attempt, 2*n-1).String()})
	}
	// What has begun is finished: the receiver's state decides about whole parts.
	if id := t.run.OrderID(i, s.Attempt, 2*n); !t.w.Order(id).Open {
		if why := t.unfit(step); why != "" {
			return waits(fmt.Sprintf("%d %% moved: %s", min(100, (n-1)*step.Step), why))
		}
		if left := step.Every - t.w.Since(last); n > 1 && left > 0 {
			return waits(fmt.Sprintf("%d %% moved, the next part in %s", (n-1)*step.Step, left.Round(time.Second)))
		}
	}
	moved := int(math.Round(float64(from) * float64(min(100, n*step.Step)) / 100))
	for k, side := range []struct {
		pool   config.PlanPool
		weight int
	}{{step.To, min(to+moved, health.MaxWeight)}, {step.From, from - moved}} {
		order := t.order(i, health.IntentWeight, poolScope(side.pool))
		order.Service, order.Weight = step.Service, side.weight
		id := t.run.OrderID(i, s.Attempt, 2*n+k)
		if a, settled := t.settle(i, id, order, t.earlier(i, n, k)...); !settled {
			return a
		}
	}
	return record(Entry{Kind: Did, Step: i, Attempt: s.Attempt, Sub: n, Text: fmt.Sprintf("%d %% moved", min(100, n*step.Step))})
}

// earlier are the orders whose place part n of a shift takes on one side.
func (t *turn) earlier(i, n, side int) (ids []health.IntentID) {
	for attempt := 1; attempt <= t.st.Steps[i].Attempt; attempt++ {
		for part := 1; part <= parts(t.plan.Steps[i].Shift); part++ {
			if id := t.run.OrderID(i, attempt, 2*part+side); (attempt < t.st.Steps[i].Attempt || part < n) && t.w.Order(id).Open {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// unfit says why the receiver of a shift gets no more now; empty if it is well.
func (t *turn) unfit(s *config.PlanShift) string { return Unfit(s, t.w) }

// Unfit says why the receiver of a shift is to get no more now; empty if it is well.
func Unfit(s *config.PlanShift, w World) string {
	p := w.Pool(s.To.Zone, s.To.Pool)
	switch {
	case !p.Known:
		return "there is no pool " + s.To.String()
	case p.Shut:
		return s.To.Pool + ": its gate is shut"
	case p.Endpoints == p.Drained:
		return s.To.Pool + ": nothing of it is left"
	case p.Up < p.Endpoints-p.Drained || p.Suspect > 0:
		return fmt.Sprintf("%s: %d of %d endpoints are up, %d of them in doubt", s.To.Pool, p.Up, p.Endpoints-p.Drained, p.Suspect)
	}
	if s.Check == "" {
		return ""
	}
	names, why := w.Failing(s.To.Zone, s.Check)
	if len(names) > 0 {
		why = fmt.Sprintf("check %s: not up: %s", s.Check, strings.Join(names[:min(len(names), 5)], ", "))
	}
	return why
}

// placed are all orders that the attempts at a step may have placed.
func (t *turn) placed(i int) (ids []health.IntentID) {
	step := &t.plan.Steps[i]
	for attempt := 1; attempt <= t.st.Steps[i].Attempt; attempt++ {
		switch {
		case step.Kind == config.StepDrain, step.Kind == config.StepReady, step.Kind == config.StepFreeze && step.Freeze:
			ids = append(ids, t.run.OrderID(i, attempt, 0))
		case step.Kind == config.StepShift:
			for sub := 2; sub <= 2*parts(step.Shift)+1; sub++ {
				ids = append(ids, t.run.OrderID(i, attempt, sub))
			}
		}
	}
	return slices.Clip(ids)
}
