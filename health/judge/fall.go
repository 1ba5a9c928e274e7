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

// Change is the earliest instant at which the verdict on what c dials could become another, whatever the probes will say
// (docs/design.md section 6, "Horizon, exactly"). floor is an instant that is safe at any time, which stands for "at once".
//
// A fall needs a quorum of the vantages that are fresh by then. While all are heard and go on being heard that is the q-th least
// of the instants at which they could say down. Two things can bring it forward. Vantages that say up may fall silent, which
// leaves fewer to outvote: they count until their observation is no longer fresh. And vantages that are not heard, or were never,
// may come back any moment with bad news that is as old as their silence: they count as votes for down, and as none.
//
// Alone, however, those that are not heard are held to bring nothing about, unless their last news was bad: nodes that are
// stopped for good must not hold TTLs down for ever. It costs little. An answer given meanwhile may outlive a flip that a healed
// partition brings, but never the time in which the vantages that are heard could find the same fault themselves, and that is
// what the bound S promises.
func Change(c *config.Check, obs []health.Observation, jury Jury, believed health.Verdict, floor, now time.Time, allowance time.Duration) time.Time {
	if c.Type == config.CheckPush {
		// A report may be taken back at any time.
		return floor
	}
	// turns are when each vantage that counts could change its mind, ends when it could no longer be a vote for what it says now.
	// silent counts those that are not heard and gave no cause for worry.
	var turnsBuf, endsBuf [8]time.Time
	turns, ends, silent := turnsBuf[:0], endsBuf[:0], max(0, jury.Vantages-len(obs))
	agree, decided := 0, 0
	for i := range obs {
		o := &obs[i]
		turn, end := floor, FreshUntil(c, *o)
		if !now.Before(end) && (len(obs) > 1 || jury.Vantages > 1) {
			if o.State == health.Up && o.Failures == 0 || !believed.InService() {
				silent++
				continue
			}
		} else if o.State != health.Unknown {
			decided++
			if believed.InService() == (o.State == health.Up) {
				agree++
				turn = change(c, o, allowance)
			}
		}
		if turn.Before(end) {
			end = turn
		}
		turns, ends = append(turns, turn), append(ends, end)
	}
	switch {
	case agree == 0 || decided < jury.need(c):
		// Believed without an observation, or against all of them; or by too few, and may move with the next that is heard.
		return floor
	case believed.InService():
		return fall(c, jury, turns, ends, silent)
	case len(turns) < c.Quorum.Need(len(turns)+silent):
		// Those that are not heard could outvote the rest.
		return floor
	}
	return slices.MinFunc(turns, time.Time.Compare)
}

// fall is the earliest instant at which there could be a quorum for down: everybody says so who can, and whoever cannot yet is
// silent if it can be, but for those without whom there are too few for a verdict. With a quorum that is never to be had it is
// the last instant at which anybody can turn. It sorts turns and ends, which are as in Change.
func fall(c *config.Check, jury Jury, turns, ends []time.Time, silent int) time.Time {
	slices.SortFunc(turns, time.Time.Compare)
	slices.SortFunc(ends, time.Time.Compare)
	n, turned, ended := len(turns), 0, 0
	for {
		at := turns[turned]
		if ended < n && ends[ended].Before(at) {
			at = ends[ended]
		}
		for turned < n && !turns[turned].After(at) {
			turned++
		}
		for ended < n && !ends[ended].After(at) {
			ended++
		}
		down := turned + silent
		up := max(n-ended, jury.need(c)-down)
		if turned == n || turned > 0 && down >= c.Quorum.Need(down+up) {
			return at
		}
	}
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
