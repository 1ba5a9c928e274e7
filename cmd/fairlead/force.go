package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func forceCommand() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use:   "force endpoint NAME up|down|auto --reason TEXT",
		Short: "have an endpoint count as up or down for a time, whatever its probes say",
		Long: `Force puts an operator's word in the place of the verdict on one endpoint, for all services: up counts as up in service, down as
down. Probing goes on, and status shows both, by whom and until when. It outlives a restart and ends by itself: after an hour unless
--for says otherwise; forever must be typed. auto ends it now. A later force replaces an earlier one of the same endpoint.

Down is a word on health: where nothing else is up, panic and last_good may still answer the endpoint. A drain is stronger: what is
drained is answered by nobody, forced up or not. The safety rules (never_empty, keep_regions, keep_azs, max_drained) look at a force
down as at a drain. Up lets the endpoint's pool and its AZ in at once, past failback; it opens no gate. A freeze stops no force.

NAME is ENDPOINT, POOL/ENDPOINT or ZONE/POOL/ENDPOINT.

` + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead force endpoint web-1a down --for 30m --reason "answers, but with old data, INC-7"
  fairlead force endpoint web-eu/web-1a up --reason "the probe network is down"
  fairlead force endpoint web-1a auto`,
		Args: exit.Args(cobra.ExactArgs(3)),
	}
	f.add(cmd)
	// A force is for all services, and begins now.
	for _, name := range []string{"service", "at"} {
		_ = cmd.Flags().MarkHidden(name)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if _, err := kindOf(cmd, args[0], []string{"endpoint"}); err != nil {
			return err
		}
		if f.service != "" || f.at != "" {
			return exit.Usagef(cmd, "a force is for all services, and begins now")
		}
		switch args[2] {
		case "auto":
			return f.auto(cmd, args[1])
		case "up", "down":
		default:
			return oneOf(cmd, args[2], []string{"up", "down", "auto"})
		}
		req, err := f.request(cmd, "force")
		if err != nil {
			return err
		}
		req.State, req.Scope = args[2], api.Scope{Kind: "endpoint", Name: args[1]}
		return f.send(cmd, req)
	}
	return cmd
}

// auto ends every force on an endpoint.
func (f *orderFlags) auto(cmd *cobra.Command, name string) error {
	if err := f.output.check(cmd); err != nil {
		return err
	}
	c, err := newClient(*f.server)
	if err != nil {
		return err
	}
	ctx := exit.OrBackground(cmd.Context())
	if name, err = c.qualify(ctx, "endpoint", name); err != nil {
		return err
	}
	return f.endForces(ctx, c, cmd.OutOrStdout(), name, api.EndRequest{Actor: actor(), Reason: f.reason, Wait: f.wait != ""})
}

// endForces ends every force on an endpoint, or says what health would decide.
func (f *orderFlags) endForces(ctx context.Context, c *client, w io.Writer, name string, end api.EndRequest) error {
	var list api.Intents
	if err := into(&list)(c.Intents(ctx)); err != nil {
		return err
	}
	list.Intents = slices.DeleteFunc(list.Intents, func(i api.Intent) bool { return i.Kind != "force" || i.Scope.Name != name })
	if len(list.Intents) == 0 {
		return &exit.Error{Code: exit.Conflict, Err: fmt.Errorf("nothing to do: nobody forces endpoint %s", name)}
	}
	text := f.output.text(w)
	if f.dryRun {
		end.DryRun = true
		return c.previewEnds(ctx, f.output, w, end, list.Intents)
	}
	all := api.Intents{Intents: []api.Intent{}}
	for _, i := range list.Intents {
		var ended api.Intents
		if err := ordered(into(&ended)(c.EndIntent(ctx, i.ID, end))); err != nil {
			return err
		}
		all.Intents, all.Missing = append(all.Intents, ended.Intents...), ended.Missing
		terminal.Say(text, "%s: %s has ended: health decides", i.ID, intentWhat(&i))
	}
	if err := f.output.print(w, all); err != nil {
		return err
	}
	return confirmed(text, end.Wait, all.Missing)
}
