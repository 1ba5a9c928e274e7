package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// completionTimeout is how long a shell waits for a node's names: a person has a key pressed.
const completionTimeout = time.Second

func completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "print a script that has a shell complete commands, flags and names",
		Long: `Completion prints a script for a shell. With it, TAB completes commands and flags, and the names of zones, services, pools,
endpoints, regions, AZs, nodes and intents: those of the node that the command itself would ask. When no node answers within a second
there are none, and nothing is said.

Exit codes: 0 done, 2 wrong usage.`,
		Example: `  source <(fairlead completion bash)
  fairlead completion bash > /etc/bash_completion.d/fairlead
  fairlead completion zsh > "${fpath[1]}/_fairlead"
  fairlead completion fish > ~/.config/fish/completions/fairlead.fish
  fairlead completion powershell | Out-String | Invoke-Expression`,
		Args:      exit.Args(cobra.ExactArgs(1)),
		ValidArgs: shells,
		RunE: func(cmd *cobra.Command, args []string) error {
			root, w := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(w, true)
			case "zsh":
				return root.GenZshCompletion(w)
			case "fish":
				return root.GenFishCompletion(w, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(w)
			}
			return exit.Usagef(cmd, "%q: want %s", args[0], exit.OrList(shells))
		},
	}
}

// A source has words for a place on the command line; args are those before it.
type source func(ctx context.Context, c *client, args []string) []string

// only is a source of fixed words.
func only(words ...string) source {
	return func(context.Context, *client, []string) []string { return words }
}

// both is a source of what two have.
func both(a, b source) source {
	return func(ctx context.Context, c *client, args []string) []string {
		return slices.Concat(a(ctx, c, args), b(ctx, c, args))
	}
}

// places are the sources for the arguments of each command, by its path below the root. The others have no arguments, or files.
func places() map[string][]source {
	pools, services, nodes := named("pool"), named("service"), named("node")
	var kindWords []string
	for _, k := range kinds() {
		kindWords = append(kindWords, k.names[0])
	}
	contexts := func(context.Context, *client, []string) []string { return contextNames() }
	intents := both(intentIDs(""), only(drainKinds...))
	return map[string][]source{
		"get":            {only(kindWords...), ofKind},
		"describe":       {only(describeKinds...), ofKind},
		"drain":          {only(drainKinds...), ofKind},
		"safe":           {only(drainKinds...), ofKind},
		"drain resume":   {intentIDs(api.IntentSuspended)},
		"undrain":        {intents, ofKind},
		"extend":         {intents, ofKind},
		"force":          {only("endpoint"), ofKind, only("up", "down", "auto")},
		"weight":         {pools},
		"ready":          {pools},
		"unready":        {pools},
		"failback":       {pools},
		"probe":          {named("endpoint")},
		"explain":        {services, only("A", "AAAA", "CNAME", "HTTPS", "SRV", "TXT")},
		"staleness":      {services},
		"delegation":     {named("zone")},
		"nodes waive":    {nodes},
		"nodes stopped":  {nodes},
		"nodes remove":   {nodes},
		"context use":    {contexts},
		"context delete": {contexts},
		"schema":         {only("zone", "node", "crd")},
		"demo break":     {only("az", "endpoint"), ofKind},
		"demo heal":      {only("az", "endpoint", "node"), ofKind},
		"demo cut":       {only("node"), ofKind},
	}
}

// flagNames are the kinds of things whose names flags take.
var flagNames = map[string]string{"zone": "zone", "region": "region", "az": "az", "pool": "pool", "service": "service"}

// choices are the flags whose help text begins with all their values.
var choices = []string{"output", "color", "role"}

// addCompletion has every command below root complete its arguments and flags.
func addCompletion(root *cobra.Command) {
	all := places()
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		path := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), root.Name()), " ")
		if sources, ok := all[path]; ok {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				if len(args) >= len(sources) {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				words, directive := complete(cmd, sources[len(args)], args, typed)
				if path == "weight" {
					for i := range words {
						words[i] += "="
					}
					directive |= cobra.ShellCompDirectiveNoSpace
				}
				return words, directive
			}
		}
		flag := func(f *pflag.Flag) { completeFlag(cmd, f) }
		cmd.LocalNonPersistentFlags().VisitAll(flag)
		cmd.PersistentFlags().VisitAll(flag)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
}

// completeFlag has cmd complete the values of f.
func completeFlag(cmd *cobra.Command, f *pflag.Flag) {
	var from source
	switch what := flagNames[f.Name]; {
	case what != "":
		from = named(what)
	case slices.Contains(choices, f.Name):
		list, _, _ := strings.Cut(f.Usage, ";")
		from = only(strings.FieldsFunc(strings.ReplaceAll(list, " or ", ","), func(r rune) bool { return r == ',' || r == ' ' })...)
	case f.Name == "context":
		from = func(context.Context, *client, []string) []string { return contextNames() }
	case f.Name == "node" && f.Annotations[accessFlag] != nil:
		completeNode(cmd)
		return
	case f.Name == "state":
		from = only("up", "suspect", "down", "drained", "unknown")
	case f.Name == "override":
		from = only("never_empty", "keep_regions", "keep_azs", "max_drained")
	default:
		return
	}
	// It refuses a flag that has a function already; each is visited once.
	_ = cmd.RegisterFlagCompletionFunc(f.Name, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return complete(cmd, from, args, typed)
	})
}

// complete are the words of a source that begin with what was typed, sorted, each once.
func complete(cmd *cobra.Command, from source, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(exit.OrBackground(cmd.Context()), completionTimeout)
	defer cancel()
	// A client that cannot be made leaves what needs none.
	c, _ := newClient(accessOf(cmd))
	var out []string
	for _, word := range from(ctx, c, args) {
		// ZONE/POOL/ENDPOINT may be typed as POOL/ENDPOINT or ENDPOINT.
		for rest, more := word, true; more; _, rest, more = strings.Cut(rest, "/") {
			if strings.HasPrefix(rest, typed) {
				out = append(out, rest)
				break
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out), cobra.ShellCompDirectiveNoFileComp
}

// ofKind are the names of the kind that the first argument names.
func ofKind(ctx context.Context, c *client, args []string) []string {
	return named(args[0])(ctx, c, args)
}

// named is a source of the full names of a kind.
func named(what string) source {
	return func(ctx context.Context, c *client, _ []string) []string {
		if what == "cluster" && c != nil {
			return clusterNames(ctx, c)
		}
		k, ok := kindNamed(kinds(), what)
		if !ok || c == nil {
			return nil
		}
		s, _, err := k.list(ctx, c, url.Values{})
		if err != nil {
			return nil
		}
		return namesIn(s.doc)
	}
}

// namesIn are the full names in a list of the API.
func namesIn(doc any) []string {
	switch l := doc.(type) {
	case *api.Zones:
		return terminal.Each(l.Zones, func(z api.ZoneItem) string { return terminal.Display(z.Name) })
	case *api.Services:
		return terminal.Each(l.Services, func(s api.ServiceItem) string { return terminal.Display(s.Name) })
	case *api.Pools:
		return terminal.Each(l.Pools, func(p api.PoolItem) string { return terminal.Display(p.Zone) + "/" + p.Name })
	case *api.Endpoints:
		return terminal.Each(l.Endpoints, fullName)
	case *api.Regions:
		return terminal.Each(l.Regions, func(a api.Area) string { return a.Name })
	case *api.AZs:
		return terminal.Each(l.AZs, func(a api.Area) string { return a.Name })
	case *api.Nodes:
		return terminal.Each(l.Nodes, func(n api.Node) string { return n.Name })
	case *api.Intents:
		return terminal.Each(l.Intents, func(i api.Intent) string { return i.ID })
	}
	return nil
}

// intentIDs is a source of the ids of intents, each with what it is; with a state only those.
func intentIDs(state string) source {
	return func(ctx context.Context, c *client, _ []string) []string {
		if c == nil {
			return nil
		}
		s, _, err := listIntents(ctx, c, url.Values{})
		if err != nil {
			return nil
		}
		var out []string
		for _, i := range s.doc.(*api.Intents).Intents {
			if state == "" || i.State == state {
				out = append(out, i.ID+"\t"+strings.TrimSpace(i.Kind+" "+i.Scope.Kind+" "+i.Scope.Name))
			}
		}
		return out
	}
}
