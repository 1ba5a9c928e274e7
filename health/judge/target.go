package judge

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// freshIntervals is for how many intervals a vantage's own observation counts, plus the time that the probe may take.
const freshIntervals = 2

// FreshUntil is the instant from which o no longer counts: its prober has stopped, or the lease of a report has ended.
func FreshUntil(c *config.Check, o health.Observation) time.Time {
	if c.Type == config.CheckPush {
		return o.Next
	}
	return o.At.Add(freshIntervals*c.Interval + c.Timeout)
}

// Target is the verdict on what c dials, from the observations of all vantages. prev is the verdict before.
//
// down = at least quorum of the fresh vantages say down; suspect = any fresh vantage has a failure that could lead there;
// without a fresh vantage, or while none has decided, the earlier verdict stays and is marked stale.
func Target(c *config.Check, obs []health.Observation, prev health.Verdict, now time.Time) health.Verdict {
	var fresh, up, down int
	suspect := ""
	reason := ""
	for _, o := range obs {
		if !now.Before(FreshUntil(c, o)) {
			continue
		}
		fresh++
		switch {
		case o.State == health.Down:
			down++
			reason = o.Reason
		case o.State == health.Up:
			up++
		}
		if o.Failures > 0 {
			suspect = o.Reason
		}
	}
	next := health.Verdict{Since: prev.Since, State: prev.State}
	switch {
	case fresh > 0 && down >= c.Quorum.Need(fresh):
		next.State, next.Reason = health.Down, reason
	case up == 0 && down == 0:
		// Nobody has decided: what was believed stays, and says so.
		next.Stale, next.Reason = prev.State != health.Unknown, prev.Reason
		if prev.State == health.Unknown {
			next.Reason = suspect
		}
		return next
	case suspect != "" || down > 0:
		next.State, next.Reason = health.Suspect, suspect
	default:
		next.State = health.Up
	}
	if next.InService() != prev.InService() || prev.Pending() {
		next.Since = now
	}
	return next
}
