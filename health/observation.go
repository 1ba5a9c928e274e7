package health

import "time"

// An Observation is what one vantage knows about one target after its latest probe. It is written by that vantage only.
// All hysteresis (rise, fall) has already been applied: State moves only when enough results in a row agreed.
type Observation struct {
	Target TargetID
	// Vantage is the node that saw it; empty for this node's own.
	Vantage string
	// State is Up, Down, or Unknown before the first decision.
	State State
	// Since is when State was taken, on the local monotonic clock.
	Since time.Time
	// Failures and Successes are results in a row; one of them is 0.
	Failures, Successes int
	// At is when the latest probe ended, Next when the following one is due to start. For a target that reports itself
	// they are when the report came and when its lease ends; then the State is Unknown. At is zero where this node could
	// not probe at all, which Warning explains.
	At, Next time.Time
	// Latency is how long the latest probe took, failed ones included.
	Latency time.Duration
	// LatencyEWMA is the average latency of successful probes, the latest with the weight 1/8; 0 before the first.
	LatencyEWMA time.Duration
	// Reduction is how many percent of its weight the target asks to be relieved of (push); 0 is its full weight.
	Reduction int
	// Lag is the latest number that a check of type lag has read, however long ago; zero where none was.
	Lag Lag
	// Reason says in words what the latest failure was; empty after a success.
	Reason string
	// Warning says in words what will fail soon (a certificate near its end).
	Warning string
	// Phases are those of the latest probe; nil where the whole of it was the connection, as with a check of type tcp.
	Phases *Phases
}

// Phases are the parts of a probe: 0 for those that were not reached. CertificateExpiry is when the certificate ends that was seen; zero
// where none was.
type Phases struct {
	Connect, TLS, FirstByte time.Duration
	CertificateExpiry       time.Time
}

// Suspect tells whether a failure could lead to down.
func (o Observation) Suspect() bool { return o.State != Down && o.Failures > 0 }
