package main

import (
	"context"
	"os"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func freezeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "freeze --reason TEXT",
		Short: "stop every automatic verdict of the cluster until unfreeze",
		Long: `Freeze keeps every verdict as it is, on every node: no endpoint leaves or returns by health until ` + "`fairlead unfreeze`" + `. Probing
goes on, and what was seen meanwhile counts at once afterwards. What was judged before goes its way: holds and ramps of pools on their way
back go on, and so do orders. It outlives restarts, and status shows it as degraded.

Use it when probes are wrong and endpoints are right.

` + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead freeze --reason "probe network is down, CHG-1234"`,
		Args:    exit.Args(cobra.NoArgs),
	}
	server, output, dryRun := addServerFlag(cmd), addOutputFlag(cmd), addDryRunFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; shown to everybody who looks at the status")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if reason == "" {
			return exit.Usagef(cmd, "--reason is required: it is what the next person reads")
		}
		return postFreeze(cmd, *server, output, (*adminapi.Client).Freeze, api.FreezeRequest{Actor: actor(), Reason: reason, DryRun: *dryRun})
	}
	return cmd
}

func unfreezeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:     "unfreeze",
		Short:   "let verdicts move again",
		Long:    "Unfreeze ends a freeze. What the probes saw meanwhile counts at once.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead unfreeze`,
		Args:    exit.Args(cobra.NoArgs),
	}
	server, output, dryRun := addServerFlag(cmd), addOutputFlag(cmd), addDryRunFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return postFreeze(cmd, *server, output, (*adminapi.Client).Unfreeze, api.FreezeRequest{Actor: actor(), Reason: reason, DryRun: *dryRun})
	}
	return cmd
}

func postFreeze(cmd *cobra.Command, server access, output *outputFlag, give func(*adminapi.Client, context.Context, api.FreezeRequest) (*api.Freeze, error), req api.FreezeRequest) error {
	if err := output.check(cmd); err != nil {
		return err
	}
	c, err := newClient(server)
	if err != nil {
		return err
	}
	f, err := give(c.Client, exit.OrBackground(cmd.Context()), req)
	if err != nil {
		return err
	}
	if req.DryRun {
		return output.tell(cmd.OutOrStdout(), nil, f, wouldFreeze(f))
	}
	text := "not frozen: verdicts move by themselves"
	if f.Frozen {
		text = "frozen: no verdict moves by itself; `fairlead unfreeze` ends it"
	}
	return output.tell(cmd.OutOrStdout(), nil, f, text)
}

// wouldFreeze is what a freeze, or its end, would do.
func wouldFreeze(f *api.Freeze) string {
	text := "dry run, nothing has changed: verdicts would move by themselves"
	if f.Frozen {
		text = "dry run, nothing has changed: no verdict would move by itself"
	}
	switch n := len(f.Otherwise); {
	case n == 0:
		return text + "; what this node's probes see now is what the verdicts say"
	case f.Frozen:
		return text + "; this node's probes see otherwise what would stay as it is: " + firsts(f.Otherwise, ", ")
	}
	return text + "; this node's probes see otherwise, so that it may move at once: " + firsts(f.Otherwise, ", ")
}

// actor is who asks, as this machine knows them: behind sudo, who called it. --as goes before that.
func actor() string {
	if by := os.Getenv("SUDO_USER"); by != "" && os.Getuid() == 0 {
		return by
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
