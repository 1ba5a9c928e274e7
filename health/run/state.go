package run

import (
	"strings"

	"github.com/fairlead-dns/fairlead/config"
)

// A Status is how a step, or a run, is.
type Status string

// The statuses. Those of runs are Running, Waiting, Paused, Stopped, Undoing, and at the end Succeeded, Aborted and Incomplete.
const (
	Pending   Status = "pending"
	Running   Status = "running"
	Waiting   Status = "waiting" // for a person
	Succeeded Status = "done"
	Failing   Status = "failed"
	Uncertain Status = "uncertain" // whether its hook got through
	Skipped   Status = "skipped"
	Reverted  Status = "undone"
	NotUndone Status = "left"

	PausedRun  Status = "paused"
	Stopped    Status = "stopped" // a step has failed: a person decides
	Undoing    Status = "undoing"
	GaveUp     Status = "aborted"    // all that was done is undone
	Incomplete Status = "incomplete" // it was aborted, and something could not be undone
)

// Over tells whether a run with the status has ended.
func (s Status) Over() bool { return s == Succeeded || s == GaveUp || s == Incomplete }

// A State is what the entries of a run come to.
type State struct {
	// Owner carries the run on, as the Epoch-th one; Owned is since when.
	Owner string
	Epoch int
	Owned *Entry
	Steps []StepState
	// Paused, Abort, Held and End are the entries that say so; nil while none does.
	Paused, Abort, Held, End *Entry
	// Controls is how often the run was paused and resumed.
	Controls int
}

// A StepState is that of one step.
type StepState struct {
	Status Status
	// Skip says why it is left out.
	Skip string
	// Attempt counts from 1; 0 while none has begun. Began is its beginning, Ended what ended it: Done, Failed or a word of a person.
	Attempt int
	Began   *Entry
	Ended   *Entry
	// Approved is a person's word.
	Approved *Entry
	// Intended are those that are, or were, about to call the hook in the present attempt, UndoIntended to call its undo.
	Intended, UndoIntended []*Entry
	// Did has the parts that are done of the present attempt, by number; Touched is set once any attempt has begun.
	Did     map[int]*Entry
	Touched bool
	// Undone is what became of undoing it.
	Undone *Entry
}

// skips says why a run leaves a step out; empty where it does not.
func skips(r *Run, s *config.PlanStep) string {
	switch {
	case s.Only != "" && s.Only != r.Variant:
		return "of the " + s.Only + " variant"
	case r.Practice && !s.Practised:
		return "not practised"
	}
	return ""
}

// StateOf is the state of a run of a plan.
func StateOf(p *config.Plan, r *Run) *State {
	st := &State{Steps: make([]StepState, len(p.Steps))}
	for i := range p.Steps {
		s := &st.Steps[i]
		s.Status, s.Did, s.Skip = Pending, make(map[int]*Entry), skips(r, &p.Steps[i])
		if s.Skip != "" {
			s.Status = Skipped
		}
	}
	// What attempt there is comes before what happened in it: entries do not stand in an order that could be relied upon.
	for i := range r.Entries {
		e := &r.Entries[i]
		if e.Kind == Began && e.Step < len(st.Steps) {
			s := &st.Steps[e.Step]
			if s.Touched = true; e.Attempt > s.Attempt {
				s.Attempt, s.Began = e.Attempt, e
			}
		}
	}
	var control *Entry
	ends := make(map[int]*Entry)
	for i := range r.Entries {
		e := &r.Entries[i]
		switch e.Kind {
		case Owned:
			if st.Owned == nil || e.Epoch > st.Epoch || e.Epoch == st.Epoch && e.Node < st.Owner {
				st.Owner, st.Epoch, st.Owned = e.Node, e.Epoch, e
			}
		case Paused, Resumed:
			st.Controls = max(st.Controls, e.Sub)
			if control == nil || e.Sub > control.Sub || e.Sub == control.Sub && e.Key() < control.Key() {
				control = e
			}
		case Aborted:
			st.Abort = e
		case Held:
			st.Held = e
		case Ended:
			ends[e.Sub] = e
		default:
			if e.Step < len(st.Steps) {
				st.Steps[e.Step].take(e)
			}
		}
	}
	if control != nil && control.Kind == Paused {
		st.Paused = control
	}
	if st.End = ends[endDone]; st.Abort != nil {
		st.End = ends[endUndone]
	}
	for i := range st.Steps {
		st.Steps[i].conclude(&p.Steps[i])
	}
	return st
}

// take takes in an entry of the step.
func (s *StepState) take(e *Entry) {
	switch e.Kind {
	case Approved:
		s.Approved = e
	case Undone, Left:
		s.Undone = e
	case Intended:
		if e.Sub == 1 {
			s.UndoIntended = append(s.UndoIntended, e)
		} else if e.Attempt == s.Attempt {
			s.Intended = append(s.Intended, e)
		}
	case Did:
		if e.Attempt == s.Attempt {
			s.Did[e.Sub] = e
		}
	case Done, Failed:
		// Done wins: two nodes that were both at it may say both, and what is done is done.
		if e.Attempt == s.Attempt && (s.Ended == nil || s.Ended.Kind == Failed && e.Kind == Done) {
			s.Ended = e
		}
	case Retried:
		if e.Sub == 1 && e.Attempt == s.Attempt {
			s.Ended = e
		} else if e.Sub == 0 && e.Attempt == s.Attempt && (s.Ended == nil || s.Ended.Kind == Failed) {
			// Another attempt may begin; until it has begun the failed one is what there is.
			s.Ended = e
		}
	}
}

// conclude is the status that follows.
func (s *StepState) conclude(step *config.PlanStep) {
	switch {
	case s.Undone != nil && s.Undone.Kind == Undone:
		s.Status = Reverted
	case s.Undone != nil:
		s.Status = NotUndone
	case s.Attempt == 0:
	case s.Ended == nil && step.Kind == config.StepApprove:
		s.Status = Waiting
	case s.Ended == nil:
		s.Status = Running
	case s.Ended.Kind == Done, s.Ended.Kind == Retried && s.Ended.Sub == 1:
		s.Status = Succeeded
	case s.Ended.Kind == Retried:
		s.Status = Pending
	case s.Ended.Data[dataUncertain] != "":
		s.Status = Uncertain
	default:
		s.Status = Failing
	}
}

// dataUncertain marks a failure of a hook that may have got through.
const dataUncertain = "uncertain"

// Current is the index of the first step that is not done; the number of steps when all are.
func (st *State) Current() int {
	for i := range st.Steps {
		if s := st.Steps[i].Status; s != Succeeded && s != Skipped {
			return i
		}
	}
	return len(st.Steps)
}

// Status is that of the run.
func (st *State) Status() Status {
	switch {
	case st.End != nil:
		return Status(st.End.Data[dataOutcome])
	case st.Abort != nil:
		return Undoing
	case st.Paused != nil:
		return PausedRun
	}
	if i := st.Current(); i < len(st.Steps) {
		switch st.Steps[i].Status {
		case Failing, Uncertain:
			return Stopped
		case Waiting:
			return Waiting
		}
	}
	return Running
}

// dataOutcome is the outcome in the last entry of a run.
const dataOutcome = "outcome"

// Why says in words where a run stands.
func (st *State) Why(p *config.Plan) string {
	switch {
	case st.End != nil:
		return st.End.Text
	case st.Abort != nil:
		return strings.TrimSuffix("aborted by "+st.Abort.Actor+": "+st.Abort.Text, ": ")
	case st.Paused != nil:
		return strings.TrimSuffix("paused by "+st.Paused.Actor+": "+st.Paused.Text, ": ")
	}
	if i := st.Current(); i < len(st.Steps) {
		if s := &st.Steps[i]; s.Ended != nil && (s.Status == Failing || s.Status == Uncertain) {
			return s.Ended.Text
		}
		return p.Steps[i].Says
	}
	return ""
}
