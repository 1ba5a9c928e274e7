package node

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// Explainer explains what n serves.
func (n *Node) Explainer() (*explain.Explainer, error) {
	snap := n.current.Load()
	if snap == nil {
		return nil, ErrNoSnapshot
	}
	return &explain.Explainer{Compiler: n.compiler, Snapshot: snap, Locator: n.where(), Node: n.Name()}, nil
}

// An explainer explains what a node serves, and what it would. It implements admin.Explainer.
type explainer struct{ node *Node }

// Explain explains the answer to a question.
func (e *explainer) Explain(q api.Question) (*api.Explanation, error) {
	x, err := e.node.Explainer()
	if err != nil {
		return nil, err
	}
	return x.Explain(q, time.Now())
}

// Cell is where a label of a service with cells goes under assumptions.
func (e *explainer) Cell(service, label string, a api.Assumptions) (*api.Cell, error) {
	x, err := e.node.Explainer()
	if err != nil {
		return nil, err
	}
	return x.Cell(service, label, a, time.Now())
}

// WhatIf is what would change under assumptions.
func (e *explainer) WhatIf(a api.Assumptions) (*api.WhatIf, error) {
	x, err := e.node.Explainer()
	if err != nil {
		return nil, err
	}
	return x.WhatIf(a, time.Now())
}

// Preview is what a drain, a weight or a force would do to the answers of every service, and which safety rule would refuse it.
func (e *explainer) Preview(i health.Intent) (*api.Preview, error) {
	x, err := e.node.Explainer()
	if err != nil {
		return nil, err
	}
	return x.Preview(i, e.node.engine.Admissible(i), e.allowances(), time.Now())
}

// Boat says why the lifeboat that an order asks for could forward to nobody; nil where nothing is answered yet.
func (e *explainer) Boat(i health.Intent) error {
	x, err := e.node.Explainer()
	if err != nil {
		return nil
	}
	return x.Boat(i)
}

// allowances are those of an order: a node alone waits for nobody's gossip.
func (e *explainer) allowances() steer.Allowances {
	a := e.node.Allowances()
	if e.node.config.Load().Cluster == nil {
		a.Gossip = 0
	}
	return a
}

// PreviewEnd is what the end of orders would do to the answers of every service.
func (e *explainer) PreviewEnd(ids []health.IntentID, admit bool) (*api.EndPreview, error) {
	x, err := e.node.Explainer()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	then := x.ForeseeEnd(e.node.engine.Intents(), ids, admit, now)
	out := &api.EndPreview{WhatIf: *x.Compare(then.Snapshot, now), Zones: []api.Zone{}}
	out.ForgottenWithinSeconds = explain.ForgottenWithin(then.Snapshot.View.Model, &out.WhatIf, e.allowances(), 0).Seconds()
	for zi, zv := range then.Snapshot.View.Zones {
		if pools := then.Pools(zi); len(pools) > 0 {
			out.Zones = append(out.Zones, admin.Pools(e.node.parts(), zv, pools, then.Kept, now))
		}
	}
	return out, nil
}
