package admin

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// shardsNamed is the service and the shards that SERVICE/SHARDS names.
func shardsNamed(name string) (service string, shards config.Shards, err error) {
	service, text, _ := strings.Cut(name, "/")
	if shards, err = config.ParseShards(text); err != nil || service == "" {
		return "", nil, fmt.Errorf("%w: shards %q: want SERVICE/SHARDS, as in orders.example.org/0-9,20", health.ErrInvalidIntent, name)
	}
	return fqdn(service), shards, nil
}

// NewSafeShards is whether an honest cache may still send somebody who asks for shards of a service to where orders have taken them away from;
// nil if there are no such shards, or nothing is answered yet.
func NewSafeShards(n Node, service string, shards config.Shards, now time.Time) *api.Safe {
	a := safeAnswer{node: n, known: &departure.Safety{At: now}, out: &api.Safe{
		Node: n.Name(), At: now, Scope: api.Scope{Kind: "shards", Name: strings.TrimSuffix(service, ".") + "/" + shards.String()}, Answer: api.SafeYes,
	}}
	snap := n.Snapshot()
	if snap == nil {
		return nil
	}
	for _, zv := range snap.View.Zones {
		i := slices.IndexFunc(zv.Zone.Services, func(svc *config.Service) bool { return svc.Name == service && svc.Cells != nil })
		if i < 0 || shards.Last() >= zv.Zone.Services[i].Cells.Shards {
			continue
		}
		a.ofShardOrders(zv, i, snap.Shards(service), shards)
		a.ofShardMoves(service, shards)
		a.known.Clear, a.known.Unclear = n.Clear()
		a.cluster()
		f := together(a.bounds)
		if len(a.bounds) == 0 {
			f.Unknown = []api.UnknownNode{{Node: n.Name(), Why: "has not said that they moved"}}
		}
		a.out.Lines = Lines(&f, true, n.Caches(), zv.Zone.Services[i].Kind != config.Addresses)
		a.out.Text = a.told("no honest cache sends these shards to where they were, and no node does, as each has said after " + clock(a.asOf))
		if a.out.Answer == api.SafeYes {
			a.out.ForgottenAt, a.out.AsOf = instant(a.forgotten), instant(a.asOf)
		}
		return a.out
	}
	return nil
}

// ofShardOrders looks for shards that no order takes away from their home, or that it answers all the same, and for the end of those orders.
func (a *safeAnswer) ofShardOrders(zv *health.ZoneView, service int, answered *ledger.ServiceShards, shards config.Shards) {
	svc, scoped := zv.Zone.Services[service], zv.Scoped[service]
	home := config.ShardsWhere(svc.Cells.Shards, func(shard int) bool {
		pool, drained := scoped.ShardAt(svc.Cells, shard)
		return shards.Has(shard) && !drained && pool == svc.Cells.HomeOf(shard)
	})
	stay := home
	for _, o := range a.node.Intents() {
		ordered := o.Scope.Shards()
		if o.Planned || o.Suspended != nil || o.Service != svc.Name || !ordered.Meets(shards) {
			continue
		}
		// Where the file has followed the order, their older home is one that it took them away from.
		stay = stay.Without(ordered)
		if !o.Forever && (a.out.DrainEndsAt == nil || o.End.Before(*a.out.DrainEndsAt)) {
			a.out.DrainEndsAt = instant(o.End)
		}
	}
	if len(stay) > 0 {
		why := api.SafeReason{Code: "not_drained", Text: "no order has taken the shards " + stay.Short() + " away from their home",
			Command: "fairlead drain shards " + stay.String() + " --service " + strings.TrimSuffix(svc.Name, ".")}
		if slices.ContainsFunc(a.node.Departures(), func(d departure.Departure) bool { return d.Moved && d.Service == svc.Name && d.Shards.Meets(stay) }) {
			// To drain them would take them from where they have just arrived.
			why.Text += ": they have moved to it, and `fairlead staleness` says when caches forget from where"
			why.Command = "fairlead staleness " + strings.TrimSuffix(svc.Name, ".")
		}
		a.because(api.SafeNo, why)
	}
	for _, pool := range svc.Cells.Homes() {
		name := zv.Zone.Pools[pool].Name
		if stay := answered.From(name, shards.Without(home).Both(svc.Cells.ShardsAt(pool))); len(stay) > 0 {
			a.because(api.SafeNo, api.SafeReason{Code: "answered", Node: a.node.Name(),
				Text: "pool " + name + " answers the shards " + stay.Short() + " all the same: where orders have them is not in service"})
		}
	}
}

// ofShardMoves looks at what caches may hold of the shards, and at which nodes have not said.
func (a *safeAnswer) ofShardMoves(service string, shards config.Shards) {
	rest := shards
	for _, d := range a.node.Departures() {
		if !d.Moved || d.Service != service || !d.Shards.Meets(shards) {
			continue
		}
		rest = rest.Without(d.Shards)
		b := &d.Bound
		a.bounds = append(a.bounds, api.DepartureStaleness{Endpoint: d.RData, Forgetting: ForgettingOf(b, a.node.Caches(), a.known.At)})
		for _, u := range b.Unknown {
			a.unsaid(api.SafeReason{}, &u, b)
		}
		for _, v := range d.Again {
			a.because(api.SafeUnknown, api.SafeReason{Code: "answered", Node: v.Node, Text: "node " + v.Node + " may answer by other files or orders again"})
		}
		a.forgets(b, "honest caches may hold where "+d.RData+" were")
	}
	if len(rest) > 0 && a.out.Answer != api.SafeNo {
		a.because(api.SafeUnknown, api.SafeReason{Code: "not_said", Text: "nothing is known of when the shards " + rest.Short() + " moved"})
	}
}
