package run

import (
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// undo undoes what was done, the last step first, and ends the run.
func (t *turn) undo() Action {
	for i := len(t.plan.Steps) - 1; i >= 0; i-- {
		s := &t.st.Steps[i]
		if !s.Touched || s.Undone != nil || !t.plan.Steps[i].Kind.Acts() {
			continue
		}
		return t.undoStep(i)
	}
	outcome, text := GaveUp, strings.TrimSuffix("undone: "+t.st.Abort.Text, ": ")
	if t.run.Practice && t.st.Abort.Text == practised {
		outcome, text = Succeeded, "practised, and undone"
	}
	var left []string
	for i := range t.plan.Steps {
		if s := &t.st.Steps[i]; s.Undone != nil && s.Undone.Kind == Left {
			left = append(left, t.plan.Steps[i].Name)
		}
	}
	if len(left) > 0 {
		outcome, text = Incomplete, text+"; not undone: "+strings.Join(left, ", ")
	}
	return record(Entry{Kind: Ended, Sub: endUndone, Text: text, Data: map[string]string{dataOutcome: string(outcome)}})
}

func (t *turn) undone(i int, text string) Action {
	return record(Entry{Kind: Undone, Step: i, Text: text})
}

func (t *turn) undoStep(i int) Action {
	step, s := &t.plan.Steps[i], &t.st.Steps[i]
	foreign := s.Ended != nil && s.Ended.Data[dataForeign] != ""
	switch {
	case foreign:
		return t.undone(i, "it had nothing to do")
	case step.Kind == config.StepHook:
		return t.undoHook(i)
	case step.Kind == config.StepUnready:
		return t.reopen(i)
	case step.Kind == config.StepFreeze && !step.Freeze:
		return t.undone(i, "what stopped verdicts was the run's own")
	}
	// Also those that are not known: one may lie on the disk of a node that is away, and must have no effect when that node is back.
	var open []health.IntentID
	for _, id := range t.placed(i) {
		if !t.w.Order(id).Ended {
			open = append(open, id)
		}
	}
	if len(open) > 0 {
		return end(t.run.ID+" is undone", open)
	}
	return t.undone(i, "ended")
}

// reopen opens a gate again that an unready step closed.
func (t *turn) reopen(i int) Action {
	s, p := &t.st.Steps[i], t.plan.Steps[i].Pool
	if s.Did[0] == nil {
		return t.undone(i, "it was not begun")
	}
	if len(t.w.Ready(p.Zone, p.Pool)) > 0 {
		return t.undone(i, "its gate is open")
	}
	id := t.run.OrderID(i, s.Attempt, reopens)
	if t.w.Order(id).Ended {
		return t.undone(i, "it was opened again, and closed by somebody else")
	}
	order := t.order(i, health.IntentReady, poolScope(p))
	order.ID, order.Forever = id, true
	return Action{Place: order}
}

// reopens is the number of the order that opens a gate again.
const reopens = ordersPerAttempt - 1

// undoHook calls the undo of a hook that may have been called.
func (t *turn) undoHook(i int) Action {
	s, hook := &t.st.Steps[i], t.plan.Steps[i].Hook
	called := len(s.Intended) > 0 || s.Ended != nil && s.Ended.Kind == Retried
	switch {
	case !called && s.Attempt <= 1:
		return t.undone(i, "it was never called")
	case hook.Undo == nil:
		return record(Entry{Kind: Left, Step: i, Text: "the plan does not say how"})
	case len(s.UndoIntended) == 0:
		return record(Entry{Kind: Intended, Step: i, Attempt: s.Attempt, Sub: 1, Epoch: t.st.Epoch})
	case !t.mine(s.UndoIntended) && !hook.Undo.Idempotent:
		return record(Entry{Kind: Left, Step: i, Text: s.UndoIntended[0].Node + " was about to call its undo and never said what came of it"})
	case t.w.Since(s.UndoIntended[0]) > t.plan.Steps[i].Timeout:
		return record(Entry{Kind: Left, Step: i, Text: "its undo does not answer well"})
	}
	return Action{Call: &Hook{Step: i, Attempt: s.Attempt, Undo: true}}
}
