package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// Arrivals finds, in one snapshot, who may be given those who still arrive where answers lead no more. It is for one goroutine.
type Arrivals struct {
	snap *answer.Snapshot
	// loads are those of all pools, shares of the services that were asked about.
	loads  map[string]load
	shares map[*config.Service][]api.Share
}

// NewArrivals looks at s.
func NewArrivals(s *answer.Snapshot) *Arrivals {
	return &Arrivals{snap: s, loads: loads(s), shares: make(map[*config.Service][]api.Share)}
}

// Targets are who answers for all of the services of a zone now, for who arrives at an address: at layer 4 nobody says which of them a client wants.
// Without any, rule and text say why.
func (a *Arrivals) Targets(zv *health.ZoneView, services []string, addr netip.Addr) (common []api.LifeboatTarget, rule, text string) {
	stateful, overloaded, answering := "", "", 0
	for _, name := range services {
		k := slices.IndexFunc(zv.Zone.Services, func(s *config.Service) bool { return s.Name == name })
		if k < 0 {
			continue
		}
		var own []api.LifeboatTarget
		for _, s := range a.sharesOf(zv, k) {
			if s.Pool == "" || s.Fraction == 0 || (s.Family == "A") != addr.Is4() || s.Family == "CNAME" {
				continue
			}
			if p := zv.Zone.Pools[slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == s.Pool })]; p.KeepsData() {
				stateful = p.Name
				continue
			}
			pool := strings.TrimSuffix(zv.Zone.Name, ".") + "/" + s.Pool
			if l := a.loads[pool]; l.percent() > 100 {
				overloaded = fmt.Sprintf("pool %s would get %.0f %% of its capacity: %.0f of %.0f requests/s", s.Pool, l.percent(), l.requests, l.capacity)
				continue
			}
			own = append(own, api.LifeboatTarget{Endpoint: pool + "/" + s.Endpoint, Address: s.Data, Fraction: s.Fraction})
		}
		if answering++; answering == 1 {
			common = own
			continue
		}
		common = slices.DeleteFunc(common, func(t api.LifeboatTarget) bool {
			return !slices.ContainsFunc(own, func(o api.LifeboatTarget) bool { return o.Address == t.Address })
		})
		if len(common) == 0 && len(own) > 0 {
			rule, text = "services", "its services ("+strings.Join(services, ", ")+") are not answered by the same endpoints: name the one whose clients arrive"
		}
	}
	switch {
	case len(common) > 0:
		return common, "", ""
	case rule != "":
	case overloaded != "":
		rule, text = health.RuleCapacity, overloaded
	case stateful != "":
		rule, text = "stateful", "pool "+stateful+", which is in service, keeps data"
	default:
		rule, text = "empty", "nobody else is in service"
	}
	return nil, rule, text
}

// sharesOf are those of a service.
func (a *Arrivals) sharesOf(zv *health.ZoneView, service int) []api.Share {
	svc := zv.Zone.Services[service]
	shares, known := a.shares[svc]
	if !known {
		shares = Shares(zv.Zone, a.snap.Plan(zv.Zone, service))
		a.shares[svc] = shares
	}
	return shares
}
