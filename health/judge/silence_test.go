package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestExpiredLease: silence after a report says something, unless another node has a report.
func TestExpiredLease(t *testing.T) {
	now := time.Now()
	report := func(vantage string, s health.State) health.Observation {
		return health.Observation{Vantage: vantage, State: s, At: now, Next: now.Add(time.Minute)}
	}
	expired := func(vantage string) health.Observation {
		return health.Observation{Vantage: vantage, Failures: 1, At: now, Next: now.Add(time.Minute), Reason: "no report for 30s"}
	}
	never := report("", health.Unknown)
	u, d, unknown := health.Up, health.Down, health.Unknown
	for _, tt := range []struct {
		name   string
		policy config.SilencePolicy
		prev   health.State
		obs    []health.Observation
		want   health.State
		stale  bool
		reason string
	}{
		{"down", config.SilenceDown, u, []health.Observation{expired("")}, d, false, "n1: no report for 30s"},
		{"keep", config.SilenceKeep, u, []health.Observation{expired("")}, u, true, "n1: no report for 30s"},
		{"keep, and nothing was known", config.SilenceKeep, unknown, []health.Observation{expired("")}, unknown, false, "n1: no report for 30s"},
		{"nobody ever had a report", config.SilenceDown, u, []health.Observation{never}, u, true, ""},
		{"those without a report have no say", config.SilenceDown, u, []health.Observation{never, expired("n2"), report("n3", unknown)}, d, false, "n2: no report for 30s"},
		{"another node has one", config.SilenceDown, u, []health.Observation{expired(""), report("n2", u)}, u, false, ""},
		{"another node has a bad one", config.SilenceDown, u, []health.Observation{expired(""), report("n2", d)}, d, false, "n1, n2: no report for 30s"},
		{"a word that is too old is none", config.SilenceDown, u, []health.Observation{{Vantage: "n2", Failures: 1, At: now.Add(-health.HeardFor)}}, u, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &config.Check{Type: config.CheckPush, Push: &config.PushCheck{Lease: 30 * time.Second, OnExpiry: tt.policy}}
			v := Target(c, tt.obs, Jury{Vantages: 3, Self: "n1"}, health.Verdict{State: tt.prev, Since: now.Add(-time.Hour)}, now)
			require.Equal(t, tt.want, v.State)
			require.Equal(t, tt.stale, v.Stale)
			require.Equal(t, tt.reason, v.Reason)
			if v.InService() == (tt.prev == u) {
				require.Equal(t, now.Add(-time.Hour), v.Since, "it did not move")
			}
		})
	}
}

// TestLost: a pool whose vantages are lost is out, and what they said before brings it not back.
func TestLost(t *testing.T) {
	now := time.Now()
	leaf := health.Verdict{State: health.Up, Since: now.Add(-time.Hour)}
	in := PoolInput{Zone: zone, Pool: pool(), Now: now, Leaf: func(int, config.Family, int) health.Verdict { return leaf }}
	step := func() *health.PoolView {
		in.Now = in.Now.Add(time.Second)
		in.Prev, _ = Pool(in)
		return in.Prev
	}
	require.Equal(t, health.Up, step().Endpoints[0].State)
	leaf.Stale = true
	require.True(t, step().Endpoints[0].Stale)
	in.Lost = "none of its vantages is heard: n3"
	v := step()
	require.Equal(t, health.Verdict{State: health.Down, Lost: true, Since: v.At, Left: v.At, Reason: in.Lost}, v.Endpoints[0].Verdict)
	require.True(t, v.Leaving(0), "it counts for the speed limit")
	in.Frozen = true
	require.True(t, step().Endpoints[0].Lost)
	in.Frozen, in.Lost = false, ""
	require.False(t, step().Endpoints[0].InService(), "nobody has looked yet")
	require.True(t, step().Endpoints[0].Lost)
	leaf.Stale = false
	back := step()
	require.Equal(t, health.Up, back.Endpoints[0].State)
	require.False(t, back.Endpoints[0].Lost)
	require.True(t, back.Return.On(), "it comes back as after any outage")

	leaf.State = health.Down
	in.Prev, in.Frozen, in.Lost = back, true, "none"
	require.Equal(t, health.Up, step().Endpoints[0].State, "frozen")
}

// TestAmong: who is named by one of the lists.
func TestAmong(t *testing.T) {
	b := NewBench([]Node{{"n1", "eu", "eu-a"}, {"n2", "us", "us-a"}, {"n3", "eu", "idc"}, {"n4", "", ""}})
	target := health.TargetID{1}
	for _, tt := range []struct {
		name string
		v    config.Vantages
		want []string
	}{
		{"all", config.Vantages{}, []string{"n1", "n2", "n3", "n4"}},
		{"an AZ", config.Vantages{AZs: []string{"idc"}}, []string{"n3"}},
		{"a region", config.Vantages{Regions: []string{"eu"}}, []string{"n1", "n3"}},
		{"a name", config.Vantages{Nodes: []string{"n4"}}, []string{"n4"}},
		{"one of the lists is enough", config.Vantages{AZs: []string{"idc"}, Nodes: []string{"n2"}}, []string{"n2", "n3"}},
		{"nobody", config.Vantages{AZs: []string{"mars"}}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, b.Among(&tt.v).Vantages(target, tt.v.Count, "idc"))
		})
	}
	require.Len(t, b.Among(&config.Vantages{Regions: []string{"eu"}}).Vantages(target, 1, ""), 1)
}
