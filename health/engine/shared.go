package engine

import (
	"context"
	"time"

	"github.com/fairlead-dns/fairlead/health/cluster"
)

// shareRuns is where newShares has Options.Runs.
const shareRuns = 2

// newShares are the sets that nodes have in common besides orders: Options.Shared first, then Options.Discovered and Options.Runs.
func (e *Engine) newShares(ask func(ctx context.Context, node, kind string, body []byte) ([]byte, error)) (shares []*cluster.Share) {
	for _, s := range []struct {
		name string
		set  cluster.Shared
	}{{"shared", e.opts.Shared}, {"discovered", e.opts.Discovered}, {"runs", e.opts.Runs}} {
		shares = append(shares, &cluster.Share{Name: s.name, Set: s.set, Ask: ask, Loop: e.loop, Changed: e.TellShared, Logger: e.opts.Logger})
	}
	return shares
}

// TellShared tells the others at once that Options.Shared, Discovered or Runs has changed.
func (e *Engine) TellShared() {
	e.loop.Post(func(time.Time) {
		if e.cluster != nil {
			e.cluster.urgent = true
		}
	})
}

// SharedMissing are the configured nodes, this one aside, that were not heard to have the same Shared as this node, by name, once there are
// none or ctx has ended.
func (e *Engine) SharedMissing(ctx context.Context) (missing []string) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := e.loop.Do(func(now time.Time) error { missing = e.sharedMissing(now); return nil })
		if err != nil || len(missing) == 0 {
			return missing
		}
		select {
		case <-ctx.Done():
			return missing
		case <-e.loop.Ended():
			return missing
		case <-tick.C:
		}
	}
}

func (e *Engine) sharedMissing(now time.Time) (missing []string) {
	if e.opts.Shared == nil || e.cluster.alone() {
		return nil
	}
	for _, name := range e.configuredNames(now) {
		p := e.cluster.peers[name]
		if name != e.cluster.self && (p == nil || !p.fresh || !e.cluster.shares[0].Has(name)) {
			missing = append(missing, name)
		}
	}
	return missing
}
