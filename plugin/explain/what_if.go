package explain

import (
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// WhatIf compares what every class of clients of every service gets now and under assumptions.
func (x *Explainer) WhatIf(a api.Assumptions, now time.Time) (*api.WhatIf, error) {
	then, err := x.Under(a)
	if err != nil {
		return nil, err
	}
	out := x.Compare(then, now)
	out.Assumptions = a
	return out, nil
}

// Compare compares what is the case with another snapshot of the same model.
func (x *Explainer) Compare(then *answer.Snapshot, now time.Time) *api.WhatIf {
	out := &api.WhatIf{Node: x.Node, At: now, Services: []api.WhatIfService{}}
	for _, zv := range x.Snapshot.View.Zones {
		for i := range zv.Zone.Services {
			d := difference{before: x.Snapshot, after: then, zv: zv, service: i, now: now}
			moved := d.classes()
			if len(moved) == 0 {
				out.Unchanged++
			}
			out.Services = append(out.Services, moved...)
		}
	}
	x.names(out, then)
	out.Overloads = x.overloads(then)
	out.Cuts = x.cuts(then)
	return out
}

// maxNames is how many names beside those of services are told of.
const maxNames = 50

// names tells which names beside those of services something leaves, and which something comes to.
func (x *Explainer) names(out *api.WhatIf, then *answer.Snapshot) {
	at := make(map[string]int)
	note := func(swap ledger.Swap, add func(n *api.WhatIfName, rdata string)) {
		for i := range swap.Left {
			d := &swap.Left[i]
			if d.Owner == d.Service {
				continue
			}
			k, known := at[d.Owner]
			switch {
			case !known && len(out.Names) == maxNames:
				k = -1
				out.MoreNames++
			case !known:
				k = len(out.Names)
				out.Names = append(out.Names, api.WhatIfName{Name: d.Owner, Service: serviceOf(d)})
			}
			if at[d.Owner] = k; k >= 0 {
				add(&out.Names[k], d.RData)
			}
		}
	}
	note(then.Since(x.Snapshot), func(n *api.WhatIfName, rdata string) { n.Leaves = append(n.Leaves, rdata) })
	note(x.Snapshot.Since(then), func(n *api.WhatIfName, rdata string) { n.Comes = append(n.Comes, rdata) })
}

// serviceOf is the service of a holding that left; for the host name of an endpoint the first whose SRV records lead there.
func serviceOf(d *ledger.Departed) string {
	if d.Service != "" || d.Pool < 0 {
		return d.Service
	}
	for _, i := range d.Zone.Pools[d.Pool].Services {
		if d.Zone.Services[i].SRV != nil {
			return d.Zone.Services[i].Name
		}
	}
	return ""
}

// A difference is that of one service in two snapshots.
type difference struct {
	before, after *answer.Snapshot
	zv            *health.ZoneView
	service       int
	now           time.Time
}

// classes are the classes whose plans differ. A class that only one of the two has is compared with what its clients get in
// the other: the class that theirs is a part of.
func (d *difference) classes() []api.WhatIfService {
	was, is := d.before.Decision(d.zv.Zone, d.service), d.after.Decision(d.zv.Zone, d.service)
	if was == is {
		return nil
	}
	var out []api.WhatIfService
	for _, key := range keys(was, is) {
		p, q := was.PlanOf(key), is.PlanOf(key)
		if p.Equal(q) && p.Tier == q.Tier {
			continue
		}
		out = append(out, api.WhatIfService{
			Service: was.Service.Name, Class: key, Before: d.state(d.before, p), After: d.state(d.after, q),
		})
	}
	return out
}

// keys are those of the plans of either, those of the first one first.
func keys(a, b *steer.Decision) []string {
	var out []string
	seen := make(map[string]bool)
	for _, d := range []*steer.Decision{a, b} {
		for _, p := range d.Plans {
			if !seen[p.Key] {
				seen[p.Key] = true
				out = append(out, p.Key)
			}
		}
	}
	return out
}

func (d *difference) state(s *answer.Snapshot, p *steer.Plan) api.WhatIfState {
	ttl, _ := s.ServiceTTL(d.zv.Zone, d.service, d.now)
	return api.WhatIfState{
		Source: p.Source.String(), Degraded: p.Source.Degraded() || p.Kept > 0, Tier: p.Tier.Index + 1, TTLSeconds: ttl,
		Shares: Shares(d.zv.Zone, p),
	}
}
