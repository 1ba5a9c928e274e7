package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

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

` + serverHelp + "\n\n" + readExits,
		Example: `  fairlead nodes
  fairlead nodes -o yaml
  fairlead nodes --watch`,
		Args: usageArgs(cobra.NoArgs),
	}
	prints(cmd, api.NodesPath, drawNodes)
	cmd.AddCommand(nodesWaiveCommand(), nodesBootstrapCommand(), nodesMaxTTLCommand(), nodesStoppedCommand(), nodesRemoveCommand(), identityCommand(), keyringCommand())
	return cmd
}

func drawNodes(d drawing, n *api.Nodes) {
	writeNodes(d, n, d.style)
	if !d.wide || n.Cluster == "" {
		return
	}
	t := newTable("NODE", "ADDRESS", "PLAN", "HEARD OF", "LEASE")
	for _, node := range n.Nodes {
		of := "-"
		if node.RelayedAt != nil {
			of = age(n.At.Sub(*node.RelayedAt)) + " ago"
		}
		t.add("", node.Name, dash(node.Address), dash(node.PlanHash), of, dash(lease(&node)))
	}
	fmt.Fprintln(d)
	t.write(d, d.style, "  ")
}

// writeNodes prints the cluster in one line, then a line for each node.
func writeNodes(w io.Writer, n *api.Nodes, s style) {
	if n.Cluster == "" {
		fmt.Fprintf(w, "node %s is alone: its node file has no cluster\n", n.Node)
		return
	}
	m, what := markOf(health.Up, "in the majority"), ""
	switch {
	case n.Isolated:
		m, what = markOf(health.Down, "isolated"), "; health moves nothing until more nodes are heard"
	case 2*n.Heard <= n.Roster:
		m = markOf(health.Suspect, "no majority")
	}
	clear := ""
	if n.Keys == 0 {
		clear = ", gossip in clear"
	}
	fmt.Fprintf(w, "cluster %s: node %s hears %d of %d%s: %s%s\n", n.Cluster, n.Node, n.Heard, n.Roster, clear, s.paint(m.colour, m.text()), what)
	if n.Shut != "" {
		fmt.Fprintf(w, "%s: %s\n", s.paint(red, "■ service names are not answered"), n.Shut)
		if len(n.WaitsFor) > 0 {
			fmt.Fprintln(w, "  if those nodes hold no drains that matter: `fairlead nodes waive NAME`, or `fairlead nodes bootstrap` for all")
		}
	}
	t := newTable("STATE", "NODE", "REGION", "AZ", "HEARD", "CONFIG", "VERSION", "")
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
			heard = age(n.At.Sub(*node.HeardAt)) + " ago"
		}
		t.add(m.colour, m.text(), node.Name, dash(node.Region), dash(node.AZ), heard, dash(node.ConfigHash), dash(node.Version), nodeNotes(node, n.At))
	}
	t.write(w, s, "  ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func nodeMark(n *api.Node) mark {
	switch n.State {
	case api.NodeSelf, api.NodeHeard:
		if n.Drained {
			return markOf(health.Drained, "drained")
		}
		if n.Troubled() {
			return markOf(health.Suspect, n.State)
		}
		return markOf(health.Up, n.State)
	case api.NodeStopped:
		return markOf(health.Drained, n.State)
	}
	return markOf(health.Down, n.State)
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
	add(says && n.Isolated, "isolated")
	add(says && n.Blind, "blind: it abstains")
	add(says && n.Late, "late by itself: its timeouts do not count")
	add(says && n.Frozen, "frozen")
	if n.Drift != nil {
		add(true, "another configuration since "+since(*n.Drift, at))
	}
	if n.Divergent != nil {
		add(true, "decides otherwise since "+since(*n.Divergent, at))
	}
	switch {
	case n.State != api.NodeStale:
	case n.FencedAt != nil:
		add(true, "stopped answering by itself "+since(*n.FencedAt, at))
	case n.LeaseSeconds > 0:
		add(true, "stops answering once no majority has heard it for "+lease(n))
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
	return seconds(n.LeaseSeconds)
}

// nodeOrder is a command about nodes that needs a reason.
func nodeOrder(use, short, long, example string, args cobra.PositionalArgs, send func(ctx context.Context, c *client, args []string, reason string) (string, error)) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: use, Short: short, Long: long + "\n\n" + serverHelp + "\n\n" + orderExits, Example: example, Args: usageArgs(args)}
	server := addServerFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usagef(cmd, "--reason is required: it is what the next person reads")
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		done, err := send(orBackground(cmd.Context()), c, args, reason)
		if err == nil {
			fmt.Fprintln(cmd.OutOrStdout(), done)
		}
		return err
	}
	return cmd
}

// joined says how far the joining is.
func joined(n *api.Nodes) string {
	if n.Shut == "" {
		return "node " + n.Node + " has joined and answers"
	}
	return "node " + n.Node + ": " + n.Shut
}

func nodesWaiveCommand() *cobra.Command {
	var before time.Duration
	cmd := nodeOrder("waive NAME --reason TEXT", "let this node join without the answer of another",
		`Waive tells a node that joins, because its state is empty, to do without the answer of node NAME. If that node alone holds a drain,
this one will answer what is drained until it hears of it. If it alone remembers how long this node's earlier answers live, bounds
are unknown until that is named: --max-ttl.`, `  fairlead nodes waive n2 --reason "n2 burnt down, CHG-1234" --max-ttl 60s`, cobra.ExactArgs(1),
		func(ctx context.Context, c *client, args []string, reason string) (string, error) {
			req := api.NodeRequest{Actor: actor(), Reason: reason}
			if before >= 0 {
				s := before.Seconds()
				req.MaxTTLSeconds = &s
			}
			var n api.Nodes
			err := c.order(ctx, http.MethodPost, api.WaivePath(args[0]), req, &n)
			return joined(&n), err
		})
	cmd.Flags().DurationVar(&before, "max-ttl", -1, "the longest TTL that this node may have given before; 0s for none (default: not known)")
	cmd.Flags().Lookup("max-ttl").DefValue = ""
	return askFirst(cmd, confirmWord)
}

func nodesMaxTTLCommand() *cobra.Command {
	return nodeOrder("max-ttl DURATION --reason TEXT", "name the longest TTL that this node gave before its state was lost",
		`Max-ttl is for a node whose state directory did not say what it answered before: it was lost, or is new. Until somebody who knows the
zone files of that time names the longest ttl.max in them, and for an hour at most, every bound is unknown. 0s says that the node
has never answered anything: the first start of a node alone, or of each node of a new cluster.`, `  fairlead nodes max-ttl 60s --reason "disk replaced, CHG-1234"
  fairlead nodes max-ttl 0s --reason "first start"`, cobra.ExactArgs(1),
		func(ctx context.Context, c *client, args []string, reason string) (string, error) {
			ttl, err := time.ParseDuration(args[0])
			if err != nil {
				return "", err
			}
			s := ttl.Seconds()
			var n api.Nodes
			err = c.order(ctx, http.MethodPost, api.MaxTTLPath, api.NodeRequest{Actor: actor(), Reason: reason, MaxTTLSeconds: &s}, &n)
			return "noted: earlier answers lived for " + args[0] + " at most", err
		})
}

func nodesBootstrapCommand() *cobra.Command {
	return askFirst(nodeOrder("bootstrap --reason TEXT", "let the first node of a new cluster join without the answers of others",
		`Bootstrap waives the answers of all nodes that this one waits for. It is for the very first start of a cluster, when the others do not
run yet; with all of them up no command is needed.`, `  fairlead nodes bootstrap --reason "first start"`, cobra.NoArgs,
		func(ctx context.Context, c *client, _ []string, reason string) (string, error) {
			var n api.Nodes
			err := c.order(ctx, http.MethodPost, api.BootstrapPath, api.NodeRequest{Actor: actor(), Reason: reason}, &n)
			return joined(&n), err
		}), confirmWord)
}

// declareCommand is a command by which an operator gives a word about a node, and takes it back with --undo.
func declareCommand(use, short, long, example string, path func(string) string, done, undone string) *cobra.Command {
	var undo bool
	cmd := nodeOrder(use, short, long, example, cobra.ExactArgs(1),
		func(ctx context.Context, c *client, args []string, reason string) (string, error) {
			if undo {
				var ended api.Intents
				err := c.order(ctx, http.MethodDelete, path(args[0]), api.EndRequest{Actor: actor(), Reason: reason}, &ended)
				return args[0] + ": " + undone, err
			}
			var i api.Intent
			err := c.order(ctx, http.MethodPost, path(args[0]), api.NodeRequest{Actor: actor(), Reason: reason}, &i)
			return args[0] + ": " + done, err
		})
	cmd.Flags().BoolVar(&undo, "undo", false, "take the word back")
	return askFirst(cmd, func(cmd *cobra.Command, args []string) error {
		if undo {
			return nil
		}
		return confirmWord(cmd, args)
	})
}

func nodesStoppedCommand() *cobra.Command {
	return declareCommand("stopped NAME --reason TEXT", "say that a node is known not to run",
		`Stopped is the word of somebody who made sure that node NAME answers nobody: switched off, or its process gone. Orders do not wait for
it, and it is no reason for alarm. The word ends by itself when the node is heard.`, `  fairlead nodes stopped n3 --reason "powered off for the disk swap"`,
		api.StoppedPath, "declared stopped until it is heard", "no longer declared stopped")
}

func nodesRemoveCommand() *cobra.Command {
	return declareCommand("remove NAME --reason TEXT", "say that a node is no part of the cluster any more",
		`Remove is the word of somebody who made sure that node NAME will not come back under that name with old state. Without it a node that a
roster named within the last day still counts. Take it out of the node files too, then reload them.`,
		`  fairlead nodes remove n3 --reason "replaced by n6"`, api.RemovedPath, "removed", "a part of the cluster again")
}
