package admin

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/fleet"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/history"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/order"
	tables "github.com/fairlead-dns/fairlead/health/table"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// fakeNode shows what a test put in.
type fakeNode struct {
	// said are words on runs; nil where nobody asks.
	said  *[]string
	snap  *answer.Snapshot
	files []api.File
	ready error
	obs   map[health.TargetID]health.Observation
	// seen is what every vantage saw.
	seen map[health.TargetID][]health.Observation

	frozen    order.FreezeOrder
	cluster   *cluster.View
	missing   []string
	waiveErr  error
	keyFailed map[string]error
	keyErr    error
	freezeErr error
	fileErr   error

	departures []departure.Departure
	safety     departure.Safety
	gone       []gone.Record
	incidents  []*ledger.Incident
	// intents are those that were asked for; intendErr is what comes of the next order.
	intents   []health.IntentState
	intendErr error
	// asked counts the observations that are looked up.
	asked atomic.Int64
}

func (n *fakeNode) Series(string, time.Time) map[string][]history.Point {
	return map[string][]history.Point{"state/example.org/web/one": {{At: time.Unix(1, 0), Value: 1, Known: true}, {At: time.Unix(2, 0)}}}
}

func (n *fakeNode) Preview(health.Intent) (*api.Preview, error) {
	return &api.Preview{Rule: health.RuleNeverEmpty, WhatIf: api.WhatIf{Services: []api.WhatIfService{}}}, n.intendErr
}

// Boat refuses what reasons "overloads".
func (n *fakeNode) Boat(i health.Intent) error {
	if i.Lifeboat && i.Reason == "overloads" {
		return &health.RuleError{Suspension: health.Suspension{Rule: health.RuleCapacity, Service: "www.example.org."}, Why: "150 % of its capacity"}
	}
	return nil
}

func (n *fakeNode) PreviewEnd([]health.IntentID, bool) (*api.EndPreview, error) {
	return &api.EndPreview{WhatIf: api.WhatIf{Services: []api.WhatIfService{}}, Zones: []api.Zone{}}, n.intendErr
}

func (n *fakeNode) Extendable(health.IntentID, time.Time) error { return n.intendErr }

func (n *fakeNode) Intend(i health.Intent) (health.IntentID, error) {
	if n.intendErr != nil {
		return health.IntentID{}, n.intendErr
	}
	i.ID = health.IntentID{Node: "n1", Incarnation: 1, Counter: uint64(len(n.intents) + 1)}
	n.intents = append(n.intents, health.IntentState{Intent: i})
	return i.ID, nil
}

func (n *fakeNode) EndIntent(ids []health.IntentID, _, _ string) error {
	if n.intendErr != nil {
		return n.intendErr
	}
	n.intents = slices.DeleteFunc(slices.Clone(n.intents), func(i health.IntentState) bool { return slices.Contains(ids, i.ID) })
	return nil
}

func (n *fakeNode) Intents() []health.IntentState { return n.intents }

func (n *fakeNode) SharedMissing(context.Context) []string { return n.missing }
func (n *fakeNode) AwaitHolding(context.Context, []health.IntentID, func(*cluster.Holding) bool) cluster.Holding {
	return cluster.Holding{Holders: []string{"n1"}, Missing: n.missing}
}

func (n *fakeNode) Cluster() cluster.View {
	if n.cluster == nil {
		return cluster.View{Heard: 1, Roster: 1}
	}
	return *n.cluster
}

func (n *fakeNode) Waive(*time.Duration, ...string) error { return n.waiveErr }
func (n *fakeNode) NameMaxTTL(time.Duration) error        { return n.waiveErr }
func (n *fakeNode) Clear() (time.Time, string)            { return time.Time{}, "" }

func (n *fakeNode) ChangeKeyring(context.Context, cluster.KeyringOrder) (map[string]error, error) {
	return n.keyFailed, n.keyErr
}

func (n *fakeNode) Allowances() steer.Allowances { return steer.DefaultAllowances() }

// fakeKeys has a step for each way to be safe.
type fakeKeys struct{}

func (fakeKeys) ZoneKeys(_ context.Context, zv *health.ZoneView) (*api.ZoneKeys, error) {
	at := time.Unix(1000, 0).UTC()
	return &api.ZoneKeys{
		Node: "n1", At: at, Zone: zv.Zone.Name, Signed: true, ValiditySeconds: 60,
		Keys: []api.ZoneKey{{Tag: 1, Role: "KSK", Algorithm: "ED25519", State: "active"}, {Tag: 2, Role: "ZSK", Algorithm: "ED25519", State: "retired", NextChangeAt: &at}},
		Steps: []api.KeyStep{
			{Step: api.KeyStepDS, Tag: 1, Role: "KSK", Safe: api.KeySafeFrom, SafeAt: &at, DS: "a.example. 3600 IN DS 1 15 2 00"},
			{Step: api.KeyStepLeave, Tag: 2, Role: "ZSK", Safe: api.KeySafeUnknown, Why: "n2 is not heard"},
		},
		Trouble: []string{"node n3 does not answer the zone"},
		Nodes:   []api.KeyNode{{Node: "n1", Said: true, Served: true}, {Node: "n2", Why: "is not heard"}, {Node: "n3", Said: true}},
	}, nil
}

type fakeDrills struct{ *fakeNode }

func (n fakeDrills) Start(req *api.DrillRequest, _ health.Intent) (*api.Drill, error) {
	if n.intendErr != nil {
		return nil, n.intendErr
	}
	return &api.Drill{ID: "d2", Scope: req.Scope, AbortIf: []string{}, Outcome: api.DrillRunning}, nil
}

func (n fakeDrills) Abort(id, _, _ string) (*api.Drill, error) {
	return &api.Drill{ID: id, Scope: api.Scope{Kind: "az", Name: "eu-a"}, AbortIf: []string{}, Outcome: api.DrillAborted}, n.intendErr
}

func (n fakeDrills) List() []api.Drill {
	return []api.Drill{{ID: "d1", Scope: api.Scope{Kind: "az", Name: "eu-a"}, AbortIf: []string{}, Outcome: api.DrillSucceeded}}
}

func (n *fakeNode) Incidents() []*ledger.Incident { return n.incidents }

func (n *fakeNode) Amend(_ string, change func(*ledger.Incident)) (*ledger.Incident, error) {
	next := *n.incidents[0]
	change(&next)
	return &next, nil
}

func (n *fakeNode) Certify(c *ledger.Certificate) (*ledger.Envelope, error) {
	if c == nil {
		return nil, ledger.ErrNotKnown
	}
	return c.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

func (n *fakeNode) SignFleet(s *fleet.Summary) (*fleet.SignedSummary, error) {
	return s.Sign(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)))
}

func (n *fakeNode) Departures() []departure.Departure { return n.departures }

// fakeGone has lost the static records of a node.
type fakeGone struct{ *fakeNode }

func (g fakeGone) Of(rdata ...string) []gone.Record {
	return slices.DeleteFunc(slices.Clone(g.gone), func(r gone.Record) bool { return !slices.Contains(rdata, r.RData) })
}

func (n *fakeNode) Safety(health.Scope) (departure.Safety, error) { return n.safety, nil }

func (n *fakeNode) Caches() config.Caches { return config.DefaultNode().Caches }

func (n *fakeNode) CutOff(time.Duration, string, string) error { return n.waiveErr }

func (n *fakeNode) Lag(*config.Zone, *config.Pool, *health.PoolView, time.Time) (lag tables.PoolLag) {
	return lag
}

func (n *fakeNode) Observations(t health.Target) []health.Observation { return n.seen[t.ID] }

func (n fakeFiles) Running(z *config.Zone) (*api.RunningZone, error) {
	return &api.RunningZone{Path: z.File, Content: []byte("zone: " + z.Name)}, nil
}

func (n *fakeNode) Unwritable() *api.Unwritable { return nil }

type fakeClusters struct{}

func (fakeClusters) Status() []api.DiscoveredCluster {
	return []api.DiscoveredCluster{{Name: "eu-1", Configured: true, Read: true, Endpoints: []api.DiscoveredEndpoint{{Zone: "example.org.", Pool: "web", Name: "eu-1.192-0-2-1", State: "named"}}}}
}

func (c fakeClusters) Accept(cluster string) error { return c.Adopt(cluster) }

func (fakeClusters) Adopt(cluster string) error {
	if cluster != "eu-1" {
		return ErrNoCluster
	}
	return nil
}

func (n *fakeNode) Frozen() order.FreezeOrder { return n.frozen }

func (n *fakeNode) FastLanes() []api.FastLane {
	return []api.FastLane{{Address: "dns://127.0.0.1:53", Sockets: 2}, {Address: "dns://127.0.0.2:53", Reason: "the plugin log must see every query"}}
}

func (n *fakeNode) Probe(_ context.Context, endpoint string) ([]api.ProbeResult, error) {
	if endpoint != "example.org/web/one" {
		return nil, ErrNoEndpoint
	}
	return []api.ProbeResult{{Check: "ready", OK: true}}, nil
}

func (n *fakeNode) Explain(q api.Question) (*api.Explanation, error) {
	if q.Name == "nowhere" {
		return nil, fmt.Errorf("%w: nowhere", ErrInvalid)
	}
	return &api.Explanation{Question: q, Shares: []api.Share{}}, nil
}

func (n *fakeNode) Cell(service, label string, _ api.Assumptions) (*api.Cell, error) {
	return nil, fmt.Errorf("%w: the service %s has no cells", ErrInvalid, service)
}

func (n *fakeNode) WhatIf(a api.Assumptions) (*api.WhatIf, error) {
	return &api.WhatIf{Assumptions: a, Services: []api.WhatIfService{}}, nil
}

func (n *fakeNode) Report(r api.ReportRequest) error {
	switch {
	case r.Endpoint != "example.org/web/one":
		return ErrNoEndpoint
	case r.State != "up" && r.State != "down":
		return ErrInvalid
	}
	return nil
}

func (n *fakeNode) Freeze(on bool, actor, reason string) error {
	if n.freezeErr == nil {
		n.frozen = order.FreezeOrder{On: on, Actor: actor, Reason: reason}
	}
	return n.freezeErr
}

func (n *fakeNode) Name() string               { return "n1" }
func (n *fakeNode) Snapshot() *answer.Snapshot { return n.snap }
func (n *fakeNode) Ready() error               { return n.ready }
func (n *fakeNode) Observation(id health.TargetID) (health.Observation, bool) {
	n.asked.Add(1)
	o, ok := n.obs[id]
	return o, ok
}

// tokens is a store without tokens.
func tokens(t testing.TB) *token.Store {
	t.Helper()
	s, err := token.Open(filepath.Join(t.TempDir(), "tokens.json"))
	require.NoError(t, err)
	return s
}

// parts is n as the parts of a node.
func (n *fakeNode) parts() Node {
	return Node{
		Self: n, Assumptions: n, Orders: n, Holders: n, Verdicts: n, Members: n, Memory: n, IncidentLog: n, Gone: fakeGone{n}, Files: fakeFiles{n}, Keys: fakeKeys{}, Discovery: fakeClusters{}, Drills: fakeDrills{n}, Plans: fakePlans{n.said},
		Endpoints: n, Explainer: n, History: n,
	}
}

// start serves n until the test ends and returns a client for its socket.
func start(t *testing.T, n *fakeNode) (*http.Client, string) {
	t.Helper()
	return startWith(t, n, &fakeJournal{})
}

// startWith is start with a journal.
func startWith(t *testing.T, n *fakeNode, j Journal) (*http.Client, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	s, err := New(Options{Node: n.parts(), Journal: j, Tokens: tokens(t), Socket: socket, Version: "v1", StartedAt: time.Now()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		require.NoFileExists(t, socket)
	})
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}, socket
}

func TestRoutes(t *testing.T) {
	n := &fakeNode{}
	c, socket := start(t, n)
	info, err := os.Stat(socket)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	for _, tt := range []struct {
		name, method, path string
		ready              error
		status             int
		media, allow       string
	}{
		{name: "status", method: "GET", path: api.StatusPath, status: 200, media: "application/json"},
		{name: "health", method: "GET", path: "/healthz", status: 200, media: "application/json"},
		{name: "health without body", method: "HEAD", path: "/healthz", status: 200, media: "application/json"},
		{name: "ready", method: "GET", path: "/readyz", status: 200, media: "application/json"},
		{name: "not ready", method: "GET", path: "/readyz", ready: errors.New("stuck"), status: 503, media: "application/json"},
		{name: "unknown path", method: "GET", path: "/api/v1/nothing", status: 404, media: api.ProblemType},
		{name: "root", method: "GET", path: "/", status: 200, media: "text/html; charset=utf-8"},
		{name: "wrong method", method: "POST", path: api.StatusPath, status: 405, media: api.ProblemType, allow: "GET, HEAD"},
		{name: "explain", method: "GET", path: api.ExplainPath + "?name=www.example.org&down=az%3Deu-a&down=az%3Deu-b", status: 200, media: "application/json"},
		{name: "explain nothing", method: "GET", path: api.ExplainPath, status: 400, media: api.ProblemType},
		{name: "explain what is not there", method: "GET", path: api.ExplainPath + "?name=nowhere", status: 400, media: api.ProblemType},
		{name: "a parameter that does not exist", method: "GET", path: api.ExplainPath + "?name=www.example.org&donw=az%3Deu-a", status: 400, media: api.ProblemType},
		{name: "a broken query string", method: "GET", path: api.ExplainPath + "?name=%zz", status: 400, media: api.ProblemType},
		{name: "too many parameters", method: "GET", path: api.WhatIfPath + "?" + strings.Repeat("down=az%3Da&", 101), status: 400, media: api.ProblemType},
		{name: "what if", method: "GET", path: api.WhatIfPath + "?drain=az%3Deu-a", status: 200, media: "application/json"},
		{name: "what if, by POST", method: "POST", path: api.WhatIfPath, status: 405, media: api.ProblemType, allow: "GET, HEAD"},
		{name: "made-up method", method: "BREW", path: "/healthz", status: 405, media: api.ProblemType, allow: "GET, HEAD"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.ready = tt.ready
			req, err := http.NewRequest(tt.method, "http://node"+tt.path, strings.NewReader(""))
			require.NoError(t, err)
			r, err := c.Do(req)
			require.NoError(t, err)
			defer r.Body.Close()
			require.Equal(t, tt.status, r.StatusCode)
			require.Equal(t, tt.media, r.Header.Get("Content-Type"))
			require.Equal(t, tt.allow, r.Header.Get("Allow"))
			if tt.media == api.ProblemType {
				var p api.Problem
				require.NoError(t, json.NewDecoder(r.Body).Decode(&p))
				require.Equal(t, tt.status, p.Status)
				require.NotEmpty(t, p.Title)
				require.NotEmpty(t, p.Detail)
			}
		})
	}
}

func TestFreezeRoutes(t *testing.T) {
	n := &fakeNode{}
	c, _ := start(t, n)
	for _, tt := range []struct {
		name, path, body string
		err              error
		status           int
		frozen           bool
		detail           string
	}{
		{name: "freeze", path: api.FreezePath, body: `{"actor":"ada","reason":"flapping"}`, status: 200, frozen: true},
		{name: "unfreeze", path: api.UnfreezePath, body: `{"actor":"ada"}`, status: 200},
		{name: "no reason", path: api.FreezePath, body: `{"actor":"ada"}`, status: 400, detail: "reason: required"},
		{name: "unknown key", path: api.FreezePath, body: `{"raeson":"x"}`, status: 400, detail: "raeson"},
		{name: "two values", path: api.FreezePath, body: `{"reason":"x"} {}`, status: 400, detail: "more than one"},
		{name: "no body", path: api.FreezePath, body: ``, status: 400, detail: "EOF"},
		{name: "long reason", path: api.FreezePath, body: `{"reason":"` + strings.Repeat("x", 1001) + `"}`, status: 400, detail: "the actor has at most 100 octets and the reason 256"},
		{name: "disk full", path: api.FreezePath, body: `{"reason":"x"}`, err: errors.New("no space left"), status: 507, detail: "no space left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n.freezeErr = tt.err
			r, err := c.Post("http://node"+tt.path, "application/json", strings.NewReader(tt.body))
			require.NoError(t, err)
			defer r.Body.Close()
			require.Equal(t, tt.status, r.StatusCode)
			require.Equal(t, tt.frozen, n.frozen.On)
			var p api.Problem
			require.NoError(t, json.NewDecoder(r.Body).Decode(&p))
			require.Contains(t, p.Detail, tt.detail)
		})
	}
}

func TestProbeAndReportRoutes(t *testing.T) {
	c, _ := start(t, &fakeNode{})
	for _, tt := range []struct {
		name, path, body string
		status           int
	}{
		{"probe", api.ProbePath, `{"endpoint":"example.org/web/one"}`, 200},
		{"probe of nobody", api.ProbePath, `{"endpoint":"example.org/web/none"}`, 404},
		{"probe without a body", api.ProbePath, ``, 400},
		{"report", api.ReportPath, `{"endpoint":"example.org/web/one","state":"up","weight":50}`, 200},
		{"report of nobody", api.ReportPath, `{"endpoint":"x/y/z","state":"up"}`, 404},
		{"report of a state that there is not", api.ReportPath, `{"endpoint":"example.org/web/one","state":"fine"}`, 400},
		{"report with a key that there is not", api.ReportPath, `{"endpoint":"example.org/web/one","stat":"up"}`, 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := c.Post("http://node"+tt.path, "application/json", strings.NewReader(tt.body))
			require.NoError(t, err)
			defer r.Body.Close()
			require.Equal(t, tt.status, r.StatusCode)
		})
	}
}

func TestSocketInUse(t *testing.T) {
	_, socket := start(t, &fakeNode{})
	_, err := New(Options{Node: new(fakeNode).parts(), Journal: &fakeJournal{}, Tokens: tokens(t), Socket: socket})
	require.ErrorContains(t, err, "another fairlead serves this state")
	plain := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(plain, nil, 0o600))
	_, err = New(Options{Node: new(fakeNode).parts(), Journal: &fakeJournal{}, Tokens: tokens(t), Socket: plain})
	require.ErrorContains(t, err, "not a socket")
	_, err = New(Options{Node: new(fakeNode).parts(), Journal: &fakeJournal{}, Tokens: tokens(t), Socket: "/nonexistent/s"})
	require.ErrorContains(t, err, "no such file or directory")
}

func TestStatus(t *testing.T) {
	now := time.Now()
	check := &config.Check{Name: "ready", Type: config.CheckTCP, Port: 80, Interval: 2 * time.Second, Timeout: time.Second, Fall: 3, Rise: 2}
	zone := &config.Zone{
		Name: "example.org.", SOA: config.SOA{MName: "ns1.example.org.", RName: "h.example.org.", Serial: 7, NegativeTTL: 10},
		Regions: []config.Region{{Name: "eu"}}, AZs: []config.AZ{{Name: "eu-a"}}, Checks: []*config.Check{check},
		Pools: []*config.Pool{{
			Name: "web", AZWeights: []config.AZWeight{{}}, MinHealthy: config.Amount{N: 1}, Services: []int{0}, Failbacks: []config.Failback{{Hold: time.Minute}},
			Endpoints: []*config.Endpoint{
				{Name: "one", V4: netip.MustParseAddr("192.0.2.1"), Weight: 40, ProbeAddr: netip.MustParseAddr("192.0.2.1")},
				{Name: "two", V4: netip.MustParseAddr("192.0.2.2"), V6: netip.MustParseAddr("2001:db8::2"), Weight: 60, ProbeAddr: netip.MustParseAddr("192.0.2.2")},
				{Name: "dead", V4: netip.MustParseAddr("192.0.2.3"), Weight: 1, ProbeAddr: netip.MustParseAddr("192.0.2.3")},
			},
		}},
		Services: []*config.Service{{Name: "www.example.org.", Tiers: []config.Tier{{{Pool: 0, Weight: 1}}}, Answers: 1, Pools: []int{0},
			TTL: config.TTL{Min: 2, Max: 30}, Staleness: config.Staleness{Target: time.Minute}}},
	}
	up := health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now}}
	down := health.EndpointView{Verdict: health.Verdict{State: health.Down, Since: now, Reason: "refused"}}
	view := &health.View{Generation: 3, At: now, Model: config.NewModel([]*config.Zone{zone}), Zones: []*health.ZoneView{{
		Zone: zone, Pools: []*health.PoolView{{Endpoints: []health.EndpointView{up, up, down}, Return: health.Return{Since: now.Add(-time.Hour)}, At: now, Calm: true}},
	}}}
	n := &fakeNode{
		snap: answer.NewCompiler("n1", now).Compile(nil, view),
		obs:  map[health.TargetID]health.Observation{health.TargetOf(zone.Name, check, zone.Pools[0].Endpoints[2]).ID: {At: now, Failures: 4, Latency: time.Millisecond}},
	}
	s := NewStatus(n.parts(), "v1", now, now)
	require.True(t, s.Ready)
	require.True(t, s.Degraded, "an endpoint is down")
	require.EqualValues(t, 3, s.Generation)
	z := s.Zones[0]
	require.EqualValues(t, 7, z.Serial)
	require.Nil(t, z.Pools[0].HeldUntil, "the hold is over")
	dead := z.Pools[0].Endpoints[2]
	require.Equal(t, []any{"down", "refused", "192.0.2.3:80", 4}, []any{dead.State, dead.Reason, dead.Probed, dead.Failures})
	require.Equal(t, []api.Share{
		{Family: "A", Pool: "web", AZ: "eu-a", Endpoint: "one", Data: "192.0.2.1", Fraction: 0.4},
		{Family: "A", Pool: "web", AZ: "eu-a", Endpoint: "two", Data: "192.0.2.2", Fraction: 0.6},
		{Family: "AAAA", Pool: "web", AZ: "eu-a", Endpoint: "two", Data: "2001:db8::2", Fraction: 1},
	}, z.Services[0].Shares)
	require.Equal(t, 60.0, z.Services[0].TargetSeconds)
	require.Greater(t, z.Services[0].BoundSeconds, 30.0)
	require.Equal(t, 1, z.Services[0].Tier)

	n.ready, n.files = errors.New("stuck"), []api.File{{Path: "a.yaml", Hash: "x", LastGood: true}}
	s = NewStatus(n.parts(), "v1", now, now)
	require.False(t, s.Ready)
	require.Equal(t, "stuck", s.NotReady)
	n.snap = nil
	require.NotNil(t, NewStatus(n.parts(), "v1", now, now).Zones, "an empty list, not null")
}
