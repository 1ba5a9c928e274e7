package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A poolOrder is a command about the gate or the return of one pool.
type poolOrder struct {
	use, short, long, example string
	// give gives the order, and preview says what it would do; nil for both where end ends one. done is what is said of NAME once it is done.
	give    func(*adminapi.Client, context.Context, string, string, api.PoolRequest) (*api.Intent, error)
	preview func(*adminapi.Client, context.Context, string, string, api.PoolRequest) (*api.Preview, error)
	end     func(*adminapi.Client, context.Context, string, string, api.EndRequest) (*api.Intents, error)
	done    func(name string) string
}

// command is a command that takes one pool.
func (o poolOrder) command() *cobra.Command {
	var reason string
	var override []string
	cmd := &cobra.Command{
		Use: o.use, Short: o.short, Long: o.long + "\n\nPOOL is POOL or ZONE/POOL.\n\n" + serverHelp + "\n\n" + orderExits, Example: o.example,
		Args: exit.Args(cobra.ExactArgs(1)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; shown to everybody who looks at the status")
	if o.give != nil {
		cmd.Flags().StringSliceVar(&override, "override", nil, "rule that shall not refuse it, with --reason: rpo")
	}
	dryRun := addDryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
		name, err := c.qualify(ctx, "pool", args[0])
		if err != nil {
			return err
		}
		zone, pool := splitPool(name)
		switch {
		case o.end != nil:
			ended, err := o.end(c.Client, ctx, zone, pool, api.EndRequest{Actor: actor(), Reason: reason, DryRun: *dryRun})
			if *dryRun && err == nil {
				return c.writeEnds(ctx, output, w, ended)
			}
			return output.tell(w, ordered(err), ended, name+": "+o.done(name))
		case *dryRun:
			return c.dryRun(cmd, output)(o.preview(c.Client, ctx, zone, pool, api.PoolRequest{Actor: actor(), Reason: reason, Override: override}))
		}
		i, err := o.give(c.Client, ctx, zone, pool, api.PoolRequest{Actor: actor(), Reason: reason, Override: override})
		return output.tell(w, ordered(err), i, name+": "+o.done(name))
	}
	return cmd
}

func readyCommand() *cobra.Command {
	return poolOrder{
		use: "ready POOL", short: "open the gate of a pool that waits for a person (gate: manual)",
		long: `Ready lets a pool with ` + "`gate: manual`" + ` enter service: it may be answered when its turn comes. It stays so, also after a restart,
until ` + "`fairlead unready POOL`" + `.`,
		example: `  fairlead ready ledger-us --reason "database promoted, CHG-1234"`,
		give:    (*adminapi.Client).Ready, preview: (*adminapi.Client).PreviewReady,
		done: func(name string) string { return "ready: its gate is open until `fairlead unready " + name + "`" },
	}.command()
}

func unreadyCommand() *cobra.Command {
	return askFirst(poolOrder{
		use: "unready POOL", short: "close the gate of a pool again",
		long:    "Unready ends `fairlead ready POOL`: the pool is answered by nobody until it is ready again.",
		example: `  fairlead unready ledger-us`,
		end:     (*adminapi.Client).Unready,
		done:    func(string) string { return "not ready: its gate is closed" },
	}.command(), confirmPool)
}

func failbackCommand() *cobra.Command {
	return poolOrder{
		use: "failback POOL", short: "let a pool, and its AZs, return that wait for a person or for their hold",
		long: `Failback lets in what is on its way back: a pool or an AZ that had nothing eligible, has again, and waits for a person
(failback.mode: manual, stateful) or for its hold. The ramp begins at once, if there is one. It is for this return alone.
A pool in failback.mode never returns only with a new version of its zone file.`,
		example: `  fairlead failback ledger-us --reason "replication caught up"`,
		give:    (*adminapi.Client).Failback, preview: (*adminapi.Client).PreviewFailback,
		done: func(string) string { return "let in: its ramp, if it has one, begins now" },
	}.command()
}

// tell prints what came of an order, as text or as the document that the node answered.
func (f *outputFlag) tell(w io.Writer, err error, doc any, text string) error {
	if err != nil {
		return err
	}
	terminal.Say(f.text(w), "%s", text)
	return f.print(w, doc)
}
