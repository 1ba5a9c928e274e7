package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "what is down, since when and why, who says so, and what clients get now",
		Long: `Status asks a running node what it believes and what it answers, and prints what is wrong first: files that are
not in use, endpoints that are not up (since when, why, the probe that says so), then each pool, then what each service
answers: why, from which tier, with which TTL, the share of every pool, AZ and endpoint, and the staleness bound.

` + watchHelp + `

Times are in UTC. A state is shown as shape and word: ● up, ▲ suspect, ■ down, ⏸ drained, ○ unknown; also in colour on a
terminal unless NO_COLOR is set. With many services or pools the healthy ones are cut short; --all shows them.

` + serverHelp + `

Exit codes: 0 all is well, 1 the node cannot be reached, 2 wrong usage, 3 something is degraded.`,
		Example: `  fairlead status
  fairlead status --watch
  fairlead status -o json | jq '.zones[].pools[].endpoints[] | select(.state == "down")'
  fairlead status --server unix:/run/fairlead/admin.sock`,
		Args: exit.Args(cobra.NoArgs),
	}
	all := cmd.Flags().Bool("all", false, "list every pool and service in full, as -o wide does")
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			s, err := c.Status(ctx)
			if err != nil {
				return shown{}, err
			}
			out := shown{doc: s, write: func(d drawing) { report{status: s, style: d.style, all: *all || d.wide}.write(d) }}
			if degraded(s) {
				out.end = exit.Silent(exit.Degraded)
			}
			return out, nil
		})
	}
	return cmd
}

// degraded tells whether an operator has something to look at.
func degraded(s *api.Status) bool { return s.Degraded || !s.Ready }
