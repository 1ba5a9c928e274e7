package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const planLong = `Plan shows, starts and steers plans: YAML files that say step by step what is done when a site is left (docs/plans.md). Any node of
the cluster can start one and take words on it; the node that carries a run on may die, and another one goes on.

` + exit.LocalHelp

func planCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "plan", Short: "plans for disaster recovery: see, start and steer them", Long: planLong, Args: exit.Meant,
		Example: `  fairlead plan list
  fairlead plan start eu-out --reason "CHG-7: flood"
  fairlead plan runs`,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		planListCommand(), planShowCommand(), planCheckCommand(), planMakeCommand(), planStartCommand(), planRunsCommand(),
		planWordCommand(&planWord{
			use: "approve RUN [STEP]", short: "let a run go on that waits for a person", args: cobra.RangeArgs(1, 2), example: `  fairlead plan approve run-eu-out-1a2b3c4d --reason "lag is 0"`,
			long: "Approve gives the word that the run's step waits for; STEP is its name, by default the one that waits.",
			say:  (*adminapi.Client).ApproveRun,
		}),
		planWordCommand(&planWord{
			use: "pause RUN", short: "have a run do nothing more until it is resumed", args: cobra.ExactArgs(1), example: `  fairlead plan pause run-eu-out-1a2b3c4d --reason "let us look"`,
			long: "Pause has the run do nothing more until it is resumed. What a step has begun stays.", say: (*adminapi.Client).PauseRun,
		}),
		planWordCommand(&planWord{
			use: "resume RUN", short: "have a run go on that is paused, or whose step has failed", args: cobra.ExactArgs(1), example: `  fairlead plan resume run-eu-out-1a2b3c4d --step done --reason "I scaled it by hand"`,
			long: `Resume has a run go on that is paused, or whose step has failed: the step is tried again, or, with --step done, counts as done. Where it is
not known whether a hook got through, --step has to say which.`, say: (*adminapi.Client).ResumeRun, as: true,
		}),
		planWordCommand(&planWord{
			use: "abort RUN", short: "undo what a run did, the last step first", args: cobra.ExactArgs(1), example: `  fairlead plan abort run-eu-out-1a2b3c4d --reason "it is over"`,
			long: "Abort has the orders of the run ended and the undo of its hooks called, the last step first. A run all of whose steps are done can be aborted\ntoo: that is the way back.", say: (*adminapi.Client).AbortRun, reason: true,
		}),
		planEvidenceCommand(), planVerifyCommand(),
	)
	return cmd
}

func planListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the plans of a node, and where each would stop", Args: exit.Args(cobra.NoArgs), Example: `  fairlead plan list`,
		Long: `List prints the plans of the node, the run that has not ended, and whether a run that began now would go through, as it was looked at every 30
minutes and when a file changed.

` + serverHelp + "\n\n" + exit.ReadHelp,
	}
	prints(cmd, (*adminapi.Client).Plans, writePlans)
	return cmd
}

func writePlans(d drawing, list *api.Plans) {
	for _, p := range list.Problems {
		fmt.Fprintln(d, d.style.Paint(terminal.Red, plain(p)))
	}
	if len(list.Plans) == 0 {
		fmt.Fprintln(d, "no plans: `plans.directory` in the node file says where they are")
		return
	}
	t := terminal.NewTable("PLAN", "STEPS", "WOULD", "RUN", "PRACTICE", "FOR")
	for i := range list.Plans {
		p := &list.Plans[i]
		colour, would := terminal.Green, "go through"
		if f := p.Foresight; f == nil {
			colour, would = "", "not looked at yet"
		} else if f.StopsAt > 0 {
			colour, would = terminal.Yellow, fmt.Sprintf("stop at step %d: %s", f.StopsAt, f.Why)
		}
		t.Add(colour, p.Name, fmt.Sprint(len(p.Steps)), plain(would), terminal.Dash(p.Run), practiceText(p.Practice), terminal.Dash(plain(p.Says)))
	}
	t.Write(d, d.style, "")
}

func practiceText(p *api.PlanPractice) string {
	if p == nil {
		return "-"
	}
	text := p.OpensAt.UTC().Format("Mon 2 Jan 15:04Z")
	if p.Skipped != "" {
		text += " (skipped: " + plain(p.Skipped) + ")"
	}
	return text
}

func planShowCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "show PLAN|RUN", Short: "print a plan, or how a run stands", Args: exit.Args(cobra.ExactArgs(1)),
		Long: "Show prints the steps of a plan and what each would come to, or those of a run and what came of them.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead plan show eu-out
  fairlead plan show run-eu-out-1a2b3c4d -w`,
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			if isRun(args[0]) {
				u, err := c.Run(ctx, args[0])
				if err != nil {
					return shown{}, suggestOf(err, args[0], c.planNames(ctx))
				}
				return shown{doc: u, write: func(d drawing) { writeRun(d, u, d.style) }}, nil
			}
			p, err := c.Plan(ctx, args[0])
			if err != nil {
				return shown{}, suggestOf(err, args[0], c.planNames(ctx))
			}
			return shown{doc: p, write: func(d drawing) { writePlan(d, p) }}, nil
		})
	}
	return cmd
}

// isRun tells the name of a run from that of a plan.
func isRun(name string) bool { return len(name) > len("run-") && name[:len("run-")] == "run-" }

// planNames has the names of plans and runs.
func (c *client) planNames(ctx context.Context) func() []string {
	return func() (names []string) {
		if list, err := c.Plans(ctx); err == nil {
			names = terminal.Each(list.Plans, func(p api.Plan) string { return p.Name })
		}
		if list, err := c.Runs(ctx); err == nil {
			names = append(names, terminal.Each(list.Runs, func(u api.Run) string { return u.ID })...)
		}
		return names
	}
}

func writePlan(d drawing, p *api.Plan) {
	fmt.Fprintf(d, "plan %s (%s)\n", p.Name, plain(p.File))
	if p.Says != "" {
		fmt.Fprintln(d, "  "+plain(p.Says))
	}
	fmt.Fprintf(d, "  a step that fails: %s\n", map[string]string{"stop": "the run stops and waits for a person", "undo": "the run is undone"}[p.OnFailure])
	if p.Run != "" {
		fmt.Fprintln(d, "  runs: fairlead plan show "+p.Run)
	}
	if p.Practice != nil {
		fmt.Fprintln(d, "  practised: "+practiceText(p.Practice))
	}
	steps := terminal.NewTable("#", "STEP", "DOES", "ONLY", "WOULD").AlignRight(0)
	for i := range p.Steps {
		s := &p.Steps[i]
		colour, would := "", "-"
		if p.Foresight != nil && i < len(p.Foresight.Steps) {
			colour, would = prospectText(&p.Foresight.Steps[i])
		}
		steps.Add(colour, fmt.Sprint(i+1), s.Name, plain(s.Does), terminal.Dash(s.Only), would)
	}
	steps.Write(d, d.style, "  ")
	if p.Foresight != nil {
		fmt.Fprintf(d, "  %s, as of %s\n", plain(p.Foresight.Text), terminal.Since(p.Foresight.At, time.Now()))
	}
}

func prospectText(p *api.PlanProspect) (colour, text string) {
	switch {
	case p.Skip != "":
		return terminal.Grey, "be left out: " + plain(p.Skip)
	case p.Stop != "":
		return terminal.Yellow, "stop: " + plain(p.Stop)
	case p.Note != "":
		return "", plain(p.Note)
	}
	return "", "be done"
}

// A planStart is how a run is asked for.
type planStart struct {
	ungraceful, practice, wait, dryRun bool
	reason                             string
}

func (f *planStart) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.ungraceful, "ungraceful", false, "the variant for a site that is gone already")
	cmd.Flags().BoolVar(&f.practice, "practice", false, "leave out hooks and gates, hold, and undo it")
}

func (f *planStart) request() api.PlanStartRequest {
	req := api.PlanStartRequest{Variant: config.PlanGraceful, Practice: f.practice, Actor: actor(), Reason: f.reason}
	if f.ungraceful {
		req.Variant = config.PlanUngraceful
	}
	return req
}

func planCheckCommand() *cobra.Command {
	var f planStart
	cmd := &cobra.Command{
		Use: "check PLAN", Short: "what a run that began now would come to, step by step", Args: exit.Args(cobra.ExactArgs(1)),
		Long: `Check looks at each step as things are now: pools and checks that are waited for, orders that rules would refuse, hooks that this node could
not call. ` + "`fairlead check`" + ` looks at plan files before a node has them.

` + serverHelp + `

Exit codes: 0 it would go through, 1 it would stop, or the node cannot be reached, 2 wrong usage.`,
		Example: `  fairlead plan check eu-out
  fairlead plan check eu-out --ungraceful`,
	}
	v := newViewer(cmd)
	f.flags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			p, err := c.ForeseePlan(ctx, args[0], f.request())
			if err != nil {
				return shown{}, suggestOf(err, args[0], c.planNames(ctx))
			}
			var end error
			if p.StopsAt > 0 {
				end = exit.Silent(exit.Failed)
			}
			return shown{doc: p, end: end, write: func(d drawing) { writeForesight(d, p) }}, nil
		})
	}
	return cmd
}

func writeForesight(d drawing, p *api.PlanForesight) {
	fmt.Fprintln(d, plain(p.Text))
	t := terminal.NewTable("#", "STEP", "WOULD").AlignRight(0)
	for i := range p.Steps {
		colour, would := prospectText(&p.Steps[i])
		t.Add(colour, fmt.Sprint(i+1), p.Steps[i].Step, would)
	}
	t.Write(d, d.style, "  ")
}

func planStartCommand() *cobra.Command {
	var f planStart
	cmd := &cobra.Command{
		Use: "start PLAN --reason TEXT", Short: "begin a run of a plan", Args: exit.Args(cobra.ExactArgs(1)),
		Long: `Start begins a run. It goes on whether this command lives or not, on whichever node lives; with --wait this one prints what happens until the
run has ended, or waits for a person. ` + "`fairlead plan abort`" + ` undoes it.

` + confirmHelp + `

` + serverHelp + `

Exit codes: 0 it began, or with --wait all steps are done; 1 it stopped, waits for a person or was aborted, or the node cannot be
reached; 2 wrong usage; 5 conflict, as with a run that has not ended.`,
		Example: `  fairlead plan start eu-out --reason "CHG-7: flood" --wait
  fairlead plan start eu-out --ungraceful --reason "eu is gone"
  fairlead plan start eu-out --practice --reason "game day"`,
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	f.flags(cmd)
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; required")
	dryRunVar(cmd, &f.dryRun)
	cmd.Flags().BoolVar(&f.wait, "wait", false, "print what happens until it has ended or waits for a person")
	addYesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if f.reason == "" {
			return exit.Usagef(cmd, "--reason is required: it is what the next person reads")
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
		if f.dryRun {
			p, err := c.ForeseePlan(ctx, args[0], f.request())
			if err != nil {
				return suggestOf(ordered(err), args[0], c.planNames(ctx))
			}
			writeForesight(drawing{Writer: output.text(w), style: terminal.StyleFor(w)}, p)
			return output.print(w, p)
		}
		if asks(cmd) {
			if err := c.confirmPlan(cmd, args[0], f.request()); err != nil {
				return err
			}
		}
		var u api.Run
		if err := ordered(into(&u)(c.StartPlan(ctx, args[0], f.request()))); err != nil {
			return suggestOf(err, args[0], c.planNames(ctx))
		}
		terminal.Say(output.text(w), "%s begins; `fairlead plan show %s` shows it, `fairlead plan abort %s` undoes it", u.ID, u.ID, u.ID)
		if !f.wait {
			return output.print(w, &u)
		}
		return c.awaitRun(ctx, output, w, u.ID)
	}
	return cmd
}

// confirmPlan shows what a run would come to and asks.
func (c *client) confirmPlan(cmd *cobra.Command, name string, req api.PlanStartRequest) error {
	p, err := c.ForeseePlan(exit.OrBackground(cmd.Context()), name, req)
	if err != nil {
		return suggestOf(err, name, c.planNames(exit.OrBackground(cmd.Context())))
	}
	w := cmd.ErrOrStderr()
	fmt.Fprintln(w, plain(p.Text))
	for i := range p.Steps {
		_, would := prospectText(&p.Steps[i])
		fmt.Fprintf(w, "  %d %s would %s\n", i+1, p.Steps[i].Step, would)
	}
	return typed(cmd, name)
}

func runMark(u *api.Run) terminal.Mark {
	switch u.Status {
	case "done":
		return terminal.MarkOf(health.Up, u.Status)
	case "running", "undoing":
		return terminal.MarkOf(health.Drained, u.Status)
	case "waiting", "paused":
		return terminal.MarkOf(health.Suspect, u.Status)
	}
	return terminal.MarkOf(health.Down, u.Status)
}
