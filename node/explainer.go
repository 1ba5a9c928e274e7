package node

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// Explainer explains what n serves.
func (n *Node) Explainer() (*explain.Explainer, error) {
	snap := n.current.Load()
	if snap == nil {
		return nil, ErrNoSnapshot
	}
	return &explain.Explainer{Compiler: n.compiler, Snapshot: snap, Locator: n.where(), Node: n.Name()}, nil
}

// Explain explains the answer to a question.
func (n *Node) Explain(q api.Question) (*api.Explanation, error) {
	x, err := n.Explainer()
	if err != nil {
		return nil, err
	}
	return x.Explain(q, time.Now())
}

// WhatIf is what would change under assumptions.
func (n *Node) WhatIf(a api.Assumptions) (*api.WhatIf, error) {
	x, err := n.Explainer()
	if err != nil {
		return nil, err
	}
	return x.WhatIf(a, time.Now())
}

// Preview is what a drain, a weight or a force would do to the answers of every service, and which safety rule would refuse it.
func (n *Node) Preview(i health.Intent) (*api.Preview, error) {
	x, err := n.Explainer()
	if err != nil {
		return nil, err
	}
	a := n.Allowances()
	if n.config.Load().Cluster == nil {
		a.Gossip = 0
	}
	return x.Preview(i, n.engine.Admissible(i), a, time.Now())
}

// PreviewEnd is what the end of orders would do to the answers of every service.
func (n *Node) PreviewEnd(ids []health.IntentID, admit bool) (*api.EndPreview, error) {
	x, err := n.Explainer()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	then := x.ForeseeEnd(n.Intents(), ids, admit, now)
	out := &api.EndPreview{WhatIf: *x.Compare(then.Snapshot, now), Zones: []api.Zone{}}
	for zi, zv := range then.Snapshot.View.Zones {
		if pools := then.Pools(zi); len(pools) > 0 {
			out.Zones = append(out.Zones, admin.Pools(n, zv, pools, then.Kept, now))
		}
	}
	return out, nil
}

// Drill begins a drill, AbortDrill ends one, Drills are those that are kept.
func (n *Node) Drill(req *api.DrillRequest, drain health.Intent) (*api.Drill, error) {
	return n.drills.Start(req, drain)
}

// AbortDrill ends a drill that runs.
func (n *Node) AbortDrill(id, actor, reason string) (*api.Drill, error) {
	return n.drills.Abort(id, actor, reason)
}

// Drills are those that are kept, the newest first.
func (n *Node) Drills() []api.Drill { return n.drills.List() }
