package node

import (
	"context"
	"time"

	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

// ttlInterval is how often services' TTLs are looked at for events. A second is the unit of a TTL.
const ttlInterval = time.Second

// tellTTLs makes events of TTLs that fall and are back, until ctx ends.
func tellTTLs(ctx context.Context, current *answer.Current, events *event.Log) error {
	var steps explain.TTLSteps
	return every(ctx, ttlInterval, func(now time.Time) {
		list, more := steps.Look(current.Load(), now)
		for _, s := range list {
			events.Add("service.ttl", s.Subject, s.Text(), map[string]any{"ttl": s.TTL, "old_ttl": s.Before, "services": s.Services, "peace": s.Back})
		}
		events.Drop(more)
	})
}
