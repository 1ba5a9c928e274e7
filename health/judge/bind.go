package judge

import (
	"net/netip"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// binds tells whether an intent holds for endpoints under any name: what takes them out, and what is about one endpoint. The weight of a
// pool, its gate and its return are the pool's own.
func binds(i *health.Intent) bool {
	switch i.Scope.Kind {
	case health.ScopeEndpoint:
		return true
	case health.ScopePool, health.ScopeAZ, health.ScopeRegion, health.ScopeKubernetes:
		return i.TakesOut()
	}
	return false
}

// Bind is what stands behind the names of an intent: the addresses and targets that no endpoint has which it does not name, in the zones of
// its scope. What two endpoints share when one of them is drained does not drain the other, then or later.
func Bind(zones []*config.Zone, i *health.Intent) health.Binding {
	if !binds(i) {
		return health.Binding{}
	}
	var addrs []netip.Addr
	var targets []string
	others, otherTargets := make(map[netip.Addr]bool), make(map[string]bool)
	for _, z := range zones {
		if !withinZone(z, i.Scope) {
			continue
		}
		for _, p := range z.Pools {
			for _, e := range p.Endpoints {
				named := mayName(z, p, i.Scope) && namesIn(z, p, e, i.Scope)
				for _, a := range []netip.Addr{e.V4, e.V6} {
					if !named {
						others[a] = true
					} else if a.IsValid() {
						addrs = append(addrs, a)
					}
				}
				if !named {
					otherTargets[e.Target] = true
				} else if e.Target != "" {
					targets = append(targets, e.Target)
				}
			}
		}
	}
	b := health.NewBinding(
		slices.DeleteFunc(addrs, func(a netip.Addr) bool { return others[a] }),
		slices.DeleteFunc(targets, func(t string) bool { return otherTargets[t] }))
	if b.Len() > health.MaxBound {
		return health.Binding{}
	}
	return b
}

// withinZone tells whether a scope may be about endpoints of z at all.
func withinZone(z *config.Zone, scope health.Scope) bool {
	return scope.Zone == "" || scope.Zone == z.Name
}

// bound tells whether an intent binds endpoint e of z, whatever its name.
func bound(z *config.Zone, e *config.Endpoint, i *health.Intent) bool {
	b := &i.Bound
	return b.Len() > 0 && withinZone(z, i.Scope) && (b.HasAddr(e.V4) || b.HasAddr(e.V6) || b.HasTarget(e.Target))
}

// Endpoints are those of z that an intent is about: by name, and those that it binds. Nodes are no endpoints.
func Endpoints(z *config.Zone, i *health.Intent) []health.EndpointRef {
	var refs []health.EndpointRef
	for pi, p := range z.Pools {
		named := mayName(z, p, i.Scope)
		if !named && i.Bound.Len() == 0 {
			continue
		}
		for ei, e := range p.Endpoints {
			if named && namesIn(z, p, e, i.Scope) || bound(z, e, i) {
				refs = append(refs, health.EndpointRef{Pool: pi, Endpoint: ei})
			}
		}
	}
	return refs
}

// Names tells whether an intent is about endpoint e of pool p of z.
func Names(z *config.Zone, p *config.Pool, e *config.Endpoint, i *health.Intent) bool {
	return ByName(z, p, e, i) || bound(z, e, i)
}

// ByName tells whether an intent is about endpoint e of pool p of z by its name, and not only since it binds it.
func ByName(z *config.Zone, p *config.Pool, e *config.Endpoint, i *health.Intent) bool {
	return mayName(z, p, i.Scope) && namesIn(z, p, e, i.Scope)
}

// Resolved are the endpoints that intents are about, by intent and by zone.
type Resolved [][][]health.EndpointRef

// Resolve is Endpoints for many intents and zones, at the cost of one walk over all endpoints for those that bind something.
func Resolve(zones []*config.Zone, intents []*health.Intent) Resolved {
	out := make(Resolved, len(intents))
	addrs, targets := make(map[netip.Addr][]int), make(map[string][]int)
	for n, i := range intents {
		out[n] = make([][]health.EndpointRef, len(zones))
		for zi, z := range zones {
			byName := health.Intent{Scope: i.Scope}
			out[n][zi] = Endpoints(z, &byName)
		}
		for _, a := range i.Bound.Addrs {
			addrs[a] = append(addrs[a], n)
		}
		for _, t := range i.Bound.Targets {
			targets[t] = append(targets[t], n)
		}
	}
	if len(addrs)+len(targets) == 0 {
		return out
	}
	for zi, z := range zones {
		for pi, p := range z.Pools {
			for ei, e := range p.Endpoints {
				for _, n := range slices.Concat(addrs[e.V4], addrs[e.V6], targets[e.Target]) {
					out.add(n, zi, z, p, e, health.EndpointRef{Pool: pi, Endpoint: ei}, intents[n])
				}
			}
		}
	}
	return out
}

// add adds what intent n binds, unless it is there by name or was added already.
func (r Resolved) add(n, zi int, z *config.Zone, p *config.Pool, e *config.Endpoint, ref health.EndpointRef, i *health.Intent) {
	if k := len(r[n][zi]); !withinZone(z, i.Scope) || ByName(z, p, e, i) || k > 0 && r[n][zi][k-1] == ref {
		return
	}
	r[n][zi] = append(r[n][zi], ref)
}

// AboutNothing tells whether none of the endpoints, by zone, that i is about serves a service that i is for.
func AboutNothing(zones []*config.Zone, i *health.Intent, refs [][]health.EndpointRef) bool {
	if i.Scope.Kind == health.ScopeShards {
		return shardsInNone(zones, i)
	}
	for zi, z := range zones {
		for _, ref := range refs[zi] {
			if i.Service == "" || slices.ContainsFunc(z.Pools[ref.Pool].Services, func(s int) bool { return z.Services[s].Name == i.Service }) {
				return false
			}
		}
	}
	return true
}
