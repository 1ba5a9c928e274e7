package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
)

func planMakeCommand() *cobra.Command {
	var zones, name string
	cmd := &cobra.Command{
		Use: "make {region|az|pool|endpoint} NAME --zones DIR", Short: "print a plan that leaves a place, what needs others first", Args: exit.Args(cobra.ExactArgs(2)),
		Long: `Make prints a plan that drains a place in the order of ` + "`needs`" + ` in the zone files: services that need others leave it first, and what they
need once every node has said that no honest cache holds them there. It is a plan like others: edit it, and put it into plans.d of every
node. Pools and endpoints are named as ZONE/POOL and ZONE/POOL/ENDPOINT.

Exit codes: 0 printed, 1 the zone files have errors or nothing is there to leave, 2 wrong usage.`,
		Example: `  fairlead plan make region eu-west --zones zones.d > plans.d/eu-out.yaml
  fairlead plan make pool example.org/web-eu --zones zones.d --name web-out`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains([]string{"region", "az", "pool", "endpoint"}, args[0]) {
				return exit.Usagef(cmd, "a plan leaves a region, az, pool or endpoint, not %q", args[0])
			}
			if zones == "" {
				return exit.Usagef(cmd, "--zones says where the zone files are")
			}
			read, problems := readZones([]string{zones}, config.GeoUnknown)
			if problems.HasErrors() {
				return exit.WithHint(fmt.Errorf("%s has errors", zones), "see `fairlead check %s`", zones)
			}
			d := config.PlanDrain{Kind: args[0], Name: args[1]}
			leaving := d.Takes(read)
			if len(leaving) == 0 {
				return fmt.Errorf("no service has anything in %s %s", d.Kind, d.Name)
			}
			if name == "" {
				name = planNameOf(&d)
			}
			text := planText(name, &d, config.InOrder(leaving))
			if _, problems := config.ParsePlan(name+".yaml", []byte(text), read); problems.HasErrors() {
				return exit.WithHint(fmt.Errorf("no plan comes of it: %s", problems[0].String()), "a plan has at most %d steps; drain by AZ or pool", config.MaxPlanSteps)
			}
			_, err := io.WriteString(cmd.OutOrStdout(), text)
			return err
		},
	}
	cmd.Flags().StringVar(&zones, "zones", "", "a directory of zone files, or one file")
	cmd.Flags().StringVar(&name, "name", "", "the plan's name (default after what is left, as in eu-west-out)")
	return cmd
}

// planNameOf is a name for a plan that leaves a place.
func planNameOf(d *config.PlanDrain) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(d.Name[strings.LastIndex(d.Name, "/")+1:]))
	return strings.Trim(name, "-") + "-out"
}

// planText is a plan by which services leave a place level by level, the last of them with the place itself.
func planText(name string, d *config.PlanDrain, levels [][]*config.Service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "plan: %s\nsays: %s %s is left; what needs other services leaves before them\nsteps:\n", name, d.Kind, d.Name)
	for i, level := range levels {
		if i == len(levels)-1 {
			fmt.Fprintf(&b, "  - drain: {%s: %s}\n", d.Kind, d.Name)
		} else {
			for _, s := range level {
				fmt.Fprintf(&b, "  - drain: {%s: %s, service: %s}    # needs %s\n", d.Kind, d.Name, terminal.Display(s.Name), strings.Join(terminal.Each(s.Needs, terminal.Display), ", "))
			}
		}
		fmt.Fprintf(&b, "  - {timeout: %s, verify: {forgotten: true}}\n", forgottenWithin(level))
	}
	return b.String()
}

// forgottenWithin is a timeout for the word that caches have forgotten services: their longest TTL, and ten minutes.
func forgottenWithin(level []*config.Service) time.Duration {
	longest := uint32(0)
	for _, s := range level {
		longest = max(longest, s.TTL.Max)
	}
	return time.Duration(longest)*time.Second + 10*time.Minute
}
