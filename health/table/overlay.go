package table

import (
	"maps"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// Overlay reckons what the intents that are effective at now change, and marks the pools for which that is new. What did not
// change keeps its pointers.
func (t *Table) Overlay(open []health.Intent, now time.Time) (changed bool) {
	next := judge.Overlay(t.Model.Zones, open, now)
	for zi := range t.zones {
		zt := &t.zones[zi]
		for pi := range zt.pools {
			was, is := zt.pools[pi].orders, next[zi].Pools[pi]
			if !was.Or().Equal(is.Or()) {
				zt.pools[pi].orders = is
				t.dirty[Ref{zi, pi}] = true
				// The end of a force may have moved, which nothing but the horizon shows.
				t.moves(Ref{zi, pi})
				changed = true
			}
		}
		for si, is := range next[zi].Services {
			if was := zt.scoped[si]; was != nil && sameService(was, is) {
				next[zi].Services[si] = was
			}
		}
		if !maps.Equal(zt.scoped, next[zi].Services) {
			zt.scoped, changed = next[zi].Services, true
		}
	}
	return changed
}

func sameService(a, b *health.ServiceView) bool {
	return maps.Equal(a.Drained, b.Drained) && maps.Equal(a.PoolWeights, b.PoolWeights) && maps.Equal(a.EndpointWeights, b.EndpointWeights) &&
		a.SameShards(b)
}
