package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestCarry: another version of a file goes on with what is known of the same addresses, under whatever name, and forgets what has others.
func TestCarry(t *testing.T) {
	pools := func(text string) string {
		return "pools: {" + text + "}\nservices: {www: {tiers: [{p: 1}]}}\n"
	}
	for _, tt := range []struct {
		name, after string
		want        []health.State
	}{
		{"nothing moved", `p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: b, addresses: [192.0.2.2]}]}`, []health.State{health.Down, health.Up}},
		{"the other way round", `p: {region: eu, check: up, endpoints: [{name: f, az: b, addresses: [192.0.2.2]}, {name: e, az: a, addresses: [192.0.2.1]}]}`, []health.State{health.Up, health.Down}},
		{"another name", `p: {region: eu, check: up, endpoints: [{name: g, az: a, addresses: [192.0.2.1]}]}`, []health.State{health.Down}},
		{"another address", `p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.7]}]}`, []health.State{health.Unknown}},
		{"a new neighbour", `p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: n, az: a, addresses: [192.0.2.8]}]}`, []health.State{health.Down, health.Unknown}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, pools(`p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: b, addresses: [192.0.2.2]}]}`))
			b.see(0, 0, health.Down, 3)
			b.see(0, 1, health.Up, 0)
			after := New(model(t, pools(tt.after)), b.Table, b.e, nothing{}, b.now.Add(time.Second))
			var got []health.State
			for _, e := range after.Pool(Ref{}).Endpoints {
				got = append(got, e.State)
			}
			require.Equal(t, tt.want, got)
			require.Equal(t, health.Down, b.Pool(Ref{}).Endpoints[0].State, "the table before is as it was")
		})
	}
}

// remembering is what an earlier process believed of one target.
type remembering struct {
	nothing
	id health.TargetID
	v  health.Verdict
}

func (r remembering) Verdict(id health.TargetID) (health.Verdict, bool) { return r.v, id == r.id }

func (r remembering) Endpoint(_ *config.Zone, _ *config.Pool, _ int, dialled []health.TargetID) (health.EndpointView, bool) {
	return health.EndpointView{Verdict: r.v}, dialled[0] == r.id
}

// TestMemory: what an earlier process believed holds until the first observation, and gives way to what the table before believes.
func TestMemory(t *testing.T) {
	b := newBench(t, twoPools)
	memory := remembering{id: b.target(main, 0).ID, v: health.Verdict{State: health.Down, Stale: true, Since: b.now.Add(-time.Hour), Reason: "refused"}}
	b.Table = New(b.Model, nil, b.e, memory, b.now)
	require.Equal(t, "refused", b.Pool(Ref{}).Endpoints[0].Reason)
	known := 0
	for target, v := range b.Probed() {
		if !v.Pending() {
			require.Equal(t, memory.id, target.ID)
			known++
		}
	}
	require.Equal(t, 1, known)
	b.see(main, 0, health.Up, 0)
	require.Equal(t, health.Up, b.Pool(Ref{}).Endpoints[0].State)
	edited := model(t, twoPools+"records: [{name: t, type: TXT, data: x}]\n")
	require.Equal(t, health.Up, New(edited, b.Table, b.e, memory, b.now).Pool(Ref{}).Endpoints[0].State)
}

// TestReaddressed: each address that both versions of an endpoint have keeps its verdict; another one begins without any.
func TestReaddressed(t *testing.T) {
	endpoint := func(addresses string) *config.Endpoint {
		m := model(t, "pools: {p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: ["+addresses+"]}]}}\nservices: {www: {tiers: [{p: 1}]}}\n")
		return m.Zones[0].Pools[0].Endpoints[0]
	}
	now := time.Now()
	each := &health.Each{{State: health.Up, Since: now.Add(-time.Hour)}, {State: health.Down, Since: now.Add(-time.Minute), Reason: "refused"}}
	both := endpoint(`192.0.2.1, "2001:db8::1"`)
	view := health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now}, Each: each}

	alone := readdressed(both, endpoint(`"2001:db8::1"`), view)
	require.Nil(t, alone.Each)
	require.Equal(t, health.Down, alone.State)
	other := readdressed(both, endpoint(`192.0.2.9, "2001:db8::1"`), view)
	require.True(t, other.Each[config.IPv4].Pending(), "another address is another target")
	require.Equal(t, health.Down, other.Each[config.IPv6].State)
	grown := readdressed(endpoint("192.0.2.1"), both, health.EndpointView{Verdict: each[config.IPv6]})
	require.Equal(t, health.Down, grown.Each[config.IPv4].State)
	require.True(t, grown.Each[config.IPv6].Pending())
}
