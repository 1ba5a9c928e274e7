package judge

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// Shortest is the least time between the starts of two probes.
func Shortest(c *config.Check) time.Duration {
	return c.Interval - c.Interval*health.JitterPercent/100
}

// Change is the earliest instant at which the verdict on what c dials could become another, whatever the probes will say: the
// q-th least of the instants at which the vantages that count could change their minds, q being the quorum for a fall, and one
// for a rise (DESIGN.md section 6, "Horizon, exactly"). floor is an instant that is safe at any time, which stands for "at once".
//
// A vantage that is not heard and had bad news may be heard again any moment, and counts as one that has made up its mind. One
// that had good news counts no more: a node that is stopped for good must not hold TTLs down for ever. A verdict that rests on
// too few vantages, or against what they say, may move as soon as one more is heard.
func Change(c *config.Check, obs []health.Observation, jury Jury, believed health.Verdict, floor, now time.Time, allowance time.Duration) time.Time {
	if c.Type == config.CheckPush {
		// A report may be taken back at any time.
		return floor
	}
	var buf [8]time.Time
	instants := buf[:0]
	agree := 0
	for i := range obs {
		o := &obs[i]
		if len(obs) > 1 && !now.Before(FreshUntil(c, *o)) {
			if believed.InService() && (o.State != health.Up || o.Failures > 0) {
				instants = append(instants, floor)
			}
			continue
		}
		if believed.InService() == (o.State == health.Up) {
			agree++
			instants = append(instants, change(c, o, allowance))
		} else {
			instants = append(instants, floor)
		}
	}
	if agree == 0 || len(instants) < jury.need(c) {
		// Believed without an observation, or against all of them.
		return floor
	}
	slices.SortFunc(instants, time.Time.Compare)
	q := 1
	if believed.InService() {
		q = min(max(1, c.Quorum.Need(len(instants))), len(instants))
	}
	return instants[q-1]
}

// change is the earliest instant at which one vantage could change its mind.
func change(c *config.Check, o *health.Observation, allowance time.Duration) time.Time {
	left := 0
	switch o.State {
	case health.Up:
		left = c.Fall - 1 - o.Failures
	case health.Down:
		left = c.Rise - 1 - o.Successes
	}
	if o.Vantage == "" {
		return o.Next.Add(time.Duration(left) * Shortest(c))
	}
	if o.State == health.Down {
		// Its successes are not told.
		left = 0
	}
	return o.At.Add(time.Duration(left)*Shortest(c) - allowance)
}
