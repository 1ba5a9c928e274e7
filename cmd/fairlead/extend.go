package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func extendCommand() *cobra.Command {
	req := api.ExtendRequest{Actor: actor()}
	var duration string
	cmd := &cobra.Command{
		Use:   "extend ID|[KIND] NAME --for DURATION",
		Short: "move the end of a drain, or of another order, to a later time",
		Long: `Extend moves the end of the intent ID, as ` + "`fairlead intents`" + ` shows it, whatever its kind; or of the drain of an endpoint, pool, AZ or
region NAME; KIND, as after drain, tells names apart that are the same. --for counts from now; forever takes the end away.

An end only ever moves to a later time, by ten seconds or more: of two ends that nodes know, the later one wins. To have an order
end sooner, end it and make a new one. For the time that a drain gains, safety rules may refuse it as they would a new one.

` + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead extend n1-3-17 --for 2h
  fairlead extend az eu-west-1a --for 45m --reason "power work takes longer, CHG-1234"`,
		Args: exit.Args(cobra.RangeArgs(1, 2)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&duration, "for", "", "how long from now on, as 90s, 45m or 2h, or forever")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the log")
	cmd.Flags().BoolVar(&req.Wait, "wait", false, "wait until every node of the cluster has it")
	dryRunVar(cmd, &req.DryRun)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if duration == "" {
			return exit.Usagef(cmd, "--for is required: how long from now on?")
		}
		if req.Forever = duration == "forever"; !req.Forever {
			d, err := time.ParseDuration(duration)
			if err != nil || d < time.Second {
				return exit.Usagef(cmd, "--for %q: want a duration of a second or more, or forever", duration)
			}
			req.ForSeconds = d.Seconds()
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		return extend(cmd, c, output, args, req)
	}
	return cmd
}

// extend moves the end of the one intent that args name: ID, NAME, or KIND and NAME.
func extend(cmd *cobra.Command, c *client, output *outputFlag, args []string, req api.ExtendRequest) error {
	ctx := exit.OrBackground(cmd.Context())
	var list api.Intents
	if err := into(&list)(c.Intents(ctx)); err != nil {
		return err
	}
	name, kind := typedKind(args)
	matched, _ := matchIntents(list.Intents, kind, name, "")
	switch len(matched) {
	case 0:
		return noDrain(list.Intents, args)
	case 1:
	default:
		var ids []string
		for _, i := range matched {
			ids = append(ids, i.ID)
		}
		return exit.WithHint(fmt.Errorf("%s is ambiguous", name), "name one of %s", exit.OrList(ids))
	}
	var i api.Intent
	if err := ordered(into(&i)(c.Extend(ctx, matched[0].ID, req))); err != nil {
		if e, ok := errors.AsType[*exit.Error](err); ok && e.Code == exit.Refused {
			e.Hint = "an extension overrides no rule: make a new one with --override, and `fairlead undrain " + matched[0].ID + "`"
		}
		return err
	}
	w, text := cmd.OutOrStdout(), fmt.Sprintf("%s: %s %s", i.ID, intentWhat(&i), intentUntil(&i, time.Now()))
	if req.DryRun {
		return output.tell(w, nil, &i, "dry run, nothing has changed: "+text)
	}
	if err := output.tell(w, nil, &i, text); err != nil {
		return err
	}
	return confirmed(output.text(w), req.Wait, i.Missing)
}

// resumeCommand stands below drain.
func resumeCommand() *cobra.Command {
	req := api.ResumeRequest{Actor: actor()}
	cmd := &cobra.Command{
		Use:   "resume ID --reason TEXT",
		Short: "put a drain in force that a safety rule suspends",
		Long: `Resume is an operator's word against a safety rule. Two sides of a partition can each accept a drain that the other one's would
have been refused for; when they meet again one of the two is suspended, as ` + "`fairlead intents`" + ` and status show it. Resume puts
it in force all the same: a new intent takes its place, with the same scope and end, that overrides the rule. ID may be that of a
weight or a force as well. If another rule would hold it back too, --override names that.

` + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead drain resume n2-3-17 --reason "the other AZ is empty anyway, CHG-1234"`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; shown to everybody who looks at the status")
	cmd.Flags().BoolVar(&req.Wait, "wait", false, "wait until every node of the cluster has it")
	cmd.Flags().StringSliceVar(&req.Override, "override", nil, "another safety rule that shall not hold it back")
	dryRunVar(cmd, &req.DryRun)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if req.Reason == "" {
			return exit.Usagef(cmd, "--reason is required: it is what the next person reads")
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx := exit.OrBackground(cmd.Context())
		if req.DryRun {
			return c.dryRun(cmd, output)(c.PreviewResume(ctx, args[0], req))
		}
		var i api.Intent
		if err := ordered(into(&i)(c.Resume(ctx, args[0], req))); err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if err := output.tell(w, nil, &i, fmt.Sprintf("%s: %s %s, in the place of %s", i.ID, intentWhat(&i), intentUntil(&i, time.Now()), args[0])); err != nil {
			return err
		}
		return confirmed(output.text(w), req.Wait, i.Missing)
	}
	return cmd
}
