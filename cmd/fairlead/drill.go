package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// drillPoll is how often --wait asks how a drill goes.
const drillPoll = time.Second

const drillLong = `Drill drains NAME for the time given and watches. It ends by itself, also when this command or the node that watches is gone; and it
ends at once when one of the --abort-if conditions holds:

  rule          a safety rule suspends the drain
  failure       health takes something out beside what is drained
  degraded      a service answers on a last resort
  check=NAME    an endpoint that the check NAME of a zone file watches is down: for error rates and the like

Without --abort-if it is rule, failure and degraded. The report says how it ended, SUCCEEDED, FAILED or ABORTED, how long until no
node answered with NAME any more (convergence), and when the last honest cache forgot it. The node that takes the order keeps it:
` + "`fairlead drill list`, `fairlead drill show ID`, `fairlead drill abort ID`" + `.

` + confirmHelp + `

` + serverHelp + `

Exit codes: 0 it began, or with --wait SUCCEEDED; 1 FAILED, ABORTED, or the node cannot be reached; 2 wrong usage; 4 refused by a
rule; 5 conflict.`

// A drillFlags is what was asked for.
type drillFlags struct {
	service, reason, duration string
	abortIf, override         []string
	wait, dryRun              bool
	output                    *outputFlag
}

func drillCommand() *cobra.Command {
	var f drillFlags
	cmd := &cobra.Command{
		Use:   "drill endpoint|pool|az|region NAME --for 10m --reason TEXT",
		Short: "rehearse an outage: a drain that ends by itself, and at once if a condition holds",
		Long:  drillLong,
		Example: `  fairlead drill az eu-west-1a --for 10m --reason "game day" --wait
  fairlead drill pool web-eu --for 5m --abort-if failure --abort-if check=error-rate --reason "CHG-7"
  fairlead drill list`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	server := addServerFlag(cmd)
	f.output = addOutputFlag(cmd)
	dryRunVar(cmd, &f.dryRun)
	cmd.Flags().StringVar(&f.service, "service", "", "only for this service")
	cmd.Flags().StringVar(&f.duration, "for", "", "how long, 10s to 24h; required")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; required")
	cmd.Flags().StringArrayVar(&f.abortIf, "abort-if", nil, "condition that ends it at once; may be given again")
	cmd.Flags().StringSliceVar(&f.override, "override", nil, "safety rules that shall not refuse it")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait for the end and print the report")
	addYesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := kindOf(cmd, args[0], drainKinds[:4])
		if err != nil {
			return err
		}
		length, err := f.validate(cmd)
		if err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		return c.drill(cmd, &f, kind, args[1], length)
	}
	cmd.AddCommand(drillListCommand(), drillShowCommand(), drillAbortCommand())
	return cmd
}

func (f *drillFlags) validate(cmd *cobra.Command) (time.Duration, error) {
	length, err := time.ParseDuration(f.duration)
	if err := f.output.check(cmd); err != nil {
		return 0, err
	}
	switch {
	case err != nil:
		return 0, exit.Usagef(cmd, "--for %q: want a duration, as in 10m", f.duration)
	case f.reason == "":
		return 0, exit.Usagef(cmd, "--reason is required: it is what the next person reads")
	}
	return length, nil
}

// drill begins one and, if that was asked for, waits for its end.
func (c *client) drill(cmd *cobra.Command, f *drillFlags, kind, name string, length time.Duration) (err error) {
	ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
	if kind == "endpoint" || kind == "pool" {
		if name, err = c.qualify(ctx, kind, name); err != nil {
			return err
		}
	}
	service, err := c.service(ctx, f.service)
	if err != nil {
		return err
	}
	req := api.DrillRequest{
		Scope: api.Scope{Kind: kind, Name: name}, Service: service, ForSeconds: length.Seconds(), AbortIf: f.abortIf, Actor: actor(),
		Reason: f.reason, Override: f.override, DryRun: f.dryRun,
	}
	if f.dryRun {
		return c.suggest(ctx, c.dryRun(cmd, f.output)(c.PreviewDrill(ctx, req)), kind, name)
	}
	if asks(cmd) {
		drain := req.Drain()
		if err := confirmOrder(cmd, c, &drain); err != nil {
			return err
		}
	}
	var d api.Drill
	if err := ordered(into(&d)(c.StartDrill(ctx, req))); err != nil {
		return c.suggest(ctx, err, kind, name)
	}
	terminal.Say(f.output.text(w), "%s: drain %s until %s; `fairlead drill abort %s` ends it", d.ID, d.Intent, terminal.Clock(d.EndsAt, time.Now()), d.ID)
	if !f.wait {
		return f.output.print(w, &d)
	}
	return c.awaitDrill(ctx, f.output, w, d.ID)
}

// awaitDrill waits until a drill is over and its traces are gone, or their end is known not to be known.
func (c *client) awaitDrill(ctx context.Context, output *outputFlag, w io.Writer, id string) error {
	tick := time.NewTicker(drillPoll)
	defer tick.Stop()
	for {
		var d api.Drill
		if err := into(&d)(c.Drill(ctx, id)); err != nil {
			return err
		}
		if d.Outcome != api.DrillRunning && (d.TotalSeconds != nil || len(d.Unknown) > 0 || d.EndedAt != nil && time.Since(*d.EndedAt) > 5*time.Second) {
			writeDrill(output.text(w), &d, terminal.StyleFor(w))
			if err := output.print(w, &d); err != nil {
				return err
			}
			if d.Outcome != api.DrillSucceeded {
				return exit.Silent(exit.Failed)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// drills has the ids of those that the node keeps.
func (c *client) drills(ctx context.Context) func() []string {
	return func() []string {
		list, err := c.Drills(ctx)
		if err != nil {
			return nil
		}
		return terminal.Each(list.Drills, func(d api.Drill) string { return d.ID })
	}
}

func drillMark(d *api.Drill) terminal.Mark {
	switch d.Outcome {
	case api.DrillSucceeded:
		return terminal.MarkOf(health.Up, d.Outcome)
	case api.DrillRunning:
		return terminal.MarkOf(health.Drained, d.Outcome)
	}
	return terminal.MarkOf(health.Down, d.Outcome)
}

func writeDrill(w io.Writer, d *api.Drill, st terminal.Style) {
	m := drillMark(d)
	fmt.Fprintf(w, "%s  %s  drain %s %s\n", st.Paint(m.Colour, m.Text()), d.ID, d.Scope.Kind, d.Scope.Name)
	fmt.Fprintf(w, "  by %s: %s\n", plain(d.Actor), plain(d.Reason))
	if len(d.Override) > 0 {
		fmt.Fprintln(w, "  overrides "+ruleWords(d.Override))
	}
	if d.Why != "" {
		fmt.Fprintln(w, "  "+d.Why)
	}
	t := terminal.NewTable("", "").AlignRight(1)
	for _, row := range []struct {
		name string
		v    *float64
	}{{"detection", d.DetectionSeconds}, {"convergence", d.ConvergenceSeconds}, {"cache residue", d.CacheResidueSeconds}, {"total", d.TotalSeconds}} {
		if row.v != nil {
			t.Add("", row.name, fmt.Sprintf("%.2f s", *row.v))
		}
	}
	t.Write(w, st, "  ")
	if d.LastStaleCacheAt != nil {
		at := terminal.Clock(*d.LastStaleCacheAt, time.Now())
		switch {
		case d.Forgotten:
			fmt.Fprintf(w, "  no honest cache held it at %s, as every node has said since\n", at)
		case d.Returned:
			fmt.Fprintf(w, "  it was answered again before caches had forgotten it: they would have by %s\n", at)
		default:
			fmt.Fprintf(w, "  honest caches forget it by %s, if nobody answers it again\n", at)
		}
	}
	if len(d.Unknown) > 0 {
		fmt.Fprintln(w, "  "+st.Paint(terminal.Yellow, "when caches forgot is not known: "+strings.Join(d.Unknown, ", ")+" never confirmed"))
	}
	for _, s := range d.Missed {
		fmt.Fprintln(w, "  "+st.Paint(terminal.Red, s+": the declared RTO would be missed"))
	}
	if d.Incident != "" {
		fmt.Fprintf(w, "  more: fairlead incidents %s\n", d.Incident)
	}
}

func drillListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the drills that a node keeps", Long: "List prints the drills that the node keeps, the newest first.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead drill list`, Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Drills, func(d drawing, list *api.Drills) {
		if len(list.Drills) == 0 {
			fmt.Fprintln(d, "none")
			return
		}
		t := terminal.NewTable("OUTCOME", "ID", "STARTED", "WHAT", "TOTAL", "WHY")
		for i := range list.Drills {
			x := &list.Drills[i]
			m, sum := drillMark(x), "-"
			if x.TotalSeconds != nil {
				sum = fmt.Sprintf("%.1fs", *x.TotalSeconds)
			}
			t.Add(m.Colour, m.Text(), x.ID, terminal.Since(x.StartedAt, time.Now()), x.Scope.Kind+" "+x.Scope.Name, sum, terminal.Dash(x.Why))
		}
		t.Write(d, d.style, "")
	})
	return cmd
}

func drillShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show ID", Short: "print the report of a drill", Long: "Show prints the report of a drill.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead drill show drill-n1-3-17 -o json`, Args: exit.Args(cobra.ExactArgs(1)),
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			d, err := c.Drill(ctx, args[0])
			if err != nil {
				return shown{}, suggestOf(err, args[0], c.drills(ctx))
			}
			return shown{doc: d, write: func(w drawing) { writeDrill(w, d, w.style) }}, nil
		})
	}
	return cmd
}

func drillAbortCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "abort ID", Short: "end a drill before its time", Long: "Abort ends the drain of a drill at once.\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead drill abort drill-n1-3-17 --reason "customers complain"`, Args: exit.Args(cobra.ExactArgs(1)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx := exit.OrBackground(cmd.Context())
		var d api.Drill
		if err := ordered(into(&d)(c.AbortDrill(ctx, args[0], api.EndRequest{Actor: actor(), Reason: reason}))); err != nil {
			return suggestOf(err, args[0], c.drills(ctx))
		}
		w := cmd.OutOrStdout()
		writeDrill(output.text(w), &d, terminal.StyleFor(w))
		return output.print(w, &d)
	}
	return cmd
}
