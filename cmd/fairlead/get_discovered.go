package main

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// listDiscovered lists the endpoints that clusters of Kubernetes give the pools. A name is that of a cluster or of an endpoint.
func listDiscovered(ctx context.Context, c *client, q url.Values) (shown, int, error) {
	got, err := c.Discovery(ctx)
	if err != nil {
		return shown{}, 0, err
	}
	n := 0
	name := q.Get("name")
	got.Clusters = slices.DeleteFunc(got.Clusters, func(k api.DiscoveredCluster) bool {
		return name != "" && k.Name != name && !slices.ContainsFunc(k.Endpoints, func(e api.DiscoveredEndpoint) bool { return discoveredNamed(&e, name) })
	})
	for i := range got.Clusters {
		k := &got.Clusters[i]
		k.Endpoints = slices.DeleteFunc(k.Endpoints, func(e api.DiscoveredEndpoint) bool {
			return name != "" && name != k.Name && !discoveredNamed(&e, name) || !discoveredIn(&e, q)
		})
		n += max(1, len(k.Endpoints))
	}
	return shown{doc: got, write: func(d drawing) { discoveredTable(d, got) }}, n, nil
}

// discoveredNamed tells whether name is ENDPOINT, POOL/ENDPOINT or ZONE/POOL/ENDPOINT of e.
func discoveredNamed(e *api.DiscoveredEndpoint, name string) bool {
	return strings.HasSuffix("/"+terminal.Display(e.Zone)+"/"+e.Pool+"/"+e.Name, "/"+name)
}

// discoveredIn tells whether e passes the filters of q.
func discoveredIn(e *api.DiscoveredEndpoint, q url.Values) bool {
	zone, pool, az := q.Get("zone"), q.Get("pool"), q.Get("az")
	return (zone == "" || terminal.Display(e.Zone) == terminal.Display(zone)) && (az == "" || e.AZ == az) && (pool == "" || e.Pool == pool || terminal.Display(e.Zone)+"/"+e.Pool == pool)
}

// discoveredTable is one line for each endpoint of each pool.
func discoveredTable(d drawing, got *api.Discovery) {
	now := time.Now()
	t := newColumns(d, []string{"STATE", "ENDPOINT", "POOL", "AZ", "OBJECT", "SINCE"}, "CLUSTER", "DATA", "SELECTED BY")
	for i := range got.Clusters {
		k := &got.Clusters[i]
		for _, e := range k.Endpoints {
			t.add(discoveredMark(&e), e.Name, terminal.Display(e.Zone)+"/"+e.Pool, terminal.Dash(e.AZ), e.Object, terminal.Clock(e.Since, now), k.Name, e.Data, e.From)
		}
	}
	t.done(d)
}

// discoveredMark is why an endpoint is there.
func discoveredMark(e *api.DiscoveredEndpoint) terminal.Mark {
	switch {
	case e.Held:
		return terminal.MarkOf(health.Suspect, e.State+", held")
	case e.State != "named":
		return terminal.MarkOf(health.Suspect, e.State)
	}
	return terminal.MarkOf(health.Up, e.State)
}

// clusterNames are the clusters of Kubernetes that a node knows.
func clusterNames(ctx context.Context, c *client) []string {
	got, err := c.Discovery(ctx)
	if err != nil {
		return nil
	}
	return terminal.Each(got.Clusters, func(k api.DiscoveredCluster) string { return k.Name })
}
