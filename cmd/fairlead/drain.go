package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// drainKinds are what can be drained by command.
var drainKinds = []string{"endpoint", "pool", "az", "region", "cluster", "node", "shards"}

func drainCommand() *cobra.Command {
	var f orderFlags
	var to string
	cmd := &cobra.Command{
		Use:   "drain endpoint|pool|az|region|cluster|node|shards NAME --reason TEXT",
		Short: "take an endpoint, a pool, an AZ, a region, shards or a Kubernetes cluster out of answers for a time, or a node out of the votes",
		Long: `Drain keeps what NAME names out of the answers of all services, or of one, whatever health says. It outlives a restart and
ends by itself: after an hour unless --for says otherwise; forever must be typed. Several drains of one thing stand beside each
other. A pool or an AZ comes back through its failback.

NAME of an endpoint is ENDPOINT, POOL/ENDPOINT or ZONE/POOL/ENDPOINT, of a pool POOL or ZONE/POOL; AZs and regions are those of
all zones. A cluster is one of Kubernetes: what it gives the pools is drained, and what it comes to give while the drain lasts. A node that is drained goes on answering; it abstains as a vantage and is not ready, so that what balances load between
nodes leaves it out.

Shards, as 17 or 0-9,200-219, are those of the one --service: they leave their home, for the pool --to or for those that take over from
it (failover), and nothing else moves. That is how a rebalancing is cut over in a planned way: with --at no answer about the shards
outlives that instant by more than ttl.min; the file follows while the order stands, and then the order may end, for it changes nothing any more.
--wait=forgotten waits until ` + "`fairlead safe shards`" + ` says yes: no honest cache sends anybody to where they were.

The safety rules of each service refuse what would leave too little: never_empty, keep_regions, keep_azs, max_drained. They look
at the configuration and the other drains, never at health. The rule rpo refuses what would move a service to a pool that keeps data
and is further behind than the service's rpo, capacity what leaves less than carries the demand of a service. --dry-run changes nothing: it shows which answers would change, before
and after, what a rule would refuse, and when honest caches would have forgotten.

With --lifeboat the order, and the events about it, say that who still arrives there is to be forwarded: ` + "`fairlead lifeboat`" + ` does
that, on the machines that are left, started by a hook, by hand or by systemd. The rule capacity refuses the order where the lifeboat
could forward to nobody, for who is in service would get more than it carries.

` + confirmHelp + "\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead drain az eu-west-1a --for 2h --reason "power work, CHG-1234"
  fairlead drain pool web-eu --service www.gslb.example.org --reason "canary failed"
  fairlead drain region eu-west --reason "evacuation" --dry-run
  fairlead drain cluster eu-1 --for 2h --reason "1.38 upgrade"
  fairlead drain shards 0-99 --service orders.gslb.example.org --to web-us --at +5m --for 2h --reason "rebalancing"
  fairlead drain az eu-west-1a --at +15m --for 2h --reason "power work"
  fairlead drain region eu-west --reason "evacuation" --override keep_regions`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	f.add(cmd)
	boat := cmd.Flags().Bool("lifeboat", false, "ask for a lifeboat at the site that is left: the order and its events say so, for hooks")
	cmd.Flags().StringVar(&to, "to", "", "of shards: the pool that is to be their home")
	cmd.AddCommand(resumeCommand())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := kindOf(cmd, args[0], drainKinds)
		if err != nil {
			return err
		}
		f.shards = kind == "shards"
		req, err := f.request(cmd, "drain")
		if err != nil {
			return err
		}
		req.Scope, req.Lifeboat = api.Scope{Kind: kind, Name: args[1]}, *boat
		switch {
		case kind == "shards" && f.service == "":
			return exit.Usagef(cmd, "--service is required: shards are those of one service")
		case kind != "shards" && to != "":
			return exit.Usagef(cmd, "--to is for shards")
		case to != "":
			req.Scope.Name += " to " + to
		}
		return f.send(cmd, req)
	}
	return cmd
}

func weightCommand() *cobra.Command {
	var f orderFlags
	cmd := &cobra.Command{
		Use:   "weight POOL=N --reason TEXT",
		Short: "replace the weight of a pool in every tier for a time",
		Long: `Weight gives a pool another weight than the file does, in every tier of all services, or of one. It outlives a restart and ends by
itself: after an hour unless --for says otherwise; forever must be typed. A later weight replaces an earlier one of the same pool
and service. N is 0 to 65535; 0 takes the pool out, and safety rules hold for it as for a drain. A weight of 0 in the file
is no bar.

POOL is POOL or ZONE/POOL; with an endpoint's full name, ZONE/POOL/ENDPOINT=N, it is the endpoint's weight.

` + confirmHelp + "\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead weight web-eu=10 --for 30m --reason "canary at a tenth"`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	f.add(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		name, number, ok := strings.Cut(args[0], "=")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || name == "" || n < 0 || n > health.MaxWeight {
			return exit.Usagef(cmd, "%q: want POOL=N with N from 0 to %d", args[0], health.MaxWeight)
		}
		req, err := f.request(cmd, "weight")
		if err != nil {
			return err
		}
		req.Weight, req.Scope = &n, api.Scope{Kind: "pool", Name: name}
		if strings.Count(name, "/") == 2 {
			req.Scope.Kind = "endpoint"
		}
		return f.send(cmd, req)
	}
	return cmd
}

// typedKind are NAME, or KIND and NAME, as they were typed; ep is endpoint.
func typedKind(args []string) (name, kind string) {
	if len(args) < 2 {
		return args[0], ""
	}
	if k, ok := kindNamed(kinds(), strings.ToLower(args[0])); ok {
		return args[1], k.singular()
	}
	return args[1], args[0]
}

// matchIntents are the intent with that id, or the drains of that name and kind of scope, if one is given, of one service alone if one is
// given, and what they are drains of. Shards are of a service each, and are the same ones wherever the drain takes them.
func matchIntents(all []api.Intent, kind, name, service string) (matched []api.Intent, names []string) {
	for _, i := range all {
		if i.ID == name && kind == "" {
			return []api.Intent{i}, []string{name}
		}
		if kind != "" && i.Scope.Kind != kind || service != "" && terminal.Display(i.Service) != terminal.Display(service) {
			continue
		}
		moved := i.Scope.Kind == "shards" && strings.HasPrefix(i.Scope.Name, name+" to ")
		if i.Kind != "drain" || i.Scope.Name != name && !moved && !strings.HasSuffix(i.Scope.Name, "/"+name) {
			continue
		}
		matched = append(matched, i)
		what := i.Scope.Kind + " " + i.Scope.Name
		if i.Scope.Kind == "shards" {
			what = "shards " + name + " --service " + terminal.Display(i.Service)
		}
		if !slices.Contains(names, what) {
			names = append(names, what)
		}
	}
	return matched, names
}

func intentsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "intents",
		Short:   "what operators asked for: drains, weights, forces, ready and failback, in force and planned",
		Long:    "Intents lists every order that is in force or planned: what it does, by whom and why, until when, and the rule that suspends it.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead intents`,
		Args:    exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Intents, drawIntents)
	return cmd
}

func drawIntents(d drawing, list *api.Intents) {
	if len(list.Intents) == 0 {
		fmt.Fprintln(d, "none")
		return
	}
	terminal.Say(d.Writer, "%s", briefIntents(list.Intents))
	intentTable(list.Intents, time.Now()).Write(d, d.style, "")
}

// intentTable is one line for each intent, those that have no effect first.
func intentTable(list []api.Intent, now time.Time) *terminal.Table {
	rank := map[string]int{api.IntentDangling: 0, api.IntentSuspended: 0, api.IntentNoEffect: 1, api.IntentInForce: 2, api.IntentPlanned: 3}
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b api.Intent) int { return rank[a.State] - rank[b.State] })
	t := terminal.NewTable("STATE", "ID", "WHAT", "UNTIL", "BY", "WHY")
	for _, i := range list {
		m := intentMark(&i)
		why := i.Reason
		switch i.State {
		case api.IntentSuspended:
			why = terminal.JoinWords("; ", fmt.Sprintf("suspended by %s of %s", i.Rule, terminal.Display(i.RuleService)), why)
		case api.IntentPlanned:
			why = terminal.JoinWords("; ", fmt.Sprintf("starts %s (in %s)", terminal.Clock(i.StartsAt, now), terminal.Age(i.StartsAt.Sub(now))), why)
		}
		if len(i.Override) > 0 {
			why = terminal.JoinWords("; ", why, "overrides "+ruleWords(i.Override))
		}
		t.Add(m.Colour, m.Text(), i.ID, intentWhat(&i), intentUntil(&i, now), i.Actor, terminal.JoinWords("; ", i.Note, why))
	}
	return t
}

// intentMark: a drain in force is blue and a suspended one is trouble; others are no states of endpoints.
func intentMark(i *api.Intent) terminal.Mark {
	switch i.State {
	case api.IntentSuspended:
		return terminal.MarkOf(health.Suspect, "suspended")
	case api.IntentNoEffect:
		return terminal.MarkOf(health.Suspect, "no effect")
	case api.IntentDangling:
		return terminal.MarkOf(health.Suspect, "dangling")
	case api.IntentPlanned:
		return terminal.MarkOf(health.Unknown, "planned")
	}
	if i.Kind == "drain" {
		return terminal.MarkOf(health.Drained, "in force")
	}
	return terminal.MarkOf(health.Up, "in force")
}
