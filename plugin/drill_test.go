package fairlead

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// drillNode is a node over the simulator's zone, all of which is up, with a ledger that nobody stamps in.
func drillNode(t *testing.T) *node {
	z, problems := config.Parse("zone.yaml", []byte(simZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	n := previewNode(t, z)
	n.logger, n.state = slog.New(slog.DiscardHandler), t.TempDir()
	n.drills = openDrills(n)
	seen(n, z, health.Up, "eu", "us")
	return n
}

// seen has the first probe of every endpoint of the pools end with a state.
func seen(n *node, z *config.Zone, state health.State, pools ...string) {
	for _, p := range z.Pools {
		for _, name := range pools {
			if p.Name != name {
				continue
			}
			for _, e := range p.Endpoints {
				o := health.Observation{Target: health.TargetOf(z.Name, z.Checks[p.Check], e).ID, State: state, Since: time.Now(), At: time.Now(), Next: time.Now().Add(time.Hour)}
				if state == health.Down {
					o.Failures, o.Reason = 2, "refused"
				}
				n.engine.Observe(o)
			}
		}
	}
	synctest.Wait()
}

// until looks at the drills as their goroutine does, for a time.
func (d *drills) until(t *testing.T, length time.Duration) api.Drill {
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(drillInterval) // in a bubble
		d.look(time.Now())
	}
	return d.list()[0]
}

func az(name string, abortIf ...string) *api.DrillRequest {
	return &api.DrillRequest{Scope: api.Scope{Kind: "az", Name: name}, ForSeconds: 600, Reason: "game day", Actor: "ada", AbortIf: abortIf}
}

// TestDrillOverrides: the record of a drill has the rules that it overrode, also behind a restart.
func TestDrillOverrides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := drillNode(t)
		region := func(name string) *api.DrillRequest {
			return &api.DrillRequest{Scope: api.Scope{Kind: "region", Name: name}, ForSeconds: 600, Reason: "game day", Actor: "ada"}
		}
		_, err := n.Drill(region("us"))
		require.NoError(t, err)
		req := region("eu")
		_, err = n.Drill(req)
		require.ErrorContains(t, err, "never_empty")
		// Nothing would be left: only a drill that does not mind can begin.
		req.Override, req.AbortIf = []string{"never_empty", "keep_regions"}, []string{api.AbortRule}
		d, err := n.Drill(req)
		require.NoError(t, err)
		require.Equal(t, req.Override, d.Override)
		require.Equal(t, req.Override, openDrills(n).list()[0].Override)
	})
}

func TestDrillEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := drillNode(t)
		d, err := n.Drill(az("eu-a"))
		require.NoError(t, err)
		require.Equal(t, []string{api.AbortRule, api.AbortFailure, api.AbortDegraded}, d.AbortIf)
		got := n.drills.until(t, 590*time.Second)
		require.Equal(t, api.DrillRunning, got.Outcome)
		require.Len(t, n.Intents(), 1)
		got = n.drills.until(t, 15*time.Second)
		require.Equal(t, api.DrillSucceeded, got.Outcome, got.Why)
		require.Empty(t, n.Intents())
		require.NotEmpty(t, got.Incident)
		require.InDelta(t, 0, *got.ConvergenceSeconds, 1.5)
		require.Positive(t, *got.TotalSeconds, "what an earlier process answered may be in caches")

		// Another process goes on with what is kept.
		kept := openDrills(n).list()
		require.Len(t, kept, 1)
		require.Equal(t, got.Outcome, kept[0].Outcome)
		require.Equal(t, got.TotalSeconds, kept[0].TotalSeconds)
	})
}

func TestDrillIsAborted(t *testing.T) {
	for _, tt := range []struct {
		name, condition, why string
		trouble              func(n *node, z *config.Zone)
	}{
		{"another failure", api.AbortFailure, "failure: region us: 2 endpoints down", func(n *node, z *config.Zone) { seen(n, z, health.Down, "us") }},
		{"a check", api.AbortCheck + "ready", "check=ready: us/a is down: refused", func(n *node, z *config.Zone) { seen(n, z, health.Down, "us") }},
		{"a last resort", api.AbortDegraded, "degraded: ", func(n *node, z *config.Zone) { seen(n, z, health.Down, "us", "eu") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := drillNode(t)
				_, err := n.Drill(az("eu-a", tt.condition))
				require.NoError(t, err)
				require.Equal(t, api.DrillRunning, n.drills.until(t, 5*time.Second).Outcome)
				tt.trouble(n, n.engine.View().Model.Zones[0])
				got := n.drills.until(t, 2*health.RemovalWindow)
				require.Equal(t, api.DrillAborted, got.Outcome)
				require.Contains(t, got.Why, tt.why)
				require.Empty(t, n.Intents(), "its drain is over")
			})
		})
	}
}

func TestDrillRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := drillNode(t)
		for _, tt := range []struct {
			change func(*api.DrillRequest)
			want   error
		}{
			{func(r *api.DrillRequest) { r.ForSeconds = 9 }, health.ErrInvalidIntent},
			{func(r *api.DrillRequest) { r.ForSeconds = 86401 }, health.ErrInvalidIntent},
			{func(r *api.DrillRequest) { r.AbortIf = []string{"rain"} }, health.ErrInvalidIntent},
			{func(r *api.DrillRequest) { r.AbortIf = []string{"check=rain"} }, health.ErrNothingNamed},
			{func(r *api.DrillRequest) { r.Scope.Name = "mars" }, health.ErrNothingNamed},
		} {
			req := az("eu-a")
			tt.change(req)
			_, err := n.Drill(req)
			require.ErrorIs(t, err, tt.want)
		}
		// Two regions of the service `safe` keep one: the second drill is refused by its rule.
		for _, name := range []string{"eu-a", "eu-b"} {
			_, err := n.Drill(az(name))
			require.NoError(t, err)
		}
		_, err := n.Drill(&api.DrillRequest{Scope: api.Scope{Kind: "region", Name: "us"}, ForSeconds: 60, Reason: "x"})
		var refused *health.RuleError
		require.ErrorAs(t, err, &refused)
		require.Len(t, n.drills.list(), 2)

		first := n.drills.list()[1].ID
		d, err := n.AbortDrill(first, "bob", "enough")
		require.NoError(t, err)
		require.Equal(t, api.DrillAborted, d.Outcome)
		_, err = n.AbortDrill(first, "bob", "enough")
		require.ErrorIs(t, err, health.ErrIntentConflict)
		_, err = n.AbortDrill("drill-none", "bob", "")
		require.ErrorIs(t, err, health.ErrNoIntent)
		require.NoError(t, n.EndIntent([]health.IntentID{n.Intents()[0].ID}, "bob", "by hand"))
		got := n.drills.until(t, time.Second)
		require.Equal(t, api.DrillFailed, got.Outcome, "somebody else ended its drain")
	})
}
