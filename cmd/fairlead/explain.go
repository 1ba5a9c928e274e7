package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"

	noderun "github.com/fairlead-dns/fairlead/node"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// assumeHelp explains the flags that both commands have.
const assumeHelp = `--down and --drain take endpoint=POOL/ENDPOINT, pool=POOL, az=AZ or region=REGION; --weight takes POOL=N or POOL/ENDPOINT=N.
Each may be given several times. What is assumed to be down is shown as it is once the speed limit (health.max_removal) no
longer holds anybody back. With --zones DIR the files are read and no node is asked: all endpoints are up, but for what is
assumed, and --node FILE names the node file with the geo databases, if rules need some. Else a running node is asked, and
what it believes now counts.`

// An asker answers explain and what-if: a running node, or the files.
type asker struct {
	server      access
	zones, node string
	assume      api.Assumptions
}

func (a *asker) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.zones, "zones", "", "zone file or directory of zone files to read instead of asking a node")
	f.StringVar(&a.node, "node", "", "another node of the context, or of the demo; with --zones: the node file that names the geo databases")
	f.StringArrayVar(&a.assume.Down, "down", nil, "assume KIND=NAME to be down")
	f.StringArrayVar(&a.assume.Drain, "drain", nil, "assume KIND=NAME to be drained")
	f.StringArrayVar(&a.assume.Weight, "weight", nil, "assume the weight POOL=N")
	a.server.flags(cmd)
}

// offline is the explainer of the files; nil when a node is to be asked.
func (a *asker) offline(cmd *cobra.Command) (*explain.Explainer, error) {
	switch {
	case a.zones == "":
		a.server.node = a.node
		return nil, nil
	case a.server != access{}:
		return nil, exit.Usagef(cmd, "--zones and --server exclude each other")
	}
	file, problems := parseNode(a.node)
	if problems.HasErrors() {
		return nil, exit.WithHint(fmt.Errorf("%s has errors", a.node), "see `fairlead check --node %s %s`", a.node, a.zones)
	}
	known, databases := config.GeoUnknown, []string(nil)
	if file != nil {
		known, databases = file.GeoDatabase(), file.Geo.Databases
	}
	zones, problems := readZones([]string{a.zones}, known)
	if problems.HasErrors() {
		return nil, exit.WithHint(fmt.Errorf("%s has errors", a.zones), "see `fairlead check %s`", a.zones)
	}
	locator, err := noderun.OpenLocator(databases)
	if err != nil {
		return nil, fmt.Errorf("node file %s: geo.databases: %w", a.node, err)
	}
	return explain.New(config.NewModel(config.Visible(zones)), locator, time.Now()), nil
}

func explainCommand() *cobra.Command {
	var a asker
	var q api.Question
	var output string
	cmd := &cobra.Command{
		Use:   "explain NAME [TYPE]",
		Short: "what a client gets for a name, and why: each step from the name to the endpoints",
		Long: `Explain runs the code that serves and prints its steps: the class of the client, each tier and why it answers or not, each
pool, AZ and endpoint with its weight as configured and its share of the answers, and the TTL with who makes it so.

` + assumeHelp + `

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached or the files have errors, 2 wrong usage.`,
		Example: `  fairlead explain www.gslb.example.org
  fairlead explain www.gslb.example.org AAAA --client 203.0.113.7
  fairlead explain geo.gslb.example.org --subnet 198.51.100.0/24 --down az=eu-west-1a
  fairlead explain www.gslb.example.org --zones /etc/fairlead/zones.d --drain region=eu-west -o json`,
		Args: exit.Args(cobra.RangeArgs(1, 2)),
	}
	a.flags(cmd)
	cmd.Flags().StringVar(&q.Client, "client", "", "address of the client's resolver")
	cmd.Flags().StringVar(&q.Subnet, "subnet", "", "EDNS Client Subnet that the resolver sends, as in 192.0.2.0/24")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json", "yaml"); err != nil {
			return err
		}
		q.Name, q.Assumptions = args[0], a.assume
		if len(args) > 1 {
			q.Type = args[1]
		}
		e, err := a.explain(cmd, q)
		if err != nil {
			return err
		}
		if output != "text" {
			return terminal.WriteDocument(cmd.OutOrStdout(), output, e)
		}
		explanationText{out: cmd.OutOrStdout(), style: terminal.StyleFor(cmd.OutOrStdout())}.write(e)
		return nil
	}
	return cmd
}

func (a *asker) explain(cmd *cobra.Command, q api.Question) (*api.Explanation, error) {
	x, err := a.offline(cmd)
	if err != nil {
		return nil, err
	}
	if x != nil {
		return x.Explain(q, time.Now())
	}
	c, err := newClient(a.server)
	if err != nil {
		return nil, err
	}
	ctx := exit.OrBackground(cmd.Context())
	if q.Name, err = c.service(ctx, q.Name); err != nil {
		return nil, err
	}
	e, err := c.Explain(ctx, q)
	if p, ok := errors.AsType[*api.Problem](err); ok && p.Status == http.StatusBadRequest && !strings.Contains(q.Name, ".") {
		// No zone has a name of one label.
		if near := exit.Nearest(q.Name, named("service")(ctx, c, nil)); near != "" {
			return nil, exit.WithHint(err, "did you mean %s?", near)
		}
	}
	return e, err
}
