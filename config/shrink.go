package config

import (
	"fmt"
	"net/netip"
	"slices"
)

// A new version of a zone file needs `allow_shrink: true`, or DirOptions.Force, if it drops more than ShrinkLimit percent of the
// names, or of the endpoints, and at least ShrinkLeast of them. A file cut short by accident loses far more; below ShrinkLeast a
// share says nothing: one of three is 33 %.
const (
	ShrinkLimit = 30
	ShrinkLeast = 10
)

// Shrinks says why a node that runs old refuses next, which drops too much of it; empty when it does not, or may. Endpoints
// that others of their pool replace, and those whose addresses stand elsewhere in next, are not dropped.
func Shrinks(old, next *Zone) string {
	if next.AllowShrink {
		return ""
	}
	for _, c := range []struct {
		what     string
		gone, of int
	}{{"names", namesGone(old, next), len(ownerNames(old))}, {"endpoints", endpointsGone(old, next), countEndpoints(old)}} {
		if c.gone >= ShrinkLeast && c.gone*100 > c.of*ShrinkLimit {
			return fmt.Sprintf("drops %d of %d %s, more than %d %% and at least %d", c.gone, c.of, c.what, ShrinkLimit, ShrinkLeast)
		}
	}
	return ""
}

// ShrinkHelp is what can be done about a version that Shrinks refuses.
const ShrinkHelp = "`allow_shrink: true` in the file lets it pass, and so does `fairlead reload --force`"

// ownerNames are the names of services and static records.
func ownerNames(z *Zone) map[string]bool {
	out := make(map[string]bool, len(z.Services)+len(z.Records))
	for _, s := range z.Services {
		out[s.Name] = true
	}
	for _, r := range z.Records {
		out[r.Name] = true
	}
	return out
}

// namesGone is how many names of old next lacks.
func namesGone(old, next *Zone) (gone int) {
	is := ownerNames(next)
	for name := range ownerNames(old) {
		if !is[name] {
			gone++
		}
	}
	return gone
}

func countEndpoints(z *Zone) (n int) {
	for _, p := range z.Pools {
		n += len(p.Endpoints)
	}
	return n
}

// endpointsGone is how many endpoints of old's pools next lacks: neither the endpoint nor its addresses are there, and no new one of the
// same pool takes its place.
func endpointsGone(old, next *Zone) (gone int) {
	type key struct{ pool, endpoint string }
	was, is, there := make(map[key]bool), make(map[key]bool), make(map[string]bool)
	for _, p := range old.Pools {
		for _, e := range p.Endpoints {
			was[key{p.Name, e.Name}] = true
		}
	}
	left := make(map[string]int)
	for _, p := range next.Pools {
		for _, e := range p.Endpoints {
			k := key{p.Name, e.Name}
			for _, a := range e.RData() {
				there[a] = true
			}
			if is[k] = true; !was[k] {
				left[p.Name]--
			}
		}
	}
	for _, p := range old.Pools {
		for _, e := range p.Endpoints {
			still := func(a string) bool { return there[a] }
			if !is[key{p.Name, e.Name}] && !slices.ContainsFunc(e.RData(), still) {
				left[p.Name]++
			}
		}
	}
	for _, n := range left {
		gone += max(n, 0)
	}
	return gone
}

// Carried is what answers for one service can carry of an endpoint: its RData, and the host name to which SRV records of the service lead.
func (z *Zone) Carried(svc *Service, pool, endpoint int) []string {
	out := z.Pools[pool].Endpoints[endpoint].RData()
	if svc.SRV != nil {
		out = append(out, z.HostName(pool, endpoint))
	}
	return out
}

// RData are the addresses of e as netip.Addr prints them, or its CNAME target: what answers for services can carry of it.
func (e *Endpoint) RData() (out []string) {
	for _, a := range []netip.Addr{e.V4, e.V6} {
		if a.IsValid() {
			out = append(out, a.String())
		}
	}
	if e.Target != "" {
		out = append(out, e.Target)
	}
	return out
}
