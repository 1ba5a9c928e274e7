package health

import (
	"math"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// maxHold caps a hold that failed returns have doubled (docs/design.md section 5).
const maxHold = time.Hour

// leastHold is what doubles where the file says that there is no hold.
const leastHold = time.Second

// A Return is how a pool, or one of its AZs, comes back after it had nothing eligible. It is the same for all services; each
// reads it with its own failback. The zero Return holds nothing back.
type Return struct {
	// Since is when something became eligible again; zero while nothing is on its way back.
	Since time.Time
	// Retries are the instants at which a failed probe during some service's ramp sent it back to the hold, ascending.
	Retries []time.Time
	// Doubled counts the retries of earlier returns that never came to their end: each doubles the hold.
	Doubled int
	// Admitted is when an operator let it in (`fairlead failback POOL`), Reloaded when a new version of the zone file did;
	// zero if nobody did.
	Admitted, Reloaded time.Time
	// Unclaimed is set while one that keeps data is out and no other pool has taken its turn so far: its data is the latest that there
	// is, so it lets itself in when it comes back. It means nothing while something is on its way back.
	Unclaimed bool
}

// On tells whether something is on its way back.
func (r *Return) On() bool { return !r.Since.IsZero() }

// Later is r with all of its instants moved on by d: holds and ramps have stood still for so long.
func (r Return) Later(d time.Duration) Return {
	for _, at := range []*time.Time{&r.Since, &r.Admitted, &r.Reloaded} {
		if !at.IsZero() {
			*at = at.Add(d)
		}
	}
	r.Retries = slices.Clone(r.Retries)
	for i := range r.Retries {
		r.Retries[i] = r.Retries[i].Add(d)
	}
	return r
}

// IsZero tells whether there is nothing to remember.
func (r *Return) IsZero() bool { return !r.On() && r.Doubled == 0 }

// Equal tells whether r and o are the same return at the same point.
func (r *Return) Equal(o *Return) bool {
	return r.Since.Equal(o.Since) && r.Doubled == o.Doubled && r.Unclaimed == o.Unclaimed && r.Admitted.Equal(o.Admitted) && r.Reloaded.Equal(o.Reloaded) &&
		slices.EqualFunc(r.Retries, o.Retries, time.Time.Equal)
}

// maxRetries bounds the retries that are remembered one by one: by then every hold has grown to its cap.
const maxRetries = 16

// Retry is r after a failed probe at now, during a ramp.
func (r Return) Retry(now time.Time) Return {
	if len(r.Retries) < maxRetries {
		r.Retries = append(slices.Clone(r.Retries), now)
	}
	return r
}

// Out is what stays of r when nothing is eligible any more: how often it failed.
func (r Return) Out() Return {
	return Return{Doubled: min(r.Doubled+len(r.Retries), maxRetries)}
}

// Let is r once a person let it in, or a new version of the zone file came, if that was after it began.
func (r Return) Let(admitted, reloaded time.Time) Return {
	if r.On() && admitted.After(r.Admitted) && !admitted.Before(r.Since) {
		r.Admitted = admitted
	}
	if r.On() && r.Reloaded.IsZero() && !reloaded.Before(r.Since) {
		r.Reloaded = reloaded
	}
	return r
}

// Over tells whether r holds nothing back from any service, by their failbacks.
func (r *Return) Over(failbacks []config.Failback, at time.Time) bool {
	if !r.On() {
		return r.IsZero()
	}
	return !slices.ContainsFunc(failbacks, func(f config.Failback) bool {
		percent, _ := r.Share(f, at)
		return percent < Whole
	})
}

// Whole is the share of one that is fully back, in percent.
const Whole = 100

// Share is how much of its ordinary share a service with failback f gives at `at`, in percent: 0 while it is held back,
// then the steps of the ramp, then 100. next is when the share changes by itself; zero if it does not.
func (r *Return) Share(f config.Failback, at time.Time) (percent int, next time.Time) {
	if !r.On() {
		return Whole, time.Time{}
	}
	begin, ok := r.begin(f, at)
	switch since := at.Sub(begin); {
	case !ok:
		return 0, time.Time{}
	case since < 0:
		return 0, begin
	case since >= f.RampTime():
		return Whole, time.Time{}
	default:
		step := int(since / f.Step)
		return f.Ramp[step], begin.Add(time.Duration(step+1) * f.Step)
	}
}

// Ramping tells whether the service gives a part of the share, but not all of it.
func (r *Return) Ramping(f config.Failback, at time.Time) bool {
	percent, _ := r.Share(f, at)
	return percent > 0 && percent < Whole
}

// begin is when the latest hold ends, as it looks at the given instant; not ok while the return waits for a person.
func (r *Return) begin(f config.Failback, at time.Time) (begin time.Time, ok bool) {
	start, begin, ok := r.start(f)
	if !ok {
		return time.Time{}, false
	}
	times := r.Doubled
	for _, retry := range r.Retries {
		begin = r.cut(f, start, begin)
		// Another service's ramp failed, before this one began its own or after it was whole.
		if retry.After(at) || retry.Before(begin) || !retry.Before(begin.Add(f.RampTime())) {
			continue
		}
		times++
		start, begin = retry, retry.Add(doubled(f.Hold, times))
	}
	return r.cut(f, start, begin), true
}

// start is when the first hold starts and ends; not ok while it waits for a person.
func (r *Return) start(f config.Failback) (start, end time.Time, ok bool) {
	switch {
	case f.Mode == config.FailbackManual:
		return r.Admitted, r.Admitted, !r.Admitted.IsZero()
	case f.Mode == config.FailbackNever:
		return r.Reloaded, r.Reloaded, !r.Reloaded.IsZero()
	case r.Doubled > 0 && f.RampTime() > 0:
		return r.Since, r.Since.Add(doubled(f.Hold, r.Doubled)), true
	}
	return r.Since, r.Since.Add(f.Hold), true
}

// cut ends a hold when an operator lets the return in. Mode never asks for a new file.
func (r *Return) cut(f config.Failback, start, end time.Time) time.Time {
	if f.Mode != config.FailbackNever && !r.Admitted.Before(start) && r.Admitted.Before(end) {
		return r.Admitted
	}
	return end
}

// doubled is hold·2^times, at most an hour, or the hold itself if that is longer.
func doubled(hold time.Duration, times int) time.Duration {
	hold = max(hold, leastHold)
	if hold >= maxHold {
		return hold
	}
	if times > 30 || hold > math.MaxInt64>>times {
		return maxHold
	}
	return min(maxHold, hold<<times)
}
