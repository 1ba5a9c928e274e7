package explain

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
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

// Boat says why a lifeboat that an order asks for could not forward who arrives late at something that the order takes out: who would be in service
// could not carry what they get. It is nil for other orders, for those that override the rule, and where capacity or demand is not known.
func (x *Explainer) Boat(i health.Intent) error {
	if !asksBoat(&i) {
		return nil
	}
	return boat(x.Foresee(i), &i)
}

func asksBoat(i *health.Intent) bool {
	return i.Lifeboat && i.Kind == health.IntentDrain && !slices.Contains(i.Override, health.RuleCapacity)
}

// boat is Boat of what would be answered under the order.
func boat(then *answer.Snapshot, i *health.Intent) error {
	a := NewArrivals(then)
	for _, zv := range then.View.Zones {
		for _, ref := range judge.Endpoints(zv.Zone, i) {
			p := zv.Zone.Pools[ref.Pool]
			if p.KeepsData() {
				continue
			}
			var services []string
			for _, k := range p.Services {
				services = append(services, zv.Zone.Services[k].Name)
			}
			for _, addr := range []netip.Addr{p.Endpoints[ref.Endpoint].V4, p.Endpoints[ref.Endpoint].V6} {
				if !addr.IsValid() {
					continue
				}
				if _, rule, text := a.Targets(zv, services, addr); rule == health.RuleCapacity {
					return &health.RuleError{
						Suspension: health.Suspension{Rule: rule, Service: services[0]},
						Why:        "a lifeboat at " + p.Name + "/" + p.Endpoints[ref.Endpoint].Name + " would forward to nobody: " + text,
					}
				}
			}
		}
	}
	return nil
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
