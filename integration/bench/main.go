// Command bench measures the real binary on this machine and prints figures against their targets: `make bench`.
// It exits 1 when a figure is past its limit. Load goes to 127.0.0.0/8 only, bounded in count and time.
package main

import (
	"flag"
	"fmt"
	"os"
)

// A result is one figure with its aim and its limit; smaller is better.
type result struct {
	name        string
	value       float64
	unit        string
	aim, limit  float64
	explanation string
}

func (r result) String() string {
	verdict := "ok"
	switch {
	case r.limit > 0 && r.value > r.limit:
		verdict = "FAIL"
	case r.aim > 0 && r.value > r.aim:
		verdict = "over its aim"
	}
	s := fmt.Sprintf("%-44s %10.2f %-4s", r.name, r.value, r.unit)
	if r.aim > 0 {
		s += fmt.Sprintf("  aim %g", r.aim)
	}
	if r.limit > 0 {
		s += fmt.Sprintf("  limit %g", r.limit)
	}
	if r.explanation != "" {
		s += "  (" + r.explanation + ")"
	}
	return s + "  " + verdict
}

func (r result) failed() bool { return r.limit > 0 && r.value > r.limit }

func main() {
	binary := flag.String("binary", "bin/fairlead", "the fairlead to measure")
	services := flag.Int("services", 10000, "services of the scale part")
	pools := flag.Int("pools", 0, "pools that the services share; 0 for one each")
	checks := flag.Bool("checks", true, "probe the endpoints of the scale part")
	endpoints := flag.Int("endpoints", 4, "endpoints of each pool")
	changes := flag.Int("changes", 20, "verdict changes to time")
	only := flag.String("only", "", "scale, probe, cluster, dashboard, failover or peers: one part; empty for all but the last two")
	clusterNodes := flag.Int("nodes", 5, "nodes of the cluster part")
	clusterEndpoints := flag.Int("cluster-endpoints", 10000, "endpoints of the cluster part")
	trials := flag.Int("trials", 20, "kills of the failover part")
	targets := flag.Int("targets", 20000, "targets of the probe part, each with an address of its own")
	names := flag.Int("names", 1000, "names of the peers part")
	rounds := flag.Int("rounds", 5, "rounds of the peers part")
	seconds := flag.Float64("seconds", 3, "length of one measurement of the peers part")
	peers := flag.String("peers", "", "servers of the peers part, by the beginnings of their names with commas; empty for all")
	role := flag.String("role", "", "what a child of this program is; not for people")
	flag.Parse()
	if *role != "" {
		if err := play(*role); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: %v\n", *role, err)
			os.Exit(1)
		}
		return
	}
	if *pools <= 0 || *pools > *services {
		*pools = *services
	}
	var results []result
	var err error
	wants := func(part string) bool { return *only == "" || *only == part }
	if wants("scale") {
		results, err = measureScale(*binary, scale{services: *services, pools: *pools, endpoints: *endpoints, checks: *checks}, *changes)
	}
	if err == nil && wants("cluster") {
		var more []result
		more, err = measureCluster(*clusterNodes, *clusterEndpoints)
		results = append(results, more...)
	}
	if err == nil && wants("probe") {
		var more []result
		more, err = measureProbe(*targets)
		results = append(results, more...)
	}
	if err == nil && wants("dashboard") {
		var more []result
		more, err = measureDashboard(*binary)
		results = append(results, more...)
	}
	if err == nil && *only == "failover" {
		// Three quarters of an hour, and no figure of ours to be held against a limit.
		err = measureFailover(*binary, *trials)
	}
	if err == nil && *only == "peers" {
		err = measurePeers(*binary, peersPlan{names: *names, rounds: *rounds, seconds: *seconds, rates: []int{10_000, 50_000}, only: *peers})
	}
	for _, r := range results {
		fmt.Println(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	for _, r := range results {
		if r.failed() {
			os.Exit(1)
		}
	}
}
