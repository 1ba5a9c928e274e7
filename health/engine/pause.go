package engine

import (
	"errors"
	"time"
)

const (
	// pausedFrom is how long the engine must have stood still for it to count as a pause: what is left of an order is believed to have been
	// under way for less (intent.Set.Snap).
	pausedFrom = 2 * time.Second
	// pausedUntil is for how long after a pause what arrives may have waited for it in a socket.
	pausedUntil = 2 * time.Second
)

// errPaused refuses orders that may have waited while this node stood still.
var errPaused = errors.New("this node stood still: what is left of the orders is not known")

// A pause is when the process, or its machine, last stood still. What arrives about then counts what is left until the end of an order from when
// it was sent, and nobody knows when that was. The zero value is none.
type pause struct{ from, until time.Time }

// covers tells whether what arrived at an instant may have waited.
func (p *pause) covers(at time.Time) bool { return at.After(p.from) && at.Before(p.until) }

// turned notes that the engine turns at now, and whether it has stood still before.
func (e *Engine) turned(now time.Time) {
	if last := e.turn; !last.IsZero() && now.Sub(last) > pausedFrom {
		e.pause = pause{last, now.Add(pausedUntil)}
		e.opts.Logger.Warn("this node stood still", "seconds", now.Sub(last).Seconds())
		if e.cluster != nil {
			e.pokePull()
		}
	}
	e.turn = now
}
