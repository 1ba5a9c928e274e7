package admin

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// TestStatusOfForces: both are shown, the operator's word and health's, and whose word it is.
func TestStatusOfForces(t *testing.T) {
	now := time.Now()
	zone := &config.Zone{
		Name: "example.org.", SOA: config.SOA{MName: "ns1.example.org.", RName: "h.example.org."}, Regions: []config.Region{{Name: "eu"}}, AZs: []config.AZ{{Name: "eu-a"}},
		Pools: []*config.Pool{{Name: "web", Check: -1, AZWeights: []config.AZWeight{{}}, Endpoints: []*config.Endpoint{
			{Name: "one", V4: netip.MustParseAddr("192.0.2.1"), Weight: 1}, {Name: "two", V4: netip.MustParseAddr("192.0.2.2"), Weight: 1},
		}}},
	}
	view := &health.View{At: now, Model: config.NewModel([]*config.Zone{zone}), Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{{At: now, Endpoints: []health.EndpointView{
		{Verdict: health.Verdict{State: health.Down, Since: now, Reason: "refused"}, Forced: health.Up},
		{Verdict: health.Verdict{State: health.Up, Since: now}, Forced: health.Down, Drained: true},
	}}}}}}
	force := func(endpoint, actor string, state health.State, counter uint64) health.IntentState {
		return health.IntentState{Intent: health.Intent{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: counter}, Kind: health.IntentForce, State: state, Actor: actor, Reason: "x",
			Start: now, End: now.Add(time.Hour), Scope: health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "web", Endpoint: endpoint}}}
	}
	planned, suspended := force("one", "eve", health.Up, 2), force("one", "mal", health.Up, 3)
	planned.Planned, suspended.Suspended = true, &health.Suspension{Rule: health.RuleNeverEmpty}
	forever := force("two", "bob", health.Down, 4)
	forever.End, forever.Forever = time.Time{}, true
	n := &fakeNode{snap: answer.NewCompiler("n1", now).Compile(nil, view), intents: []health.IntentState{force("one", "ada", health.Up, 1), planned, suspended, forever}}
	endpoints := NewStatus(n.parts(), "v1", now, now).Zones[0].Pools[0].Endpoints
	end := now.Add(time.Hour)
	require.Equal(t, &api.Force{State: "up", Intent: "n1-1-1", Actor: "ada", Reason: "x", Since: &now, EndsAt: &end}, endpoints[0].Forced)
	require.Equal(t, []string{"up", "down", "refused"}, []string{endpoints[0].State, endpoints[0].Health, endpoints[0].Reason})
	require.Equal(t, &api.Force{State: "down", Intent: "n1-1-4", Actor: "bob", Reason: "x", Since: &now}, endpoints[1].Forced)
	require.Equal(t, []string{"drained", "up"}, []string{endpoints[1].State, endpoints[1].Health})
}
