package round

import "github.com/fairlead-dns/fairlead/health"

// A Mark is one vantage's observation of one target, in four bits.
type Mark uint8

// The marks. From MarkUpFailing and MarkUndecidedFailing on there are maxLeft each: with one failure left until down, with two
// and so on.
const (
	// MarkNone: not one of its targets, or it does not say: the observation is stale, or it abstains.
	MarkNone Mark = iota
	MarkUndecided
	MarkUp
	MarkDown
	MarkUpFailing
	MarkUndecidedFailing Mark = MarkUpFailing + maxLeft
)

// maxLeft is the greatest number of failures left until down that is told; who has more is taken to have as few, which errs on
// the early side.
const maxLeft = 6

// MarkOf is the mark for an observation by a check that takes fall failures in a row for down.
func MarkOf(o health.Observation, fall int) Mark {
	left := Mark(min(max(fall-o.Failures, 1), maxLeft) - 1)
	switch {
	case o.State == health.Down:
		return MarkDown
	case o.State == health.Up && o.Failures == 0:
		return MarkUp
	case o.State == health.Up:
		return MarkUpFailing + left
	case o.Failures == 0:
		return MarkUndecided
	}
	return MarkUndecidedFailing + left
}

// Observation is what the mark says to who takes fall failures for down: the state, and at least as many failures as there
// were, up to fall. A target that failed has failed at least once, whatever fall was to the vantage. ok is unset for MarkNone.
func (m Mark) Observation(fall int) (state health.State, failures int, ok bool) {
	switch {
	case m == MarkNone:
		return health.Unknown, 0, false
	case m == MarkUndecided:
		return health.Unknown, 0, true
	case m == MarkUp:
		return health.Up, 0, true
	case m == MarkDown:
		return health.Down, fall, true
	case m < MarkUndecidedFailing:
		return health.Up, max(1, fall-int(m-MarkUpFailing)-1), true
	}
	return health.Unknown, max(1, fall-int(m-MarkUndecidedFailing)-1), true
}
