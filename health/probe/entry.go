package probe

import (
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// place is where an entry is.
type place uint8

const (
	idle    place = iota // in the agenda
	waiting              // due, in a fifo
	running              // in flight
)

// An entry is one Dial in the schedule, with the targets that are told of it. Prober.mu guards it, except that its probe in
// flight owns the fields in the last group.
type entry struct {
	// target is the first of the targets; ids are all of them, never written once they are set.
	target     health.Target
	ids        []health.TargetID
	check      *prepared
	generation uint64
	// index is the entry's place in the agenda.
	index int32
	place place
	// removed is set when the target is no longer wanted; discard, when the probe in flight belongs to an earlier life.
	removed, discard bool
	// late is set while the last probe failed and took half of its time or more.
	late bool
	// again is set when a probe that was in flight began too early to count, should it fail: another one follows at once.
	again bool
	// probed is set when a result has counted, well while the latest probe went well.
	probed, well bool

	// next is when the next probe is due; while one is in flight, the one after it.
	next    time.Time
	phase   phase
	counter counter
	damper  damper
	// latency is the EWMA of Observation.LatencyEWMA.
	latency time.Duration
	// lag is the latest number that was read of it.
	lag health.Lag
	// push is set where nothing is dialled: the entry is due when its lease ends.
	push *lease
}

// pushed tells whether nothing is dialled.
func (e *entry) pushed() bool { return e.check.check.Push != nil }

// inherit goes on from what before has counted by other parameters; pushed tells whether e is told rather than dialled. Probes of
// before that are in flight do not count here.
func (e *entry) inherit(before *entry, pushed bool) {
	e.counter, e.probed, e.latency = before.counter, before.probed, before.latency
	e.damper, e.lag = before.damper.clone(), before.lag
	if before.push != nil && pushed {
		copied := *before.push
		e.push = &copied
	}
}

// retime brings the next probe forward where the interval of check would not have it wait that long after now. The place in
// the new interval is the same share of it as before.
func (e *entry) retime(check *config.Check, now time.Time) {
	e.phase.stretch = 0
	if at := now.Add(time.Duration(unit(e.phase.seed) * float64(check.Interval))); at.Before(e.next) {
		e.next = at
	}
}

// prepared is one check definition, ready for use by all its targets.
type prepared struct {
	check   *config.Check
	checker checker
	metrics *typeMetrics
	// err says why the check cannot be probed; its targets are then left out.
	err error
}

// digest tells one definition from others.
func (c *prepared) digest() config.Hash { return c.check.Digest }
