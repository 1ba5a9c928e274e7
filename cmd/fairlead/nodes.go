package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func nodesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "the nodes of the cluster, as one of them sees them; and what to tell it about them",
		Long: `Nodes lists the nodes that this one knows of: who is heard, who joins, whose configuration or plans differ, who abstains.

A node counts as heard while its rounds come straight from itself: over a one-way cut it is stale on one side only. With fewer
than half of the nodes heard this one is isolated: health moves nothing, and it goes on answering, with
isolate_after in its node file until no majority has heard it for so long.

` + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead nodes
  fairlead nodes -o yaml
  fairlead nodes --watch`,
		Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Nodes, drawNodes)
	cmd.AddCommand(nodesWaiveCommand(), nodesBootstrapCommand(), nodesMaxTTLCommand(), nodesStoppedCommand(), nodesRemoveCommand(), identityCommand(), keyringCommand())
	return cmd
}

func drawNodes(d drawing, n *api.Nodes) {
	writeNodes(d, n, d.style)
	if !d.wide || n.Cluster == "" {
		return
	}
	t := terminal.NewTable("NODE", "ADDRESS", "PLAN", "HEARD OF", "LEASE")
	for _, node := range n.Nodes {
		of := "-"
		if node.RelayedAt != nil {
			of = terminal.Age(n.At.Sub(*node.RelayedAt)) + " ago"
		}
		t.Add("", node.Name, terminal.Dash(node.Address), terminal.Dash(node.PlanHash), of, terminal.Dash(lease(&node)))
	}
	fmt.Fprintln(d)
	t.Write(d, d.style, "  ")
}

// writeNodes prints the cluster in one line, then a line for each node.
func writeNodes(w io.Writer, n *api.Nodes, s terminal.Style) {
	if n.Cluster == "" {
		fmt.Fprintf(w, "node %s is alone: its node file has no cluster\n", n.Node)
		return
	}
	m, what := terminal.MarkOf(health.Up, "in the majority"), ""
	switch {
	case n.Isolated && slices.ContainsFunc(n.Nodes, func(m api.Node) bool { return m.State == api.NodeSelf && m.Island }):
		m, what = terminal.MarkOf(health.Down, "an island"), "; services with `island` are answered as its own region sees them"
	case n.Isolated:
		m, what = terminal.MarkOf(health.Down, "isolated"), "; health moves nothing until more nodes are heard"
	case 2*n.Heard <= n.Roster:
		m = terminal.MarkOf(health.Suspect, "no majority")
	}
	clear := ""
	if n.Keys == 0 {
		clear = ", gossip in clear"
	}
	fmt.Fprintf(w, "cluster %s: node %s hears %d of %d%s: %s%s\n", n.Cluster, n.Node, n.Heard, n.Roster, clear, s.Paint(m.Colour, m.Text()), what)
	if n.Shut != "" {
		fmt.Fprintf(w, "%s: %s\n", s.Paint(terminal.Red, "■ service names are not answered"), n.Shut)
		if len(n.WaitsFor) > 0 {
			fmt.Fprintln(w, "  if those nodes hold no drains that matter: `fairlead nodes waive NAME`, or `fairlead nodes bootstrap` for all")
		}
	}
	t := terminal.NewTable("STATE", "NODE", "REGION", "AZ", "HEARD", "CONFIG", "VERSION", "")
	nodes := slices.Clone(n.Nodes)
	slices.SortStableFunc(nodes, func(a, b api.Node) int { return markRank(nodeMark(&a)) - markRank(nodeMark(&b)) })
	for i := range nodes {
		node := &nodes[i]
		m := nodeMark(node)
		heard := "never"
		switch {
		case node.State == api.NodeSelf:
			heard = "-"
		case node.HeardAt != nil:
			heard = terminal.Age(n.At.Sub(*node.HeardAt)) + " ago"
		}
		t.Add(m.Colour, m.Text(), node.Name, terminal.Dash(node.Region), terminal.Dash(node.AZ), heard, terminal.Dash(node.ConfigHash), terminal.Dash(node.Version), nodeNotes(node, n.At))
	}
	t.Write(w, s, "  ")
}

func nodeMark(n *api.Node) terminal.Mark {
	switch n.State {
	case api.NodeSelf, api.NodeHeard:
		if n.Drained {
			return terminal.MarkOf(health.Drained, "drained")
		}
		if n.Troubled() {
			return terminal.MarkOf(health.Suspect, n.State)
		}
		return terminal.MarkOf(health.Up, n.State)
	case api.NodeStopped:
		return terminal.MarkOf(health.Drained, n.State)
	}
	return terminal.MarkOf(health.Down, n.State)
}

// nodeNotes are what is not as it should be.
func nodeNotes(n *api.Node, at time.Time) string {
	var notes []string
	add := func(on bool, text string) {
		if on {
			notes = append(notes, text)
		}
	}
	says := n.Heard()
	add(says && !n.Joined, "joins")
	add(says && n.Joined && !n.Answering, "does not answer")
	add(says && n.Isolated && !n.Island, "isolated")
	add(says && n.Island, "an island of "+n.Region)
	add(says && n.Blind, "blind: it abstains")
	add(says && n.Late, "late by itself: its timeouts do not count")
	add(says && n.Frozen, "frozen")
	if n.Drift != nil {
		add(true, "another configuration since "+terminal.Since(*n.Drift, at))
	}
	if n.Divergent != nil {
		add(true, "decides otherwise since "+terminal.Since(*n.Divergent, at))
	}
	switch {
	case n.State != api.NodeStale:
	case n.FencedAt != nil:
		add(true, "stopped answering by itself "+terminal.Since(*n.FencedAt, at))
	case n.LeaseSeconds > 0:
		add(true, "stops answering once no majority has heard it for "+lease(n))
	case n.MayBeIsland:
		add(true, "may still answer, as an island of "+n.Region)
	default:
		add(true, "may still answer")
	}
	if n.RelayedAt != nil && (n.HeardAt == nil || n.RelayedAt.Sub(*n.HeardAt) > 10*time.Second) {
		add(true, "others hear it: the way from it to here is cut")
	}
	return strings.Join(notes, ", ")
}

// lease is isolate_after of a node; empty without one.
func lease(n *api.Node) string {
	if n.LeaseSeconds == 0 {
		return ""
	}
	return terminal.Seconds(n.LeaseSeconds)
}
