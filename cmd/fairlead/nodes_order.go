package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A nodeAsk is one order about nodes, as it was typed.
type nodeAsk struct {
	args   []string
	reason string
	// dryRun asks what would come of it.
	dryRun bool
}

// request is the body of most of them.
func (a *nodeAsk) request() api.NodeRequest {
	return api.NodeRequest{Actor: actor(), Reason: a.reason, DryRun: a.dryRun}
}

// said is what is told of an order: in a dry run that it would be so.
func (a *nodeAsk) said(text string) string {
	if a.dryRun {
		return "dry run, nothing has changed: then " + text
	}
	return text
}

// A nodeSend sends an order about nodes: what is said of it, and the document that the node answered.
type nodeSend func(ctx context.Context, c *client, ask *nodeAsk) (text string, doc any, err error)

// nodeOrder is a command about nodes that needs a reason.
func nodeOrder(use, short, long, example string, args cobra.PositionalArgs, send nodeSend) *cobra.Command {
	var ask nodeAsk
	cmd := &cobra.Command{Use: use, Short: short, Long: long + "\n\n" + serverHelp + "\n\n" + orderExits, Example: example, Args: exit.Args(args)}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&ask.reason, "reason", "", "why; kept in the audit log")
	dryRunVar(cmd, &ask.dryRun)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if ask.reason == "" {
			return exit.Usagef(cmd, "--reason is required: it is what the next person reads")
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ask.args = args
		ctx := exit.OrBackground(cmd.Context())
		text, doc, err := send(ctx, c, &ask)
		if len(args) > 0 {
			err = c.suggest(ctx, err, "node", args[0])
		}
		return output.tell(cmd.OutOrStdout(), err, doc, text)
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
		func(ctx context.Context, c *client, ask *nodeAsk) (string, any, error) {
			req := ask.request()
			if before >= 0 {
				s := before.Seconds()
				req.MaxTTLSeconds = &s
			}
			var n api.Nodes
			err := ordered(into(&n)(c.Waive(ctx, ask.args[0], req)))
			if ask.dryRun {
				return ask.said("node " + n.Node + " does not wait for " + ask.args[0]), &n, err
			}
			return joined(&n), &n, err
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
		func(ctx context.Context, c *client, ask *nodeAsk) (string, any, error) {
			ttl, err := time.ParseDuration(ask.args[0])
			if err != nil {
				return "", nil, err
			}
			req, s := ask.request(), ttl.Seconds()
			req.MaxTTLSeconds = &s
			var n api.Nodes
			err = ordered(into(&n)(c.NameMaxTTL(ctx, req)))
			return ask.said("noted: earlier answers lived for " + ask.args[0] + " at most"), &n, err
		})
}

func nodesBootstrapCommand() *cobra.Command {
	return askFirst(nodeOrder("bootstrap --reason TEXT", "let the first node of a new cluster join without the answers of others",
		`Bootstrap waives the answers of all nodes that this one waits for. It is for the very first start of a cluster, when the others do not
run yet; with all of them up no command is needed.`, `  fairlead nodes bootstrap --reason "first start"`, cobra.NoArgs,
		func(ctx context.Context, c *client, ask *nodeAsk) (string, any, error) {
			var n api.Nodes
			err := ordered(into(&n)(c.Bootstrap(ctx, ask.request())))
			if ask.dryRun {
				return ask.said("node " + n.Node + " waits for nobody"), &n, err
			}
			return joined(&n), &n, err
		}), confirmWord)
}

// A declaring is how an operator gives a word about a node, and takes it back.
type declaring struct {
	do      func(*adminapi.Client, context.Context, string, api.NodeRequest) (*api.Intent, error)
	preview func(*adminapi.Client, context.Context, string, api.NodeRequest) (*api.Preview, error)
	undo    func(*adminapi.Client, context.Context, string, api.EndRequest) (*api.Intents, error)
}

// declareCommand is a command by which an operator gives a word about a node, and takes it back with --undo.
func declareCommand(use, short, long, example string, by declaring, done, undone string) *cobra.Command {
	var undo bool
	cmd := nodeOrder(use, short, long, example, cobra.ExactArgs(1),
		func(ctx context.Context, c *client, ask *nodeAsk) (string, any, error) {
			name := ask.args[0]
			if undo {
				ended, err := by.undo(c.Client, ctx, name, api.EndRequest{Actor: actor(), Reason: ask.reason, DryRun: ask.dryRun})
				return ask.said(name + ": " + undone), ended, ordered(err)
			}
			if ask.dryRun {
				p, err := by.preview(c.Client, ctx, name, ask.request())
				return ask.said(name + ": " + done), p, ordered(err)
			}
			i, err := by.do(c.Client, ctx, name, ask.request())
			return name + ": " + done, i, ordered(err)
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
		declaring{(*adminapi.Client).DeclareStopped, (*adminapi.Client).PreviewStopped, (*adminapi.Client).UndeclareStopped}, "declared stopped until it is heard", "no longer declared stopped")
}

func nodesRemoveCommand() *cobra.Command {
	return declareCommand("remove NAME --reason TEXT", "say that a node is no part of the cluster any more",
		`Remove is the word of somebody who made sure that node NAME will not come back under that name with old state. Without it a node that a
roster named within the last day still counts. Take it out of the node files too, then reload them.`,
		`  fairlead nodes remove n3 --reason "replaced by n6"`, declaring{(*adminapi.Client).DeclareRemoved, (*adminapi.Client).PreviewRemoved, (*adminapi.Client).UndeclareRemoved}, "removed", "a part of the cluster again")
}
