package node

import (
	"errors"
	"maps"
	"time"

	"github.com/fairlead-dns/fairlead/discover"
)

// discoverBehind is how long a node that reads a cluster itself leaves the word to another one that has read a later revision. Where
// nothing later comes for so long the cluster has gone back to an earlier state under the same UID, as after a restore: what is read now
// counts.
const discoverBehind = 5 * time.Minute

// A discovery implements engine.Shared for what the nodes of a cluster tell each other of clusters of Kubernetes. Of two sets the later one
// wins, so a site reads its own cluster and the others answer what it read.

// shownSets are the sets and orders at one instant.
type shownSets struct {
	sets   map[string]*discover.Set
	orders discover.Orders
	digest [16]byte
}

// Digest is the same for the same sets and orders.
func (d *discovery) Digest() [16]byte { return d.shown.Load().digest }

// Encode is all sets and orders.
func (d *discovery) Encode() ([]byte, error) {
	shown := d.shown.Load()
	return discover.Encode(shown.sets, shown.orders, time.Now())
}

// Agreed has d go on that waits for another node's word.
func (d *discovery) Agreed() {
	if !d.met.Swap(true) {
		d.poke()
	}
}

// Merge takes up what another node told, where it is later. What cannot be kept on disk is answered all the same, and said.
func (d *discovery) Merge(b []byte, now time.Time) (changed bool, err error) {
	sets, orders, err := discover.Decode(b, now)
	if err != nil {
		return false, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, s := range sets {
		if !s.Newer(d.sets[s.Cluster]) {
			continue
		}
		if d.state != "" {
			errs = append(errs, discover.Prepare(d.state), s.Save(d.state))
		}
		d.sets[s.Cluster] = s
		if r := d.readers[s.Cluster]; r != nil && s.UID != "" {
			r.Keep(s.UID)
		}
		changed = true
	}
	d.met.Store(true)
	ordered := false
	for _, o := range orders.Live(now) {
		is := false
		d.orders, is = d.orders.With(o)
		ordered = ordered || is
	}
	d.heard = d.heard || changed
	if changed = changed || ordered; changed {
		d.show()
	}
	d.poke()
	return changed, errors.Join(errs...)
}

// show makes the sets what whoever must not wait sees; d.mu is held.
func (d *discovery) show() {
	sets := maps.Clone(d.sets)
	// A cluster of which nothing has been decided yet is nobody's news.
	maps.DeleteFunc(sets, func(_ string, s *discover.Set) bool { return s.Decision == 0 && s.UID == "" })
	d.orders = d.orders.Live(time.Now())
	d.shown.Store(&shownSets{sets: sets, orders: d.orders, digest: discover.Digest(sets, d.orders)})
}

// takeNews tells, once, whether another node's set is to be applied, and whether an order is to be told.
func (d *discovery) takeNews() (heard, asked bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	heard, asked = d.heard, d.asked
	d.heard, d.asked = false, false
	return heard, asked
}

// tellLate tells, once, that the cluster is in an earlier state than it was.
func (d *discovery) tellLate(name string, r *clusterReader, now time.Time) {
	switch {
	case r.behind.IsZero():
		r.toldLate = false
	case !r.toldLate && now.Sub(r.behind) > discoverStale:
		r.toldLate = true
		text := "it is in an earlier state than it was, as after a restore: what it gave stays for " + discoverBehind.String() + ", or until it is adopted"
		d.logger.Error("cluster not taken", "cluster", name, "why", text)
		d.events.Add("discovery.rewound", name, text, nil)
	}
}

// late tells whether the cluster was in a later state than r has read, which then has no say: another node has read it, or it was restored.
func (d *discovery) late(s *discover.Set, r *clusterReader, now time.Time) bool {
	earlier := s.UID != "" && s.UID == r.report.UID && (r.report.Rewound || discover.CompareRevisions(r.report.Revision, s.Revision) < 0)
	if !earlier || len(r.report.Failures) > 0 {
		r.behind = time.Time{}
		return earlier
	}
	if r.behind.IsZero() {
		r.behind = now
	}
	return now.Sub(r.behind) < discoverBehind
}
