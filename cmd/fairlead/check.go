package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

func checkCommand() *cobra.Command {
	var output, node string
	var running, clusters bool
	cmd := &cobra.Command{
		Use:   "check PATH...",
		Short: "every mistake in zone files, and how stale each service can get",
		Long: `Check reads zone files as a node would, without starting anything: each PATH is a zone file, or a directory whose *.yaml
files are zone files, or one that "fairlead init" made: then the node files in it are checked as well, and that the nodes have
one roster and one keyring. It prints every problem at once: errors (the file is not loaded), warnings (probably a mistake) and
notices (accepted, not in effect yet).

For each service of each good zone it prints S, the worst-case staleness: from the instant an endpoint dies until the last
honest cache has forgotten it.

  D = fall × interval⁺ + timeout + probe lag      the endpoint is found down (⁺: with jitter)
  F = interval⁺ + timeout                         the first failure is seen
  S = D + G + Q + ttl.min + X                                     ttl.mode horizon
  S = max(D + G + Q + ttl.min, F + G + Q + ttl.max) + X           ttl.mode ceiling

G, Q and X are allowances: for gossip, for the older answers to leave the node, for a resolver that accepts late. An S above
the service's staleness.target or staleness.rto is an error; the help line says which setting brings it under. S is for what
health may take out at once: of more deaths within a minute health.max_removal keeps some in the answers until that is over.

With --node the zones are for the node of that node file, which is checked too: client rules by continent, country,
subdivision or asn, and order: nearest, are errors if it names no geo database. Without --node they are a warning. A quorum and
vantages that the roster of its cluster cannot provide are errors.

A PATH that is a plan file, or a directory called plans.d, is checked as such: with zone files beside it, or as the node file names it,
what its steps name must be in them.

With --running the versions that a running node serves are asked for, and what that node would refuse is an error: a version that
drops more than 30 % of the names or endpoints, and at least 10, without ` + "`allow_shrink: true`" + `. Orders that would name nothing any more are
a warning. See ` + "`fairlead diff`" + ` for all that would change.

With --cluster the Kubernetes clusters of the node file are asked, from here, for what the zones take from them. An API that is out of reach, a
kubeconfig that needs a plugin which is not here, a verb and resource that the role lacks and a kind without its CRD are errors; a selector that
names nothing, and an address that no AZ of the zone file has, are warnings.

` + serverHelp + `

Exit codes: 0 no error, 1 errors, 2 wrong usage; with --running also 1 if the node cannot be reached.`,
		Example: `  fairlead check /etc/fairlead/zones.d
  fairlead check gslb.yaml shop.yaml
  fairlead check /etc/fairlead/zones.d /etc/fairlead/plans.d
  fairlead check --node /etc/fairlead/node.yaml /etc/fairlead/zones.d
  fairlead check --running /etc/fairlead/zones.d
  fairlead check --node /etc/fairlead/node.yaml --cluster /etc/fairlead/zones.d
  fairlead check -o json zones.d | jq '.zones[].services[] | {name, s_seconds}'`,
		Args: exit.Args(cobra.MinimumNArgs(1)),
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	cmd.Flags().StringVar(&node, "node", "", "the node file of the node that will serve the zones")
	cmd.Flags().BoolVar(&running, "running", false, "compare with what a running node serves")
	cmd.Flags().BoolVar(&clusters, "cluster", false, "ask the Kubernetes clusters of the node file, too; needs --node")
	server := addServerFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json"); err != nil {
			return err
		}
		if clusters && node == "" {
			return exit.Usagef(cmd, "--cluster needs --node: its file says how clusters are read")
		}
		r := checkPaths(paths, node, steer.DefaultAllowances())
		if running {
			if err := r.compare(exit.OrBackground(cmd.Context()), *server); err != nil {
				return err
			}
		}
		if clusters {
			n, _ := parseNode(node)
			r.askClusters(exit.OrBackground(cmd.Context()), node, n)
		}
		out := bufio.NewWriter(cmd.OutOrStdout())
		if err := r.print(out, output); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
		if r.problems().HasErrors() {
			return exit.Silent(exit.Failed)
		}
		return nil
	}
	return cmd
}

func (r *checkResult) print(w io.Writer, output string) error {
	if output == "text" {
		r.writeText(w)
		return nil
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r.document())
}

// A checkResult is everything that check has to say.
type checkResult struct {
	allowances steer.Allowances
	// inFiles are the problems that config found, computed those that follow from the bounds.
	inFiles, computed config.Problems
	zones             []checkedZone
	clusters          []checkedCluster
	// plans are those without errors.
	plans []*config.Plan
}

// A checkedZone is a zone without errors of its own.
type checkedZone struct {
	zone   *config.Zone
	bounds []steer.Bound
}

func (r *checkResult) problems() config.Problems {
	return append(r.inFiles[:len(r.inFiles):len(r.inFiles)], r.computed...)
}

// compare says what the node at server would refuse.
func (r *checkResult) compare(ctx context.Context, server access) error {
	c, err := newClient(server)
	if err != nil {
		return err
	}
	served, err := pages(ctx, c, (*adminapi.Client).Zones, nil, func(p *api.Zones) (*api.Page, *[]api.ZoneItem) { return &p.Page, &p.Zones })
	if err != nil {
		return err
	}
	zones, fetched := make([]*config.Zone, len(r.zones)), make(map[string]*config.Zone)
	for i, z := range r.zones {
		zones[i] = z.zone
		if !slices.ContainsFunc(served.Zones, func(s api.ZoneItem) bool { return s.Name == z.zone.Name }) {
			continue
		}
		running, err := c.running(ctx, z.zone.Name, z.zone.File)
		if err != nil {
			return err
		}
		fetched[z.zone.Name] = running.zone
		if why := config.Shrinks(running.zone, z.zone); why != "" {
			r.inFiles = append(r.inFiles, config.Problem{File: z.zone.File, Message: fmt.Sprintf("node %s refuses this version: it %s", served.Node, why), Help: config.ShrinkHelp})
		}
		if !z.zone.Signed(time.Now()) {
			if why := config.SigningChange(running.zone, z.zone, time.Now()); why != "" {
				r.inFiles = append(r.inFiles, config.Problem{File: z.zone.File, Severity: config.Warning, Path: "dnssec", Message: why})
			}
		}
	}
	dangling, err := c.dangling(ctx, served.Zones, zones, fetched)
	for _, o := range dangling {
		r.inFiles = append(r.inFiles, config.Problem{File: o.file, Severity: config.Warning, Message: o.String(), Help: danglingHelp})
	}
	return err
}

// checkPaths reads and judges everything at paths, for the node with the node file at node; an empty path means any node.
func checkPaths(paths []string, node string, a steer.Allowances) *checkResult {
	planFiles, paths := planPaths(paths)
	paths, nodeFiles, inCluster := clusterPaths(paths)
	if node == "" && len(nodeFiles) > 0 {
		node, nodeFiles = nodeFiles[0], nodeFiles[1:]
	}
	n, inNode := parseNode(node)
	for _, path := range nodeFiles {
		_, problems := parseNode(path)
		inNode = append(inNode, problems...)
	}
	inNode = append(inNode, inCluster...)
	geo := config.GeoUnknown
	if n != nil {
		geo, a = n.GeoDatabase(), a.For(n)
	}
	zones, problems := readZones(paths, geo)
	if n != nil && isDir(n.Plans.Directory) && !slices.ContainsFunc(planFiles, func(path string) bool { return sameFile(path, n.Plans.Directory) }) {
		planFiles = append(planFiles, n.Plans.Directory)
	}
	plans, inPlans := readPlans(planFiles, zones)
	r := &checkResult{allowances: a, inFiles: slices.Concat(inNode, problems, inPlans), plans: plans}
	for _, z := range zones {
		c := checkedZone{zone: z}
		for _, svc := range z.Services {
			c.bounds = append(c.bounds, steer.BoundOf(z, svc, a))
		}
		r.computed = append(r.computed, judgeZone(c, a)...)
		if n != nil && n.Cluster != nil {
			r.computed = append(r.computed, judgeVantages(z, n.Cluster.Nodes)...)
		}
		r.zones = append(r.zones, c)
	}
	for _, c := range config.ForeignCarriers(zones) {
		at := slices.IndexFunc(zones, func(z *config.Zone) bool { return z.Name == c.Zone })
		r.inFiles = append(r.inFiles, config.Problem{File: zones[at].File, Severity: config.Warning, Help: "a CNAME to a service with the pool follows it",
			Message: fmt.Sprintf("%s: %s is of the endpoint %s: this record goes on naming it while it is down or drained, and no bound counts its answers", c, c.RData, c.Endpoint)})
	}
	return r
}
