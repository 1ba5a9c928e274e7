package health

import "slices"

// An Island is what a node that is isolated knows of a pool by the vantages of its own region that it still hears, itself among them
// (docs/design.md section 4). It takes away and gives nothing: verdicts stand still. It is never written after it was published.
type Island struct {
	// Own is set for pools of the node's own region.
	Own bool
	// Endpoints are those of the pool's view, but for those that are dead as the region sees it, or of which an address is; nil where none is.
	Endpoints []EndpointView
}

// equal tells whether a and b say the same, to the word.
func (a *Island) equal(b *Island) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Own == b.Own && slices.EqualFunc(a.Endpoints, b.Endpoints, func(x, y EndpointView) bool {
		if x.Each != nil && y.Each != nil && *x.Each == *y.Each {
			x.Each = y.Each
		}
		return x == y
	})
}

// sameSteering tells whether a and b differ in nothing that a plan depends on.
func (a *Island) sameSteering(b *Island) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Own == b.Own && slices.EqualFunc(a.Endpoints, b.Endpoints, func(x, y EndpointView) bool {
		return x.Drained == y.Drained && x.Forced == y.Forced && x.InService() == y.InService() && x.Pending() == y.Pending() && x.sameAddresses(&y)
	})
}

// SameIsland tells whether p and q are the same to a node that is cut off, to the word.
func (p *PoolView) SameIsland(q *PoolView) bool { return p.Island.equal(q.Island) }

// Seen is p as the node's own region sees it while the node is cut off, and p itself else.
func (p *PoolView) Seen() *PoolView {
	if p.Island == nil || p.Island.Endpoints == nil {
		return p
	}
	seen := *p
	seen.Endpoints = p.Island.Endpoints
	return &seen
}

// Seen is z as the node's own region sees it while the node is cut off.
func (z *ZoneView) Seen() *ZoneView {
	seen := *z
	seen.Pools = make([]*PoolView, len(z.Pools))
	for i, p := range z.Pools {
		seen.Pools[i] = p.Seen()
	}
	return &seen
}

// IsIsland tells whether the node answers as an island: it is cut off, and has a region that the zone knows.
func (z *ZoneView) IsIsland() bool { return len(z.Pools) > 0 && z.Pools[0].Island != nil }

// Islanders counts the services that this node answers as an island of its region; 0 while it is none.
func (v *View) Islanders() (services int) {
	for _, z := range v.Zones {
		if !z.IsIsland() {
			continue
		}
		for _, s := range z.Zone.Services {
			if s.Island {
				services++
			}
		}
	}
	return services
}
