package main

import (
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A poolOrder is a command about the gate or the return of one pool.
type poolOrder struct {
	use, short, long, example string
	// method and path are those of the route, done is what is said of NAME once it is done.
	method string
	path   func(zone, pool string) string
	done   func(name string) string
}

// command is a command that takes one pool.
func (o poolOrder) command() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: o.use, Short: o.short, Long: o.long + "\n\nPOOL is POOL or ZONE/POOL.\n\n" + serverHelp + "\n\n" + orderExits, Example: o.example,
		Args: usageArgs(cobra.ExactArgs(1)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; shown to everybody who looks at the status")
	dryRun := addDryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, w := orBackground(cmd.Context()), cmd.OutOrStdout()
		name, err := c.qualify(ctx, "pool", args[0])
		if err != nil {
			return err
		}
		zone, pool := splitPool(name)
		switch {
		case *dryRun && o.method == http.MethodDelete:
			return c.previewEnds(ctx, output, w, o.path(zone, pool), api.EndRequest{Actor: actor(), Reason: reason, DryRun: true}, nil)
		case *dryRun:
			return c.dryRun(cmd, output, o.path(zone, pool), api.PoolRequest{Actor: actor(), Reason: reason, DryRun: true})
		case o.method == http.MethodDelete:
			var ended api.Intents
			err = c.order(ctx, o.method, o.path(zone, pool), api.EndRequest{Actor: actor(), Reason: reason}, &ended)
			return output.tell(w, err, ended, name+": "+o.done(name))
		}
		var i api.Intent
		err = c.order(ctx, o.method, o.path(zone, pool), api.PoolRequest{Actor: actor(), Reason: reason}, &i)
		return output.tell(w, err, i, name+": "+o.done(name))
	}
	return cmd
}

func readyCommand() *cobra.Command {
	return poolOrder{
		use: "ready POOL", short: "open the gate of a pool that waits for a person (gate: manual)",
		long: `Ready lets a pool with ` + "`gate: manual`" + ` enter service: it may be answered when its turn comes. It stays so, also after a restart,
until ` + "`fairlead unready POOL`" + `.`,
		example: `  fairlead ready ledger-us --reason "database promoted, CHG-1234"`,
		method:  http.MethodPost, path: api.ReadyPath,
		done: func(name string) string { return "ready: its gate is open until `fairlead unready " + name + "`" },
	}.command()
}

func unreadyCommand() *cobra.Command {
	return askFirst(poolOrder{
		use: "unready POOL", short: "close the gate of a pool again",
		long:    "Unready ends `fairlead ready POOL`: the pool is answered by nobody until it is ready again.",
		example: `  fairlead unready ledger-us`,
		method:  http.MethodDelete, path: api.ReadyPath,
		done: func(string) string { return "not ready: its gate is closed" },
	}.command(), confirmPool)
}

func failbackCommand() *cobra.Command {
	return poolOrder{
		use: "failback POOL", short: "let a pool, and its AZs, return that wait for a person or for their hold",
		long: `Failback lets in what is on its way back: a pool or an AZ that had nothing eligible, has again, and waits for a person
(failback.mode: manual, stateful) or for its hold. The ramp begins at once, if there is one. It is for this return alone.
A pool in failback.mode never returns only with a new version of its zone file.`,
		example: `  fairlead failback ledger-us --reason "replication caught up"`,
		method:  http.MethodPost, path: api.FailbackPath,
		done: func(string) string { return "let in: its ramp, if it has one, begins now" },
	}.command()
}

// tell prints what came of an order, as text or as the document that the node answered.
func (f *outputFlag) tell(w io.Writer, err error, doc any, text string) error {
	if err != nil {
		return err
	}
	say(f.text(w), "%s", text)
	return f.print(w, doc)
}
