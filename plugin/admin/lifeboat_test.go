package admin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const boatZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.1, "2001:db8::1"], az: eu-a}]}
  web-us: {region: us, endpoints: [{name: one, addresses: [198.51.100.1], az: us-a}, {name: two, addresses: [198.51.100.2], az: us-a, weight: 3}]}
  two-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.2], az: eu-a}]}
  two-us: {region: us, endpoints: [{name: one, addresses: [198.51.100.9], az: us-a}]}
  db-eu: {region: eu, stateful: true, endpoints: [{name: one, addresses: [203.0.113.3], az: eu-a}]}
  db-us: {region: us, stateful: true, endpoints: [{name: one, addresses: [198.51.100.3], az: us-a}]}
  log-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.4], az: eu-a}]}
  small-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.5], az: eu-a}]}
  small-us: {region: us, capacity: 100, endpoints: [{name: one, addresses: [198.51.100.5], az: us-a}]}
  lone-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.6], az: eu-a}]}
  up-eu: {region: eu, endpoints: [{name: one, addresses: [203.0.113.7], az: eu-a}]}
services:
  www: {tiers: [{web-eu: 1, web-us: 1}]}
  both: {tiers: [{two-eu: 1, web-us: 1}]}
  api: {tiers: [{two-eu: 1}, {two-us: 1}]}
  db: {tiers: [{db-eu: 1}, {db-us: 1}]}
  log: {tiers: [{log-eu: 1}, {db-us: 1}]}
  small: {tiers: [{small-eu: 1}, {small-us: 1}], demand: 150}
  lone: {tiers: [{lone-eu: 1}], on_all_down: nodata}
  up: {tiers: [{up-eu: 1}]}
`

// boatNode has everything in eu drained but the pool up-eu.
func boatNode(t *testing.T) (*fakeNode, *config.Zone) {
	t.Helper()
	z, problems := config.Parse("z.yaml", []byte(boatZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	now := time.Now()
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: now, Calm: true}
		for _, e := range p.Endpoints {
			out := z.AZs[e.AZ].Name == "eu-a" && p.Name != "up-eu"
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now}, Drained: out})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	n := readNode(t)
	n.intents = []health.IntentState{{Intent: health.Intent{
		ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "web-eu"},
		Lifeboat: true, Start: now, Forever: true,
	}}}
	n.snap = answer.NewCompiler("n1", now).Compile(nil, &health.View{At: now, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{zv}})
	return n, z
}

// TestLifeboat: what has departed is forwarded to who answers for all that it left, and to no data; the rest says why not.
func TestLifeboat(t *testing.T) {
	n, z := boatNode(t)
	now := time.Now()
	known := ledger.Bound{Known: true, SafeAt: now.Add(10 * time.Second)}
	final := ledger.Bound{Known: true, Final: true, SafeAt: now.Add(-time.Second)}
	for _, tt := range []struct {
		name, pool, rdata, service string
		bound                      ledger.Bound
		state, rule, text          string
		targets                    int
	}{
		{name: "departed", pool: "web-eu", rdata: "203.0.113.1", bound: known, state: api.BoatDeparted, targets: 2, text: "caches may hold it"},
		{name: "until when is not known", pool: "web-eu", rdata: "203.0.113.1", bound: ledger.Bound{Unknown: []ledger.Silent{{Node: "n2", Why: "not heard since"}}}, state: api.BoatDeparted, targets: 2},
		{name: "forgotten", pool: "web-eu", rdata: "203.0.113.1", bound: final, state: api.BoatForgot, targets: 2, text: "no honest cache holds it"},
		{name: "another node answers it", pool: "web-eu", rdata: "203.0.113.1", bound: ledger.Bound{Unknown: []ledger.Silent{{Node: "n2", Answering: true}}}, state: api.BoatAnswered, text: "node n2 answers it"},
		{name: "answered here", pool: "up-eu", rdata: "203.0.113.7", bound: known, state: api.BoatAnswered, text: "it is answered for up.example.org"},
		{name: "no target of its family", pool: "web-eu", rdata: "2001:db8::1", bound: known, state: api.BoatRefused, rule: "empty", text: "nobody else is in service"},
		{name: "services that differ", pool: "two-eu", rdata: "203.0.113.2", bound: known, state: api.BoatRefused, rule: "services", text: "name the one whose clients arrive"},
		{name: "one of them", pool: "two-eu", rdata: "203.0.113.2", service: "api.example.org.", bound: known, state: api.BoatDeparted, targets: 1},
		{name: "a service that it never was", pool: "two-eu", rdata: "203.0.113.2", service: "www.example.org.", bound: known, state: api.BoatRefused, rule: "services", text: "www.example.org is no service whose answers it left"},
		{name: "its pool keeps data", pool: "db-eu", rdata: "203.0.113.3", bound: known, state: api.BoatRefused, rule: "stateful", text: "pool db-eu keeps data"},
		{name: "its pool keeps data, forgotten", pool: "db-eu", rdata: "203.0.113.3", bound: final, state: api.BoatForgot, rule: "stateful"},
		{name: "who is in service keeps data", pool: "log-eu", rdata: "203.0.113.4", bound: known, state: api.BoatRefused, rule: "stateful", text: "pool db-us, which is in service, keeps data"},
		{name: "who is in service carries no more", pool: "small-eu", rdata: "203.0.113.5", bound: known, state: api.BoatRefused, rule: "capacity", text: "pool small-us would get 150 % of its capacity"},
		{name: "nobody is in service", pool: "lone-eu", rdata: "203.0.113.6", bound: known, state: api.BoatRefused, rule: "empty", text: "nobody else is in service"},
		{name: "no file has its pool", pool: "old", rdata: "203.0.113.8", bound: known, state: api.BoatRefused, rule: "removed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			label := ledger.Label{Zone: z.Name, Pool: tt.pool, Endpoint: "one", Region: "eu", AZ: "eu-a"}
			safety := departure.Safety{At: now, Items: []departure.SafetyItem{{Label: label, RData: tt.rdata, Known: true, Drained: true, Bound: tt.bound}}}
			got := NewLifeboat(n.parts(), n.snap, health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, tt.service, &safety).Addresses[0]
			require.Equal(t, []any{tt.state, tt.rule, tt.targets}, []any{got.State, got.Rule, len(got.Targets)}, "%+v", got)
			require.Contains(t, got.Text, tt.text)
			require.Equal(t, tt.bound.Known, got.Until != nil && got.RemainingSeconds != nil && got.ClampedUntil != nil)
			require.Equal(t, tt.pool == "web-eu", got.Lifeboat)
			if tt.targets == 2 {
				require.Equal(t, api.LifeboatTarget{Endpoint: "example.org/web-us/two", Address: "198.51.100.2", Fraction: 0.75}, got.Targets[1])
			}
			if tt.pool == "web-eu" {
				want := api.LifeboatNeeded
				if tt.bound.Final {
					want = api.LifeboatMayStop
				}
				require.Equal(t, want, NewSafe(n.parts(), health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, &safety).Lifeboat)
			} else {
				require.Empty(t, NewSafe(n.parts(), health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, &safety).Lifeboat)
			}
		})
	}
	n.cluster = &cluster.View{Nodes: []cluster.NodeView{{Name: "n1", Address: "192.0.2.1:7946"}, {Name: "n2", Address: "192.0.2.2:7946"}, {Name: "n3"}}}
	n.safety = departure.Safety{At: now, Items: []departure.SafetyItem{{Label: ledger.Label{Zone: z.Name, Pool: "web-eu", Endpoint: "one"}, RData: "127.0.0.1", Bound: known}}}
	c, _ := startWith(t, n, &fakeJournal{})
	var got api.Lifeboat
	scope := api.Scope{Kind: "az", Name: "eu-a"}
	require.Equal(t, http.StatusOK, get(t, c, api.LifeboatQuery(scope, "www.example.org"), &got))
	require.Equal(t, []string{"127.0.0.1", "192.0.2.1", "192.0.2.2"}, got.Nodes, "those at which nodes gossip, and this one's own on the way there")
	require.Equal(t, http.StatusBadRequest, get(t, c, api.LifeboatPath+"?kind=node&name=n1", new(api.Problem)))
	n.safety.Items = nil
	require.Equal(t, http.StatusNotFound, get(t, c, api.LifeboatQuery(scope, ""), new(api.Problem)))
}

// A reloading node has another snapshot with each look.
type reloading struct {
	Self
	next []*answer.Snapshot
}

func (r *reloading) Snapshot() (snap *answer.Snapshot) {
	if snap = r.next[0]; len(r.next) > 1 {
		r.next = r.next[1:]
	}
	return snap
}

// TestLifeboatReload: what is said of a scope is read from one snapshot, whatever is published meanwhile.
func TestLifeboatReload(t *testing.T) {
	n, z := boatNode(t)
	label := ledger.Label{Zone: z.Name, Pool: "web-eu", Endpoint: "one", Region: "eu", AZ: "eu-a"}
	n.safety = departure.Safety{At: time.Now(), Items: []departure.SafetyItem{{Label: label, RData: "203.0.113.1", Known: true, Drained: true, Bound: ledger.Bound{Known: true}}}}
	// A file without services.
	z, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]\n"), config.ParseOptions{})
	require.NoError(t, problems.Err())
	reloaded := answer.NewCompiler("n1", time.Now()).Compile(nil, &health.View{
		At: time.Now(), Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{{Zone: z}},
	})
	for _, after := range []*answer.Snapshot{reloaded, nil} {
		for looks := 1; looks < 12; looks++ {
			node := n.parts()
			node.Self = &reloading{n, append(slices.Repeat([]*answer.Snapshot{n.snap}, looks), after)}
			s := &Server{opts: Options{Node: node}}
			status, got := s.lifeboat(httptest.NewRequest(http.MethodGet, api.LifeboatQuery(api.Scope{Kind: "az", Name: "eu-a"}, ""), nil))
			require.Equal(t, http.StatusOK, status)
			require.Len(t, got.(*api.Lifeboat).Addresses[0].Targets, 2, "after %d looks", looks)
			node.Self = &reloading{n, append(slices.Repeat([]*answer.Snapshot{n.snap}, looks), after)}
			require.NotPanics(t, func() { NewSafe(node, health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}, &n.safety) }, "after %d looks", looks)
		}
	}
}
