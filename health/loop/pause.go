package loop

import "time"

const (
	// pausedFrom is how long the owner must have stood still for it to count as a pause: what is left of an order is believed to have been
	// under way for less (intent.Set.Snap).
	pausedFrom = 2 * time.Second
	// pausedUntil is for how long after a pause what arrives may have waited for it in a socket.
	pausedUntil = 2 * time.Second
)

// A Pause is when the process, or its machine, last stood still. What arrives about then counts what is left until the end of an order from when
// it was sent, and nobody knows when that was. The zero value is none. It belongs to the owner of the loop.
type Pause struct {
	// turn is when the owner last did something.
	turn        time.Time
	from, until time.Time
}

// Covers tells whether what arrived at an instant may have waited.
func (p *Pause) Covers(at time.Time) bool { return at.After(p.from) && at.Before(p.until) }

// Turned notes that the owner turns at now; stood is for how long it had stood still before, 0 where that was no pause.
func (p *Pause) Turned(now time.Time) (stood time.Duration) {
	if last := p.turn; !last.IsZero() && now.Sub(last) > pausedFrom {
		p.from, p.until, stood = last, now.Add(pausedUntil), now.Sub(last)
	}
	p.turn = now
	return stood
}
