package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// addDryRunFlag gives cmd the flag of the commands that give orders.
func addDryRunFlag(cmd *cobra.Command) *bool {
	on := new(bool)
	dryRunVar(cmd, on)
	return on
}

func dryRunVar(cmd *cobra.Command, on *bool) {
	cmd.Flags().BoolVar(on, "dry-run", false, "show what would change, and change nothing")
}

// dryRun prints the preview that the node answers to an order with dry_run.
func (c *client) dryRun(cmd *cobra.Command, output *outputFlag) func(*api.Preview, error) error {
	return func(p *api.Preview, err error) error {
		if err != nil {
			return ordered(err)
		}
		return c.writePreview(cmd, output, p)
	}
}

// previewEnds prints what would be answered without the orders all; end is a dry run.
func (c *client) previewEnds(ctx context.Context, output *outputFlag, w io.Writer, end api.EndRequest, all []api.Intent) error {
	for _, i := range all {
		end.Also = append(end.Also, i.ID)
	}
	ended, err := c.EndIntent(ctx, all[0].ID, end)
	if err != nil {
		return ordered(err)
	}
	return c.writeEnds(ctx, output, w, ended)
}

// writeEnds prints what would be answered without the orders that would end.
func (c *client) writeEnds(ctx context.Context, output *outputFlag, w io.Writer, ended *api.Intents) error {
	if output.machine() {
		return output.print(w, ended)
	}
	c.writeAlready(ctx, w)
	st := terminal.StyleFor(w)
	m, moves := briefMoves(&ended.Preview.WhatIf)
	writeBrief(w, st, m, fmt.Sprintf("dry run of the end of %s, nothing has changed: %s", firsts(terminal.Each(ended.Intents, func(i api.Intent) string {
		return i.ID + " (" + intentWhat(&i) + ")"
	}), ", "), moves))
	c.writeBack(w, ended)
	writeMovesOf(w, st, &ended.Preview.WhatIf)
	if within := ended.Preview.ForgottenWithinSeconds; within > 0 {
		fmt.Fprintf(w, "what leaves the answers then, honest caches forget within %s\n", terminal.Seconds(within))
	}
	return nil
}

// writeBack says when and how the pools would be back that the orders are about.
func (c *client) writeBack(w io.Writer, ended *api.Intents) {
	now := &api.Status{At: time.Now()}
	for _, z := range ended.Preview.Zones {
		for _, p := range z.Pools {
			of := slices.DeleteFunc(slices.Clone(p.Endpoints), func(e api.Endpoint) bool {
				return !slices.ContainsFunc(ended.Intents, func(i api.Intent) bool { return scopeNames(i.Scope, &z, &p, &e) })
			})
			if len(of) > 0 {
				terminal.Say(w, "%s/%s would be: %s", terminal.Display(z.Name), p.Name, backWhen(now, &p, of))
			}
		}
	}
}
