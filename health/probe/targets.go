package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// SetTargets replaces the whole set of targets. Those that stay keep their counter and phase, also while in flight and whatever
// parameters of their checks are others now; new ones have their first probe soon, first tiers first; the others are probed no
// more, and the result of a probe in flight is discarded. Targets that dial the same are dialled together, and each is told. An
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
	now := time.Now()
	wanted := make(map[health.Dial]bool, len(targets))
	for i, t := range targets {
		if checks[i] != nil {
			wanted[t.Dial()] = true
		}
	}
	before := p.byID
	p.byID = make(map[health.TargetID]*entry, len(targets))
	var added []*entry
	for i, t := range targets {
		if checks[i] == nil {
			continue
		}
		e, ok := p.entries[t.Dial()]
		if !ok {
			old := before[t.ID]
			if old != nil && old.generation != p.generation && !wanted[old.target.Dial()] && old.pushed() == (t.Check.Push != nil) {
				e = p.editLocked(old, t, checks[i], now)
			} else {
				e = p.adoptLocked(t, old)
				added = append(added, e)
			}
		}
		p.tellLocked(e, t, checks[i])
	}
	for dial, e := range p.entries {
		if e.generation != p.generation {
			p.dropLocked(dial, e)
		}
	}
	if p.ctx != nil {
		p.enterLocked(added, now)
	}
	p.metrics.targets.Set(float64(len(p.entries)))
}

// tellLocked makes t one of the targets that are told what e sees.
func (p *Prober) tellLocked(e *entry, t health.Target, check *prepared) {
	if e.generation != p.generation {
		e.target, e.check, e.generation, e.ids = t, check, p.generation, nil
	}
	e.ids = append(e.ids, t.ID)
	e.target.Tier = min(e.target.Tier, t.Tier)
	p.byID[t.ID] = e
}

// editLocked makes e, whose targets are all dialled otherwise from now on, the entry of what t dials. It keeps its counter and its
// phase; the result of a probe in flight is discarded, since nobody asks that any more.
func (p *Prober) editLocked(e *entry, t health.Target, check *prepared, now time.Time) *entry {
	delete(p.entries, e.target.Dial())
	p.wellLocked(e, false)
	p.entries[t.Dial()] = e
	if e.check.check.Interval != check.check.Interval && e.place == idle && p.ctx != nil && e.push == nil {
		p.agenda.remove(e)
		e.retime(check.check, now)
		p.agenda.add(e)
	}
	return e
}

// adoptLocked makes an entry for what is newly dialled. What the target's entry so far, if any, has counted goes on. If the last
// probe of an earlier life is still in flight, its entry comes back, and the probe's result will be discarded.
func (p *Prober) adoptLocked(t health.Target, before *entry) *entry {
	dial := t.Dial()
	e, ok := p.leaving[dial]
	if ok {
		delete(p.leaving, dial)
		e.removed, e.discard = false, true
		e.late, e.probed, e.counter, e.latency, e.damper, e.push = false, false, counter{}, 0, damper{}, nil
	} else {
		e = &entry{}
	}
	if before != nil {
		e.inherit(before, t.Check.Push != nil)
	}
	p.entries[dial] = e
	return e
}

// enterLocked puts new entries into the agenda: those of first tiers have their first probes first. An entry in flight enters when
// its probe ends.
func (p *Prober) enterLocked(added []*entry, now time.Time) {
	slices.SortStableFunc(added, func(a, b *entry) int { return a.target.Tier - b.target.Tier })
	n := float64(len(added))
	for begin, end := 0, 0; begin < len(added); begin = end {
		for end = begin; end < len(added) && added[end].target.Tier == added[begin].target.Tier; end++ {
		}
		for _, e := range added[begin:end] {
			if e.place == running {
				continue
			}
			if e.pushed() {
				p.leaseLocked(e, now)
				continue
			}
			interval := e.check.check.Interval
			window := firstWindow(len(added), interval)
			var wait time.Duration
			e.phase, wait = newPhase(e.target.ID, p.opts.Seed, interval, firstTurn{
				time.Duration(float64(begin) / n * float64(window)), time.Duration(float64(end) / n * float64(window))})
			e.next = now.Add(wait)
			e.place = idle
			p.agenda.add(e)
		}
	}
}

// Hasten has the targets whose latest probe failed probed again as new ones are: this node could not see, and its word on them has to wait for
// the next probe.
func (p *Prober) Hasten() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil {
		return
	}
	var failed []*entry
	for _, e := range p.entries {
		switch {
		case e.pushed():
		case e.place == running:
			e.again = true
		case e.place == idle && e.probed && !e.well:
			p.agenda.remove(e)
			failed = append(failed, e)
		}
	}
	p.enterLocked(failed, time.Now())
	p.kick()
}

// dropLocked forgets an entry.
func (p *Prober) dropLocked(dial health.Dial, e *entry) {
	delete(p.entries, dial)
	p.wellLocked(e, false)
	e.removed = true
	switch {
	case e.place == running:
		p.leaving[dial] = e
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
	e, ok := p.byID[id]
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
