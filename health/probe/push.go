package probe

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// maxLease is the longest that one report may count.
const maxLease = 24 * time.Hour

// A Report is what an endpoint, or a monitor that speaks for it, says of its state.
type Report struct {
	// State is Up or Down. It counts at once: whoever reports has judged already.
	State health.State
	// Weight is how many percent of its configured weight the endpoint wants, 0..100; nil means all.
	Weight *int
	// Lag is how far it is behind, for checks of type lag, in the check's unit; nil where it does not say.
	Lag *float64
	// Lease is for how long the report is good, at most the check's. *Default*: the check's.
	Lease time.Duration
	// Reason may say why; it becomes part of the observation's.
	Reason string
}

// Errors of Prober.Report.
var (
	ErrNoTarget   = errors.New("no such target")
	ErrNotPushed  = errors.New("the check of this target is not of type push")
	ErrNotRunning = errors.New("the prober has stopped")
	ErrLag        = errors.New("a report has a lag for a check of type lag, and for no other")
	ErrLease      = errors.New("a report is good for the lease of its check at most")
)

// A lease is until when a target that is not dialled is believed. Prober.mu guards it.
type lease struct {
	// heard is when the latest report came, or when the wait for the first one began; length is for how long it counts.
	heard  time.Time
	length time.Duration
	// reported is set once there was a report, in this run or, as what Restore took over says, in an earlier one.
	reported bool
}

// A pushChecker is in place of a checker where nothing is dialled.
type pushChecker struct{}

func newPushChecker(check *config.Check, _ *dialer) (checker, error) {
	if check.Push == nil || check.Push.Lease <= 0 {
		return nil, errors.New("check has no lease")
	}
	return pushChecker{}, nil
}

func (pushChecker) probe(_ context.Context, _ health.Target, r *Result) {
	r.fail(because(Unsupported, "a push check is not probed: it waits for reports"))
}

// Report takes a report on a target whose check is of type push. The observation is handed to the Sink before Report
// returns; when the lease ends without another report, an Unknown one with a failure follows.
func (p *Prober) Report(id health.TargetID, report Report) error {
	if err := report.validate(); err != nil {
		return err
	}
	p.reporting.Lock()
	defer p.reporting.Unlock()
	o, ids, err := p.reported(id, report, time.Now())
	p.hand(o, ids)
	return err
}

func (r Report) validate() error {
	switch {
	case r.State != health.Up && r.State != health.Down:
		return fmt.Errorf("report: state %v: want up or down", r.State)
	case r.Weight != nil && (*r.Weight < 0 || *r.Weight > 100):
		return fmt.Errorf("report: weight %d %%: want 0..100", *r.Weight)
	case r.Lag != nil && !(*r.Lag >= 0 && *r.Lag <= maxLag):
		return fmt.Errorf("report: lag %v: want a number from 0 on", *r.Lag)
	case r.Lease < 0 || r.Lease > maxLease:
		return fmt.Errorf("report: lease %v: want at most %v", r.Lease, maxLease)
	}
	return nil
}

// reported makes the observation of a report, for the targets that share its lease.
func (p *Prober) reported(id health.TargetID, report Report, now time.Time) (o health.Observation, ids []health.TargetID, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.byID[id]
	switch {
	case !ok:
		return o, nil, fmt.Errorf("report on %v: %w", id, ErrNoTarget)
	case e.check.check.Push == nil:
		return o, nil, fmt.Errorf("report on %v: %w", id, ErrNotPushed)
	case (e.check.check.Lag != nil) != (report.Lag != nil):
		return o, nil, fmt.Errorf("report on %v: %w", id, ErrLag)
	case p.stopped:
		return o, nil, fmt.Errorf("report on %v: %w", id, ErrNotRunning)
	}
	length := report.Lease
	if length == 0 {
		length = e.check.check.Push.Lease
	}
	if length > e.check.check.Push.Lease {
		// The bound of the service is made of the check's.
		return o, nil, fmt.Errorf("report on %v: lease %v, the check's is %v: %w", id, length, e.check.check.Push.Lease, ErrLease)
	}
	e.push = &lease{heard: now, length: length, reported: true}
	e.probed = true
	if report.Lag != nil {
		e.lag = e.lag.Next(*report.Lag, now.Add(-e.check.check.Lag.Age))
	}
	before := e.counter.state
	e.counter = e.counter.after(report.State == health.Up, now, 1, 1)
	if e.counter.state != before && before != health.Unknown {
		e.damper.note(e.check.check.Flap, now)
	}
	if p.ctx != nil {
		p.agenda.remove(e)
		p.leaseLocked(e, now)
		p.kick()
	}
	var reason Reason
	if report.State == health.Down {
		text := "reported down"
		if report.Reason != "" {
			text += ": " + report.Reason
		}
		reason = because(Reported, "%s", text)
	}
	e.check.metrics.count(reason.Kind)
	o = health.Observation{
		State: e.counter.state, Since: e.counter.since,
		Failures: e.counter.failures(), Successes: e.counter.successes(),
		At: now, Next: now.Add(length), Lag: e.lag, Reason: reason.Text,
	}
	if report.Weight != nil {
		o.Reduction = 100 - *report.Weight
	}
	return e.damper.apply(e.check.check.Flap, o), e.ids, nil
}

// leaseLocked puts e into the agenda for the end of its lease. One of which nothing was heard has the check's from now.
func (p *Prober) leaseLocked(e *entry, now time.Time) {
	if e.push == nil {
		e.push = &lease{heard: now, length: e.check.check.Push.Lease, reported: e.counter.state != health.Unknown}
	}
	e.next = e.push.heard.Add(e.push.length)
	e.place = idle
	p.agenda.add(e)
}

// restLocked takes note of e, whose lease has ended, and lets it rest for another one.
func (p *Prober) restLocked(e *entry, now time.Time) {
	p.expired = append(p.expired, e)
	e.next = now.Add(e.push.length)
	p.agenda.add(e)
}

// expire reports what turn found without a report. The observation comes again with each lease that passes.
func (p *Prober) expire(now time.Time) {
	for _, e := range p.expired {
		p.reporting.Lock()
		p.hand(p.unheard(e, now))
		p.reporting.Unlock()
	}
	clear(p.expired)
	p.expired = p.expired[:0]
}

// unheard makes the observation of a lease that ended, unless a report came at the last moment. It is Unknown, with a failure if
// there was a report before: what that means is judged by the check's on_expiry. It counts for a lease longer than it takes to come
// again, so that there is no moment without it.
func (p *Prober) unheard(e *entry, now time.Time) (health.Observation, []health.TargetID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.removed || now.Before(e.push.heard.Add(e.push.length)) {
		return health.Observation{}, nil
	}
	if e.counter.state != health.Unknown {
		e.counter = counter{since: now}
	}
	o := health.Observation{
		State: health.Unknown, Since: e.counter.since, At: now, Next: e.next.Add(e.push.length), Lag: e.lag,
		Reason: fmt.Sprintf("no report for %v", e.push.length),
	}
	if e.push.reported {
		o.Failures = 1
	}
	return o, e.ids
}
