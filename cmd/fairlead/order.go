package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// orderExits ends the help text of every command that gives an order.
const orderExits = `Exit codes: 0 done, 1 the node cannot be reached or knows no such thing, 2 wrong usage, 4 refused by a safety rule,
5 in conflict with what is, 6 accepted but not confirmed by all in time.`

// ordered is the error of an order: refusals get exit codes of their own.
func ordered(err error) error {
	p, ok := errors.AsType[*api.Problem](err)
	switch {
	case ok && p.Rule != "":
		return refusedBy(p.Rule, p.Detail)
	case ok && p.Status == http.StatusConflict:
		return &exit.Error{Code: exit.Conflict, Err: errors.New(p.Detail)}
	}
	return err
}

// qualify is the full name of a pool or an endpoint, ZONE/POOL or ZONE/POOL/ENDPOINT, from the end of it that was typed. It
// asks the node only where the name is not full.
func (c *client) qualify(ctx context.Context, kind, name string) (string, error) {
	full := map[string]int{"pool": 2, "endpoint": 3}[kind]
	if full == 0 || strings.Count(name, "/")+1 >= full {
		return name, nil
	}
	s, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	var found, all []string
	for _, z := range s.Zones {
		for _, p := range z.Pools {
			names := []string{terminal.Display(z.Name) + "/" + p.Name}
			if kind == "endpoint" {
				names = names[:0]
				for _, e := range p.Endpoints {
					for _, name := range []string{e.Name, e.Of} {
						if full := terminal.Display(z.Name) + "/" + p.Name + "/" + name; name != "" && !slices.Contains(names, full) {
							names = append(names, full)
						}
					}
				}
			}
			all = append(all, names...)
			for _, n := range names {
				if strings.HasSuffix(n, "/"+name) {
					found = append(found, n)
				}
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		err := fmt.Errorf("no %s is named %s", kind, name)
		if near := exit.Nearest(name, all); near != "" {
			return "", exit.WithHint(err, "did you mean %s?", near)
		}
		return "", err
	}
	return "", exit.WithHint(fmt.Errorf("%s %s is ambiguous", kind, name), "name one of %s", exit.OrList(found))
}

// splitPool is the zone and the pool of a full name.
func splitPool(name string) (zone, pool string) {
	zone, pool, _ = strings.Cut(name, "/")
	return zone, pool
}

// An orderFlags is what drains and weights have in common.
type orderFlags struct {
	service, reason, duration, at string
	override                      []string
	dryRun                        bool
	// shards is set where shards are ordered about, which are those of service.
	shards bool
	// wait is nodes, forgotten, or empty.
	wait    string
	timeout *time.Duration
	output  *outputFlag
	server  *access
}

func (f *orderFlags) add(cmd *cobra.Command) {
	f.server, f.output = addServerFlag(cmd), addOutputFlag(cmd)
	addYesFlag(cmd)
	cmd.Flags().StringVar(&f.service, "service", "", "for one service alone, by its full name (default: all)")
	cmd.Flags().StringVar(&f.duration, "for", "1h", "how long, as 90s, 45m or 2h, or forever")
	cmd.Flags().StringVar(&f.at, "at", "", "when it begins, as +10m or 2026-12-01T03:00:00Z (default: now); --for counts from then")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why; shown to everybody who looks at the status")
	cmd.Flags().StringVar(&f.wait, "wait", "", "nodes: until every node has it, also without a value; forgotten (of a drain): until it is safe to power off, of shards until `safe shards` says yes")
	cmd.Flags().Lookup("wait").NoOptDefVal = waitNodes
	f.timeout = addTimeoutFlag(cmd)
	dryRunVar(cmd, &f.dryRun)
	cmd.Flags().StringSliceVar(&f.override, "override", nil, "safety rule that shall not refuse it: never_empty, keep_regions, keep_azs, max_drained, rpo or capacity")
}

// request is the order that the flags make.
func (f *orderFlags) request(cmd *cobra.Command, kind string) (*api.IntentRequest, error) {
	req := &api.IntentRequest{Kind: kind, Service: f.service, Actor: actor(), Reason: f.reason, Override: f.override, DryRun: f.dryRun, Wait: f.wait != ""}
	if err := errors.Join(f.output.check(cmd), f.checkWait(cmd, kind)); err != nil {
		return nil, err
	}
	if f.reason == "" {
		return nil, exit.Usagef(cmd, "--reason is required: it is what the next person reads")
	}
	start, err := startsIn(f.at, time.Now())
	if err != nil {
		return nil, exit.Usagef(cmd, "--at %w", err)
	}
	req.StartsInSeconds = start.Seconds()
	if req.Forever = f.duration == "forever"; req.Forever {
		return req, nil
	}
	d, err := time.ParseDuration(f.duration)
	if err != nil || d < time.Second {
		return nil, exit.Usagef(cmd, "--for %q: want a duration of a second or more, or forever", f.duration)
	}
	req.ForSeconds = d.Seconds()
	return req, nil
}

// startsIn is how long there is from now until a start that was typed: +DURATION or an instant. Empty is now.
func startsIn(at string, now time.Time) (time.Duration, error) {
	if at == "" {
		return 0, nil
	}
	if text, ok := strings.CutPrefix(at, "+"); ok {
		if d, err := time.ParseDuration(text); err == nil && d >= 0 {
			return d, nil
		}
	}
	t, err := time.Parse(time.RFC3339, at)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q: want +DURATION, as +10m, or an instant, as 2026-12-01T03:00:00Z", at)
	case t.Before(now):
		return 0, fmt.Errorf("%q: that is over", at)
	}
	return t.Sub(now), nil
}

// send sends the order and prints what came of it.
func (f *orderFlags) send(cmd *cobra.Command, req *api.IntentRequest) error {
	c, err := newClient(*f.server)
	if err != nil {
		return err
	}
	ctx := exit.OrBackground(cmd.Context())
	if req.Scope.Name, err = c.qualify(ctx, req.Scope.Kind, req.Scope.Name); err != nil {
		return err
	}
	if req.Service, err = c.service(ctx, req.Service); err != nil {
		return err
	}
	near := func(err error) error {
		return c.suggest(ctx, c.suggest(ctx, err, req.Scope.Kind, req.Scope.Name), "service", strings.TrimSuffix(req.Service, "."))
	}
	if f.dryRun {
		return near(c.dryRun(cmd, f.output)(c.PreviewIntent(ctx, *req)))
	}
	if asks(cmd) {
		if err := confirmOrder(cmd, c, req); err != nil {
			return near(err)
		}
	}
	var i api.Intent
	if err := ordered(into(&i)(c.Intend(ctx, *req))); err != nil {
		return near(err)
	}
	now, starts := time.Now(), ""
	if i.State == api.IntentPlanned {
		starts = fmt.Sprintf("from %s (in %s) ", terminal.Clock(i.StartsAt, now), terminal.Age(i.StartsAt.Sub(now)))
	}
	end := "undrain " + i.ID
	if req.Kind == "force" {
		end = "force endpoint " + req.Scope.Name + " auto"
	}
	out := cmd.OutOrStdout()
	terminal.Say(f.output.text(out), "%s: %s %s%s; `fairlead %s` ends it", i.ID, intentWhat(&i), starts, intentUntil(&i, now), end)
	if err := errors.Join(f.output.print(out, &i), confirmed(f.output.text(out), f.wait != "", i.Missing)); err != nil || f.wait != waitForgotten {
		return err
	}
	return f.awaitForgotten(cmd, &i)
}

// writeLeft says of how much of what services would be left with is up, where that is not all, and warns where it is nothing: no rule
// refuses that, since health may be wrong or mend.
func writeLeft(w io.Writer, left []api.Left) {
	st := terminal.StyleFor(w)
	for _, l := range left {
		switch {
		case l.Endpoints == 0 || l.Up == l.Endpoints:
		case l.Up == 0:
			fmt.Fprintf(w, "%s: %s would be left with %s, none of which is up now\n", st.Paint(terminal.Yellow, "▲ warning"), terminal.Display(l.Service), terminal.Count(l.Endpoints, "endpoint"))
		default:
			terminal.Say(w, "%s would be left with %s, %d up now", terminal.Display(l.Service), terminal.Count(l.Endpoints, "endpoint"), l.Up)
		}
	}
}

// confirmed says which nodes are not known to have an order; with wait that is an exit code of its own.
func confirmed(w io.Writer, wait bool, missing []string) error {
	switch {
	case len(missing) == 0 && wait:
		fmt.Fprintln(w, "every node has it")
	case len(missing) > 0:
		terminal.Say(w, "not confirmed yet by %s", strings.Join(missing, ", "))
	}
	if wait && len(missing) > 0 {
		return exit.Silent(exit.Unconfirmed)
	}
	return nil
}

// intentWhat is what an intent does, in words.
func intentWhat(i *api.Intent) string {
	text := i.Kind + " " + i.Scope.Kind + " " + i.Scope.Name
	if i.Forced != "" {
		text += " " + i.Forced
	}
	if i.Weight != nil {
		text += fmt.Sprintf(" = %d", *i.Weight)
	}
	if i.Service != "" {
		text += " for " + terminal.Display(i.Service)
	}
	return text
}

func intentUntil(i *api.Intent, now time.Time) string { return until(i.EndsAt, now) }

// until is an end, nil for none.
func until(end *time.Time, now time.Time) string {
	if end == nil {
		return "forever"
	}
	return fmt.Sprintf("until %s (%s left)", terminal.Clock(*end, now), terminal.Age(end.Sub(now)))
}

// ruleWords are the rules, for messages.
func ruleWords(override []string) string {
	return strings.Join(slices.Sorted(slices.Values(override)), ", ")
}
