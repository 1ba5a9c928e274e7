package answer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

// What leaves one service and not the others is told apart from what leaves all.
func TestDepartures(t *testing.T) {
	f := newFixture("UU", "UU")
	first := f.snap
	require.Empty(t, first.Partials())
	e := func(pool, endpoint int) ledger.Endpoint { return ledger.Endpoint{Pool: pool, Endpoint: endpoint} }

	// p2/e1 is drained for `other` (2): `all` (3) and the last one go on with it.
	v := viewOf(f.zone, f.model, first.View, base.Add(time.Second), "UU", "UU")
	v.Zones[0].Scoped = map[int]*health.ServiceView{2: {Drained: map[health.EndpointRef]bool{{Pool: 1, Endpoint: 1}: true}}}
	second := f.compiler.Compile(first, v)
	require.Equal(t, ledger.Swap{Dropped: []ledger.Drop{{Service: 2, Endpoints: []ledger.Endpoint{e(1, 1)}}}}, second.Since(first))
	partials := second.Partials()
	require.Len(t, partials, 1)
	require.Equal(t, 2, partials[0].Service)
	require.Equal(t, []ledger.Endpoint{e(1, 1)}, partials[0].Missing)

	// When nobody answers with it any more it has left, and the service is like the others.
	v = viewOf(f.zone, f.model, second.View, base.Add(2*time.Second), "UU", "UD")
	v.Zones[0].Scoped = second.View.Zones[0].Scoped
	third := f.compiler.Compile(second, v)
	swap := third.Since(second)
	require.Equal(t, []ledger.Endpoint{e(1, 1)}, swap.Left)
	require.Empty(t, third.Partials())
	for _, d := range swap.Dropped {
		require.NotEqual(t, 2, d.Service, "it had dropped it before")
	}

	// Of another version of the file nothing is the same.
	zone := testZone()
	other := f.compiler.Compile(third, viewOf(zone, config.NewModel([]*config.Zone{zone}), nil, base.Add(3*time.Second), "UU", "UU"))
	swap = other.Since(third)
	require.Equal(t, []ledger.Endpoint{e(1, 1)}, swap.Entered)
	require.Len(t, swap.Dropped, len(zone.Services))
	require.True(t, swap.Dropped[0].All)
	require.Empty(t, other.Since(nil).Dropped)
}
