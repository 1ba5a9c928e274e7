package node

import (
	"context"
	"time"
)

// resignInterval is how often it is looked whether signatures are to be made anew: a look costs nothing, and the instants of keys are
// kept to the minute.
const resignInterval = time.Minute

// resign makes signatures anew, in the background, until ctx ends.
func (n *Node) resign(ctx context.Context) error {
	return every(ctx, resignInterval, func(now time.Time) {
		zones := 0
		n.rollover.Around(func() <-chan struct{} {
			zones = n.compiler.Resign(n.current.Load(), now)
			return n.current.Renew()
		})
		if zones > 0 {
			n.logger.Info("zones signed anew", "zones", zones, "seconds", time.Since(now).Seconds())
		}
	})
}
