package table

import (
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// ChooseVantages decides anew who probes what.
func (t *Table) ChooseVantages() {
	among := make(map[string]*judge.Bench)
	for _, use := range t.targets {
		t.choose(use, among)
	}
}

// choose decides who probes a target. Targets that several endpoints share are chosen for the first one: all nodes with one
// configuration agree.
//
// among holds the nodes that each choice names, for one roster: there are few choices and many targets.
func (t *Table) choose(use *targetUse, among map[string]*judge.Bench) {
	use.mine, use.vantages = true, nil
	voters := t.e.voters
	if voters == nil {
		return
	}
	if w := &use.wanted; !w.Anywhere() {
		key := strings.Join(w.AZs, " ") + "/" + strings.Join(w.Regions, " ") + "/" + strings.Join(w.Nodes, " ")
		if voters = among[key]; voters == nil {
			voters = t.e.voters.Among(w)
			among[key] = voters
		}
	}
	use.vantages = voters.Vantages(use.target.ID, use.wanted.Count, use.az)
	_, use.mine = slices.BinarySearch(use.vantages, t.e.self)
}

// jury is who judges a target.
func (t *Table) jury(id health.TargetID) judge.Jury {
	j := judge.Jury{Vantages: 1, Self: t.e.self, Without: t.e.without}
	if use := t.targets[id]; use != nil && t.e.voters != nil {
		j.Vantages = len(use.vantages)
	}
	return j
}

// seen are the observations of a target that count as evidence, this node's first; buf is for reuse.
func (t *Table) seen(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	buf = t.reported(id, c, buf)
	if len(buf) > 0 && buf[0].Vantage == "" && !t.e.Trusts(id, c, buf[0]) {
		buf = buf[1:]
	}
	return buf
}

// reported is seen, with this node's own observation whether it counts or not.
func (t *Table) reported(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	t.e.mu.RLock()
	defer t.e.mu.RUnlock()
	if o, ok := t.e.own[id]; ok {
		if t.e.restored[id] {
			o.State = health.Unknown
		}
		buf = append(buf, o)
	}
	for _, p := range t.e.peers {
		if o, ok := p.Observation(id, c); ok {
			buf = append(buf, o)
		}
	}
	return buf
}

// voices are those that a horizon rests on: alone, this node's own even while it does not count, since it may any moment.
func (t *Table) voices(id health.TargetID, c *config.Check, buf []health.Observation) []health.Observation {
	if t.e.voters == nil {
		return t.reported(id, c, buf)
	}
	return t.seen(id, c, buf)
}
