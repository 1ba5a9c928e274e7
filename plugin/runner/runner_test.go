package runner

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/health/table"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const testZone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}}
`

// A site is three nodes whose orders are in force everywhere at once, and whose stores hear of each other every second.
type site struct {
	t    *testing.T
	dir  string
	snap *answer.Snapshot

	mu sync.Mutex
	// The rest is guarded by mu. placed counts how often each order took effect.
	silent map[string]bool
	orders map[health.IntentID]health.Intent
	ended  map[health.IntentID]bool
	placed map[health.IntentID]int
	called []string
	reply  func(key string) (int, error)
	nodes  []*testNode
}

type testNode struct {
	*Runner
	name  string
	store *run.Store
	log   *event.Log
	site  *site
	stop  context.CancelFunc
	ended chan struct{}
}

func newSite(t *testing.T, plan string) *site {
	t.Helper()
	z, problems := config.Parse("z.yaml", []byte(testZone), config.ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	up := health.EndpointView{Verdict: health.Verdict{State: health.Up}}
	view := &health.View{Model: &config.Model{Zones: []*config.Zone{z}}, Zones: []*health.ZoneView{{Zone: z, Pools: []*health.PoolView{{Endpoints: []health.EndpointView{up}}}}}}
	s := &site{
		t: t, dir: t.TempDir(), snap: &answer.Snapshot{View: view}, silent: make(map[string]bool), orders: make(map[health.IntentID]health.Intent),
		ended: make(map[health.IntentID]bool), placed: make(map[health.IntentID]int), reply: func(string) (int, error) { return 200, nil },
	}
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "p.yaml"), []byte(plan), 0o600))
	return s
}

// begin starts all nodes and returns what stops them.
func (s *site) begin() (end func()) {
	for _, name := range []string{"n1", "n2", "n3"} {
		store, err := run.Open("", time.Now())
		require.NoError(s.t, err)
		n := &testNode{name: name, store: store, log: event.Open(event.Options{Node: name}), site: s, ended: make(chan struct{})}
		n.Runner = New(Options{
			Node: name, Store: store, Orders: n, Plans: func() config.NodePlans { return config.NodePlans{Directory: s.dir} },
			Snapshot: func() *answer.Snapshot { return s.snap }, Events: n.log, Logger: slog.New(slog.DiscardHandler),
			Client: &http.Client{Transport: s}, Registerer: prometheus.NewRegistry(),
		})
		s.nodes = append(s.nodes, n)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	for _, n := range s.nodes {
		var own context.Context
		own, n.stop = context.WithCancel(ctx)
		go func() { defer close(n.ended); _ = n.Run(own) }()
	}
	done := make(chan struct{})
	go func() { defer close(done); s.gossip(ctx) }()
	return func() {
		cancel()
		<-done
		for _, n := range s.nodes {
			<-n.ended
		}
	}
}

// gossip brings the stores of those that are heard in line.
func (s *site) gossip(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, a := range s.nodes {
			for _, b := range s.nodes {
				if text, err := a.store.Encode(); err == nil && !s.isSilent(a.name) && !s.isSilent(b.name) {
					_, _ = b.store.Merge(text, time.Now())
				}
			}
		}
	}
}

func (s *site) isSilent(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.silent[name]
}

// RoundTrip is whoever hooks call.
func (s *site) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	key := req.Header.Get("Idempotency-Key")
	s.called = append(s.called, key)
	reply := s.reply
	s.mu.Unlock()
	status, err := reply(key)
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("said"))}, nil
}

func (n *testNode) IntendAs(i health.Intent, replaces ...health.IntentID) error {
	s := n.site
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.orders[i.ID]; !known && !s.ended[i.ID] {
		s.orders[i.ID] = i
		s.placed[i.ID]++
	}
	return nil
}

func (n *testNode) EndAs(ids []health.IntentID, _, _ string) error {
	n.site.mu.Lock()
	defer n.site.mu.Unlock()
	for _, id := range ids {
		delete(n.site.orders, id)
		n.site.ended[id] = true
	}
	return nil
}

func (n *testNode) Orders(ids []health.IntentID) (out []run.OrderState, err error) {
	n.site.mu.Lock()
	defer n.site.mu.Unlock()
	for _, id := range ids {
		_, open := n.site.orders[id]
		out = append(out, run.OrderState{Open: open, Kept: open, Ended: n.site.ended[id]})
	}
	return out, nil
}

func (n *testNode) Intents() (out []health.IntentState) {
	n.site.mu.Lock()
	defer n.site.mu.Unlock()
	for _, i := range n.site.orders {
		out = append(out, health.IntentState{Intent: i})
	}
	return out
}

func (n *testNode) Admissible(health.Intent) error { return nil }
func (n *testNode) Incidents() []*ledger.Incident  { return nil }
func (n *testNode) Lag(*config.Zone, *config.Pool, *health.PoolView, time.Time) table.PoolLag {
	return table.PoolLag{}
}

func (n *testNode) Members() (out []run.Member, err error) {
	for _, o := range n.site.nodes {
		heard := o == n || !n.site.isSilent(o.name) && !n.site.isSilent(n.name)
		out = append(out, run.Member{Name: o.name, Heard: heard, Agrees: heard && o.store.Digest() == n.store.Digest()})
	}
	return out, nil
}

// start begins a run on a node, in a bubble.
func (s *site) start(node int, req *api.PlanStartRequest) string {
	time.Sleep(2 * plansEvery) // in a bubble: the plans are read
	req.Actor, req.Reason = "ada", "test"
	u, err := s.nodes[node].Start(s.t.Context(), "p", req)
	require.NoError(s.t, err)
	return u.ID
}

func (s *site) status(node int, id string) *api.Run {
	u, err := s.nodes[node].ShowRun(id)
	require.NoError(s.t, err)
	return u
}

// The node that carries a run on falls silent; one that hears a majority goes on, and what the first one did is not done again. The silent one,
// which still runs, does nothing.
func TestAnotherNodeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "plan: p\nzone: example.org\nsteps:\n- {name: a, drain: {pool: web}}\n- {name: b, wait: {for: 1m}}\n- {name: c, freeze: true}\n- {name: d, hook: {url: 'https://a.example.org'}}\n")
		defer s.begin()()
		id := s.start(1, &api.PlanStartRequest{})
		time.Sleep(20 * time.Second)
		require.Equal(t, "n2", s.status(0, id).Owner)
		require.Equal(t, "done", s.status(0, id).Steps[0].Status)
		s.mu.Lock()
		s.silent["n2"] = true
		s.mu.Unlock()
		time.Sleep(2 * time.Minute)
		u := s.status(2, id)
		require.Equal(t, []any{"n1", "done"}, []any{u.Owner, u.Status})
		require.Equal(t, "running", s.status(1, id).Status, "an island carries on nothing")
		s.mu.Lock()
		s.silent["n2"] = false
		require.Len(t, s.placed, 2)
		for order, n := range s.placed {
			require.Equal(t, 1, n, order)
		}
		require.Equal(t, []string{id + "/d/1"}, s.called)
		s.mu.Unlock()
		time.Sleep(3 * time.Second)
		require.Equal(t, "done", s.status(1, id).Status)
	})
}

// A hook that cannot be reached is called again; one that says no fails the step; one that broke off in between is asked about.
func TestHooks(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	for _, tt := range []struct {
		name, key, want string
		status          int
		err             error
		calls           int
	}{
		{"fine", "", "done", 204, nil, 1},
		{"no", "", "stopped", 400, nil, 1},
		{"busy", "", "stopped", 503, nil, 1},
		{"busy and idempotent", "idempotent: true,", "stopped", 503, nil, 6},
		{"broke off", "", "stopped", 0, errors.New("reset"), 1},
		{"out of reach", "", "stopped", 0, dial, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, "plan: p\nsteps:\n- {name: a, timeout: 25s, hook: {"+tt.key+" url: 'https://a.example.org'}}\n")
				s.reply = func(string) (int, error) { return tt.status, tt.err }
				defer s.begin()()
				id := s.start(0, &api.PlanStartRequest{})
				time.Sleep(time.Minute)
				u := s.status(1, id)
				assert.Equal(t, tt.want, u.Status, u.Why)
				s.mu.Lock()
				defer s.mu.Unlock()
				assert.GreaterOrEqual(t, len(s.called), min(tt.calls, 3))
				assert.LessOrEqual(t, len(s.called), tt.calls)
				if tt.name == "broke off" {
					assert.Equal(t, "uncertain", u.Steps[0].Status)
				}
				assert.Len(t, slices.Compact(slices.Sorted(slices.Values(s.called))), 1, "one key")
			})
		})
	}
}

// Words of people count on every node, those of the wrong person on none.
func TestWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, "plan: p\nsteps:\n- {name: a, approve: {role: admin, other: true}}\n- {name: b, freeze: true}\n")
		defer s.begin()()
		id := s.start(0, &api.PlanStartRequest{})
		time.Sleep(5 * time.Second)
		require.Equal(t, "waiting", s.status(2, id).Status)
		_, err := s.nodes[2].Approve(id, "bob", false, &api.RunRequest{Actor: "bob"})
		require.ErrorIs(t, err, run.ErrNotYours)
		_, err = s.nodes[2].Approve(id, "ada", true, &api.RunRequest{Actor: "ada"})
		require.ErrorIs(t, err, run.ErrNotYours, "who started it")
		_, err = s.nodes[2].Resume(id, &api.RunRequest{Actor: "bob"})
		require.ErrorIs(t, err, health.ErrIntentConflict)
		_, err = s.nodes[2].Approve(id, "bob", true, &api.RunRequest{Actor: "bob", Step: "a"})
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		require.Equal(t, "done", s.status(0, id).Status)
		_, err = s.nodes[1].Start(t.Context(), "p", &api.PlanStartRequest{Variant: "x", Reason: "x"})
		require.ErrorIs(t, err, health.ErrInvalidIntent)
		_, err = s.nodes[1].Abort(id, &api.RunRequest{Actor: "ada", Reason: "back"})
		require.NoError(t, err)
		time.Sleep(5 * time.Second)
		require.Equal(t, "aborted", s.status(0, id).Status)
		require.Empty(t, s.nodes[0].Intents())
	})
}

// Bubbles begin on Saturday, 1 January 2000, 00:00 UTC.
const practised = "plan: p\nzone: example.org\npractice: {day: saturday, at: '00:01', window: 2m, hold: 1m}\nsteps:\n- drain: {pool: web}\n"

// A practice begins in its window, on one node, and is undone.
func TestPracticeWindow(t *testing.T) {
	suite.Large(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, practised)
		defer s.begin()()
		time.Sleep(59 * time.Second)
		require.Empty(t, s.nodes[0].Runs().Runs)
		time.Sleep(20 * time.Second)
		runs := s.nodes[2].Runs().Runs
		require.Len(t, runs, 1)
		require.True(t, runs[0].Auto && runs[0].Practice)
		require.Equal(t, "n1", runs[0].Owner)
		require.Len(t, s.nodes[0].Intents(), 1)
		require.False(t, s.nodes[0].Intents()[0].Forever, "it ends by itself, should nobody live that ends it")
		time.Sleep(time.Minute)
		require.Equal(t, "done", s.nodes[1].Runs().Runs[0].Status)
		require.Empty(t, s.nodes[0].Intents())
		time.Sleep(2 * time.Minute)
		require.Len(t, s.nodes[2].Runs().Runs, 1, "once in a window")
	})
}

// While a drain stands nothing is practised, and a window that passes so is told.
func TestPracticeSkipped(t *testing.T) {
	suite.Large(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, practised)
		defer s.begin()()
		drain := health.Intent{ID: health.IntentID{Node: "n3", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeAZ, Name: "x"}, Actor: "bob"}
		require.NoError(t, s.nodes[0].IntendAs(drain))
		time.Sleep(2 * time.Minute)
		require.True(t, s.nodes[0].Any())
		require.Contains(t, s.nodes[0].List().Plans[0].Practice.Skipped, "drain n3-1-1 of az x stands, by bob")
		time.Sleep(2 * time.Minute)
		require.Empty(t, s.nodes[0].Runs().Runs)
		events := s.nodes[0].log.Last(100, event.Filter{})
		require.True(t, slices.ContainsFunc(events, func(e event.Event) bool { return e.Type == "plan.practice_skipped" }), "%v", events)
	})
}
