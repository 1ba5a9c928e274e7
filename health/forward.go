package health

import "time"

// A Forward is how far a pool has taken a service over whose turn it has. It is a value.
type Forward struct {
	// Percent is the share of the service that it may have; Step is the place of that in the ramp.
	Percent, Step int
	// Next is when the next step is due, if the check lets it.
	Next time.Time
}
