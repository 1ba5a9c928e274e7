package probe

import (
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// SetTargets replaces the whole set of targets. Those that stay keep their counter and phase, also while in flight; new
// ones have their first probe soon; the others are probed no more, and the result of a probe in flight is discarded. An
// Observe that has already begun can still be heard afterwards. Targets whose check cannot be probed are left out,
// logged once per check and counted.
func (p *Prober) SetTargets(targets []health.Target) {
	p.setting.Lock()
	defer p.setting.Unlock()
	probed := make([]*prepared, len(targets))
	ignored := 0
	checks := make(map[config.Hash]*prepared, len(p.checks))
	for i, t := range targets {
		if check := p.prepare(checks, t.Check); check.err == nil {
			probed[i] = check
		} else {
			ignored++
		}
	}
	p.checks = checks
	p.replace(targets, probed)
	p.metrics.ignored.Set(float64(ignored))
	p.kick()
}

// prepare returns check ready for use: from into, from the set before, or new, which can take a millisecond.
func (p *Prober) prepare(into map[config.Hash]*prepared, check *config.Check) *prepared {
	if c, ok := into[check.Digest]; ok {
		return c
	}
	c, ok := p.checks[check.Digest]
	if !ok {
		c = &prepared{check: check, metrics: p.metrics.byType[check.Type]}
		if c.checker, c.err = p.make(check, p.dial); c.err == nil && check.Push == nil &&
			(check.Timeout <= 0 || check.Timeout >= check.Interval) {
			c.err = fmt.Errorf("timeout %v is not between 0 and the interval %v", check.Timeout, check.Interval)
		}
		if c.err != nil && check.Type != config.CheckComposite {
			p.log.Warn("check is not probed", "check", check.Name, "type", check.Type, "err", c.err)
		}
	}
	into[check.Digest] = c
	return c
}

// replace makes targets the whole set; those without an entry in checks are left out.
func (p *Prober) replace(targets []health.Target, checks []*prepared) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.generation++
	var added []*entry
	for i, t := range targets {
		if checks[i] == nil {
			continue
		}
		e, ok := p.entries[t.ID]
		if !ok {
			e = p.adoptLocked(t.ID)
			added = append(added, e)
		}
		e.target, e.check, e.generation = t, checks[i], p.generation
	}
	for id, e := range p.entries {
		if e.generation != p.generation {
			p.dropLocked(id, e)
		}
	}
	if p.ctx != nil {
		now := time.Now()
		for _, e := range added {
			p.enterLocked(e, now, len(added))
		}
	}
	p.metrics.targets.Set(float64(len(p.entries)))
}

// adoptLocked makes the entry of a new target. If its last probe from an earlier life is still in flight, that entry
// comes back with a fresh counter, and the probe's result will be discarded.
func (p *Prober) adoptLocked(id health.TargetID) *entry {
	e, ok := p.leaving[id]
	if ok {
		delete(p.leaving, id)
		e.removed, e.discard = false, true
	} else {
		e = &entry{}
	}
	p.entries[id] = e
	return e
}

// enterLocked puts a new entry, one of n, into the agenda. An entry in flight enters when its probe ends.
func (p *Prober) enterLocked(e *entry, now time.Time, n int) {
	if e.place == running {
		return
	}
	if e.check.check.Push != nil {
		p.leaseLocked(e, now)
		return
	}
	c := e.check.check
	window := firstWindow(n, p.opts.MaxInFlight, c.Interval, c.Timeout)
	var wait time.Duration
	e.phase, wait = newPhase(e.target.ID, p.opts.Seed, c.Interval, window)
	e.next = now.Add(wait)
	e.place = idle
	p.agenda.add(e)
}

// dropLocked forgets an entry.
func (p *Prober) dropLocked(id health.TargetID, e *entry) {
	delete(p.entries, id)
	e.removed = true
	switch {
	case e.place == running:
		p.leaving[id] = e
	case e.place == idle && p.ctx != nil:
		p.agenda.remove(e)
	}
}

// kick makes the loop look at the agenda again.
func (p *Prober) kick() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Restore seeds the counter of a target with a state from an earlier run: Up or Down, taken at since. It tells whether
// it did: only a target that is set and of which no probe has counted yet is seeded. Call it between SetTargets and
// Run.
func (p *Prober) Restore(id health.TargetID, state health.State, since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e, ok := p.entries[id]
	if !ok || e.probed || e.place == running {
		return false
	}
	switch state {
	case health.Suspect:
		state = health.Up
	case health.Up, health.Down:
	default:
		return false
	}
	e.counter = counter{state: state, since: since}
	return true
}
