package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// model is that of one zone with the pools and services of text.
func model(t *testing.T, text string) *config.Model {
	t.Helper()
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a, b]}}\n"+
		"checks: {up: {type: tcp, port: 80, interval: 2s, timeout: 1s, fall: 3, rise: 2}}\n"+text), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	return config.NewModel([]*config.Zone{zone})
}

// twoPools has a pool of two endpoints and a standby behind it.
const twoPools = "pools:\n  main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: b, addresses: [192.0.2.2]}]}\n" +
	"  spare: {region: eu, check: up, endpoints: [{name: s, az: a, addresses: [192.0.2.9]}]}\n" +
	"services: {www: {ttl: {mode: horizon, min: 5s, max: 60s}, tiers: [{main: 1}, {spare: 1}]}}\n"

// nothing is the memory of a node that starts for the first time.
type nothing struct{}

func (nothing) Verdict(health.TargetID) (v health.Verdict, ok bool) { return v, false }

func (nothing) Part(health.TargetID) (v health.Verdict, ok bool) { return v, false }
func (nothing) Endpoint(*config.Zone, *config.Pool, int, []health.TargetID) (v health.EndpointView, ok bool) {
	return v, false
}

func (nothing) Returns(_ *config.Zone, _ *config.Pool, view *health.PoolView, _ time.Time) *health.PoolView {
	return view
}

// A bench is a table at an instant.
type bench struct {
	*Table
	t   *testing.T
	now time.Time
}

func newBench(t *testing.T, text string) *bench {
	now := time.Now()
	return &bench{New(model(t, text), nil, NewEvidence("n1", nil, 0), nothing{}, now), t, now}
}

func (b *bench) target(pool, endpoint int) health.Target {
	z := b.Model.Zones[0]
	return health.TargetOf(z.Name, z.Checks[0], z.Pools[pool].Endpoints[endpoint])
}

// see has this node's probe of an endpoint end with a state, and judges.
func (b *bench) see(pool, endpoint int, state health.State, failures int) []health.Transition {
	id := b.target(pool, endpoint).ID
	b.e.Put(map[health.TargetID]health.Observation{id: {Target: id, State: state, Failures: failures, Since: b.now, At: b.now, Next: b.now.Add(2 * time.Second)}})
	b.Observed(id, true)
	return b.Judge(b.now)
}

func (b *bench) pass(d time.Duration) { b.now = b.now.Add(d) }

const main, spare = 0, 1

// TestJudge: a pool is judged when something is new about it, what did not change keeps its view, and what is published is never written again.
func TestJudge(t *testing.T) {
	b := newBench(t, twoPools)
	first := b.Judge(b.now)
	require.Len(t, first, 2, "one endpoint stands for each pool that has no news of any")
	require.Empty(t, b.Judge(b.now))
	v := b.View(1, b.now)
	require.True(t, v.Zones[0].Pools[main].Endpoints[0].Pending())

	moved := b.see(main, 0, health.Up, 0)
	require.Len(t, moved, 1)
	require.Equal(t, "e", moved[0].Endpoint.Name)
	require.Equal(t, health.Unknown, moved[0].Old.State)
	require.Equal(t, health.Up, moved[0].New.State)
	require.True(t, v.Zones[0].Pools[main].Endpoints[0].Pending(), "what was given out stays as it was")
	next := b.View(2, b.now)
	require.NotSame(t, v.Zones[0], next.Zones[0])
	require.Same(t, v.Zones[0].Pools[spare], next.Zones[0].Pools[spare])
	require.Same(t, next.Zones[0], b.View(3, b.now).Zones[0])
	require.Empty(t, b.see(main, 0, health.Up, 0), "the same again")
}

// TestFreshness: an observation that is too old counts no more, and the endpoint keeps its verdict as a stale one.
func TestFreshness(t *testing.T) {
	b := newBench(t, twoPools)
	b.see(main, 0, health.Up, 0)
	c := b.Model.Zones[0].Checks[0]
	o, _ := b.e.Own(b.target(main, 0).ID)
	b.now = judge.FreshUntil(c, o).Add(-time.Millisecond)
	b.EndFreshness(b.now)
	require.Empty(t, b.Judge(b.now))
	b.pass(2 * time.Millisecond)
	b.EndFreshness(b.now)
	require.Len(t, b.Judge(b.now), 1)
	e := b.Pool(Ref{0, main}).Endpoints[0]
	require.Equal(t, health.Up, e.State)
	require.True(t, e.Stale)
}

// TestHorizons: a flip that comes nearer is due before the snapshot that it goes with, one that moves away only after it.
func TestHorizons(t *testing.T) {
	b := newBench(t, twoPools)
	b.Judge(b.now)
	b.see(main, 0, health.Up, 0)
	b.see(main, 1, health.Up, 0)
	var far time.Time
	for _, m := range b.Horizons(b.now) {
		if m.Pool == main {
			far = m.Flip
		}
	}
	require.True(t, far.After(b.now))
	require.Empty(t, b.Horizons(b.now), "each move once")

	b.pass(time.Second)
	b.see(main, 1, health.Up, 2)
	near := b.Lowered(b.now)
	require.Len(t, near, 1)
	require.Equal(t, health.PoolHorizon{Zone: 0, Pool: main, Flip: near[0].Flip, Endpoint: 1}, near[0])
	require.True(t, near[0].Flip.Before(far))
	require.Empty(t, b.Horizons(b.now), "it has been told as lowered")

	b.pass(time.Second)
	b.see(main, 1, health.Up, 0)
	require.Empty(t, b.Lowered(b.now), "it moved away")
	moves := b.Horizons(b.now)
	require.Len(t, moves, 1)
	require.True(t, moves[0].Flip.After(near[0].Flip))
}

// TestStandStill: while a node is isolated the way back stands still, and its pools are as uneasy as they can be.
func TestStandStill(t *testing.T) {
	b := newBench(t, twoPools)
	for _, at := range []int{0, 1} {
		b.see(main, at, health.Up, 0)
		b.see(main, at, health.Down, 3)
	}
	b.see(main, 0, health.Up, 0)
	began := b.Pool(Ref{0, main}).Return.Since
	require.Equal(t, b.now, began)
	b.e.SetHeard(2, 0, true, true, b.now)
	b.AllDirty()
	for range 3 {
		b.pass(time.Second)
		b.StandStill(b.now)
		b.Judge(b.now)
	}
	require.Equal(t, began.Add(2*time.Second), b.Pool(Ref{0, main}).Return.Since, "from the first look on")
	require.False(t, b.Pool(Ref{0, main}).Calm)
	require.True(t, b.View(1, b.now).Isolated)
}

// TestWaiting: which pool is on its way back for longer decides who waits.
func TestWaiting(t *testing.T) {
	b := newBench(t, twoPools)
	out := func(pool int, endpoints ...int) {
		for _, i := range endpoints {
			b.see(pool, i, health.Up, 0)
			b.see(pool, i, health.Down, 3)
		}
	}
	out(main, 0, 1)
	out(spare, 0)
	b.see(spare, 0, health.Up, 0)
	b.pass(time.Second)
	b.see(main, 0, health.Up, 0)
	require.True(t, b.Older(Ref{0, main}, b.Pool(Ref{0, main}).Return.Since, b.now))
	require.False(t, b.Older(Ref{0, spare}, b.Pool(Ref{0, spare}).Return.Since, b.now))
	var watched []Ref
	for ref, view := range b.Watched() {
		watched = append(watched, ref)
		require.Same(t, b.Pool(ref), view)
	}
	require.Equal(t, []Ref{{0, main}, {0, spare}}, watched)
}

// TestReductions: the greatest reduction that a fresh report asks for is the endpoint's, until another report asks for less.
func TestReductions(t *testing.T) {
	b := newBench(t, twoPools)
	b.see(main, 0, health.Up, 0)
	b.see(main, 1, health.Up, 0)
	id := b.target(main, 1).ID
	b.e.Put(map[health.TargetID]health.Observation{id: {Target: id, State: health.Up, Reduction: 40, At: b.now, Next: b.now.Add(2 * time.Second)}})
	b.Observed(id, true)
	require.Len(t, b.Judge(b.now), 1)
	require.Equal(t, []int{0, 40}, []int{b.Pool(Ref{0, main}).Endpoints[0].Reduction, b.Pool(Ref{0, main}).Endpoints[1].Reduction})
	b.see(main, 1, health.Up, 0)
	require.Zero(t, b.Pool(Ref{0, main}).Endpoints[1].Reduction)
}
