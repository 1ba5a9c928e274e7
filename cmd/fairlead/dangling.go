package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// danglingHelp is what can be done about an order that would name nothing.
const danglingHelp = "end it, or keep the name or an address of what it was given for"

// A danglingOrder is one that is about something now, and would be about nothing with the files.
type danglingOrder struct {
	ID    string    `json:"id"`
	Kind  string    `json:"kind"`
	Scope api.Scope `json:"scope"`
	// file is that of the zone in which it named something.
	file string
}

func (o danglingOrder) String() string {
	return fmt.Sprintf("order %s (%s %s %s) would name nothing: neither its names nor the addresses for which it was given are there", o.ID, o.Kind, o.Scope.Kind, o.Scope.Name)
}

// dangling are the orders of the node that would name nothing once zones have taken the place of those that it serves. fetched
// are served zones by name: all that go, or have another version in zones; the others stay.
func (c *client) dangling(ctx context.Context, served []api.ZoneItem, zones []*config.Zone, fetched map[string]*config.Zone) (out []danglingOrder, err error) {
	var list api.Intents
	if err := into(&list)(c.Intents(ctx)); err != nil {
		return nil, err
	}
	var intents []*health.Intent
	for _, o := range list.Intents {
		if i, ok := aboutEndpoints(o); ok && o.State != api.IntentDangling {
			intents = append(intents, i)
			out = append(out, danglingOrder{ID: o.ID, Kind: o.Kind, Scope: o.Scope})
		}
	}
	if len(intents) == 0 {
		return nil, nil
	}
	before, after, unread := []*config.Zone{}, slices.Clone(zones), false
	for _, s := range served {
		if z := fetched[s.Name]; z != nil {
			before = append(before, z)
			continue
		}
		running, err := c.running(ctx, s.Name, "")
		if err != nil {
			// Its private keys are elsewhere: what is about no zone alone may name something there.
			unread = true
			continue
		}
		before, after = append(before, running.zone), append(after, running.zone)
	}
	was, is := judge.Resolve(before, intents), judge.Resolve(after, intents)
	var lost []danglingOrder
	for n, i := range intents {
		if unread && i.Scope.Zone == "" {
			continue
		}
		if judge.AboutNothing(after, i, is[n]) && !judge.AboutNothing(before, i, was[n]) {
			at := slices.IndexFunc(was[n], func(refs []health.EndpointRef) bool { return len(refs) > 0 })
			if z := slices.IndexFunc(zones, func(z *config.Zone) bool { return z.Name == before[at].Name }); z >= 0 {
				out[n].file = zones[z].File
			}
			lost = append(lost, out[n])
		}
	}
	return lost, nil
}

// aboutEndpoints is an order as far as it tells what it is about; not ok for one about the cluster or a node.
func aboutEndpoints(o api.Intent) (*health.Intent, bool) {
	var kind health.ScopeKind
	if kind.UnmarshalText([]byte(o.Scope.Kind)) != nil {
		return nil, false
	}
	scope, err := health.ParseScope(kind, o.Scope.Name)
	if scope.Kind == health.ScopeCluster || scope.Kind == health.ScopeNode {
		return nil, false
	}
	bound, ok := health.ParseBinding(o.Bound)
	return &health.Intent{Scope: scope, Service: o.Service, Bound: bound}, err == nil && ok
}
