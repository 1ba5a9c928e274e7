package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const (
	// freshIntervals is for how many intervals a vantage's own observation counts, plus the time that the probe may take.
	freshIntervals = 2
	// freshRemote is for how long what another vantage said counts, from the latest round that says so (docs/design.md section 4). It
	// does not say what went stale with itself.
	freshRemote = health.HeardFor
	// minVantages is how many fresh vantages a verdict needs, unless there are no more (docs/design.md section 4).
	minVantages = 2
	// maxNamed bounds the vantages that a reason names.
	maxNamed = 3
)

// A Jury is who is to judge a target.
type Jury struct {
	// Vantages is how many nodes probe the target when all are well; 1 for a node alone.
	Vantages int
	// Self is this node's name, for reasons.
	Self string
	// Without is for simulators.
	Without health.Guards
}

// need is how many fresh vantages a verdict takes.
func (j Jury) need(c *config.Check) int {
	if c.Type == config.CheckPush || j.Without.Without(health.GuardMinVantages) {
		// It is the target's own word, whoever was told.
		return 1
	}
	return max(1, min(minVantages, j.Vantages-1))
}

// FreshUntil is the instant from which o no longer counts: its prober has stopped, its vantage is not heard, or the lease of a
// report has ended.
func FreshUntil(c *config.Check, o health.Observation) time.Time {
	switch {
	case o.Vantage != "":
		return o.At.Add(freshRemote)
	case c.Type == config.CheckPush:
		return o.Next
	}
	return o.At.Add(freshIntervals*c.Interval + c.Timeout)
}

// Target is the verdict on what c dials, from the observations of all vantages, in any order. prev is the verdict before.
//
// down = a quorum of the fresh vantages that have decided say down; suspect = any fresh vantage has a failure that could lead
// there, or says down alone. The earlier verdict stays and is marked stale with fewer fresh vantages than a verdict takes, and
// while nobody says up and yet no quorum can be had: nothing comes back without one vantage that saw it up.
func Target(c *config.Check, obs []health.Observation, jury Jury, prev health.Verdict, now time.Time) health.Verdict {
	var t tally
	for i := range obs {
		if now.Before(FreshUntil(c, obs[i])) || jury.Without.Without(health.GuardFresh) {
			t.add(&obs[i])
		}
	}
	next := health.Verdict{Since: prev.Since, State: prev.State}
	t.settle(c)
	quorum := c.Quorum.Need(t.fresh)
	if jury.Without.Without(health.GuardQuorum) {
		quorum = 1
	}
	switch {
	case t.fresh == 0 && t.expired > 0:
		// Whoever was told anything is told nothing any more. Nodes that no report ever reached have no say.
		if next.Reason = t.reason(obs, c, jury, now); c.Push.OnExpiry == config.SilenceKeep {
			next.Stale = prev.State != health.Unknown
			return next
		}
		next.State = health.Down
	case t.fresh < jury.need(c):
		// Nobody has decided, or too few: what was believed stays, and says so.
		next.Stale, next.Reason = prev.State != health.Unknown, prev.Reason
		next.SuspectSince, next.Disputed = prev.SuspectSince, prev.Disputed
		if prev.State == health.Unknown {
			next.Reason = t.reason(obs, c, jury, now)
			next.Doubted = t.failing > 0 || c.Type == config.CheckPush
			if warning, mute := muted(obs); mute {
				next.Mute, next.Reason = true, warning
			}
		}
		return next
	case t.down >= quorum:
		next.State, next.Reason = health.Down, t.reason(obs, c, jury, now)
	case t.failing > 0:
		next.State, next.Failing = health.Suspect, t.failing >= quorum
		if t.failing < quorum && jury.Vantages > 1 {
			next.SuspectSince = prev.SuspectSince
			if next.SuspectSince.IsZero() {
				next.SuspectSince = now
			}
			next.Disputed = !now.Before(next.SuspectSince.Add(health.DisputedAfter))
		}
		if next.Reason = t.reason(obs, c, jury, now); next.Disputed {
			next.Reason = "disputed: " + next.Reason
		}
	default:
		next.State = health.Up
	}
	if next.InService() != prev.InService() || prev.Pending() {
		next.Since = now
	}
	return next
}

// muted tells whether observations there are say no more than that their vantages cannot probe, and why.
func muted(obs []health.Observation) (warning string, mute bool) {
	for i := range obs {
		if !obs[i].At.IsZero() || obs[i].Warning == "" {
			return "", false
		}
		warning = obs[i].Warning
	}
	return warning, len(obs) > 0
}

// NextChange is when time alone could change a verdict; zero for never.
func NextChange(v health.Verdict) time.Time {
	if v.SuspectSince.IsZero() || v.Disputed || v.Stale {
		return time.Time{}
	}
	return v.SuspectSince.Add(health.DisputedAfter)
}

// A tally counts vantages that are heard. fresh are those of them that have decided, down those that decided so; failing are
// those that say down or could come to it. Who has not decided yet has no vote: after a restart it must bring nothing back.
// expired are those that had reports (push) and whose last lease has run out.
type tally struct{ fresh, down, failing, expired int }

func (t *tally) add(o *health.Observation) {
	if o.State != health.Unknown {
		t.fresh++
	}
	if o.State == health.Down {
		t.down++
	}
	if o.State == health.Down || o.Failures > 0 {
		t.failing++
	}
	if o.State == health.Unknown && o.Failures > 0 {
		t.expired++
	}
}

// settle tells, for a check of type push, silence from failures: a lease that ran out on one node says nothing while another one
// has a report.
func (t *tally) settle(c *config.Check) {
	if c.Type != config.CheckPush {
		t.expired = 0
		return
	}
	if t.fresh > 0 {
		t.failing -= t.expired
	}
}

// reason says who has bad news, and the first of those by name that says why.
func (t *tally) reason(obs []health.Observation, c *config.Check, jury Jury, now time.Time) string {
	if t.failing == 0 {
		return ""
	}
	var bad []*health.Observation
	for i := range obs {
		if o := &obs[i]; now.Before(FreshUntil(c, *o)) && (o.State == health.Down || o.Failures > 0) {
			bad = append(bad, o)
		}
	}
	slices.SortFunc(bad, func(a, b *health.Observation) int { return strings.Compare(jury.name(a), jury.name(b)) })
	why := ""
	for _, o := range bad {
		if why = o.Reason; why != "" {
			break
		}
	}
	if jury.Vantages <= 1 {
		return why
	}
	var names []string
	for _, o := range bad[:min(len(bad), maxNamed)] {
		names = append(names, jury.name(o))
	}
	who := strings.Join(names, ", ")
	if more := len(bad) - len(names); more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	if why == "" {
		return who
	}
	return who + ": " + why
}

// name is that of the vantage that saw o.
func (j Jury) name(o *health.Observation) string {
	if o.Vantage == "" {
		return j.Self
	}
	return o.Vantage
}
