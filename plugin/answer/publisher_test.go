package answer

import (
	"bytes"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
)

func TestPublisher(t *testing.T) {
	view := func() *health.View {
		z := testZone()
		return viewOf(z, config.NewModel([]*config.Zone{z}), nil, base, "UU", "UU")
	}
	p := &Publisher{Compiler: NewCompiler("n1", time.Now()), Current: new(Current)}
	first := view()
	swap := p.Publish(first, nil)
	<-swap.Quiet
	require.NotEmpty(t, swap.Entered)
	require.Empty(t, swap.Left)
	require.Same(t, first, p.Current.Load().View)

	// A prepared model serves when its view is published, and only then.
	second, third := view(), view()
	p.Prepare(second)
	again := *first
	p.Publish(&again, nil)
	require.Same(t, first.Model, p.Current.Load().View.Model)
	require.NotNil(t, p.prepared.Load(), "it still waits")

	p.Prepare(third)
	require.Same(t, third.Model, p.prepared.Load().View.Model, "one that is overtaken is dropped")
	p.Publish(second, nil)
	require.Same(t, second, p.Current.Load().View, "without the prepared snapshot it is compiled on the spot")
	lease := p.Current.Enter(0)
	swap = p.Publish(third, []health.PoolHorizon{{Flip: time.Now()}})
	require.Nil(t, p.prepared.Load())
	select {
	case <-swap.Quiet:
		t.Fatal("a reader still uses the older snapshot")
	default:
	}
	lease.Leave()
	<-swap.Quiet
}

// TestMoves: a service that begins to answer from another tier has moved, is told and counted, and so has one that comes back; a start moves
// nobody.
func TestMoves(t *testing.T) {
	z, problems := config.Parse("zone.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}}
pools:
  one: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  two: {region: eu, endpoints: [{name: e, addresses: [192.0.2.2], az: a}]}
services:
  www: {tiers: [{one: 1}, {two: 1}]}
  api: {tiers: [{two: 1}]}
`), config.ParseOptions{})
	require.NoError(t, problems.Err())
	var lines bytes.Buffer
	p := &Publisher{
		Compiler: NewCompiler("n1", time.Now()), Current: new(Current), Events: event.Open(event.Options{}), Moves: new(Moves),
		Logger: slog.New(slog.NewTextHandler(&lines, nil)),
	}
	model := config.NewModel([]*config.Zone{z})
	calm, drained := viewOf(z, model, nil, base, "U", "U"), viewOf(z, model, nil, base, "U", "U")
	drained.Zones[0].Pools[0].Endpoints[0].Drained = true
	p.Publish(calm, nil)
	p.Publish(drained, nil)
	require.EqualValues(t, 1, p.Moves.Of("www.example.org."))
	require.Zero(t, p.Moves.Of("api.example.org."))
	require.Contains(t, lines.String(), `level=INFO msg="service answers from elsewhere" service=www.example.org. old="tier 1" new="tier 2" degraded=false`)
	back := *calm
	back.Zones = slices.Clone(calm.Zones)
	zv := *calm.Zones[0]
	back.Zones[0] = &zv
	p.Publish(&back, nil)
	require.EqualValues(t, 2, p.Moves.Of("www.example.org."))
	require.Zero(t, (*Moves)(nil).Of("www.example.org."))
}
