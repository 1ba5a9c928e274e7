package explain

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// Preview is what a drain, a weight or a force would do to the answers of every service. admissible is what the engine says of the order: a
// refusal by a safety rule is a part of the preview, every other error is returned.
func (x *Explainer) Preview(i health.Intent, admissible error, a steer.Allowances, now time.Time) (*api.Preview, error) {
	if _, ok := errors.AsType[*health.RuleError](admissible); admissible != nil && !ok {
		return nil, admissible
	}
	then := x.Foresee(i)
	if admissible == nil && asksBoat(&i) {
		admissible = boat(then, &i)
	}
	p := new(api.Preview)
	if rule, ok := errors.AsType[*health.RuleError](admissible); ok {
		p.Rule, p.RuleService, p.Refused = rule.Rule, rule.Service, rule.Error()
	}
	p.WhatIf = *x.Compare(then, now)
	if i.TakesOut() {
		p.Left, p.AnsweredElsewhere = left(then.View, i), answeredElsewhere(then, i)
	}
	p.ForgottenWithinSeconds, p.TransitSeconds = ForgottenWithin(then.View.Model, &p.WhatIf, a, i.Start.Sub(now)).Seconds(), a.Transit.Seconds()
	return p, nil
}

// Foresee is what would be answered under the order.
func (x *Explainer) Foresee(i health.Intent) *answer.Snapshot {
	w := world{view: *x.Snapshot.View}
	w.view.Zones = slices.Clone(w.view.Zones)
	w.order(i)
	return x.Compiler.Compile(x.Snapshot, &w.view)
}

// left counts, in the view under the order, what the services have that it takes something from.
func left(v *health.View, i health.Intent) []api.Left {
	var out []api.Left
	for _, zv := range v.Zones {
		touched := make(map[int]bool)
		for _, ref := range judge.Endpoints(zv.Zone, &i) {
			for _, si := range zv.Zone.Pools[ref.Pool].Services {
				touched[si] = i.Service == "" || i.Service == zv.Zone.Services[si].Name
			}
		}
		for si, svc := range zv.Zone.Services {
			if touched[si] {
				l := api.Left{Service: svc.Name}
				l.Endpoints, l.Up = steer.Left(zv, svc, si)
				out = append(out, l)
			}
		}
	}
	return out
}

const (
	// maxElsewhere bounds the addresses that a preview lists as answered all the same, maxOwners the names of each.
	maxElsewhere = 20
	maxOwners    = 3
)

// answeredElsewhere are the addresses behind an order that answers carry under it: by a service or a pool that it is not about, or by a
// static record.
func answeredElsewhere(then *answer.Snapshot, i health.Intent) []api.AnsweredElsewhere {
	var all []api.AnsweredElsewhere
	at := make(map[string]int)
	for _, zv := range then.View.Zones {
		for _, ref := range judge.Endpoints(zv.Zone, &i) {
			p := zv.Zone.Pools[ref.Pool]
			e := p.Endpoints[ref.Endpoint]
			for _, a := range e.RData() {
				if _, known := at[a]; !known {
					at[a] = len(all)
					all = append(all, api.AnsweredElsewhere{Endpoint: strings.TrimSuffix(zv.Zone.Name, ".") + "/" + p.Name + "/" + e.Name, Address: a})
				}
			}
		}
	}
	for _, zv := range then.View.Zones {
		zv.Zone.Carriers(func(c config.Carrier) {
			if n, ok := at[c.RData]; ok && !slices.Contains(all[n].Records, c.String()) && len(all[n].Records) < maxOwners {
				all[n].Records = append(all[n].Records, c.String())
			}
		})
	}
	out, owners := all[:0], then.OwnersOf(maxOwners, slices.Collect(maps.Keys(at))...)
	for _, s := range all {
		if len(out) == maxElsewhere {
			break
		}
		if s.Names = owners[s.Address]; len(s.Names) > 0 || len(s.Records) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// ForgottenWithin is the longest that an honest cache may hold an answer which one of the services gives no more, from an order
// on that begins after ahead: until it begins, no answer with what it takes out outlives the beginning, but for the floor.
func ForgottenWithin(m *config.Model, w *api.WhatIf, a steer.Allowances, ahead time.Duration) time.Duration {
	var longest time.Duration
	touched := make(map[string]bool)
	for _, s := range w.Services {
		touched[s.Service] = true
	}
	for _, n := range w.Names {
		touched[n.Service] = touched[n.Service] || len(n.Leaves) > 0
	}
	ahead = max(ahead, 0)
	for _, z := range m.Zones {
		for _, svc := range z.Services {
			if touched[svc.Name] {
				before, after := a.Longest(svc)+a.Gossip, ahead+time.Duration(svc.TTL.Min)*time.Second+a.Gossip
				if ahead == 0 {
					after = 0
				}
				longest = max(longest, max(before, after)+a.Quiesce+a.Transit)
			}
		}
	}
	return longest
}

// order changes the world as a drain, a weight or a force would.
func (w *world) order(i health.Intent) {
	if i.Start.IsZero() {
		// It begins at once.
		i.Start = w.view.At
	}
	for zi, zv := range w.view.Zones {
		var orders judge.ZoneOrders
		for _, ref := range judge.Endpoints(zv.Zone, &i) {
			orders.Add(zv.Zone, ref, &i)
		}
		orders.AddShards(zv.Zone, &i, i.Start)
		w.put(zi, &orders)
	}
}

// orderAt changes the world as an order would that is about one endpoint.
func (w *world) orderAt(zone int, ref health.EndpointRef, i health.Intent) {
	var orders judge.ZoneOrders
	orders.Add(w.view.Zones[zone].Zone, ref, &i)
	w.put(zone, &orders)
}

// put puts orders into the world, by the code that overlays them on what is served.
func (w *world) put(zone int, orders *judge.ZoneOrders) {
	for pi, o := range orders.Pools {
		o.On(w.view.Zones[zone].Zone.Pools[pi], w.pool(zone, pi))
	}
	if len(orders.Services) > 0 {
		zv := *w.view.Zones[zone]
		zv.Scoped = orders.Scoped(zv.Scoped)
		w.view.Zones[zone] = &zv
	}
}
