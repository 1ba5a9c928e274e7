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
	b := newBoatView(n, snap, service, known)
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

// A boatView looks at what the addresses of a scope are to those who arrive there. What is the same for all of them is found out once.
type boatView struct {
	node     Node
	service  string
	known    *departure.Safety
	arrivals *explain.Arrivals
	// pools are those of the snapshot, ordered the endpoints of which a drain in force asks for a lifeboat.
	pools   map[placeOfPool]poolView
	ordered map[ledger.Label]bool
	// owners are names of the snapshot that answer an address, records static records that have it, left the services whose answers it left.
	owners, records map[string][]string
	left            map[placeLeft][]string
}

// A placeOfPool is a pool by name, a placeLeft an endpoint with what left.
type (
	placeOfPool struct{ zone, pool string }
	placeLeft   struct {
		label ledger.Label
		rdata string
	}
)

// A poolView is a pool in its zone.
type poolView struct {
	zone *health.ZoneView
	pool *config.Pool
}

func newBoatView(n Node, snap *answer.Snapshot, service string, known *departure.Safety) *boatView {
	b := &boatView{
		node: n, service: service, known: known, arrivals: explain.NewArrivals(snap), pools: make(map[placeOfPool]poolView), ordered: boatsOrdered(snap, drainsOf(n)),
		left: make(map[placeLeft][]string),
	}
	var addresses []string
	for i := range known.Items {
		addresses = append(addresses, known.Items[i].RData)
	}
	b.owners, b.records = snap.OwnersOf(maxOwners, addresses...), carriersOf(snap, addresses)
	for _, zv := range snap.View.Zones {
		for _, p := range zv.Zone.Pools {
			b.pools[placeOfPool{zv.Zone.Name, p.Name}] = poolView{zv, p}
		}
	}
	for _, d := range n.Departures() {
		if !d.Moved {
			at := placeLeft{d.Label, d.RData}
			b.left[at] = unique(b.left[at], d.Services)
		}
	}
	return b
}

// boatsOrdered are the endpoints of which one of drains asks for a lifeboat.
func boatsOrdered(snap *answer.Snapshot, drains []health.Intent) map[ledger.Label]bool {
	ordered := make(map[ledger.Label]bool)
	for i := range drains {
		if !drains[i].Lifeboat {
			continue
		}
		for _, zv := range snap.View.Zones {
			for _, ref := range judge.Endpoints(zv.Zone, &drains[i]) {
				ordered[ledger.LabelOf(zv.Zone, ref.Pool, ref.Endpoint)] = true
			}
		}
	}
	return ordered
}

// address is what becomes of who arrives at one address.
func (b *boatView) address(i *departure.SafetyItem, addr netip.Addr) api.LifeboatAddress {
	out := api.LifeboatAddress{Endpoint: endpointName(i.Label), Address: i.RData, Drained: i.Drained}
	at := b.pools[placeOfPool{i.Label.Zone, i.Label.Pool}]
	pool := at.pool
	out.Lifeboat = b.ordered[i.Label]
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
	switch out.Services = b.services(i, at); {
	case len(out.Services) == 0 && b.service != "":
		return refuse("services", plain(b.service)+" is no service whose answers it left")
	case len(out.Services) == 0:
		return refuse("empty", "no service is answered from its pool")
	}
	targets, rule, text := b.arrivals.Targets(at.zone, out.Services, addr)
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

// answeredBy says who answers an address now, in words; empty for nobody that is known.
func (b *boatView) answeredBy(i *departure.SafetyItem) string {
	if names := b.owners[i.RData]; len(names) > 0 {
		var list []string
		for _, name := range names {
			list = append(list, plain(name))
		}
		return "it is answered for " + strings.Join(list, ", ")
	}
	for _, u := range i.Bound.Unknown {
		if u.Answering {
			return "node " + u.Node + " answers it"
		}
	}
	if records := b.records[i.RData]; len(records) > 0 {
		return "the record " + records[0] + " has it"
	}
	return ""
}

// services are those whose clients may still come to an address: those whose answers it left, or all of its pool where nobody remembers.
func (b *boatView) services(i *departure.SafetyItem, at poolView) []string {
	services := slices.Clone(b.left[placeLeft{i.Label, i.RData}])
	if len(services) == 0 {
		for _, k := range at.pool.Services {
			services = append(services, at.zone.Zone.Services[k].Name)
		}
	}
	return slices.DeleteFunc(services, func(s string) bool { return b.service != "" && s != b.service })
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
