package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/discover/kube"
)

// clusterTimeout bounds how long check waits for one cluster.
const clusterTimeout = 30 * time.Second

// A checkedCluster is a cluster of Kubernetes that was asked for what the zones take from it.
type checkedCluster struct {
	Name string `json:"name"`
	Read bool   `json:"read"`
	// Selectors count what zone files ask of it, Endpoints what pools would have from it now.
	Selectors int `json:"selectors"`
	Endpoints int `json:"endpoints"`
}

// askClusters asks the clusters of the node file for what the zones take from them: what cannot be read is an error, as is what a selector
// needs and the role does not allow; a selector that names nothing, and what it names without effect, are warnings.
func (r *checkResult) askClusters(ctx context.Context, file string, n *config.Node) {
	if n == nil {
		return
	}
	zones := make([]*config.Zone, len(r.zones))
	for i, z := range r.zones {
		zones[i] = z.zone
	}
	looks := make([]kube.Report, len(n.Kubernetes))
	var asked sync.WaitGroup
	for i := range n.Kubernetes {
		asked.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, clusterTimeout)
			defer cancel()
			looks[i] = kube.Look(ctx, kube.Options{Cluster: &n.Kubernetes[i], Agent: "fairlead/" + programVersion()}, discover.Wants(zones, n.Kubernetes[i].Name))
		})
	}
	asked.Wait()
	for i := range n.Kubernetes {
		r.judgeCluster(file, zones, &n.Kubernetes[i], &looks[i])
	}
	for _, name := range discover.Clusters(zones) {
		if !slices.ContainsFunc(n.Kubernetes, func(c config.KubeCluster) bool { return c.Name == name }) {
			r.inFiles = append(r.inFiles, config.Problem{File: file, Severity: config.Notice, Path: "kubernetes.clusters",
				Message: "zone files take endpoints from " + name + ", which is not here", Help: "another node of the cluster has to read it"})
		}
	}
}

// judgeCluster says what is wrong with one cluster.
func (r *checkResult) judgeCluster(file string, zones []*config.Zone, c *config.KubeCluster, look *kube.Report) {
	at := "kubernetes.clusters." + c.Name
	for _, f := range look.Failures {
		r.inFiles = append(r.inFiles, config.Problem{File: file, Path: at, Message: f.Err.Error(), Help: clusterHelp})
	}
	wants := discover.Wants(zones, c.Name)
	for _, p := range look.Problems {
		of := file
		if w := slices.IndexFunc(wants, func(w discover.Want) bool { return w.Key.String() == p.What }); w >= 0 {
			z := slices.IndexFunc(zones, func(z *config.Zone) bool { return z.Name == wants[w].Zone })
			of = zones[z].File
		}
		r.inFiles = append(r.inFiles, config.Problem{File: of, Severity: config.Warning, Message: "cluster " + c.Name + ": " + p.What + ": " + p.Err.Error()})
	}
	given := &discover.Set{Cluster: c.Name, Region: c.Region, AZ: c.AZ}
	given = given.First(time.Now(), wants, look.Seen)
	out := checkedCluster{Name: c.Name, Read: len(look.Failures) == 0, Selectors: len(wants)}
	for _, z := range zones {
		members, problems := discover.Members(z, map[string]*discover.Set{c.Name: given})
		for _, list := range members {
			out.Endpoints += len(list)
		}
		for _, text := range problems {
			r.inFiles = append(r.inFiles, config.Problem{File: z.File, Severity: config.Warning, Message: "cluster " + c.Name + ": " + text})
		}
	}
	r.clusters = append(r.clusters, out)
}

const clusterHelp = "deploy/kubernetes/reader.yaml is the role that a reader needs"

// clusterLines say what each cluster gives.
func (r *checkResult) clusterLines() string {
	var b strings.Builder
	for _, c := range r.clusters {
		word := "read"
		if !c.Read {
			word = "not read, or not all of it"
		}
		fmt.Fprintf(&b, "cluster %s: %s; %s, %s\n", c.Name, word, terminal.Count(c.Selectors, "selector"), terminal.Count(c.Endpoints, "endpoint"))
	}
	return b.String()
}
