package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// describeKinds are what can be described.
var describeKinds = []string{"service", "pool", "endpoint", "az", "region", "node"}

func describeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe service|pool|endpoint|az|region|node NAME",
		Short: "everything about one thing: what is wrong, who says so, what clients get, the orders on it and its last changes",
		Long: `Describe prints what an operator wants to know at 3 a.m. about one thing, what is wrong first: the state and since when; which node
saw what; what clients get now, with shares, the TTL and what makes it so, the staleness bound and its terms; the orders that are
in force on it or planned; and what changed last, by health and by operators.

NAME is the name, or the end of the full name: a service is www or www.gslb.example.org, a pool web-eu or gslb.example.org/web-eu,
an endpoint web-1a, web-eu/web-1a or gslb.example.org/web-eu/web-1a. -o json and -o yaml are the documents of the API.

` + watchHelp + "\n\n" + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached or knows no such thing, 2 wrong usage.`,
		Example: `  fairlead describe service www.gslb.example.org
  fairlead describe endpoint web-eu/web-1a
  fairlead describe az eu-west-1a --watch
  fairlead describe node n3 -o yaml`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		what, err := kindOf(cmd, args[0], describeKinds)
		if err != nil {
			return err
		}
		name := args[1]
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) { return c.describe(ctx, what, name) })
	}
	return cmd
}

// describe fetches one thing and what was asked of it.
func (c *client) describe(ctx context.Context, what, name string) (shown, error) {
	switch what {
	case "service":
		full, err := find(ctx, c, what, name, (*adminapi.Client).Services, func(p *api.Services) []string {
			return terminal.Each(p.Services, func(s api.ServiceItem) string { return s.Name })
		})
		if err != nil {
			return shown{}, err
		}
		got, err := c.Service(ctx, full)
		return described(ctx, c, drawService, got, err)
	case "pool":
		full, err := find(ctx, c, what, name, (*adminapi.Client).Pools, func(p *api.Pools) []string {
			return terminal.Each(p.Pools, func(p api.PoolItem) string { return terminal.Display(p.Zone) + "/" + p.Name })
		})
		if err != nil {
			return shown{}, err
		}
		zone, pool := splitPool(full)
		got, err := c.Pool(ctx, zone, pool)
		return described(ctx, c, drawPool, got, err)
	case "endpoint":
		full, err := find(ctx, c, what, name, (*adminapi.Client).Endpoints, func(p *api.Endpoints) []string { return terminal.Each(p.Endpoints, fullName) })
		if err != nil {
			return shown{}, err
		}
		zone, rest := splitPool(full)
		pool, endpoint, _ := strings.Cut(rest, "/")
		got, err := c.Endpoint(ctx, zone, pool, endpoint)
		return described(ctx, c, drawEndpoint, got, err)
	case "az":
		got, err := c.AZ(ctx, name)
		s, err := described(ctx, c, drawArea("AZ"), got, err)
		return s, c.suggest(ctx, err, what, name)
	case "region":
		got, err := c.Region(ctx, name)
		s, err := described(ctx, c, drawArea("region"), got, err)
		return s, c.suggest(ctx, err, what, name)
	}
	return c.describeNode(ctx, name)
}

// find is the full name of the one thing that name means. names are those of a page of the list.
func find[L any](ctx context.Context, c *client, what, name string, list func(*adminapi.Client, context.Context, adminapi.Page) (*L, error), names func(*L) []string) (string, error) {
	page, err := list(c.Client, ctx, adminapi.Page{Limit: 10, Filters: url.Values{"name": {name}}})
	if err != nil {
		return "", err
	}
	switch found := names(page); len(found) {
	case 0:
		return "", c.unknown(ctx, what, name)
	case 1:
		return found[0], nil
	default:
		return "", exit.WithHint(fmt.Errorf("%s %s is ambiguous", what, name), "name one of %s", exit.OrList(found))
	}
}

// described is the thing that was fetched, with the last orders.
func described[T any](ctx context.Context, c *client, draw func(sheet, *T), got *T, err error) (shown, error) {
	if err != nil {
		return shown{}, err
	}
	journal := c.journal(ctx)
	return shown{doc: got, write: func(d drawing) { draw(sheet{drawing: d, journal: journal}, got) }}, nil
}

// journal are the latest orders, refused ones too. A node that does not show them is described without them.
func (c *client) journal(ctx context.Context) []api.AuditEntry {
	got, err := c.Audit(ctx, api.MaxAudit)
	if err != nil {
		return nil
	}
	return got.Entries
}

// A describedNode is a node and the orders about it.
type describedNode struct {
	api.Node
	SeenBy  string       `json:"seen_by"`
	At      time.Time    `json:"at"`
	Intents []api.Intent `json:"intents,omitempty"`
}

func (c *client) describeNode(ctx context.Context, name string) (shown, error) {
	var nodes api.Nodes
	if err := into(&nodes)(c.Nodes(ctx)); err != nil {
		return shown{}, err
	}
	i := slices.IndexFunc(nodes.Nodes, func(n api.Node) bool { return n.Name == name })
	if i < 0 {
		return shown{}, c.unknown(ctx, "node", name)
	}
	var list api.Intents
	if err := into(&list)(c.Intents(ctx)); err != nil {
		return shown{}, err
	}
	got := &describedNode{Node: nodes.Nodes[i], SeenBy: nodes.Node, At: nodes.At}
	for _, i := range list.Intents {
		if i.Scope.Kind == "node" && i.Scope.Name == name {
			got.Intents = append(got.Intents, i)
		}
	}
	journal := c.journal(ctx)
	return shown{doc: got, write: func(d drawing) { drawNode(sheet{drawing: d, journal: journal}, got) }}, nil
}
