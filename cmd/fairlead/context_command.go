package main

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
)

const contextHelp = `A context is a cluster as commands reach it: the addresses of its nodes by name, and the login. With one in use
` + "`fairlead status`" + ` asks its node, and ` + "`fairlead status --node n3`" + ` another one. Contexts stand in the file
fairlead/contexts.json of the user's configuration directory (~/.config), or where ` + contextsEnv + ` says. It holds paths of
files with tokens and keys, and no token.

While a demo of this user runs there is a context ` + demoContext + ` with its nodes. --node works with it also when none is in use.`

func contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "the clusters that commands can ask, and which of them is in use",
		Long:  "Context lists the contexts, the one in use with ●.\n\n" + contextHelp + "\n\nExit codes: 0 done, 1 no such context, 2 wrong usage.",
		Example: `  fairlead context set prod --node n1=https://n1.example.org:8443 --node n2=https://n2.example.org:8443 --token-file ~/prod.token
  fairlead context use prod
  fairlead status --node n2
  fairlead status --context demo --node n3`,
		Args: exit.Args(cobra.NoArgs),
	}
	output := addOutputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		f, err := readContexts()
		if err != nil {
			return err
		}
		if output.machine() {
			return output.print(cmd.OutOrStdout(), f)
		}
		writeContexts(cmd, f)
		return nil
	}
	cmd.AddCommand(contextSetCommand(), contextUseCommand(), contextDeleteCommand())
	return cmd
}

func writeContexts(cmd *cobra.Command, f *contextFile) {
	w := cmd.OutOrStdout()
	if len(f.Contexts) == 0 {
		fmt.Fprintln(w, "none; `fairlead context set NAME --node n1=https://HOST:PORT` makes one")
		return
	}
	t := terminal.NewTable("IN USE", "NAME", "NODE", "ADDRESS", "LOGIN")
	for _, name := range slices.Sorted(maps.Keys(f.Contexts)) {
		x := f.Contexts[name]
		for _, node := range slices.Sorted(maps.Keys(x.Nodes)) {
			used, colour, first := "", "", node == x.node()
			if first && name == f.Current {
				used, colour = health.Up.Shape(), terminal.Green
			}
			login := "-"
			switch server := x.Nodes[node]; {
			case !strings.HasPrefix(server, "https:"):
			case x.Cert != "":
				login = "certificate " + x.Cert
			case x.TokenFile != "":
				login = "token in " + x.TokenFile
			default:
				login = "token in " + tokenEnv
			}
			t.Add(colour, used, name, node, x.Nodes[node], login)
		}
	}
	t.Write(w, terminal.StyleFor(w), "")
}

func contextSetCommand() *cobra.Command {
	var x serverContext
	var first string
	cmd := &cobra.Command{
		Use:   "set NAME --node NODE=ADDRESS...",
		Short: "make a context, or another one of it",
		Long: `Set writes a context as a whole: what stood under the name goes. ADDRESS is https://HOST:PORT or unix:PATH. No node is asked.

` + contextHelp + "\n\nExit codes: 0 done, 1 the file cannot be written, 2 wrong usage.",
		Example: `  fairlead context set prod --node n1=https://n1.example.org:8443 --node n2=https://n2.example.org:8443 --token-file ~/prod.token`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	flags := cmd.Flags()
	flags.StringToStringVar(&x.Nodes, "node", nil, "a node and its address, NODE=ADDRESS; once for each node")
	flags.StringVar(&first, "first", "", "the node that is asked without --node (default: the first by name)")
	flags.StringVar(&x.TokenFile, "token-file", "", "file with the bearer token (default: $"+tokenEnv+")")
	flags.StringVar(&x.CA, "ca", "", "file of the CA that signed the nodes' certificates (default: the system's)")
	flags.StringVar(&x.Cert, "cert", "", "file of the client certificate")
	flags.StringVar(&x.Key, "key", "", "file of its key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		x.Node = first
		if err := x.validate(cmd, args[0]); err != nil {
			return err
		}
		f, err := readContexts()
		if err != nil {
			return err
		}
		f.Contexts[args[0]] = &x
		if err := f.write(); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "context %s has %s", args[0], terminal.Count(len(x.Nodes), "node"))
		if f.Current != args[0] {
			fmt.Fprintf(cmd.OutOrStdout(), "; `fairlead context use %s` has commands ask it", args[0])
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return nil
	}
	return cmd
}

// validate tells whether a context can be used, and makes its paths absolute: it is read from other directories too.
func (x *serverContext) validate(cmd *cobra.Command, name string) error {
	if name == "" || strings.ContainsAny(name, " \t\r\n") {
		return exit.Usagef(cmd, "%q is no name of a context", name)
	}
	if len(x.Nodes) == 0 {
		return exit.Usagef(cmd, "--node NODE=ADDRESS is required")
	}
	for node, server := range x.Nodes {
		var err error
		if strings.HasPrefix(server, "https:") {
			_, err = parseRemote(server, "--node "+node)
		} else {
			_, _, err = parseServer(server, "--node "+node)
		}
		if err != nil {
			return err
		}
	}
	if _, ok := x.Nodes[x.Node]; !ok && x.Node != "" {
		return exit.Usagef(cmd, "--first %s: no --node has that name", x.Node)
	}
	if (x.Cert == "") != (x.Key == "") {
		return exit.Usagef(cmd, "--cert and --key go together")
	}
	for _, path := range []*string{&x.TokenFile, &x.CA, &x.Cert, &x.Key} {
		if *path == "" {
			continue
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = full
	}
	return nil
}

func contextUseCommand() *cobra.Command {
	var none bool
	cmd := &cobra.Command{
		Use:   "use NAME|--none",
		Short: "have commands ask the nodes of a context from now on",
		Long: `Use has every command of this user ask a node of the context, unless --server, --context or one of the environment variables
` + serverEnv + ` and ` + contextEnv + ` says otherwise. With --none commands find the node as they do without contexts.

` + contextHelp + "\n\nExit codes: 0 done, 1 no such context, 2 wrong usage.",
		Example: "  fairlead context use prod\n  fairlead context use --none",
		Args:    exit.Args(cobra.MaximumNArgs(1)),
	}
	cmd.Flags().BoolVar(&none, "none", false, "no context")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if none == (len(args) == 1) {
			return exit.Usagef(cmd, "name a context, or --none")
		}
		f, err := readContexts()
		if err != nil {
			return err
		}
		f.Current = ""
		if !none {
			if _, err := f.named(args[0]); err != nil {
				return err
			}
			f.Current = args[0]
		}
		if err := f.write(); err != nil {
			return err
		}
		if none {
			fmt.Fprintln(cmd.OutOrStdout(), "no context is in use")
			return nil
		}
		x := f.Contexts[f.Current]
		fmt.Fprintf(cmd.OutOrStdout(), "commands ask node %s of context %s, at %s\n", x.node(), f.Current, x.Nodes[x.node()])
		return nil
	}
	return cmd
}

func contextDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "forget a context",
		Long:    "Delete takes a context out of the file. The files that it names stay.\n\nExit codes: 0 done, 1 no such context, 2 wrong usage.",
		Example: "  fairlead context delete prod",
		Args:    exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := readContexts()
			if err != nil {
				return err
			}
			if _, err := f.named(args[0]); err != nil {
				return err
			}
			delete(f.Contexts, args[0])
			more := ""
			if f.Current == args[0] {
				f.Current, more = "", "; no context is in use"
			}
			if err := f.write(); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "context %s is forgotten%s\n", args[0], more)
			return nil
		},
	}
}

// contextNames are the names of the contexts, for completion.
func contextNames() []string {
	f, err := readContexts()
	if err != nil {
		return nil
	}
	return slices.Collect(maps.Keys(f.Contexts))
}

// completeNode has cmd complete --node: the nodes of the context that it would ask, which it does not.
func completeNode(cmd *cobra.Command) {
	// It refuses a flag that has a function already; each is visited once.
	_ = cmd.RegisterFlagCompletionFunc("node", func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		f, err := readContexts()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a := accessOf(cmd)
		x := f.Contexts[cmp.Or(a.context, os.Getenv(contextEnv), f.Current, demoContext)]
		if x == nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := slices.DeleteFunc(slices.Sorted(maps.Keys(x.Nodes)), func(n string) bool { return !strings.HasPrefix(n, typed) })
		return names, cobra.ShellCompDirectiveNoFileComp
	})
}
