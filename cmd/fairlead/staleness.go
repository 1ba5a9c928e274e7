package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func stalenessCommand() *cobra.Command {
	var output string
	var again bool
	cmd := &cobra.Command{
		Use:   "staleness [SERVICE]",
		Short: "until when caches can still hold what is not answered any more",
		Long: `Staleness says of every service how long caches can still point at the endpoints that it does not answer any more:
three lines, always together, then each such endpoint with the nodes that have confirmed that they left it, and how many
answers of this node that name it caches may still hold.

The first line is a promise: it is unknown, with the names of the nodes, as long as a configured node has not confirmed. A
node confirms when the last answer that names the endpoint has been written; where a node cannot be heard, somebody has to
say that it does not run: ` + "`fairlead nodes stopped NAME`" + `.

` + serverHelp + `

Exit codes: 0 every bound is known, 1 the node cannot be reached, 2 wrong usage, 3 a bound is unknown.`,
		Example: `  fairlead staleness
  fairlead staleness www.example.org --watch
  fairlead staleness -o json | jq '.services[] | {service, safe_at, remaining_seconds, unknown}'`,
		Args: usageArgs(cobra.MaximumNArgs(1)),
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	cmd.Flags().BoolVarP(&again, "watch", "w", false, "ask again every second until Ctrl-C")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := choice(cmd, "output", output, "table", "json"); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		path := api.StalenessPath
		if len(args) > 0 {
			path += "?service=" + url.QueryEscape(args[0])
		}
		once := func(ctx context.Context) error { return printStaleness(ctx, c, path, output, again, cmd.OutOrStdout()) }
		if again {
			return watch(cmd.Context(), once)
		}
		return once(orBackground(cmd.Context()))
	}
	return cmd
}

func printStaleness(ctx context.Context, c *client, path, output string, again bool, w io.Writer) error {
	var s api.Staleness
	if err := c.call(ctx, http.MethodGet, path, nil, &s); err != nil {
		return err
	}
	if output == "json" {
		if err := json.NewEncoder(w).Encode(s); err != nil {
			return err
		}
	} else {
		st := styleFor(w)
		if again {
			home(w, st)
		}
		writeStaleness(w, &s, st)
	}
	for _, svc := range s.Services {
		if svc.SafeAt == nil && len(svc.Departures) > 0 {
			return silent(exitDegraded)
		}
	}
	return nil
}

func writeStaleness(w io.Writer, s *api.Staleness, st style) {
	fmt.Fprintf(w, "node %s at %s\n", s.Node, clock(s.At, s.At))
	for i := range s.Services {
		svc := &s.Services[i]
		fmt.Fprintf(w, "\n%s  promised: at most %s", st.paint(bold, svc.Service), seconds(svc.BoundSeconds))
		if svc.TargetSeconds > 0 {
			fmt.Fprintf(w, ", target %s", seconds(svc.TargetSeconds))
		}
		if svc.RTOSeconds > 0 {
			fmt.Fprintf(w, ", RTO %s", seconds(svc.RTOSeconds))
		}
		fmt.Fprintln(w)
		for k, line := range svc.Lines {
			colour := ""
			if k == 0 && svc.SafeAt == nil && len(svc.Departures) > 0 {
				colour = yellow
			}
			fmt.Fprintln(w, "  "+st.paint(colour, line))
		}
		for _, v := range svc.Void {
			fmt.Fprintf(w, "  %s\n", st.paint(red, fmt.Sprintf("void: %s served it again at %s", v.Node, clock(v.At, s.At))))
		}
		departuresTable(svc.Departures, s.At).write(w, st, "  ")
	}
}

// departuresTable is the endpoints that are out, and who has said so.
func departuresTable(all []api.DepartureStaleness, now time.Time) *table {
	t := newTable("STATE", "ENDPOINT", "LEFT", "FORGOTTEN", "CONFIRMED BY", "IN CACHES")
	t.alignRight(5)
	for i := range all {
		d := &all[i]
		m := departureMark(d.State)
		forgotten := "unknown"
		if d.SafeAt != nil {
			forgotten = clock(*d.SafeAt, now)
			if *d.RemainingSeconds > 0 {
				forgotten += " (in " + age(time.Duration(*d.RemainingSeconds*float64(time.Second))) + ")"
			}
		}
		t.add(m.colour, m.text(), d.Endpoint, since(d.LeftAt, now), forgotten, strings.Join(d.ConfirmedBy, " "), fmt.Sprint(d.Outstanding))
	}
	return t
}

func departureMark(state string) mark {
	switch state {
	case "drained":
		return markOf(health.Drained, "")
	case "down":
		return markOf(health.Down, "")
	}
	return markOf(health.Unknown, state)
}
