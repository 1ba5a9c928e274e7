package fairlead

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
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

func TestPublisher(t *testing.T) {
	p := &publisher{compiler: answer.NewCompiler("n1", time.Now()), current: new(answer.Current)}
	first := allUp(testZone(t))
	swap := p.Publish(first, nil)
	<-swap.Quiet
	require.NotEmpty(t, swap.Entered)
	require.Empty(t, swap.Left)
	require.Same(t, first, p.current.Load().View)

	// A prepared model serves when its view is published, and only then.
	second, third := allUp(testZone(t)), allUp(testZone(t))
	p.Prepare(second)
	again := *first
	p.Publish(&again, nil)
	require.Same(t, first.Model, p.current.Load().View.Model)
	require.NotNil(t, p.prepared.Load(), "it still waits")

	p.Prepare(third)
	require.Same(t, third.Model, p.prepared.Load().View.Model, "one that is overtaken is dropped")
	p.Publish(second, nil)
	require.Same(t, second, p.current.Load().View, "without the prepared snapshot it is compiled on the spot")
	lease := p.current.Enter(0)
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
	p := &publisher{
		compiler: answer.NewCompiler("n1", time.Now()), current: new(answer.Current), events: event.Open(event.Options{}), moves: new(moves),
		logger: slog.New(slog.NewTextHandler(&lines, nil)),
	}
	calm := Peace(config.NewModel([]*config.Zone{z}), time.Now())
	p.Publish(calm, nil)
	w := world{view: *calm}
	w.view.Zones = slices.Clone(calm.Zones)
	w.drain(endpointAt{})
	p.Publish(&w.view, nil)
	require.EqualValues(t, 1, p.moves.of("www.example.org."))
	require.Zero(t, p.moves.of("api.example.org."))
	require.Contains(t, lines.String(), `level=INFO msg="service answers from elsewhere" service=www.example.org. old="tier 1" new="tier 2" degraded=false`)
	back := *calm
	back.Zones = slices.Clone(calm.Zones)
	zv := *calm.Zones[0]
	back.Zones[0] = &zv
	p.Publish(&back, nil)
	require.EqualValues(t, 2, p.moves.of("www.example.org."))
	require.Zero(t, (*moves)(nil).of("www.example.org."))
}
