package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// watchInterval is how often --watch asks: as often as a state can change with the shortest sensible check interval.
const watchInterval = time.Second

func statusCommand() *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "what is down, since when and why, who says so, and what clients get now",
		Long: `Status asks a running node what it believes and what it answers, and prints what is wrong first: files that are
not in use, endpoints that are not up (since when, why, the probe that says so), then each pool, then what each service
answers: why, from which tier, with which TTL, the share of every pool, AZ and endpoint, and the staleness bound.

Times are in UTC. A state is shown as shape and word: ● up, ▲ suspect, ■ down, ⏸ drained, ○ unknown; also in colour on a
terminal unless NO_COLOR is set. With many services or pools the healthy ones are cut short; --all shows them.

` + serverHelp + `

Exit codes: 0 all is well, 1 the node cannot be reached, 2 wrong usage, 3 something is degraded.`,
		Example: `  fairlead status
  fairlead status --watch
  fairlead status -o json | jq '.zones[].pools[].endpoints[] | select(.state == "down")'
  fairlead status --server unix:/run/fairlead/admin.sock`,
		Args: usageArgs(cobra.NoArgs),
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&o.output, "output", "o", "table", "table or json")
	cmd.Flags().BoolVar(&o.all, "all", false, "list every pool and service in full")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "ask again every second until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := choice(cmd, "output", o.output, "table", "json"); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		return o.run(cmd.Context(), c, cmd.OutOrStdout())
	}
	return cmd
}

type statusOptions struct {
	output     string
	all, watch bool
}

func (o statusOptions) run(ctx context.Context, c *client, w io.Writer) error {
	if !o.watch {
		return o.once(ctx, c, w)
	}
	return watch(ctx, func(ctx context.Context) error { return o.once(ctx, c, w) })
}

// watch does once every second, until a signal or an error other than that something is degraded.
func watch(ctx context.Context, once func(context.Context) error) error {
	ctx, stop := signal.NotifyContext(orBackground(ctx), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for {
		err := once(ctx)
		if code, _ := exitCode(err); err != nil && code != exitDegraded && ctx.Err() == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// once prints the status one time; the error carries the exit code.
func (o statusOptions) once(ctx context.Context, c *client, w io.Writer) error {
	s, err := c.status(orBackground(ctx))
	if err != nil {
		return err
	}
	st := styleFor(w)
	out := bufio.NewWriter(w)
	switch {
	case o.output == "json":
		enc := json.NewEncoder(out)
		if !o.watch {
			enc.SetIndent("", "  ")
		}
		err = enc.Encode(s)
	default:
		if o.watch {
			home(out, st)
		}
		report{status: s, style: st, all: o.all}.write(out)
	}
	if err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if degraded(s) {
		return silent(exitDegraded)
	}
	return nil
}

// home clears the screen of a terminal, so that it shows one thing at a time.
func home(w io.Writer, st style) {
	if st.colour {
		fmt.Fprint(w, "\x1b[H\x1b[2J")
	}
}

// degraded tells whether an operator has something to look at.
func degraded(s *api.Status) bool { return s.Degraded || !s.Ready }

// orBackground is for commands that were started without a context.
func orBackground(ctx context.Context) context.Context {
	if ctx == nil {
		return context.Background()
	}
	return ctx
}
