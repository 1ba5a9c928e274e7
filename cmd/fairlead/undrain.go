package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func undrainCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "undrain ID|[KIND] NAME",
		Short: "end a drain, or all drains of a name",
		Long: `Undrain ends the intent ID, as ` + "`fairlead intents`" + ` shows it, whatever its kind; or every drain of an endpoint, pool, AZ, region,
cluster or shards NAME; KIND, as after drain, tells names apart that are the same. A drain that was made elsewhere meanwhile stays.

With --service it is every drain of NAME for that service alone. Shards 7 are those of all drains of 7, wherever they go; ` + "`\"7 to POOL\"`" + ` names
those to one pool.

It says when and how what was drained is back: a pool or an AZ that had nothing eligible meanwhile waits for its failback hold, or for a
person. --now is for a drain that was a mistake: it lets those pools in at once, as ` + "`fairlead failback`" + ` does.

` + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead undrain n1-3-17
  fairlead undrain eu-west-1a
  fairlead undrain az eu-west-1a --now --reason "wrong AZ"
  fairlead undrain shards 0-99 --service orders.gslb.example.org
  fairlead undrain shards "0-99 to web-us"`,
		Args: exit.Args(cobra.RangeArgs(1, 2)),
	}
	u := undraining{server: addServerFlag(cmd), output: addOutputFlag(cmd)}
	dryRun := addDryRunFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the log")
	cmd.Flags().StringVar(&u.service, "service", "", "drains for this service alone")
	wait := cmd.Flags().Bool("wait", false, "wait until every node of the cluster knows of the end")
	cmd.Flags().BoolVar(&u.now, "now", false, "let in at once what would wait for its failback hold")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := u.output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*u.server)
		if err != nil {
			return err
		}
		return u.run(exit.OrBackground(cmd.Context()), c, cmd.OutOrStdout(), args, api.EndRequest{Actor: actor(), Reason: reason, Wait: *wait, DryRun: *dryRun})
	}
	return cmd
}

// An undraining is a command that ends drains.
type undraining struct {
	server *access
	output *outputFlag
	now    bool
	// service is the one whose drains are ended; empty for all.
	service string
}

// run ends the intent, or the drains, that args name: ID, NAME, or KIND and NAME.
func (u *undraining) run(ctx context.Context, c *client, w io.Writer, args []string, end api.EndRequest) error {
	var list api.Intents
	if err := into(&list)(c.Intents(ctx)); err != nil {
		return err
	}
	service, err := c.service(ctx, u.service)
	if err != nil {
		return err
	}
	name, kind := typedKind(args)
	matched, names := matchIntents(list.Intents, kind, name, service)
	switch {
	case len(matched) == 0:
		return noDrain(list.Intents, args)
	case len(names) > 1:
		return exit.WithHint(fmt.Errorf("%s is ambiguous", name), "name one of %s", exit.OrList(names))
	}
	if end.DryRun {
		end.Admit = u.now
		return c.previewEnds(ctx, u.output, w, end, matched)
	}
	var late error
	all, text := api.Intents{Intents: []api.Intent{}}, u.output.text(w)
	for _, i := range matched {
		var ended api.Intents
		if err := ordered(into(&ended)(c.EndIntent(ctx, i.ID, end))); err != nil {
			return err
		}
		all.Intents, all.Missing = append(all.Intents, ended.Intents...), ended.Missing
		terminal.Say(text, "%s: %s has ended", i.ID, intentWhat(&i))
		late = errors.Join(late, confirmed(text, end.Wait, ended.Missing))
	}
	if matched[0].Kind == "drain" {
		late = errors.Join(u.back(ctx, c, text, matched[0].Scope, end), late)
	}
	return errors.Join(u.output.print(w, all), late)
}

// noDrain says that nothing is drained under a name, and what was likely meant.
func noDrain(all []api.Intent, args []string) error {
	err := fmt.Errorf("no drain is named %s", strings.Join(args, " "))
	var names []string
	for _, i := range all {
		names = append(names, i.ID)
		if i.Kind == "drain" {
			names = append(names, i.Scope.Name)
		}
	}
	if near := exit.Nearest(args[len(args)-1], names); near != "" {
		return exit.WithHint(err, "did you mean %s?", near)
	}
	return exit.WithHint(err, "see `fairlead intents`")
}

// back says when and how what was drained is back, and lets it in at once if that is wanted.
func (u *undraining) back(ctx context.Context, c *client, w io.Writer, scope api.Scope, end api.EndRequest) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			of := slices.DeleteFunc(slices.Clone(p.Endpoints), func(e api.Endpoint) bool { return !scopeNames(scope, &z, &p, &e) })
			if len(of) == 0 {
				continue
			}
			name := terminal.Display(z.Name) + "/" + p.Name
			if u.now && (p.HeldUntil != nil || p.WaitsFor == "failback") {
				var i api.Intent
				req := api.PoolRequest{Actor: end.Actor, Reason: end.Reason}
				if err := ordered(into(&i)(c.Failback(ctx, z.Name, p.Name, req))); err != nil {
					return err
				}
				terminal.Say(w, "%s: let in at once", name)
				continue
			}
			terminal.Say(w, "%s: %s", name, backWhen(s, &p, of))
		}
	}
	return nil
}

// backWhen is when the endpoints of a pool are answered again that an order has let go.
func backWhen(s *api.Status, p *api.Pool, of []api.Endpoint) string {
	down, drained := 0, ""
	for _, e := range of {
		down += one(e.State == "down")
		if e.Drained != nil {
			drained = e.Drained.Intent
		}
	}
	switch {
	case drained != "":
		return "still drained, by " + drained
	case p.WaitsFor == "ready" || p.WaitsFor == "check":
		return "its gate is closed"
	case down == len(of):
		return "down by health: back once it is up"
	}
	var all []string
	for _, r := range returnsOf(p) {
		if r.AZ != "" && !slices.ContainsFunc(of, func(e api.Endpoint) bool { return e.AZ == r.AZ }) {
			continue
		}
		switch {
		case r.WaitsFor == "failback":
			all = append(all, returnOf(&r)+"waits for `fairlead failback`")
		case r.WaitsFor == "config":
			all = append(all, returnOf(&r)+"waits for a new version of its zone file (failback.mode: never)")
		case r.WaitsFor == "cluster":
			all = append(all, returnOf(&r)+"waits until this node is not isolated any more")
		case r.Percent == 0 && r.Next != nil && r.Next.After(s.At):
			all = append(all, returnOf(&r)+fmt.Sprintf("back at %s (hold %s); `fairlead failback` does not wait", terminal.Clock(*r.Next, s.At), terminal.Age(r.Next.Sub(s.At))))
		case r.Percent > 0 && r.Next != nil:
			all = append(all, returnOf(&r)+fmt.Sprintf("back by steps: %d%% now, more at %s", r.Percent, terminal.Clock(*r.Next, s.At)))
		}
	}
	if all == nil {
		return "back now"
	}
	return strings.Join(all, "; ")
}

// scopeNames tells whether a scope is about an endpoint.
func scopeNames(scope api.Scope, z *api.Zone, p *api.Pool, e *api.Endpoint) bool {
	pool := terminal.Display(z.Name) + "/" + p.Name
	switch scope.Kind {
	case "endpoint":
		return strings.Replace(scope.Name, "./", "/", 1) == pool+"/"+e.Name
	case "pool":
		return strings.Replace(scope.Name, "./", "/", 1) == pool
	case "az":
		return scope.Name == e.AZ
	case "region":
		return scope.Name == p.Region
	case "cluster":
		return strings.HasPrefix(e.Name, scope.Name+".")
	}
	return false
}
