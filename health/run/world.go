package run

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A World is what a run looks at: this node's view at one instant. Nothing in it changes while Next runs.
type World interface {
	// Since is how long this process has had an entry of the run.
	Since(e *Entry) time.Duration
	// Pool is what is known of a pool.
	Pool(zone, pool string) PoolState
	// Failing are the endpoints of a check that are not up and not drained, as POOL/ENDPOINT; why says that there is no such check.
	Failing(zone, check string) (names []string, why string)
	// Lag is how far the data of a pool is behind its source, and that in words; unset where it is not known.
	Lag(zone, pool string) (value float64, known bool, text string)
	// Order is what has become of an order.
	Order(id health.IntentID) OrderState
	// Ready are the orders that hold the gate of a pool open, and Freezes those that stop verdicts, of whomever.
	Ready(zone, pool string) []health.IntentState
	Freezes() []health.IntentState
	// Trace is what caches may hold of what an order took out.
	Trace(id health.IntentID) Trace
	// Weights are those of the pools of a shift; why says why the share of the one cannot go to the other.
	Weights(step int) (from, to int, why string)
	// Admissible is nil if the rules would let an order in.
	Admissible(i health.Intent) error
	// Trouble says what goes wrong that has nothing to do with what the run took out; empty for nothing. A practice does not go on then.
	Trouble() string
	// May says why the hook of a step cannot be called from this node; empty if it can.
	May(step int) string
}

// A PoolState is a pool at one instant.
type PoolState struct {
	// Known is unset for a pool that no zone has.
	Known bool
	// Endpoints counts all, Up those in service, of which Suspect are doubted, Drained those that an order takes out.
	Endpoints, Up, Suspect, Drained int
	// Shut is set while the gate keeps the pool out.
	Shut bool
}

// An OrderState is what has become of an order.
type OrderState struct {
	// Open is set while it is in force, Ended once it was ended, for good. Neither is set for one that is not known.
	Open, Ended bool
	// Kept is set once another node has it on disk, or there is none.
	Kept bool
	// Suspended says which rule keeps it from having effect; empty for none.
	Suspended string
}

// A Trace is what is known of what caches hold of what an order took out.
type Trace struct {
	// Out is unset where the order took nothing out that was answered.
	Out bool
	// Known is set once every node has said until when, and Within how long after the order that is. Forgotten is set once every node has said
	// since that nobody holds it.
	Known, Forgotten bool
	Within           time.Duration
	// Placed is when the order took effect here.
	Placed time.Time
	// Why says what keeps it from being known.
	Why string
}

// A Hook is a call of a hook.
type Hook struct {
	Step, Attempt int
	// Undo is set for the hook's undo.
	Undo bool
}

// An Action is what is to be done now. At most one of Record, Place, End and Call is set; with none there is nothing to do, for the reason Why.
type Action struct {
	// Record are entries to be kept.
	Record []Entry
	// Place is an order to be placed by its id, and Replaces those of the run that it takes the place of.
	Place    *health.Intent
	Replaces []health.IntentID
	// End are orders to be ended, known or not: by the reason Why.
	End []health.IntentID
	// Call is a hook to be called, once a majority holds that it is about to be.
	Call *Hook
	Why  string
}

func waits(why string) Action                      { return Action{Why: why} }
func record(entries ...Entry) Action               { return Action{Record: entries} }
func end(why string, ids []health.IntentID) Action { return Action{End: ids, Why: why} }
