package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// TestOverlay: orders overlay verdicts and never replace them, only what they change is judged anew, and their ends give everything back.
func TestOverlay(t *testing.T) {
	b := newBench(t, twoPools)
	for _, i := range []int{0, 1} {
		b.see(main, i, health.Up, 0)
	}
	b.see(spare, 0, health.Up, 0)
	endpoint := health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "main", Endpoint: "e"}
	order := func(kind health.IntentKind, scope health.Scope, edit func(*health.Intent)) health.Intent {
		i := health.Intent{ID: health.IntentID{Node: "n1", Counter: 1}, Kind: kind, Scope: scope, Actor: "ada", Reason: "test", Start: b.now, End: b.now.Add(time.Hour)}
		if edit != nil {
			edit(&i)
		}
		return i
	}
	under := func(orders ...health.Intent) []health.Transition {
		b.Overlay(orders, b.now)
		return b.Judge(b.now)
	}
	drain := order(health.IntentDrain, endpoint, nil)
	require.Len(t, under(drain), 1)
	e := b.Pool(Ref{0, main}).Endpoints[0]
	require.True(t, e.Drained)
	require.Equal(t, health.Up, e.State, "the verdict stays what it is")
	require.False(t, b.Overlay([]health.Intent{drain}, b.now), "the same orders change nothing")

	down := order(health.IntentForce, endpoint, func(i *health.Intent) { i.State = health.Down })
	under(down)
	e = b.Pool(Ref{0, main}).Endpoints[0]
	require.False(t, e.Drained)
	require.Equal(t, health.Down, e.Forced)
	require.False(t, e.Eligible())

	pool := health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "main"}
	under(order(health.IntentWeight, pool, func(i *health.Intent) { i.Weight = 7 }), order(health.IntentWeight, endpoint, func(i *health.Intent) { i.Weight = 3 }))
	require.Equal(t, 7, *b.Pool(Ref{0, main}).Weight)
	require.Equal(t, map[int]int{0: 3}, b.Pool(Ref{0, main}).EndpointWeights)

	planned := order(health.IntentDrain, pool, func(i *health.Intent) { i.Start = b.now.Add(time.Minute) })
	under(planned)
	require.True(t, b.Pool(Ref{0, main}).Planned.Equal(planned.Start))
	require.False(t, b.Pool(Ref{0, main}).Endpoints[0].Drained, "not yet")

	scoped := order(health.IntentDrain, endpoint, func(i *health.Intent) { i.Service = "www.example.org." })
	under(scoped)
	v := b.View(1, b.now)
	require.True(t, v.Zones[0].Drained(0, health.EndpointRef{Pool: main, Endpoint: 0}))
	require.False(t, v.Zones[0].Pools[main].Endpoints[0].Drained, "for one service only")

	under()
	v = b.View(2, b.now)
	require.Empty(t, v.Zones[0].Scoped)
	require.True(t, b.Pool(Ref{0, main}).Endpoints[0].Eligible())
	require.True(t, b.Pool(Ref{0, main}).Planned.IsZero())
}

// TestForcedHorizon: what is forced up cannot leave before the force ends.
func TestForcedHorizon(t *testing.T) {
	b := newBench(t, twoPools)
	b.see(main, 0, health.Down, 3)
	b.see(main, 1, health.Down, 3)
	pool := health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "main"}
	force := health.Intent{Kind: health.IntentForce, Scope: pool, State: health.Up, Actor: "ada", Reason: "test", Start: b.now, End: b.now.Add(time.Minute)}
	require.True(t, b.Overlay([]health.Intent{force}, b.now))
	b.Judge(b.now)
	flips := map[int]time.Time{}
	for _, m := range b.Horizons(b.now) {
		flips[m.Pool] = m.Flip
	}
	require.True(t, flips[main].Equal(force.End), "%v", flips)
}
