package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func discoveryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "discovery",
		Short: "endpoints that Kubernetes clusters give the pools; accept and adopt",
		Long: `Discovery shows each cluster that zone files take endpoints from: whether it is
read, what is wrong, and what it gives. An endpoint that its cluster does not
name any more is shown with the reason why it stays:

  replaced  its object says other addresses; it leaves when one of them is up
  kept      its object has lost its addresses
  gone      its object is deleted, and the pool needs it or too many would leave

` + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead discovery
  fairlead discovery accept eu-1 --reason "shop is moved, CHG-7"
  fairlead discovery adopt eu-1 --reason "restored from a backup"`,
		Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Discovery, func(d drawing, got *api.Discovery) { writeDiscovery(d, got) })
	cmd.AddCommand(
		discoveryOrder("accept CLUSTER", "let go of the endpoints that a cluster does not name any more",
			`Accept has all endpoints leave at once that the cluster does not name any more,
also the last ones of a pool. It can be asked of any node: one that reads the
cluster carries it out, within five minutes or not at all.`,
			`  fairlead discovery accept eu-1 --reason "shop is moved, CHG-7"`, (*adminapi.Client).AcceptDiscovered),
		discoveryOrder("adopt CLUSTER", "take another cluster behind the URL for the one that was read",
			`Adopt takes the cluster that stands behind the URL now for the one that was
read before, or the same one in an earlier state, as after a restore. What it
does not have leaves as if it were deleted. It can be asked of any node: one that
reads the cluster carries it out, within five minutes or not at all.`,
			`  fairlead discovery adopt eu-1 --reason "restored from a backup"`, (*adminapi.Client).AdoptDiscovered),
	)
	return cmd
}

// discoveryOrder is an order about one cluster.
func discoveryOrder(use, short, long, example string, give func(*adminapi.Client, context.Context, string, api.DiscoveryRequest) (*api.Discovery, error)) *cobra.Command {
	req := api.DiscoveryRequest{Actor: actor()}
	cmd := &cobra.Command{Use: use, Short: short, Long: long + "\n\n" + serverHelp + "\n\n" + exit.ReadHelp, Example: example, Args: exit.Args(cobra.ExactArgs(1))}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; required, it is kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if req.Reason == "" {
			return exit.Usagef(cmd, "--reason is required: endpoints may leave")
		}
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		var got api.Discovery
		if err := ordered(into(&got)(give(c.Client, exit.OrBackground(cmd.Context()), args[0], req))); err != nil {
			return err
		}
		return output.tell(cmd.OutOrStdout(), nil, &got, "ordered; `fairlead discovery` shows what comes of it")
	}
	return cmd
}

// writeDiscovery prints the clusters, and below them their endpoints.
func writeDiscovery(d drawing, got *api.Discovery) {
	now := time.Now()
	if len(got.Hosts) > 0 {
		writeHosts(d, got.Hosts, now)
		if len(got.Clusters) == 0 {
			return
		}
		fmt.Fprintln(d)
	}
	if len(got.Clusters) == 0 {
		fmt.Fprintln(d, "no zone file takes endpoints from a cluster or a host name, and the node file names no cluster")
		return
	}
	t := terminal.NewTable("CLUSTER", "", "ENDPOINTS", "READ", "WHAT IS WRONG")
	e := terminal.NewTable("", "ENDPOINT", "POOL", "AZ", "OBJECT", "SINCE")
	for i := range got.Clusters {
		c := &got.Clusters[i]
		m, wrong := discoveryMark(c, now)
		read := "never"
		if c.ReadAt != nil {
			read = terminal.Clock(*c.ReadAt, now)
		}
		t.Add(m.Colour, c.Name, m.Text(), fmt.Sprint(len(c.Endpoints)), read, wrong)
		for _, x := range c.Endpoints {
			m := discoveredMark(&x)
			e.Add(m.Colour, m.Text(), x.Name, strings.TrimSuffix(x.Zone, ".")+"/"+x.Pool, x.AZ, x.Object, terminal.Clock(x.Since, now))
		}
	}
	t.Write(d, d.style, "")
	if len(e.Rows) > 0 {
		fmt.Fprintln(d)
		e.Write(d, d.style, "")
	}
}

// writeHosts prints the host names that this node resolves, and below them their addresses.
func writeHosts(d drawing, hosts []api.ResolvedHost, now time.Time) {
	t := terminal.NewTable("HOST", "", "ADDRESSES", "LOOKED UP", "EXPIRES", "WHAT IS WRONG")
	e := terminal.NewTable("", "ENDPOINT", "POOL", "ADDRESS", "SINCE")
	at := func(when *time.Time) string {
		if when == nil {
			return "-"
		}
		return terminal.Clock(*when, now)
	}
	for i := range hosts {
		h := &hosts[i]
		m, wrong := terminal.MarkOf(health.Up, h.State), ""
		switch {
		case h.Since != nil:
			m, wrong = terminal.MarkOf(health.Suspect, h.State), "since "+terminal.Clock(*h.Since, now)+": "+h.Failure
		case h.State == "waiting":
			m = terminal.MarkOf(health.Unknown, h.State)
		}
		t.Add(m.Colour, h.Host, m.Text(), fmt.Sprint(len(h.Addresses)), at(h.LookedAt), at(h.ExpiresAt), wrong)
		for _, a := range h.Addresses {
			m := terminal.MarkOf(health.Up, a.State)
			switch {
			case a.State != "named":
				m = terminal.MarkOf(health.Suspect, a.State)
			case !a.Probed:
				m = terminal.MarkOf(health.Unknown, "not probed yet")
			}
			e.Add(m.Colour, m.Text(), a.Name, strings.TrimSuffix(h.Zone, ".")+"/"+h.Pool, a.Data, terminal.Clock(a.Since, now))
		}
	}
	t.Write(d, d.style, "")
	if len(e.Rows) > 0 {
		fmt.Fprintln(d)
		e.Write(d, d.style, "")
	}
}

// discoveryMark is how a cluster is, and what is wrong.
func discoveryMark(c *api.DiscoveredCluster, now time.Time) (terminal.Mark, string) {
	switch {
	case !c.Configured && c.Ordered == "":
		return terminal.MarkOf(health.Unknown, "not read"), "the node file does not say how it is read"
	case c.Stranger:
		return terminal.MarkOf(health.Down, "another"), c.Failure + "; `fairlead discovery adopt " + c.Name + "` takes it"
	case c.Since != nil:
		return terminal.MarkOf(health.Suspect, "not read"), "since " + terminal.Clock(*c.Since, now) + ": " + c.Failure
	case c.Held > 0:
		return terminal.MarkOf(health.Suspect, "held"), fmt.Sprintf("%s that it does not name any more; `fairlead discovery accept %s` lets go", terminal.Count(c.Held, "endpoint"), c.Name)
	case c.Ordered != "":
		return terminal.MarkOf(health.Suspect, c.Ordered), "ordered; waits for a node that reads it"
	case len(c.Problems) > 0:
		return terminal.MarkOf(health.Suspect, "read"), strings.Join(c.Problems, "; ")
	case !c.Read:
		return terminal.MarkOf(health.Unknown, "starting"), ""
	}
	return terminal.MarkOf(health.Up, "read"), ""
}
