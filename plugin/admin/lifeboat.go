package admin

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

func (s *Server) lifeboatRoutes() []route {
	return []route{{
		method: http.MethodGet, path: api.LifeboatPath, role: viewer, reply: api.Lifeboat{}, handle: s.lifeboat,
		doc: "Whether what still arrives at addresses that have left the answers is to be forwarded, to whom, and until when.",
		query: []parameter{
			{"kind", "az, region, pool, endpoint or cluster (of Kubernetes); required"}, {"name", "NAME, ZONE/POOL or ZONE/POOL/ENDPOINT; required"},
			{"service", "the one service whose clients arrive; all that it left by default"},
		},
	}}
}

func (s *Server) lifeboat(r *http.Request) (int, any) {
	values, err := query(r, "kind", "name", "service")
	if err != nil {
		return invalid(err)
	}
	scope, err := scopeOf(values.Get("kind"), values.Get("name"))
	if err == nil && scope.Kind == health.ScopeNode {
		err = fmt.Errorf("kind %q: nobody arrives at a node of the cluster", values.Get("kind"))
	}
	if err != nil {
		return invalid(err)
	}
	n := s.opts.Node
	known, err := n.Safety(scope)
	if err != nil {
		return http.StatusServiceUnavailable, failure(http.StatusServiceUnavailable, err)
	}
	snap := n.Snapshot()
	if len(known.Items) == 0 || snap == nil {
		return http.StatusNotFound, failure(http.StatusNotFound, fmt.Errorf("%w: %s", health.ErrNothingNamed, scope))
	}
	service := values.Get("service")
	if service != "" {
		service = fqdn(service)
	}
	return http.StatusOK, NewLifeboat(n, snap, scope, service, &known)
}

// NewLifeboat is what follows from what is known of a scope, and from snap, for who still arrives there. service is the one whose clients do; empty
// for all.
func NewLifeboat(n Node, snap *answer.Snapshot, scope health.Scope, service string, known *departure.Safety) *api.Lifeboat {
	b := boatView{node: n, snap: snap, service: service, known: known, drains: drainsOf(n)}
	out := &api.Lifeboat{
		Node: n.Name(), At: known.At, Scope: api.Scope{Kind: scope.Kind.String(), Name: scope.Path()}, Addresses: []api.LifeboatAddress{}, Asked: known.Asked,
	}
	for i := range known.Items {
		if a, err := netip.ParseAddr(known.Items[i].RData); err == nil {
			out.Addresses = append(out.Addresses, b.address(&known.Items[i], a))
		}
	}
	out.Nodes = proberAddresses(n, out.Addresses)
	return out
}

// A boatView looks at what the addresses of a scope are to those who arrive there.
type boatView struct {
	node Node
	// snap is the one snapshot that all of it is read from: zones and services of one are not those of another.
	snap    *answer.Snapshot
	service string
	known   *departure.Safety
	drains  []health.Intent
}

// address is what becomes of who arrives at one address.
func (b *boatView) address(i *departure.SafetyItem, addr netip.Addr) api.LifeboatAddress {
	out := api.LifeboatAddress{Endpoint: endpointName(i.Label), Address: i.RData, Drained: i.Drained}
	z, pool := b.poolOf(i.Label)
	out.Lifeboat = b.ordered(z, pool, i.Label)
	if i.Bound.Known {
		caches := b.node.Caches()
		clamped := i.Bound.Clamped(caches.Clamp, caches.Transit)
		out.Until, out.RemainingSeconds = instant(i.Bound.SafeAt), remaining(i.Bound.SafeAt, b.known.At)
		out.ClampedUntil, out.ClampedRemainingSeconds = instant(clamped), remaining(clamped, b.known.At)
	}
	if by := b.answeredBy(i); by != "" {
		out.State, out.Text = api.BoatAnswered, by
		return out
	}
	if out.State, out.Text = api.BoatForgot, "no honest cache holds it"; !i.Bound.Final {
		out.State, out.Text = api.BoatDeparted, "caches may hold it"
	}
	refuse := func(rule, text string) api.LifeboatAddress {
		if out.Rule = rule; out.State == api.BoatDeparted {
			out.State, out.Text = api.BoatRefused, text
		}
		return out
	}
	switch {
	case pool == nil:
		return refuse("removed", "no file has its pool any more: whether that keeps data is not known")
	case pool.KeepsData():
		return refuse("stateful", "pool "+pool.Name+" keeps data: who arrives there is not carried to other data")
	}
	switch out.Services = b.left(i, z, pool); {
	case len(out.Services) == 0 && b.service != "":
		return refuse("services", plain(b.service)+" is no service whose answers it left")
	case len(out.Services) == 0:
		return refuse("empty", "no service is answered from its pool")
	}
	targets, rule, text := b.targets(z, out.Services, addr)
	if rule != "" {
		return refuse(rule, text)
	}
	out.Targets = targets
	return out
}

// remaining is how many seconds there are until an instant.
func remaining(at, now time.Time) *float64 {
	s := max(0, at.Sub(now)).Seconds()
	return &s
}

// poolOf is the pool of a label in the model; nil for none.
func (b *boatView) poolOf(l ledger.Label) (*health.ZoneView, *config.Pool) {
	for _, zv := range b.snap.View.Zones {
		if zv.Zone.Name != l.Zone {
			continue
		}
		for _, p := range zv.Zone.Pools {
			if p.Name == l.Pool {
				return zv, p
			}
		}
	}
	return nil, nil
}

// ordered tells whether a drain in force of an endpoint asks for a lifeboat.
func (b *boatView) ordered(zv *health.ZoneView, p *config.Pool, l ledger.Label) bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.Endpoints, func(e *config.Endpoint) bool {
		return ledger.LabelFor(zv.Zone, p, e) == l && slices.ContainsFunc(b.drains, func(d health.Intent) bool { return d.Lifeboat && judge.Names(zv.Zone, p, e, &d) })
	})
}

// answeredBy says who answers an address now, in words; empty for nobody that is known.
func (b *boatView) answeredBy(i *departure.SafetyItem) string {
	if names := b.snap.Owners(maxOwners, i.RData); len(names) > 0 {
		for k := range names {
			names[k] = plain(names[k])
		}
		return "it is answered for " + strings.Join(names, ", ")
	}
	for _, u := range i.Bound.Unknown {
		if u.Answering {
			return "node " + u.Node + " answers it"
		}
	}
	if records := staticRecords(b.node, []string{i.RData}); len(records) > 0 {
		return "the record " + records[0] + " has it"
	}
	return ""
}

// left are the services whose clients may still come to an address: those whose answers it left, or all of its pool where nobody remembers.
func (b *boatView) left(i *departure.SafetyItem, zv *health.ZoneView, p *config.Pool) (services []string) {
	for _, d := range b.node.Departures() {
		if d.RData == i.RData && d.Label == i.Label && !d.Moved {
			services = unique(services, d.Services)
		}
	}
	if len(services) == 0 {
		for _, k := range p.Services {
			services = append(services, zv.Zone.Services[k].Name)
		}
	}
	return slices.DeleteFunc(services, func(s string) bool { return b.service != "" && s != b.service })
}

// targets are who answers for all of the services now: at layer 4 nobody says which of them a client wants.
func (b *boatView) targets(zv *health.ZoneView, services []string, addr netip.Addr) (common []api.LifeboatTarget, rule, text string) {
	stateful, overloaded, answering := "", "", 0
	for _, name := range services {
		k := slices.IndexFunc(zv.Zone.Services, func(s *config.Service) bool { return s.Name == name })
		if k < 0 {
			continue
		}
		var own []api.LifeboatTarget
		plan := b.snap.Plan(zv.Zone, k)
		for _, s := range explain.Shares(zv.Zone, plan) {
			p := zv.Zone.Pools[max(0, slices.IndexFunc(zv.Zone.Pools, func(p *config.Pool) bool { return p.Name == s.Pool }))]
			switch {
			case s.Pool == "" || s.Fraction == 0 || (s.Family == "A") != addr.Is4() || s.Family == "CNAME":
				continue
			case p.KeepsData():
				stateful = p.Name
				continue
			}
			if percent := explain.LoadPercent(b.snap, zv.Zone, s.Pool); percent > 100 {
				overloaded = fmt.Sprintf("pool %s would get %.0f %% of its capacity", s.Pool, percent)
				continue
			}
			own = append(own, api.LifeboatTarget{Endpoint: plain(zv.Zone.Name) + "/" + s.Pool + "/" + s.Endpoint, Address: s.Data, Fraction: s.Fraction})
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

// proberAddresses are the addresses from which nodes probe, as far as this one knows: those at which they gossip, and its own on the way there.
func proberAddresses(n Node, to []api.LifeboatAddress) (from []string) {
	add := func(a netip.Addr) {
		if a = a.Unmap(); a.IsValid() && !slices.Contains(from, a.String()) {
			from = append(from, a.String())
		}
	}
	for _, v := range n.Cluster().Nodes {
		if ap, err := netip.ParseAddrPort(v.Address); err == nil {
			add(ap.Addr())
		}
	}
	for _, a := range to {
		// Nothing is sent: the kernel says by which address it would go there.
		if c, err := net.Dial("udp", net.JoinHostPort(a.Address, "9")); err == nil {
			add(c.LocalAddr().(*net.UDPAddr).AddrPort().Addr())
			c.Close()
		}
	}
	slices.Sort(from)
	return from
}
