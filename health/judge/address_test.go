package judge

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestPoolOfDual: each address has its own verdict, with a memory of its own: what no vantage speaks about keeps it, and a view that says the
// same is the same.
func TestPoolOfDual(t *testing.T) {
	now := time.Now()
	p := &config.Pool{Check: 0, Endpoints: []*config.Endpoint{{Name: "e", Weight: 1, V4: netip.MustParseAddr("192.0.2.1"), V6: netip.MustParseAddr("2001:db8::1")}}}
	leaves := [2]health.Verdict{{State: health.Up}, {State: health.Up}}
	var view *health.PoolView
	look := func(at time.Duration, v4, v6 health.State) *health.EndpointView {
		leaves[0].State, leaves[1].State = v4, v6
		in := PoolInput{Zone: zone, Pool: p, Prev: view, Now: now.Add(at), Leaf: func(_ int, f config.Family, _ int) health.Verdict { return leaves[f] }}
		view, _ = Pool(in)
		return &view.Endpoints[0]
	}
	first := *look(0, health.Up, health.Up)
	require.Equal(t, first, *look(time.Second, health.Up, health.Up), "nothing moved: == holds")

	e := look(2*time.Second, health.Up, health.Down)
	require.Equal(t, health.Up, e.State)
	require.Equal(t, now, e.Since, "the endpoint did not move")
	require.Equal(t, now.Add(2*time.Second), e.Each[config.IPv6].Left)
	require.True(t, e.Withheld(config.IPv6))
	require.True(t, view.Calm, "a dead address holds no TTL down")

	e = look(3*time.Second, health.Up, health.Unknown)
	require.Equal(t, health.Down, e.Each[config.IPv6].State, "nobody speaks of it any more: it stays down")
	require.True(t, e.Each[config.IPv6].Stale)
	require.False(t, e.Stale)

	e = look(4*time.Second, health.Suspect, health.Down)
	require.Equal(t, health.Suspect, e.State)
	require.False(t, view.Calm)

	e = look(5*time.Second, health.Down, health.Down)
	require.Equal(t, health.Down, e.State)
	require.Equal(t, now.Add(5*time.Second), e.Left)

	e = look(6*time.Second, health.Down, health.Up)
	require.Equal(t, health.Up, e.State)
	require.True(t, e.Withheld(config.IPv4))
	require.False(t, e.Withheld(config.IPv6))
}

// TestMute: a vantage that cannot probe at all says nothing, and nobody waits for its word.
func TestMute(t *testing.T) {
	now := time.Now()
	mute := health.Observation{Warning: "not judged: this node has no IPv6 route"}
	v := Target(check, []health.Observation{mute}, Jury{Vantages: 1}, health.Verdict{}, now)
	require.Equal(t, health.Verdict{Mute: true, Reason: mute.Warning}, v)
	up := health.Observation{Vantage: "n2", State: health.Up, Successes: 1, At: now}
	v = Target(check, []health.Observation{mute, up}, Jury{Vantages: 2}, health.Verdict{}, now)
	require.Equal(t, health.Up, v.State, "another one can")
	require.False(t, v.Mute)
}
