package vantage

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/table"
)

// A Prober probes targets and reports to Vantage.Observe.
type Prober interface {
	// SetTargets replaces the whole set; targets that stay keep their counters and their phase.
	SetTargets([]health.Target)
	// Restore seeds the state of a target before its first probe; unset means that it came too late.
	Restore(id health.TargetID, state health.State, since time.Time) bool
}

// Options are what a Vantage works with.
type Options struct {
	// Node is this node's name; Alone is set where it is in no cluster.
	Node     string
	Alone    bool
	Prober   Prober
	Evidence *table.Evidence
	Events   *event.Log
	Logger   *slog.Logger

	Registerer prometheus.Registerer
}

// A Vantage is this node as one that probes. Make it with New.
type Vantage struct {
	opts        Options
	evidence    *table.Evidence
	blind, late prometheus.Gauge

	mu    sync.Mutex
	inbox map[health.TargetID]health.Observation // guarded by mu: the latest one per target since the last fold
}

// New is one that probes nothing yet.
func New(o Options) *Vantage {
	v := &Vantage{opts: o, evidence: o.Evidence, inbox: make(map[health.TargetID]health.Observation),
		blind: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_blind",
			Help: "1 while this vantage abstains: most of its probes fail and no reference target answers.",
		}),
		late: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fairlead_late",
			Help: "1 while probes that time out do not count, since this process is late by itself.",
		}),
	}
	o.Registerer.MustRegister(v.blind, v.late)
	return v
}

// Observe takes an observation: only the latest one of a target counts. It may be called from any goroutine.
func (v *Vantage) Observe(o health.Observation) {
	v.mu.Lock()
	v.inbox[o.Target] = o
	v.mu.Unlock()
}

// Seen is an observation that was taken in.
type Seen struct {
	// Was is the one before it; Known is unset where there was none.
	Was   health.Observation
	Known bool
	health.Observation
	// Moved tells whether a verdict may depend on what is new.
	Moved bool
}

// Take takes in what the prober reported since the last time, and what of that the tables want, of which the first is in force.
func (v *Vantage) Take(tables []*table.Table) []Seen {
	v.mu.Lock()
	batch := v.inbox
	v.inbox = make(map[health.TargetID]health.Observation, len(batch))
	v.mu.Unlock()
	seen := make([]Seen, 0, len(batch))
	for id, o := range batch {
		if !v.Wants(id, tables) {
			delete(batch, id)
			continue
		}
		was, known := v.evidence.Own(id)
		before := v.evidence.Restored(id)
		v.evidence.BearOut(o)
		v.evidence.Lags.Note(id, table.Measured{Lag: o.Lag})
		moved := !known || before != v.evidence.Restored(id) || was.State != o.State || was.Suspect() != o.Suspect() || o.Reason != was.Reason || o.Reduction != was.Reduction ||
			v.standingMoved(tables[0], id, was, o)
		seen = append(seen, Seen{Was: was, Known: known, Observation: o, Moved: moved})
	}
	if len(batch) > 0 {
		v.evidence.Put(batch)
	}
	return seen
}

// SetTargets has the prober probe what the tables need. Its counters go on from the verdicts that there are on what it is given
// anew: those of an earlier run, or of the vantages that probed it before this node did.
func (v *Vantage) SetTargets(tables ...*table.Table) {
	v.opts.Prober.SetTargets(v.targets(tables...))
	for _, t := range tables {
		for target, verdict := range t.Probed() {
			if _, observed := v.evidence.Own(target.ID); observed || verdict.Pending() {
				continue
			}
			if v.opts.Prober.Restore(target.ID, verdict.State.Settled(), verdict.Since) && !v.opts.Alone {
				v.evidence.Restore(target.ID)
			}
		}
	}
}

// targets are what is to be probed for the tables, references included.
func (v *Vantage) targets(tables ...*table.Table) []health.Target {
	all := make(map[health.TargetID]health.Target)
	for _, t := range tables {
		for target := range t.Probed() {
			all[target.ID] = target
		}
	}
	for _, r := range v.evidence.References() {
		all[r.ID] = r
	}
	return slices.Collect(maps.Values(all))
}

// Wants tells whether anything depends on the target. What does not is from a probe that was in flight when it went.
func (v *Vantage) Wants(id health.TargetID, tables []*table.Table) bool {
	return slices.ContainsFunc(tables, func(t *table.Table) bool { return t.Probes(id) }) ||
		slices.ContainsFunc(v.evidence.References(), func(r health.Target) bool { return r.ID == id })
}

// Look finds out whether this vantage is late or blind, by what a table probes, and says so when that changed; everything is set where all
// is to be judged anew.
func (v *Vantage) Look(t *table.Table, now time.Time) (changed, everything bool) {
	late := v.lookLate(now)
	if !v.evidence.LookOutside(t, now) {
		return late, false
	}
	v.blind.Set(boolValue(v.evidence.Blind()))
	v.opts.Events.Add(either(v.evidence.Blind(), "node.blind", "node.sees"), v.opts.Node, either(v.evidence.Blind(), "this vantage abstains", "this vantage sees again"), nil)
	if v.evidence.Blind() {
		v.opts.Logger.Warn("blind: most probes fail, and neither reference targets nor other nodes answer; this vantage abstains")
	} else {
		v.opts.Logger.Info("the world outside answers again; this vantage sees")
		if p, ok := v.opts.Prober.(interface{ Hasten() }); ok {
			p.Hasten()
		}
	}
	return true, true
}

// lookLate finds out whether this vantage is late by itself.
func (v *Vantage) lookLate(now time.Time) (changed bool) {
	prober, ok := v.opts.Prober.(interface {
		Late(now time.Time) (by time.Duration, late bool)
	})
	if !ok {
		return false
	}
	by, late := prober.Late(now)
	if late == v.evidence.Late {
		return false
	}
	v.evidence.Late = late
	v.late.Set(boolValue(late))
	v.opts.Events.Add(either(late, "node.late", "node.in_time"), v.opts.Node,
		either(late, fmt.Sprintf("this vantage is late by itself, by %v: probes that time out do not count", by.Round(time.Millisecond)),
			"this vantage is in time again"), nil)
	if late {
		v.opts.Logger.Warn("this vantage is late by itself: probes that time out do not count", "late_seconds", by.Seconds())
	} else {
		v.opts.Logger.Info("this vantage is in time again")
	}
	return true
}

// standingMoved tells whether was no longer counted, or only now does not, though o says the same: it had gone stale, or
// this vantage's blindness stood between them.
func (v *Vantage) standingMoved(t *table.Table, id health.TargetID, was, o health.Observation) bool {
	target, ok := t.Target(id)
	if !ok {
		return false
	}
	c := target.Check
	return !o.At.Before(judge.FreshUntil(c, was)) || v.evidence.Trusts(id, c, was) != v.evidence.Trusts(id, c, o)
}

func either(b bool, yes, no string) string {
	if b {
		return yes
	}
	return no
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
