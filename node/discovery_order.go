package node

import (
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/plugin/admin"
)

// Accept lets everything of a cluster leave that it does not name.
func (d *discovery) Accept(cluster string) error { return d.order(cluster, discover.Accept) }

// Adopt takes the cluster that stands behind the URL now for the one that was read, or the same one as it is now.
func (d *discovery) Adopt(cluster string) error { return d.order(cluster, discover.Adopt) }

// order tells every node of an order; one that reads the cluster carries it out.
func (d *discovery) order(cluster string, kind discover.OrderKind) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sets[cluster]
	if s == nil {
		if !slices.Contains(discover.Clusters(d.zones), cluster) && !slices.ContainsFunc(d.clusters, func(c config.KubeCluster) bool { return c.Name == cluster }) {
			return fmt.Errorf("%w %s", admin.ErrNoCluster, cluster)
		}
		s = &discover.Set{Cluster: cluster}
	}
	now := time.Now()
	d.orders, _ = d.orders.Live(now).With(d.orders.Next(s, kind, now))
	d.asked = true
	d.show()
	d.poke()
	return nil
}

// ordered is what a cluster waits for somebody to do; empty for nothing.
func (d *discovery) ordered(s *discover.Set, now time.Time) string {
	for _, kind := range []discover.OrderKind{discover.Adopt, discover.Accept} {
		if d.orders.Due(s, kind, now) > 0 {
			return string(kind)
		}
	}
	return ""
}

// accept is the number of an order to let go of what the cluster does not name, once it can be carried out.
func (d *discovery) accept(s *discover.Set, r *clusterReader, now time.Time) uint64 {
	if r.report.Stranger() != nil || !slices.ContainsFunc(r.report.Seen, func(o discover.Seen) bool { return o.Known }) {
		return 0
	}
	return d.orders.Due(s, discover.Accept, now)
}

// adopt begins what an order to adopt asks for, and is the order's number once the cluster has answered since.
func (d *discovery) adopt(s *discover.Set, r *clusterReader, now time.Time) (carriedOut uint64) {
	number := d.orders.Due(s, discover.Adopt, now)
	switch {
	case number == 0:
		r.adopting = false
		return 0
	case !r.adopting:
		// Everything is listed anew; the next report is of that.
		r.adopting, r.wasBack = true, r.report.Rewound
		r.Adopt()
		r.report = r.Report()
	}
	if r.report.UID == "" || len(r.report.Failures) > 0 || !r.report.Complete() {
		return 0
	}
	r.adopting = false
	if s.UID == r.report.UID && (r.wasBack || discover.CompareRevisions(r.report.Revision, s.Revision) < 0) {
		// It is the same one in an earlier state: what late waits for has been decided.
		r.behind = now.Add(-discoverBehind)
		r.report.Rewound = true
	}
	return number
}
