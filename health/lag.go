package health

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// A Lag is one measurement of how far data is behind its source. The zero Lag is none.
type Lag struct {
	// Value is in the unit of the check: seconds or octets.
	Value float64
	// At is the instant that Value is of, or an earlier one: what is behind by Value then has all that was written before that.
	At time.Time
	// Seq counts the measurements of one vantage.
	Seq uint64
}

// Known tells whether anything was measured.
func (l Lag) Known() bool { return !l.At.IsZero() }

// Next is the measurement after l.
func (l Lag) Next(value float64, at time.Time) Lag { return Lag{Value: value, At: at, Seq: l.Seq + 1} }

// Fresh tells whether l, by check c, counts at the given instant.
func (l Lag) Fresh(c *config.Check, at time.Time) bool {
	return l.Known() && at.Before(l.At.Add(c.LagFresh()))
}

// A LagState is how the lag of a pool stands to the rpo of a service.
type LagState uint8

// The states. The zero LagState is that of a pool whose lag nobody measures.
const (
	LagUnmeasured LagState = iota
	// LagUnknown: nothing that counts was measured. It is never taken for 0.
	LagUnknown
	LagWithin
	LagExceeds
)

var lagStateNames = [...]string{LagUnmeasured: "unmeasured", LagUnknown: "unknown", LagWithin: "within", LagExceeds: "exceeds"}

// String is the word for the state, as in JSON.
func (s LagState) String() string { return lagStateNames[s] }

// LagStates are the states of pools whose lag is measured, for metrics.
func LagStates() []LagState { return []LagState{LagUnknown, LagWithin, LagExceeds} }

// An RPOView is how a pool that keeps data stands to the rpo of one service. It is a value: compare it with ==.
type RPOView struct {
	// State is as of the last look, and of the last one before something began to fail that is to answer before the pool.
	State LagState
	// Entered is set once the service has moved to the pool: what answers is not held back by what it lacks.
	Entered bool
	// Held is set while health would enter the pool and may not, since its lag is more than the rpo, or not known.
	Held bool
}
