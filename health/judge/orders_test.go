package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// ordered is a zone with two pools that one service has, and one intent about it.
func ordered(edit func(*health.Intent)) (*config.Zone, health.Intent, time.Time) {
	now := time.Now()
	web := pool()
	web.Services, web.Gate.Manual = []int{0}, true
	for i, e := range web.Endpoints {
		e.Name = string(rune('a' + i))
	}
	other := pool()
	other.Name, other.Services = "other", []int{0}
	z := &config.Zone{Name: "example.org.", Checks: []*config.Check{check}, AZs: []config.AZ{{Name: "eu-a"}, {Name: "eu-b"}}, Regions: []config.Region{{Name: "eu"}},
		Pools: []*config.Pool{web, other}, Services: []*config.Service{{Name: "www.example.org.", Pools: []int{0, 1}}}}
	i := health.Intent{ID: health.IntentID{Node: "n1", Counter: 1}, Start: now.Add(-time.Second), End: now.Add(time.Hour), Scope: health.Scope{Kind: health.ScopePool, Zone: z.Name, Pool: "web"}}
	edit(&i)
	return z, i, now
}

// TestOneAnswer: what an order does to a view that is judged under it, and to one that it is put on afterwards, is the same.
func TestOneAnswer(t *testing.T) {
	one := health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: "b"}
	for name, edit := range map[string]func(*health.Intent){
		"drain":              func(i *health.Intent) { i.Kind = health.IntentDrain },
		"drain one":          func(i *health.Intent) { i.Kind, i.Scope = health.IntentDrain, one },
		"force down":         func(i *health.Intent) { i.Kind, i.Scope, i.State = health.IntentForce, one, health.Down },
		"force up":           func(i *health.Intent) { i.Kind, i.State = health.IntentForce, health.Up },
		"weight":             func(i *health.Intent) { i.Kind, i.Weight = health.IntentWeight, 7 },
		"weight of one":      func(i *health.Intent) { i.Kind, i.Scope, i.Weight = health.IntentWeight, one, 7 },
		"ready":              func(i *health.Intent) { i.Kind = health.IntentReady },
		"drain of a service": func(i *health.Intent) { i.Kind, i.Service = health.IntentDrain, "www.example.org." },
		"other service":      func(i *health.Intent) { i.Kind, i.Service = health.IntentDrain, "api.example.org." },
	} {
		t.Run(name, func(t *testing.T) {
			z, i, now := ordered(edit)
			up := func(int, config.Family, int) health.Verdict {
				return health.Verdict{State: health.Up, Since: now.Add(-time.Hour)}
			}
			in := PoolInput{Zone: z, Pool: z.Pools[0], Now: now, Leaf: up}
			before, _ := Pool(in)
			orders := Overlay([]*config.Zone{z}, []health.Intent{i}, now)[0]
			in.Prev, in.Orders = before, orders.Pools[0]
			judged, _ := Pool(in)

			put := *before
			put.Endpoints = append([]health.EndpointView(nil), before.Endpoints...)
			orders.Pools[0].Or().On(z.Pools[0], &put)
			require.Equal(t, judged.Endpoints, put.Endpoints)
			require.Equal(t, []any{judged.Weight, judged.GateClosed, judged.Calm}, []any{put.Weight, put.GateClosed, put.Calm})
			require.Equal(t, len(judged.EndpointWeights), len(put.EndpointWeights))
			for e, w := range judged.EndpointWeights {
				require.Equal(t, w, put.EndpointWeights[e])
			}
			require.Nil(t, orders.Pools[1])
			if name == "drain of a service" {
				require.Len(t, orders.Scoped(nil)[0].Drained, len(z.Pools[0].Endpoints))
			} else {
				require.Empty(t, orders.Services)
			}
		})
	}
}

// TestOrdersMeet: orders about the same pool stand beside each other, a planned one shows when it begins, and what they change is only their
// own.
func TestOrdersMeet(t *testing.T) {
	z, weight, now := ordered(func(i *health.Intent) { i.Kind, i.Weight = health.IntentWeight, 7 })
	drain := weight
	drain.ID.Counter, drain.Kind, drain.Scope = 2, health.IntentDrain, health.Scope{Kind: health.ScopeEndpoint, Zone: z.Name, Pool: "web", Endpoint: "a"}
	planned := drain
	planned.ID.Counter, planned.Start = 3, now.Add(time.Minute)
	failback := weight
	failback.ID.Counter, failback.Kind = 4, health.IntentFailback
	all := []health.Intent{weight, drain, planned, failback}
	got := Overlay([]*config.Zone{z}, all, now)[0].Pools[0]
	require.Equal(t, &Orders{Drained: map[int]bool{0: true}, Weight: &weight.Weight, Admitted: failback.Start, Planned: planned.Start}, got)
	require.True(t, got.Equal(Overlay([]*config.Zone{z}, all, now)[0].Pools[0]))
	require.False(t, got.Equal(Overlay([]*config.Zone{z}, all[:3], now)[0].Pools[0]))

	view := &health.PoolView{Endpoints: make([]health.EndpointView, 4), GateClosed: true, EndpointWeights: map[int]int{3: 9}, Return: health.Return{Since: now}}
	was := view.EndpointWeights
	(&Orders{Weights: map[int]int{1: 2}, Admitted: now}).On(z.Pools[0], view)
	require.Equal(t, map[int]int{1: 2, 3: 9}, view.EndpointWeights)
	require.Equal(t, map[int]int{3: 9}, was, "what was published is not written")
	require.Equal(t, health.Return{Since: now, Admitted: now}, view.Return, "its hold is over, and its ramp begins")
	require.True(t, view.GateClosed)
}

// TestMovedEndpoint: the weight of a pool is that of the endpoint for one that stands in another pool by now.
func TestMovedEndpoint(t *testing.T) {
	z, i, _ := ordered(func(i *health.Intent) { i.Kind, i.Weight = health.IntentWeight, 0 })
	var orders ZoneOrders
	orders.Add(z, health.EndpointRef{Pool: 1, Endpoint: 2}, &i)
	require.Nil(t, orders.Pools[1].Weight)
	require.Equal(t, map[int]int{2: 0}, orders.Pools[1].Weights)
}
