package fairlead

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

// Digest is the same for the same sets.
func (d *discovery) Digest() [16]byte { return discover.Digest(*d.shown.Load()) }

// Encode is all sets.
func (d *discovery) Encode() ([]byte, error) { return discover.Encode(*d.shown.Load(), time.Now()) }

// Agreed is nothing to d.
func (d *discovery) Agreed() {}

// Merge takes up what another node told, where it is later. What cannot be kept on disk is answered all the same, and said.
func (d *discovery) Merge(b []byte, now time.Time) (changed bool, err error) {
	sets, err := discover.Decode(b, now)
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
	if changed {
		d.show()
		d.heard = true
		d.poke()
	}
	return changed, errors.Join(errs...)
}

// show makes the sets what whoever must not wait sees; d.mu is held.
func (d *discovery) show() {
	sets := maps.Clone(d.sets)
	// A cluster of which nothing has been decided yet is nobody's news.
	maps.DeleteFunc(sets, func(_ string, s *discover.Set) bool { return s.Decision == 0 && s.UID == "" })
	d.shown.Store(&sets)
}

// hasHeard tells, once, whether another node's set is to be applied.
func (d *discovery) hasHeard() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	heard := d.heard
	d.heard = false
	return heard
}

// late tells whether another node has read a later revision of the cluster than r, which then has no say.
func (d *discovery) late(s *discover.Set, r *clusterReader, now time.Time) bool {
	if s.UID == "" || s.UID != r.report.UID || len(r.report.Failures) > 0 || discover.CompareRevisions(r.report.Revision, s.Revision) >= 0 {
		r.behind = time.Time{}
		return s.UID != "" && s.UID == r.report.UID && discover.CompareRevisions(r.report.Revision, s.Revision) < 0
	}
	if r.behind.IsZero() {
		r.behind = now
	}
	return now.Sub(r.behind) < discoverBehind
}
