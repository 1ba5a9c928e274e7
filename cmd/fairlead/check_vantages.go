package main

import (
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
)

// judgeVantages compares who is to probe with who there is.
func judgeVantages(z *config.Zone, roster []config.ClusterNode) config.Problems {
	var out config.Problems
	for _, c := range z.Checks {
		if c.Composite != nil {
			continue
		}
		report := func(s config.Severity, key, help, format string, args ...any) {
			out = append(out, config.Problem{File: z.File, Severity: s, Path: "checks." + c.Name + "." + key, Message: fmt.Sprintf(format, args...), Help: help})
		}
		named := 0
		for _, n := range roster {
			if c.Vantages.Names(n.Name, n.Region, n.AZ) {
				named++
			}
		}
		for _, name := range c.Vantages.Nodes {
			if !slices.ContainsFunc(roster, func(n config.ClusterNode) bool { return n.Name == name }) {
				report(config.Error, "vantages.nodes", "", "no node %q in the roster", name)
			}
		}
		if named == 0 {
			report(config.Error, "vantages", "the nodes of the roster say in their node files where they stand", "no node of the roster is one of those: nobody would probe")
			continue
		}
		most := named
		if c.Vantages.Count > 0 {
			most = min(most, c.Vantages.Count)
		}
		switch q := c.Quorum; {
		case q.Percent || q.N <= 1 || q.N < most:
		case q.N > most:
			report(config.Error, "quorum", "", "%d of %d vantages: so many can never say down", q.N, most)
		case c.Vantages.Most() != most:
			// Else the file alone has said so.
			report(config.Warning, "quorum", "majority is the default", "%d of %d vantages: one that sees it up keeps it in service", q.N, most)
		}
	}
	return out
}
