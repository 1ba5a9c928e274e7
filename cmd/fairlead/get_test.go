package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// A cannedNode answers GET with what stands at the path, and with 404 where nothing does. A path may have a query string.
type cannedNode map[string]any

func (n cannedNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	got, ok := n[r.URL.Path+"?"+r.URL.RawQuery]
	if !ok {
		got, ok = n[r.URL.Path]
	}
	w.Header().Set("Content-Type", "application/json")
	if !ok {
		w.Header().Set("Content-Type", api.ProblemType)
		w.WriteHeader(http.StatusNotFound)
		got = api.Problem{Title: "Not Found", Status: http.StatusNotFound, Detail: "nothing at " + r.URL.String()}
	}
	_ = json.NewEncoder(w).Encode(got)
}

// listenAs serves h on a socket until the test ends.
func listenAs(t *testing.T, h http.Handler) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: h}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return socket
}

// command runs a command line against h and returns what it printed.
func command(t *testing.T, h http.Handler, args ...string) (string, error) {
	t.Helper()
	root := rootCommand()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetArgs(append(args, "--server", "unix:"+listenAs(t, h)))
	err := root.Execute()
	return out.String(), err
}

func testPage(next string) api.Page {
	return api.Page{Node: "ns1", At: testNow, Generation: 41, Next: next}
}

// testParts is one zone in the parts of the API, at night.
func testParts() cannedNode {
	const zone = "gslb.example.org."
	down := api.EndpointItem{Zone: zone, Pool: "web-eu", Region: "eu-west", Endpoint: downEndpoint("web-1a", "eu-west-1a", "203.0.113.10")}
	down.Vantages = []api.Vantage{
		{Node: "ns1", State: "down", Failures: 66, LatencySeconds: 0.002, Reason: "connection refused", At: *moment(time.Second)},
		{Node: "ns2", State: "up", At: *moment(2 * time.Second)},
	}
	up := api.EndpointItem{Zone: zone, Pool: "web-eu", Region: "eu-west", Endpoint: upEndpoint("web-1b", "eu-west-1b", "203.0.113.20")}
	drained := api.EndpointItem{Zone: zone, Pool: "web-us", Region: "us-east", Endpoint: downEndpoint("web-2a", "us-east-1a", "198.51.100.10")}
	drained.State = "drained"
	drain := api.Intent{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "us-east-1a"}, State: api.IntentInForce, Actor: "ada", Reason: "CHG-1", StartsAt: testEarly}
	eu := api.PoolItem{Zone: zone, Pool: api.Pool{Name: "web-eu", Region: "eu-west", Check: "ready", HeldUntil: moment(-20 * time.Second)}, States: api.States{Up: 1, Down: 1}}
	us := api.PoolItem{Zone: zone, Pool: api.Pool{Name: "web-us", Region: "us-east", Check: "ready", WaitsFor: "failback"}, States: api.States{Drained: 1}}
	night := nightStatus()
	www := api.ServiceItem{Zone: zone, Service: wellStatus().Zones[0].Services[0]}
	www.Skipped = []string{"tier 1: nothing up"}
	www.Tier = 2
	nobody := api.ServiceItem{Zone: zone, Service: api.Service{Name: "ledger." + zone, Source: "nodata", Degraded: true, TTLSeconds: 2, Shares: []api.Share{}}}
	az := api.Area{Name: "eu-west-1a", Region: "eu-west", States: api.States{Down: 1}, Services: []api.ServiceShare{}}
	usAZ := api.Area{Name: "us-east-1a", Region: "us-east", States: api.States{Drained: 1}, Services: []api.ServiceShare{{Service: www.Name, Family: "A", Fraction: 0.4}}, Intents: []api.Intent{drain}}
	usPool := api.PoolDetail{Page: testPage(""), PoolItem: us, Services: usAZ.Services, Intents: []api.Intent{drain}}
	usPool.Pool.Endpoints = []api.Endpoint{drained.Endpoint}
	return cannedNode{
		api.StatusPath: night,
		api.ZonesPath: api.Zones{Page: testPage(""), Zones: []api.ZoneItem{{Name: zone, Serial: 7, Hash: "0f3a9be12c44aa", Pools: 2, Services: 2, Degraded: 1,
			States: api.States{Up: 1, Down: 1, Drained: 1}, File: &night.Files[0]}}},
		api.ServicesPath:                            api.Services{Page: testPage(""), Services: []api.ServiceItem{nobody, www}},
		api.PoolsPath + "?limit=1000":               api.Pools{Page: testPage("gslb.example.org/web-eu"), Pools: []api.PoolItem{eu}},
		api.PoolsPath:                               api.Pools{Page: testPage(""), Pools: []api.PoolItem{us}},
		api.EndpointsPath:                           api.Endpoints{Page: testPage(""), Endpoints: []api.EndpointItem{down, up, drained}},
		api.EndpointsPath + "?limit=10&name=web-1a": api.Endpoints{Page: testPage(""), Endpoints: []api.EndpointItem{down}},
		api.ServicesPath + "?limit=10&name=www":     api.Services{Page: testPage(""), Services: []api.ServiceItem{www}},
		api.PoolsPath + "?limit=10&name=web":        api.Pools{Page: testPage(""), Pools: []api.PoolItem{eu, us}},
		api.PoolsPath + "?limit=10&name=none":       api.Pools{Page: testPage(""), Pools: []api.PoolItem{}},
		api.RegionsPath:                             api.Regions{Page: testPage(""), Regions: []api.Area{{Name: "eu-west", AZs: []string{"eu-west-1a", "eu-west-1b"}, States: api.States{Up: 1, Down: 1}, Services: []api.ServiceShare{{Service: www.Name, Family: "A", Fraction: 0.6}}}}},
		api.AZsPath:                                 api.AZs{Page: testPage(""), AZs: []api.Area{az, usAZ}},
		api.IntentsPath:                             api.Intents{Intents: []api.Intent{drain}},
		api.NodesPath: api.Nodes{Node: "ns1", Cluster: "test", At: testNow, Heard: 1, Roster: 2, Keys: 1, Nodes: []api.Node{
			{Name: "ns1", Region: "eu-west", AZ: "eu-west-1a", State: api.NodeSelf, ConfigHash: "0f3a", PlanHash: "12", Joined: true, Answering: true},
			{Name: "ns2", State: api.NodeStale, HeardAt: moment(time.Minute), RelayedAt: moment(2 * time.Second), Address: "192.0.2.2:7946", ConfigHash: "0f3a", Joined: true, Answering: true}}},
		api.ItemPath(api.ServicesPath, www.Name): api.ServiceDetail{Page: testPage(""), ServiceItem: www,
			TTL:     api.ExplainTTL{Seconds: 30, MinSeconds: 2, MaxSeconds: 30, Why: "the floor: a member is suspect", ForcedBy: []string{"web-eu/web-1c"}},
			Bound:   api.BoundTerms{D: 7.2, F: 3.2, G: 1, Q: 0.25, X: 5},
			Classes: []api.ServiceClass{{Class: "rule 1", Source: "tier", Tier: 1, Shares: www.Shares[:1]}},
			Pools:   []api.PoolItem{eu, us}, Members: []api.EndpointItem{drained, down}, Intents: []api.Intent{drain}},
		api.ItemPath(api.PoolsPath, "gslb.example.org", "web-us"):               usPool,
		api.ItemPath(api.EndpointsPath, "gslb.example.org", "web-eu", "web-1a"): api.EndpointDetail{Page: testPage(""), EndpointItem: down, Services: []api.ServiceShare{}},
		api.ItemPath(api.AZsPath, "us-east-1a"):                                 api.AreaDetail{Page: testPage(""), Area: usAZ, Members: []api.EndpointItem{drained}, MoreMembers: 7},
		api.AuditPath: api.Audit{Entries: []api.AuditEntry{
			{Seq: 1, At: testEarly, Actor: "eve", Action: "drain", Object: "region mars", Reason: "of no interest", Outcome: "ok"},
			{Seq: 2, At: *moment(time.Hour), Actor: "ada\x1b[2J", Action: "drain", Object: "az us-east-1a", Reason: "CHG-1", Outcome: "ok"},
			{Seq: 3, At: *moment(time.Minute), Actor: "bob", Action: "undrain", Object: "drain n1-1-1, az us-east-1a", Reason: "done", Outcome: "failed: disk full"}}},
	}
}

// TestGet: testdata/get has one file for each command line.
func TestGet(t *testing.T) {
	for name, line := range map[string]string{
		"zones": "get zones -o wide", "services": "get services", "services_wide": "get svc -o wide", "pools": "get pools", "pools_json": "get pool -o json",
		"endpoints": "get endpoints", "endpoints_wide": "get ep -o wide", "endpoint_yaml": "get endpoint web-1a -o yaml", "regions": "get regions", "azs": "get azs -o wide",
		"node": "get node ns2 -o wide", "colour": "get endpoints --color always",
		"describe_service": "describe service www", "describe_pool": "describe pool gslb.example.org/web-us", "describe_endpoint": "describe endpoint web-1a",
		"describe_az": "describe az us-east-1a", "describe_node": "describe node ns2", "describe_node_yaml": "describe node ns2 -o yaml",
	} {
		t.Run(name, func(t *testing.T) {
			n := testParts()
			if name == "describe_pool" {
				n[api.PoolsPath] = api.Pools{Page: testPage(""), Pools: []api.PoolItem{{Zone: "gslb.example.org.", Pool: api.Pool{Name: "web-us"}}}}
			}
			if name == "endpoint_yaml" {
				n[api.EndpointsPath] = n[api.EndpointsPath+"?limit=10&name=web-1a"]
			}
			got, err := command(t, n, strings.Fields(line)...)
			require.NoError(t, err)
			path := filepath.Join("testdata", "get", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func TestGetErrors(t *testing.T) {
	for line, want := range map[string]string{
		"get pool web-eu --state down":        "--state is not for pools",
		"get endpoints --state fine":          `--state "fine": want up`,
		"get planets":                         `"planets": want zones, services`,
		"get nodes ns9":                       "no node is named ns9",
		"describe pool web":                   "pool web is ambiguous",
		"describe pool none":                  "no pool is named none",
		"describe az mars":                    "nothing at /api/v1/azs/mars",
		"describe zone x":                     `"zone": want service, pool, endpoint`,
		"describe node ns9":                   "no node is named ns9",
		"get endpoints -o toml":               `--output "toml": want table, wide, json or yaml`,
		"get endpoints --degraded --color up": `--color "up": want auto, always or never`,
	} {
		out, err := command(t, testParts(), strings.Fields(line)...)
		require.ErrorContains(t, err, want, line)
		require.Empty(t, out, line)
	}
}

// TestGetFilters: what is asked for reaches the node.
func TestGetFilters(t *testing.T) {
	var asked []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.String())
		_, _ = w.Write([]byte("{}"))
	})
	out, err := command(t, h, "get", "endpoints", "--state", "down", "--az", "eu-a", "--region", "eu", "--pool", "z/p", "--zone", "z")
	require.NoError(t, err)
	require.Equal(t, "none\n", out)
	out, err = command(t, h, "get", "services", "--degraded", "-o", "json")
	require.NoError(t, err)
	require.Contains(t, out, `"services": []`)
	require.Equal(t, []string{"/api/v1/endpoints?az=eu-a&limit=1000&pool=z%2Fp&region=eu&state=down&zone=z", "/api/v1/services?degraded=true&limit=1000"}, asked)
}
