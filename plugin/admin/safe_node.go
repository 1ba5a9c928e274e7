package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// NewSafeNode is whether a node of the cluster can be switched off; nil if there is none of that name. It can once it is drained, so that
// what balances load has left it out, the others are a majority without it, nothing is known to it alone, and no bound waits for its word.
func NewSafeNode(n Node, scope health.Scope, now time.Time) *api.Safe {
	c := n.Cluster()
	at := slices.IndexFunc(c.Nodes, func(v cluster.NodeView) bool { return v.Name == scope.Name })
	if at < 0 {
		return nil
	}
	a := safeAnswer{node: n, known: &departure.Safety{At: now}, out: &api.Safe{
		Node: n.Name(), At: now, Scope: api.Scope{Kind: scope.Kind.String(), Name: scope.Path()}, Answer: api.SafeYes,
	}}
	a.ofNode(&c, &c.Nodes[at])
	a.ofOrders(scope.Name)
	a.ofBounds()
	a.out.Text = a.told("it is drained, every order is on the other nodes, which are a majority without it, and no bound waits for its word")
	return a.out
}

// ofNode looks at the node and at what is left without it.
func (a *safeAnswer) ofNode(c *cluster.View, of *cluster.NodeView) {
	if c.Name == "" {
		a.because(api.SafeNo, api.SafeReason{Code: "majority", Node: of.Name, Text: "it is alone: nobody answers without it"})
		return
	}
	if !of.Drained && !of.Stopped {
		a.because(api.SafeNo, api.SafeReason{Code: "not_drained", Node: of.Name, Text: "node " + of.Name + " is not drained",
			Command: "fairlead drain node " + of.Name})
	}
	left, leases := 0, false
	for i := range c.Nodes {
		o := &c.Nodes[i]
		if o.Name == of.Name {
			continue
		}
		leases = leases || o.Lease > 0
		switch {
		case o.Stopped || !o.InRoster:
		case !o.Fresh:
			a.because(api.SafeUnknown, api.SafeReason{Code: "not_said", Node: o.Name, Text: "node " + o.Name + " is not heard"})
		case !o.Joined || !o.Answering:
			a.because(api.SafeNo, api.SafeReason{Code: "majority", Node: o.Name, Text: "node " + o.Name + " does not answer yet"})
		default:
			left++
		}
	}
	switch {
	case left == 0:
		a.because(api.SafeNo, api.SafeReason{Code: "majority", Text: "nobody answers without it"})
	case 2*left < c.Roster || leases && 2*left <= c.Roster:
		what := "the others would be isolated"
		if leases {
			what = "the others are no majority and would stop answering at the end of their leases"
		}
		a.because(api.SafeNo, api.SafeReason{Code: "majority", Text: fmt.Sprintf("%d of %d nodes are left: %s", left, c.Roster, what)})
	}
}

// ofOrders looks for orders that are not on every other node's disk.
func (a *safeAnswer) ofOrders(name string) {
	for _, i := range a.node.Intents() {
		missing := slices.DeleteFunc(slices.Clone(i.Missing), func(m string) bool { return m == name })
		if len(missing) > 0 {
			a.because(api.SafeUnknown, api.SafeReason{Code: "orders", Text: "order " + i.ID.String() + " is not known to be on " + strings.Join(missing, ", ")})
		}
	}
}

// ofBounds looks for what has left and is not forgotten: a node that falls silent takes its word with it.
func (a *safeAnswer) ofBounds() {
	waits := 0
	for _, d := range a.node.Departures() {
		if d.Bound.Final {
			continue
		}
		waits++
		if !d.Bound.Known {
			a.because(api.SafeUnknown, api.SafeReason{Code: "waits", Address: d.RData, Text: "when caches forget " + d.RData + " is not known, and its word may be needed for that"})
			continue
		}
		if waits <= maxWhy {
			a.until(d.Bound.SafeAt, "its word on "+d.RData+" counts: caches may hold that")
		}
	}
}
