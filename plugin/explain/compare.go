package explain

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A NameChange is an owner name whose answers are others in two models. Before is nil for a name that comes, After for one
// that goes; Class is as in api.WhatIfService.
type NameChange struct {
	Name   string           `json:"name"`
	Class  string           `json:"class,omitempty"`
	Before *api.WhatIfState `json:"before,omitempty"`
	After  *api.WhatIfState `json:"after,omitempty"`
}

// CompareZones are the services of two versions of a zone whose answers differ while all is well, by the code that serves. Either
// may be nil. Static records are no services.
func CompareZones(before, after *config.Zone, now time.Time) []NameChange {
	was, is := servicesOf(before, now), servicesOf(after, now)
	var out []NameChange
	for _, name := range union(was.names, is.names) {
		i, there := was.index[name]
		j, here := is.index[name]
		var keysOf [][]string
		if there {
			keysOf = append(keysOf, was.classes(i))
		}
		if here {
			keysOf = append(keysOf, is.classes(j))
		}
		for _, class := range union(keysOf...) {
			c := NameChange{Name: name, Class: class}
			if there {
				c.Before = was.state(i, class)
			}
			if here {
				c.After = is.state(j, class)
			}
			if c.Before == nil || c.After == nil || !sameAnswers(c.Before, c.After) {
				out = append(out, c)
			}
		}
	}
	return out
}

// answered are the services of one version of a zone, while all is well.
type answered struct {
	d     difference
	names []string
	index map[string]int
}

func servicesOf(z *config.Zone, now time.Time) *answered {
	out := &answered{index: make(map[string]int)}
	if z == nil {
		return out
	}
	x := New(config.NewModel([]*config.Zone{z}), nil, now)
	out.d = difference{before: x.Snapshot, zv: x.Snapshot.View.Zones[0], now: now}
	for i, svc := range z.Services {
		out.names = append(out.names, svc.Name)
		out.index[svc.Name] = i
	}
	return out
}

// classes are the classes of clients of a service.
func (a *answered) classes(service int) []string {
	var out []string
	for _, p := range a.d.before.Decision(a.d.zv.Zone, service).Plans {
		out = append(out, p.Key)
	}
	return out
}

func (a *answered) state(service int, class string) *api.WhatIfState {
	d := a.d
	d.service = service
	s := d.state(d.before, d.before.Decision(d.zv.Zone, service).PlanOf(class))
	return &s
}

// union is what is in any of the lists, each once, in the order of the first.
func union(lists ...[]string) []string {
	var out []string
	seen := make(map[string]bool)
	for _, list := range lists {
		for _, s := range list {
			if !seen[s] {
				seen[s] = true
				out = append(out, s)
			}
		}
	}
	return out
}

// sameAnswers tells whether clients see no difference: the same records as often, and the same TTL.
func sameAnswers(a, b *api.WhatIfState) bool {
	sorted := func(shares []api.Share) []api.Share {
		return slices.SortedFunc(slices.Values(shares), func(x, y api.Share) int {
			return cmp.Or(cmp.Compare(x.Family, y.Family), cmp.Compare(x.Data, y.Data))
		})
	}
	return a.TTLSeconds == b.TTLSeconds && slices.EqualFunc(sorted(a.Shares), sorted(b.Shares), func(x, y api.Share) bool {
		return x.Family == y.Family && x.Data == y.Data && math.Abs(x.Fraction-y.Fraction) < 1e-9
	})
}
