package probe

import (
	"context"
	"log/slog"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// shortEvery is how often a shortage of this node is logged at the most.
const shortEvery = 10 * time.Second

// run probes e once, reports, and puts it back into the agenda. slow tells which slots it uses.
func (p *Prober) run(e *entry, target health.Target, check *prepared, slow bool) {
	defer p.probes.Done()
	start := time.Now()
	p.metrics.lag.Observe(max(start.Sub(e.next), 0).Seconds())
	e.next = start.Add(e.phase.gap(check.check.Interval, check.check.Timeout))

	r := probeOnce(p.ctx, check.checker, target)
	end := time.Now()
	routed := p.routed(target.Host, r.Reason.Kind)
	o, ids := p.conclude(e, target, check, r, routed, start, end)
	p.hand(o, ids)
	p.finish(e, check, slow, end)
}

// hand gives each of the targets its copy of o.
func (p *Prober) hand(o health.Observation, ids []health.TargetID) {
	for _, id := range ids {
		o.Target = id
		p.opts.Sink.Observe(o)
	}
}

// conclude counts the result of e's probe, to whose target there is a route or not, and returns what is to be observed and of whom, if anything.
func (p *Prober) conclude(
	e *entry, target health.Target, check *prepared, r Result, routed bool, start, end time.Time,
) (health.Observation, []health.TargetID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.removed || e.discard || e.check.digest() != check.digest() || p.ctx.Err() != nil {
		p.metrics.discarded.Inc()
		return health.Observation{}, nil
	}
	kind := r.Reason.Kind
	check.metrics.count(kind)
	check.metrics.took(r.Phases.Total.Seconds())
	e.late = !r.OK && r.Phases.Total >= check.check.Timeout/2
	if kind == Panic {
		p.metrics.panics.Inc()
		p.log.Error("probe panicked", "target", target.Address(), "check", check.check.Name,
			"reason", r.Reason.Text, "stack", string(r.stack))
	}
	p.wellLocked(e, r.OK)
	warning := p.unroutedLocked(target.Host, kind, routed, end)
	if warning != "" {
		// Said by unroutedLocked.
	} else if !kind.Evidence() {
		p.shortLocked(r.Reason, end)
		warning = r.Reason.Text
	} else if own := p.own(start, end); excuses(check.check, kind, own) {
		p.lateLocked(own, end)
		warning = "not judged: this node is late by itself"
	}
	if warning != "" {
		// Whoever looks at a target of which nothing is known is to learn why. At stays zero: this is no evidence.
		if e.probed {
			return health.Observation{}, nil
		}
		return health.Observation{State: e.counter.state, Since: e.counter.since, Next: e.next, Warning: warning}, e.ids
	}
	if r.Numbered {
		e.lag = e.lag.Next(r.Number, start.Add(-check.check.Lag.Age))
	}
	before := e.counter.state
	e.counter = e.counter.after(r.OK, end, check.check.Rise, check.check.Fall)
	e.probed = true
	if e.counter.state != before && before != health.Unknown {
		e.damper.note(check.check.Flap, end)
	}
	if r.OK {
		e.latency = smooth(e.latency, r.Phases.Total)
	}
	if e.counter.state != before && p.log.Enabled(context.Background(), slog.LevelDebug) {
		p.log.Debug("target changed", "target", target.Address(), "check", check.check.Name,
			"old", before, "new", e.counter.state, "reason", r.Reason.Text)
	}
	return e.damper.apply(check.check.Flap, health.Observation{
		State: e.counter.state, Since: e.counter.since,
		Failures: e.counter.failures(), Successes: e.counter.successes(),
		At: end, Next: e.next, Latency: r.Phases.Total, LatencyEWMA: e.latency, Lag: e.lag, Reason: r.Reason.Text, Warning: r.Warning,
		Phases: r.observed(),
	}), e.ids
}

// smoothing is the weight of the latest latency in the average: 1/8, as for the round-trip time of TCP (RFC 6298), so that
// a lasting change counts for two thirds after 8 probes.
const smoothing = 8

// smooth is the exponentially weighted moving average of successful probes after one more.
func smooth(average, latest time.Duration) time.Duration {
	if average == 0 {
		return latest
	}
	return average + (latest-average)/smoothing
}

// shortLocked counts a probe that this node could not make, and logs it now and then.
func (p *Prober) shortLocked(reason Reason, now time.Time) {
	p.metrics.short.Inc()
	if p.shortLogged.IsZero() || now.Sub(p.shortLogged) >= shortEvery {
		p.shortLogged = now
		p.log.Warn("probes are not made", "reason", reason.Text)
	}
}

// finish gives back the slot and plans the next probe, which may be by another check than the one that ended.
func (p *Prober) finish(e *entry, ended *prepared, slow bool, end time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight--
	if slow {
		p.slowInFlight--
	}
	p.metrics.inFlight.Dec()
	if e.removed {
		delete(p.leaving, e.target.Dial())
	} else {
		if e.check.digest() != ended.digest() {
			e.retime(e.check.check, end)
		}
		// A new life begins after the probe that it found in flight.
		e.discard = false
		e.place = idle
		if e.again && !e.well {
			p.enterLocked([]*entry{e}, end)
		} else {
			p.agenda.add(e)
		}
		e.again = false
	}
	if e.place == idle && e.index == 0 {
		p.kick()
	}
	p.pumpLocked()
}
