package node

import (
	"time"

	"github.com/fairlead-dns/fairlead/discover"
	"github.com/fairlead-dns/fairlead/health"
)

// verdictsOf are those of a pool in a view, by name of the endpoint; nil for none.
func verdictsOf(v *health.View, zone, pool string) map[string]health.Verdict {
	if v == nil {
		return nil
	}
	for _, zv := range v.Zones {
		if zv.Zone.Name != zone {
			continue
		}
		for i, p := range zv.Zone.Pools {
			if p.Name != pool {
				continue
			}
			out := make(map[string]health.Verdict, len(p.Endpoints))
			for j, e := range p.Endpoints {
				out[e.Name] = zv.Pools[i].Endpoints[j].Verdict
			}
			return out
		}
	}
	return nil
}

// groundOf is what is decided by besides what somebody outside says: verdicts of what is served, which view gives; it may be nil, or give nil.
func groundOf(view func() *health.View, now time.Time) discover.Ground {
	// It is asked for each endpoint of a pool.
	known := make(map[[2]string]map[string]health.Verdict)
	verdicts := func(zone, pool string) map[string]health.Verdict {
		key := [2]string{zone, pool}
		if _, ok := known[key]; !ok && view != nil {
			known[key] = verdictsOf(view(), zone, pool)
		}
		return known[key]
	}
	verdict := func(k discover.Key, endpoint string) health.State { return verdicts(k.Zone, k.Pool)[endpoint].State }
	return discover.Ground{
		Now:    now,
		Up:     func(k discover.Key, endpoint string) bool { return verdict(k, endpoint) == health.Up },
		Judged: func(k discover.Key, endpoint string) bool { return verdict(k, endpoint) != health.Unknown },
		AnyUp: func(zone, pool string) bool {
			for _, v := range verdicts(zone, pool) {
				if v.State == health.Up {
					return true
				}
			}
			return false
		},
	}
}
