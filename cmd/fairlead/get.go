package main

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A kind is something that get lists. names are the plural, by which it is listed in the help, and others for it; word is the
// singular.
type kind struct {
	names []string
	word  string
	// filters are the flags that it knows.
	filters []string
	list    func(ctx context.Context, c *client, q url.Values) (shown, int, error)
}

// kinds are all that get lists, in the order of the help text.
func kinds() []kind {
	return []kind{
		{names: []string{"zones", "zone"}, word: "zone", list: listOf((*adminapi.Client).Zones, func(p *api.Zones) (*api.Page, *[]api.ZoneItem) { return &p.Page, &p.Zones }, zoneTable)},
		{names: []string{"services", "service", "svc"}, word: "service", filters: []string{"zone", "degraded"},
			list: listOf((*adminapi.Client).Services, func(p *api.Services) (*api.Page, *[]api.ServiceItem) { return &p.Page, &p.Services }, serviceTable)},
		{names: []string{"pools", "pool"}, word: "pool", filters: []string{"zone", "region"},
			list: listOf((*adminapi.Client).Pools, func(p *api.Pools) (*api.Page, *[]api.PoolItem) { return &p.Page, &p.Pools }, poolTable)},
		{names: []string{"endpoints", "endpoint", "ep"}, word: "endpoint", filters: []string{"zone", "state", "az", "region", "pool"},
			list: listOf((*adminapi.Client).Endpoints, func(p *api.Endpoints) (*api.Page, *[]api.EndpointItem) { return &p.Page, &p.Endpoints }, endpointTable)},
		{names: []string{"regions", "region"}, word: "region",
			list: listOf((*adminapi.Client).Regions, func(p *api.Regions) (*api.Page, *[]api.Area) { return &p.Page, &p.Regions }, areaTable("REGION", "AZS"))},
		{names: []string{"azs", "az"}, word: "AZ", filters: []string{"region"},
			list: listOf((*adminapi.Client).AZs, func(p *api.AZs) (*api.Page, *[]api.Area) { return &p.Page, &p.AZs }, areaTable("AZ", "REGION"))},
		{names: []string{"nodes", "node"}, word: "node", list: listNodes},
		{names: []string{"intents", "intent"}, word: "intent", list: listIntents},
		{names: []string{"discovered"}, word: "cluster or endpoint of one", filters: []string{"zone", "pool", "az"}, list: listDiscovered},
	}
}

// singular is the word by which other commands name one of them.
func (k kind) singular() string { return strings.ToLower(k.word) }

// kindNamed is the kind that was typed.
func kindNamed(kinds []kind, name string) (kind, bool) {
	i := slices.IndexFunc(kinds, func(k kind) bool { return slices.Contains(k.names, name) })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

func getCommand() *cobra.Command {
	var words []string
	for _, k := range kinds() {
		words = append(words, k.names[0])
	}
	cmd := &cobra.Command{
		Use:   "get " + strings.Join(words, "|") + " [NAME]",
		Short: "a list of zones, services, pools, endpoints, regions, AZs, nodes, intents, or of what Kubernetes clusters give",
		Long: `Get lists what a running node knows, by name; with NAME only what has that name, or a full name that ends with it: web-1a,
web-eu/web-1a or gslb.example.org/web-eu/web-1a. The singular does too. Of discovered, NAME is a cluster or an endpoint.

-o wide has more columns, -o json and -o yaml are the documents of the API with all pages joined. States are shown as status
shows them.

` + watchHelp + "\n\n" + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached or knows no such thing, 2 wrong usage.`,
		Example: `  fairlead get endpoints --state down
  fairlead get services --degraded -o wide
  fairlead get az eu-west-1a -o yaml
  fairlead get pools --region eu-west --watch`,
		Args: exit.Args(cobra.RangeArgs(1, 2)),
	}
	v := newViewer(cmd)
	f := cmd.Flags()
	f.String("zone", "", "only those of a zone (services, pools, endpoints, discovered)")
	f.String("region", "", "only those of a region (pools, endpoints, AZs)")
	f.String("az", "", "only those of an AZ (endpoints, discovered)")
	f.String("pool", "", "only those of a pool, POOL or ZONE/POOL (endpoints, discovered)")
	f.String("state", "", "only those that are up, suspect, down, drained or unknown (endpoints)")
	f.Bool("degraded", false, "only those that answer on a last resort (services)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		k, ok := kindNamed(kinds(), args[0])
		if !ok {
			return oneOf(cmd, args[0], words)
		}
		q, err := filters(cmd, k)
		if err != nil {
			return err
		}
		if len(args) == 2 {
			q.Set("name", args[1])
		}
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			s, n, err := k.list(ctx, c, q)
			if err == nil && n == 0 && len(args) == 2 {
				err = c.unknown(ctx, k.word, args[1])
			}
			return s, err
		})
	}
	return cmd
}

// filters are the flags that were given, as a query string has them.
func filters(cmd *cobra.Command, k kind) (url.Values, error) {
	q := url.Values{}
	for _, name := range []string{"zone", "region", "az", "pool", "state", "degraded"} {
		flag := cmd.Flags().Lookup(name)
		if !flag.Changed {
			continue
		}
		if !slices.Contains(k.filters, name) {
			return nil, exit.Usagef(cmd, "--%s is not for %s", name, k.names[0])
		}
		q.Set(name, flag.Value.String())
	}
	if state := q.Get("state"); state != "" {
		return q, exit.Choice(cmd, "state", state, "up", "suspect", "down", "drained", "unknown")
	}
	return q, nil
}

// listOf lists items of a kind: all pages, joined. parts are the head and the items of a page.
func listOf[L, T any](list func(*adminapi.Client, context.Context, adminapi.Page) (*L, error), parts func(*L) (*api.Page, *[]T), write func(d drawing, head *api.Page, items []T)) func(context.Context, *client, url.Values) (shown, int, error) {
	return func(ctx context.Context, c *client, q url.Values) (shown, int, error) {
		all, err := pages(ctx, c, list, q, parts)
		if err != nil {
			return shown{}, 0, err
		}
		head, items := parts(all)
		return shown{doc: all, write: func(d drawing) { write(d, head, *items) }}, len(*items), nil
	}
}

// pages joins all pages of a list.
func pages[L, T any](ctx context.Context, c *client, list func(*adminapi.Client, context.Context, adminapi.Page) (*L, error), q url.Values, parts func(*L) (*api.Page, *[]T)) (*L, error) {
	all := new(L)
	head, items := parts(all)
	page := adminapi.Page{Limit: api.MaxPage, Filters: q}
	for {
		next, err := list(c.Client, ctx, page)
		if err != nil {
			return nil, err
		}
		got, more := parts(next)
		*items = append(*items, *more...)
		if *head = *got; got.Next == "" {
			if *items == nil {
				*items = []T{}
			}
			return all, nil
		}
		page.After = got.Next
	}
}

func listNodes(ctx context.Context, c *client, q url.Values) (shown, int, error) {
	n, err := c.Nodes(ctx)
	if err != nil {
		return shown{}, 0, err
	}
	if name := q.Get("name"); name != "" {
		n.Nodes = slices.DeleteFunc(n.Nodes, func(n api.Node) bool { return n.Name != name })
	}
	return shown{doc: n, write: func(d drawing) { drawNodes(d, n) }}, len(n.Nodes), nil
}

func listIntents(ctx context.Context, c *client, q url.Values) (shown, int, error) {
	list, err := c.Intents(ctx)
	if err != nil {
		return shown{}, 0, err
	}
	if name := q.Get("name"); name != "" {
		list.Intents = slices.DeleteFunc(list.Intents, func(i api.Intent) bool {
			return i.ID != name && i.Scope.Name != name && !strings.HasSuffix(i.Scope.Name, "/"+name)
		})
	}
	return shown{doc: list, write: func(d drawing) { drawIntents(d, list) }}, len(list.Intents), nil
}
