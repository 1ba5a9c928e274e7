package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/round"
)

// A panel is who else sees what this node sees. It is the engine's, shared by its tables; but for what the observations' lock
// guards it is owned by Run's goroutine. The zero panel is that of a node alone.
type panel struct {
	self string
	// bench is nil for a node alone.
	bench *judge.Bench
	// peers are the other vantages, by name; what is in them is guarded by the observations' lock.
	peers []*round.Vantage
	// restored are the targets whose state the prober took over from an earlier run, and no probe has borne out since. In a
	// cluster that is no vote: it would outvote who looked.
	restored map[health.TargetID]bool
	// heardAt is when each of the others was last heard straight, by name; began is when this run began to listen. It outlives a
	// change of the roster.
	heardAt map[string]time.Time
	began   time.Time
	// allowance is how late a peer may learn of an observation.
	allowance time.Duration
	// isolated is set while this node hears too few others, since the given instant.
	isolated bool
	without  health.Guards
	since    time.Time
}

// settleReturn is how long a return is remembered in a cluster after its end: longer than others may speak of it.
const settleReturn = 5 * time.Second

// settle is that; 0 for a node alone.
func (p *panel) settle() time.Duration {
	if p.bench == nil {
		return 0
	}
	return settleReturn
}

// still tells whether health moves nothing.
func (t *table) still() bool { return t.freeze.On || t.panel.isolated }

// choose decides who probes a target. Targets that several endpoints share are chosen for the first one: all nodes with one
// configuration agree.
//
// benches holds the nodes that each choice names, for one roster: there are few choices and many targets.
func (t *table) choose(use *targetUse, benches map[string]*judge.Bench) {
	p := t.panel
	use.mine, use.vantages = true, nil
	if p.bench == nil {
		return
	}
	bench := p.bench
	if w := &use.wanted; !w.Anywhere() {
		key := strings.Join(w.AZs, " ") + "/" + strings.Join(w.Regions, " ") + "/" + strings.Join(w.Nodes, " ")
		if bench = benches[key]; bench == nil {
			bench = p.bench.Among(w)
			benches[key] = bench
		}
	}
	use.vantages = bench.Vantages(use.target.ID, use.wanted.Count, use.az)
	_, use.mine = slices.BinarySearch(use.vantages, p.self)
}

// jury is who judges a target.
func (t *table) jury(id health.TargetID) judge.Jury {
	j := judge.Jury{Vantages: 1, Self: t.panel.self, Without: t.panel.without}
	if use := t.targets[id]; use != nil && t.panel.bench != nil {
		j.Vantages = len(use.vantages)
	}
	return j
}

// seen are the observations of a target that count as evidence, this node's first; buf is for reuse.
func (t *table) seen(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	buf = t.reported(id, c, buf)
	if len(buf) > 0 && buf[0].Vantage == "" && !t.sight.trusts(id, c, buf[0]) {
		buf = buf[1:]
	}
	return buf
}

// reported is seen, with this node's own observation whether it counts or not.
func (t *table) reported(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	t.obs.mu.RLock()
	defer t.obs.mu.RUnlock()
	if o, ok := t.obs.m[id]; ok {
		if t.panel.restored[id] {
			o.State = health.Unknown
		}
		buf = append(buf, o)
	}
	for _, p := range t.panel.peers {
		if o, ok := p.Observation(id, c); ok {
			buf = append(buf, o)
		}
	}
	return buf
}

// voices are those that a horizon rests on: alone, this node's own even while it does not count, since it may any moment.
func (t *table) voices(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	if t.panel.bench == nil {
		return t.reported(id, c, buf)
	}
	return t.seen(id, c, buf)
}

// bearOut notes that a probe agrees with what was restored, or moved it.
func (p *panel) bearOut(o health.Observation) {
	if p.restored[o.Target] && (o.State == health.Up) == (o.Failures == 0) {
		delete(p.restored, o.Target)
	}
}

// Observations are what the vantages that are heard last said of a target, by name of the vantage; this node's own bears its
// name too.
func (e *Engine) Observations(t health.Target) []health.Observation {
	var list []health.Observation
	e.observations.mu.RLock()
	defer e.observations.mu.RUnlock()
	if o, ok := e.observations.m[t.ID]; ok {
		o.Vantage = e.opts.Node
		list = append(list, o)
	}
	for _, p := range e.observations.peers {
		if o, ok := p.Observation(t.ID, t.Check); ok {
			list = append(list, o)
		}
	}
	slices.SortFunc(list, func(a, b health.Observation) int { return strings.Compare(a.Vantage, b.Vantage) })
	return list
}
