package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// The values of --wait.
const (
	waitNodes     = "nodes"
	waitForgotten = "forgotten"
)

// checkWait makes sure that what is to be waited for can come.
func (f *orderFlags) checkWait(cmd *cobra.Command, kind string) error {
	if *f.timeout != 0 && f.wait != waitForgotten {
		return exit.Usagef(cmd, "--timeout is for --wait=%s", waitForgotten)
	}
	if f.wait == "" {
		return nil
	}
	if err := exit.Choice(cmd, "wait", f.wait, waitNodes, waitForgotten); err != nil {
		return err
	}
	switch {
	case f.wait != waitForgotten:
	case kind != "drain":
		return exit.Usagef(cmd, "--wait=%s is for drains", waitForgotten)
	case f.service != "" && !f.shards:
		return exit.Usagef(cmd, "--wait=%s: other services go on answering what is drained for one; see `fairlead staleness`", waitForgotten)
	}
	return nil
}

// awaitForgotten waits until what a drain takes out is safe to switch off, or the drain has ended.
func (f *orderFlags) awaitForgotten(cmd *cobra.Command, i *api.Intent) error {
	v := &viewer{output: "table", server: f.server}
	name := i.Scope.Name
	if i.Scope.Kind == "shards" {
		shards, _, _ := strings.Cut(name, " to ")
		name = terminal.Display(i.Service) + "/" + shards
	}
	return v.awaitSafe(cmd, i.Scope.Kind, name, *f.timeout, func(ctx context.Context, c *client) error {
		var list api.Intents
		if err := into(&list)(c.Intents(ctx)); err != nil {
			// The node may be started anew; the next question says so.
			return nil
		}
		if !slices.ContainsFunc(list.Intents, func(o api.Intent) bool { return o.ID == i.ID }) {
			return &exit.Error{Code: exit.Degraded, Err: fmt.Errorf("%s: the drain has ended", i.ID), Hint: "what was drained may be answered again"}
		}
		return nil
	})
}
