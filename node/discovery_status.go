package node

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// Status are the clusters that endpoints come from: those that zone files or the node file name.
func (d *discovery) Status() (out []api.DiscoveredCluster) {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := discover.Clusters(d.zones)
	for _, c := range d.clusters {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		out = append(out, d.clusterStatus(name))
	}
	return out
}

func (d *discovery) clusterStatus(name string) api.DiscoveredCluster {
	now := time.Now()
	c := api.DiscoveredCluster{Name: name, Configured: slices.ContainsFunc(d.clusters, func(k config.KubeCluster) bool { return k.Name == name })}
	if r := d.readers[name]; r != nil {
		c.Read = len(r.report.Failures) == 0 && !r.report.ReadAt.IsZero()
		c.ReadAt, c.Stranger = moment(r.report.ReadAt), r.report.Stranger() != nil
		for _, f := range r.report.Failures {
			if c.Since == nil || f.Since.Before(*c.Since) {
				c.Since, c.Failure = moment(f.Since), f.Err.Error()
			}
		}
		for _, p := range r.report.Problems {
			c.Problems = append(c.Problems, p.What+": "+p.Err.Error())
		}
		if !r.behind.IsZero() && now.Sub(r.behind) > discoverStale {
			c.Problems = append(c.Problems, fmt.Sprintf("it is in an earlier state than it was, as after a restore: what it says counts from %s on, or once it is adopted", r.behind.Add(discoverBehind).UTC().Format("15:04:05Z")))
		}
	}
	s := d.sets[name]
	if s == nil {
		return c
	}
	c.UID, c.Ordered = s.UID, d.ordered(s, now)
	for _, z := range d.zones {
		_, problems := discover.Members(z, map[string]*discover.Set{name: s})
		for _, p := range problems {
			c.Problems = append(c.Problems, strings.TrimSuffix(z.Name, ".")+": "+p)
		}
	}
	for _, p := range s.Parts {
		for _, e := range p.Entries {
			if e.Held {
				c.Held++
			}
			c.Endpoints = append(c.Endpoints, api.DiscoveredEndpoint{
				Zone: p.Zone, Pool: p.Pool, Name: e.EndpointName(name), Data: e.RData(), From: p.From, Object: e.Object, AZ: e.AZ,
				State: cmp.Or(string(e.State), "named"), Since: e.Since.UTC(), Held: e.Held,
			})
		}
	}
	return c
}

// moment is at in UTC; nil for never.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}
