package drill

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer/answertest"
	"github.com/fairlead-dns/fairlead/plugin/explain"
)

const testZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a, us-b]}}
checks: {ready: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2}}
pools:
  eu: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]}
  us: {region: us, check: ready, endpoints: [{name: a, addresses: [192.0.2.11], az: us-a}, {name: b, addresses: [192.0.2.12], az: us-b}]}
services:
  www: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}}
  api: {tiers: [{eu: 1}, {us: 1}], failback: {hold: 5s}, ttl: {mode: horizon}}
  safe: {tiers: [{eu: 1, us: 1}], failback: {hold: 5s}, safety: {keep_regions: 1}}
`

// A drillNode is a node all of whose endpoints are up, with a ledger that nobody stamps in.
type drillNode struct {
	*answertest.Node
	state  string
	drills *Drills
}

func newDrillNode(t *testing.T) *drillNode {
	z, problems := config.Parse("zone.yaml", []byte(testZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	n := &drillNode{Node: answertest.Start(t, z), state: t.TempDir()}
	n.drills = n.open()
	n.See(health.Up, "eu", "us")
	return n
}

// open is what another process would go on with.
func (n *drillNode) open() *Drills {
	return Open(Options{Node: "n1", State: n.state, Orders: n.Engine, Logger: slog.New(slog.DiscardHandler), Explainer: func() (*explain.Explainer, error) {
		return &explain.Explainer{Compiler: n.Compiler, Snapshot: n.Current.Load()}, nil
	}})
}

// start begins a drill as the API does.
func (n *drillNode) start(req *api.DrillRequest) (*api.Drill, error) {
	drain, err := admin.DrainOf(req, time.Now())
	if err != nil {
		return nil, err
	}
	return n.drills.Start(req, drain)
}

// until looks at the drills as their goroutine does, for a time.
func (d *Drills) until(t *testing.T, length time.Duration) api.Drill {
	for end := time.Now().Add(length); time.Now().Before(end); {
		time.Sleep(Interval) // in a bubble
		d.Look(time.Now())
	}
	return d.List()[0]
}

func az(name string, abortIf ...string) *api.DrillRequest {
	return &api.DrillRequest{Scope: api.Scope{Kind: "az", Name: name}, ForSeconds: 600, Reason: "game day", Actor: "ada", AbortIf: abortIf}
}

// TestDrillOverrides: the record of a drill has the rules that it overrode, also behind a restart.
func TestDrillOverrides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newDrillNode(t)
		region := func(name string) *api.DrillRequest {
			return &api.DrillRequest{Scope: api.Scope{Kind: "region", Name: name}, ForSeconds: 600, Reason: "game day", Actor: "ada"}
		}
		_, err := n.start(region("us"))
		require.NoError(t, err)
		req := region("eu")
		_, err = n.start(req)
		require.ErrorContains(t, err, "never_empty")
		// Nothing would be left: only a drill that does not mind can begin.
		req.Override, req.AbortIf = []string{"never_empty", "keep_regions"}, []string{api.AbortRule}
		d, err := n.start(req)
		require.NoError(t, err)
		require.Equal(t, req.Override, d.Override)
		require.Equal(t, req.Override, n.open().List()[0].Override)
	})
}

func TestDrillEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newDrillNode(t)
		d, err := n.start(az("eu-a"))
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
		kept := n.open().List()
		require.Len(t, kept, 1)
		require.Equal(t, got.Outcome, kept[0].Outcome)
		require.Equal(t, got.TotalSeconds, kept[0].TotalSeconds)
	})
}

func TestDrillIsAborted(t *testing.T) {
	for _, tt := range []struct {
		name, condition, why string
		trouble              func(n *drillNode)
	}{
		{"another failure", api.AbortFailure, "failure: region us: 2 endpoints down", func(n *drillNode) { n.See(health.Down, "us") }},
		{"a check", api.AbortCheck + "ready", "check=ready: us/a is down: refused", func(n *drillNode) { n.See(health.Down, "us") }},
		{"a last resort", api.AbortDegraded, "degraded: ", func(n *drillNode) { n.See(health.Down, "us", "eu") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newDrillNode(t)
				_, err := n.start(az("eu-a", tt.condition))
				require.NoError(t, err)
				require.Equal(t, api.DrillRunning, n.drills.until(t, 5*time.Second).Outcome)
				tt.trouble(n)
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
		n := newDrillNode(t)
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
			_, err := n.start(req)
			require.ErrorIs(t, err, tt.want)
		}
		// Two regions of the service `safe` keep one: the second drill is refused by its rule.
		for _, name := range []string{"eu-a", "eu-b"} {
			_, err := n.start(az(name))
			require.NoError(t, err)
		}
		_, err := n.start(&api.DrillRequest{Scope: api.Scope{Kind: "region", Name: "us"}, ForSeconds: 60, Reason: "x"})
		var refused *health.RuleError
		require.ErrorAs(t, err, &refused)
		require.Len(t, n.drills.List(), 2)

		first := n.drills.List()[1].ID
		d, err := n.drills.Abort(first, "bob", "enough")
		require.NoError(t, err)
		require.Equal(t, api.DrillAborted, d.Outcome)
		_, err = n.drills.Abort(first, "bob", "enough")
		require.ErrorIs(t, err, health.ErrIntentConflict)
		_, err = n.drills.Abort("drill-none", "bob", "")
		require.ErrorIs(t, err, health.ErrNoIntent)
		require.NoError(t, n.EndIntent([]health.IntentID{n.Intents()[0].ID}, "bob", "by hand"))
		got := n.drills.until(t, time.Second)
		require.Equal(t, api.DrillFailed, got.Outcome, "somebody else ended its drain")
	})
}

// TestParts: no part is longer than the whole.
func TestParts(t *testing.T) {
	start := time.Now()
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for _, tt := range []struct {
		name               string
		last, safe         time.Time
		first, rest, total float64
	}{
		{"as ever", at(1), at(7), 1, 6, 7},
		{"the last answer came while the bound was reckoned", at(9), at(7), 7, 0, 7},
		{"clocks of another node", at(-1), at(7), 0, 7, 7},
		{"all before the order", at(-3), at(-1), 0, 0, 0},
	} {
		first, rest, total := parts(start, tt.last, tt.safe)
		require.Equal(t, []float64{tt.first, tt.rest, tt.total}, []float64{*first, *rest, *total}, tt.name)
	}
	first, rest, total := parts(start, time.Time{}, at(7))
	require.Nil(t, first)
	require.Equal(t, *rest, *total)
}
