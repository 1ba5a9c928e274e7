package probe

import (
	"math"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A counter is the rise/fall counter of one target at this vantage. All hysteresis of the product lives here. It is a
// value.
//
// Up takes rise successes in a row, Down takes fall failures in a row, and each result of the other sort starts the
// count again. From Unknown the first result decides: who has nothing else to go by goes by that.
type counter struct {
	// state is Unknown, Up or Down.
	state health.State
	// streak counts equal results in a row: successes above zero, failures below.
	streak int32
	// since is when state was taken.
	since time.Time
}

// after is the counter after one more result, which arrived at now.
func (c counter) after(ok bool, now time.Time, rise, fall int) counter {
	next := health.Down
	need := fall
	if ok {
		next, need = health.Up, rise
		c.streak = min(max(c.streak, 0), math.MaxInt32-1) + 1
	} else {
		c.streak = max(min(c.streak, 0), 1-math.MaxInt32) - 1
	}
	if c.state == health.Unknown {
		need = 1
	}
	if c.state != next && c.length() >= need {
		c.state, c.since = next, now
	}
	return c
}

// length is how many equal results came in a row.
func (c counter) length() int { return int(max(c.streak, -c.streak)) }

// failures and successes are results in a row; one of them is 0.
func (c counter) failures() int  { return int(max(-c.streak, 0)) }
func (c counter) successes() int { return int(max(c.streak, 0)) }
