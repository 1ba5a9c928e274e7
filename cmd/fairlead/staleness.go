package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func stalenessCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "staleness [SERVICE]",
		Short: "until when caches can still hold what is not answered any more",
		Long: `Staleness says of every service how long caches can still point at the endpoints that it does not answer any more:
three lines, always together, then each such endpoint with the nodes that have confirmed that they left it, and how many
answers of this node that name it caches may still hold. Of an endpoint that other services answer with there is a "-": answers do
not tell services apart.

The first line is a promise: it is unknown, with the names of the nodes, as long as a configured node has not confirmed. A
node confirms when the last answer that names the endpoint has been written. One that cannot be heard has stopped by itself once
its lease has ended (isolate_after in the node files); without one somebody has to say that it does not run:
` + "`fairlead nodes stopped NAME`" + `.

` + watchHelp + `

` + serverHelp + `

Exit codes: 0 every bound is known, 1 the node cannot be reached, 2 wrong usage, 3 a bound is unknown.`,
		Example: `  fairlead staleness
  fairlead staleness www.example.org --watch
  fairlead staleness -o json | jq '.earlier_unknown, (.services[] | {service, safe_at, unknown})'`,
		Args: exit.Args(cobra.MaximumNArgs(1)),
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			name, err := c.service(ctx, strings.Join(args, ""))
			if err != nil {
				return shown{}, err
			}
			s, err := c.Staleness(ctx, name)
			if err != nil {
				return shown{}, c.suggest(ctx, err, "service", strings.Join(args, ""))
			}
			out := shown{doc: s, write: func(d drawing) { writeStaleness(d, s, d.style) }}
			if s.EarlierUnknown != "" || slices.ContainsFunc(s.Services, func(svc api.ServiceStaleness) bool {
				return len(svc.Departures) > 0 && (svc.SafeAt == nil || len(svc.Secondaries) > 0)
			}) {
				out.end = exit.Silent(exit.Degraded)
			}
			return out, nil
		})
	}
	return cmd
}

func writeStaleness(w io.Writer, s *api.Staleness, st terminal.Style) {
	m, text := briefStaleness(s)
	writeBrief(w, st, m, text)
	for i := range s.Services {
		svc := &s.Services[i]
		promised := "at most " + terminal.Seconds(svc.BoundSeconds)
		if svc.BoundSeconds == 0 {
			// Without a check no failure is seen.
			promised = "nothing: it has no check"
		}
		fmt.Fprintf(w, "\n%s  promised: %s", st.Paint(terminal.Bold, svc.Service), promised)
		if svc.TargetSeconds > 0 {
			fmt.Fprintf(w, ", target %s", terminal.Seconds(svc.TargetSeconds))
		}
		if svc.RTOSeconds > 0 {
			fmt.Fprintf(w, ", RTO %s", terminal.Seconds(svc.RTOSeconds))
		}
		fmt.Fprintln(w)
		for k, line := range svc.Lines {
			colour := ""
			if k == 0 && svc.SafeAt == nil && len(svc.Departures) > 0 {
				colour = terminal.Yellow
			}
			for n, part := range terminal.Fold(line, st.Width-4) {
				if n > 0 {
					part = "  " + part
				}
				fmt.Fprintln(w, "  "+st.Paint(colour, part))
			}
		}
		for _, v := range svc.Void {
			fmt.Fprintf(w, "  %s\n", st.Paint(terminal.Red, fmt.Sprintf("void: %s served it again at %s", v.Node, terminal.Clock(v.At, s.At))))
		}
		departuresTable(svc.Departures, s.At).Write(w, st, "  ")
	}
}

// departuresTable is the endpoints that are out, and who has said so.
func departuresTable(all []api.DepartureStaleness, now time.Time) *terminal.Table {
	t := terminal.NewTable("STATE", "ENDPOINT", "LEFT", "FORGOTTEN", "CONFIRMED BY", "IN CACHES")
	t.AlignRight(5)
	for i := range all {
		d := &all[i]
		m := departureMark(d.State)
		forgotten := "unknown"
		if d.SafeAt != nil {
			forgotten = terminal.Clock(*d.SafeAt, now)
			if *d.RemainingSeconds > 0 {
				forgotten += " (in " + terminal.Age(time.Duration(*d.RemainingSeconds*float64(time.Second))) + ")"
			}
		}
		outstanding := fmt.Sprint(d.Outstanding)
		if d.ServiceOnly {
			outstanding = "-"
		}
		endpoint := d.Endpoint
		if len(d.Names) > 0 {
			endpoint += " as " + terminal.Display(d.Names[0])
		}
		if more := len(d.Names) - 1; more > 0 {
			endpoint += fmt.Sprintf(" and %d more", more)
		}
		t.Add(m.Colour, m.Text(), endpoint, terminal.Since(d.LeftAt, now), forgotten, confirmedBy(&d.Forgetting), outstanding)
	}
	return t
}

func departureMark(state string) terminal.Mark {
	switch state {
	case "drained":
		return terminal.MarkOf(health.Drained, "")
	case "down":
		return terminal.MarkOf(health.Down, "")
	}
	return terminal.MarkOf(health.Unknown, state)
}

// confirmedBy names the nodes that have, and how those of them did that do not answer any more.
func confirmedBy(f *api.Forgetting) string {
	names := slices.Clone(f.ConfirmedBy)
	for i, n := range names {
		if slices.Contains(f.Fenced, n) {
			names[i] = n + " (stopped)"
		}
	}
	return strings.Join(names, " ")
}
