package node

import (
	"context"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// ttlInterval is how often services' TTLs are looked at for events. A second is the unit of a TTL.
const ttlInterval = time.Second

// tellTTLs makes events of TTLs that fall and are back, until ctx ends.
func (n *Node) tellTTLs(ctx context.Context) error {
	var steps explain.TTLSteps
	return every(ctx, ttlInterval, func(now time.Time) {
		list, more := steps.Look(n.current.Load(), now)
		for _, s := range list {
			n.events.Add("service.ttl", s.Subject, s.Text(), map[string]any{"ttl": s.TTL, "old_ttl": s.Before, "services": s.Services, "peace": s.Back})
		}
		n.events.Drop(more)
	})
}
