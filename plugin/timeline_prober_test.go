package fairlead

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
)

// A condition is what a probe of a target would find.
type condition uint8

const (
	healthy condition = iota
	failing
	// silent: the prober says nothing at all, as if it had stopped.
	silent
)

// A drivenProber probes nothing. The timeline sets what each target would say and calls probe at the instants in due; rise
// and fall are counted as the real prober counts them. All its calls come from the test, or while the test waits.
type drivenProber struct {
	targets map[health.TargetID]*drivenTarget
	// conditions outlive the prober: a restart does not heal the world.
	conditions map[health.TargetID]condition
	// countsFirst has it count failures to fall where nothing was known.
	countsFirst bool
}

type drivenTarget struct {
	health.Target
	state health.State
	// failures and successes are in a row; one of them is 0.
	failures, successes int
	next                time.Time
	countsFirst         bool
	// again is set for a probe that begins too early to count, should it fail.
	again bool
}

// Targets are probed one after the other, spread apart, and never at the instants at which a timeline asks.
const (
	firstPhase  = 100 * time.Millisecond
	phaseSpread = 10 * time.Millisecond
)

func newDrivenProber(conditions map[health.TargetID]condition) *drivenProber {
	return &drivenProber{targets: make(map[health.TargetID]*drivenTarget), conditions: conditions}
}

func (p *drivenProber) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (p *drivenProber) Alive() error                  { return nil }

// SetTargets keeps the counters and phases of those that stay.
func (p *drivenProber) SetTargets(targets []health.Target) {
	slices.SortFunc(targets, func(a, b health.Target) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port))
	})
	before := p.targets
	p.targets = make(map[health.TargetID]*drivenTarget, len(targets))
	for i, t := range targets {
		d := before[t.ID]
		if d == nil {
			d = &drivenTarget{Target: t, countsFirst: p.countsFirst, next: time.Now().Add(firstPhase + time.Duration(i)*phaseSpread)}
		}
		d.Target = t
		p.targets[t.ID] = d
	}
}

func (p *drivenProber) Restore(id health.TargetID, state health.State, _ time.Time) bool {
	d := p.targets[id]
	if d == nil || d.failures+d.successes > 0 {
		return false
	}
	d.state = state
	return true
}

// due is the target that is to be probed next; nil if there is none.
func (p *drivenProber) due() *drivenTarget {
	var least *drivenTarget
	for _, d := range p.targets {
		if least == nil || d.next.Before(least.next) {
			least = d
		}
	}
	return least
}

// probe is what the prober would report of d at now; ok is unset if it is silent.
func (p *drivenProber) probe(d *drivenTarget, now time.Time) (o health.Observation, ok bool) {
	if p.conditions[d.ID] == silent {
		d.next = d.next.Add(d.Check.Interval)
		return o, false
	}
	return d.probed(p.conditions[d.ID] == healthy, now), true
}

// probed is the observation after one more probe, which succeeds or not; rise and fall are counted as the real prober counts them.
func (d *drivenTarget) probed(works bool, now time.Time) health.Observation {
	d.next = d.next.Add(d.Check.Interval)
	if works {
		d.failures, d.successes = 0, d.successes+1
		if d.successes >= d.Check.Rise || d.state == health.Unknown {
			d.state = health.Up
		}
	} else {
		d.failures, d.successes = d.failures+1, 0
		if d.failures >= d.Check.Fall || d.state == health.Unknown && !d.countsFirst {
			d.state = health.Down
		}
	}
	o := health.Observation{Target: d.ID, State: d.state, Failures: d.failures, Successes: d.successes, At: now, Next: d.next}
	if d.failures > 0 {
		o.Reason = "refused"
	}
	return o
}
