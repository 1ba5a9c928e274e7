package admin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const readZone = `zone: ZONE
serial: 7
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a, eu-b]}, us: {azs: [us-a]}}
checks: {ready: {type: tcp, port: 80, interval: 2s, timeout: 1s}}
pools:
  web-eu:
    region: eu
    check: ready
    endpoints:
      - {name: two, addresses: [192.0.2.2], az: eu-b, weight: 3}
      - {name: one, addresses: [192.0.2.1], az: eu-a}
      - {name: gone, addresses: [192.0.2.3], az: eu-a}
  web-us:
    region: us
    endpoints: [{name: one, addresses: [198.51.100.1, "2001:db8::1"], az: us-a}]
services:
  www: {tiers: [{web-eu: 1}, {web-us: 1}], ttl: {min: 2s, max: 30s}}
  far: {tiers: [{web-us: 1}], ttl: {min: 2s, max: 30s}, clients: [{match: {cidr: [192.0.2.0/24]}, tiers: [{web-eu: 1}]}]}
  api: {tiers: [{web-eu: 1, web-us: 1}], ttl: {min: 2s, max: 30s}}
`

// readNode serves two zones in which one endpoint is down, and one AZ is drained for one service.
func readNode(t testing.TB) *fakeNode {
	t.Helper()
	now := time.Now()
	var zones []*config.Zone
	view := &health.View{Generation: 5, At: now}
	for _, name := range []string{"a.example", "b.example"} {
		z, problems := config.Parse(name+".yaml", []byte(strings.Replace(readZone, "ZONE", name, 1)), config.ParseOptions{})
		require.NoError(t, problems.Err())
		zones = append(zones, z)
		zv := &health.ZoneView{Zone: z}
		for _, p := range z.Pools {
			pv := &health.PoolView{At: now, Calm: true}
			for _, e := range p.Endpoints {
				v := health.EndpointView{Verdict: health.Verdict{State: health.Up, Since: now}}
				if e.Name == "gone" {
					v.Verdict = health.Verdict{State: health.Down, Since: now, Reason: "refused"}
				}
				pv.Endpoints = append(pv.Endpoints, v)
			}
			zv.Pools = append(zv.Pools, pv)
		}
		view.Zones = append(view.Zones, zv)
	}
	view.Model = config.NewModel(zones)
	gone := health.TargetOf(zones[0].Name, zones[0].Checks[0], zones[0].Pools[0].Endpoints[2]).ID
	return &fakeNode{
		snap:  answer.NewCompiler("n1", now).Compile(nil, view),
		files: []api.File{{Path: "a.yaml", Zone: "a.example.", Hash: "x"}},
		seen: map[health.TargetID][]health.Observation{gone: {
			{Vantage: "n1", State: health.Down, Failures: 4, Latency: 20 * time.Millisecond, Reason: "refused", At: now},
			{Vantage: "n2", State: health.Up, At: now},
		}},
		intents: []health.IntentState{
			{Intent: health.Intent{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 1}, Kind: health.IntentDrain, Service: "www.a.example.",
				Scope: health.Scope{Kind: health.ScopeAZ, Name: "eu-b"}, Actor: "ada", Reason: "CHG-1", Start: now, Forever: true}},
			{Intent: health.Intent{ID: health.IntentID{Node: "n1", Incarnation: 1, Counter: 2}, Kind: health.IntentStopped,
				Scope: health.Scope{Kind: health.ScopeNode, Name: "n3"}, Forever: true}},
		},
	}
}

// get is what a GET of path brings; the names of the items are those below the key of the list.
func get(t *testing.T, c *http.Client, path string, out any) int {
	t.Helper()
	resp, err := c.Get("http://node" + path)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, out), string(text))
	return resp.StatusCode
}

func TestReadLists(t *testing.T) {
	c, _ := start(t, readNode(t))
	for _, tt := range []struct{ path, want string }{
		{api.ZonesPath, "a.example. b.example."},
		{api.ZonesPath + "?name=b.example", "b.example."},
		{api.ServicesPath + "?zone=a.example", "api.a.example. far.a.example. www.a.example."},
		{api.ServicesPath + "?name=www", "www.a.example. www.b.example."},
		{api.ServicesPath + "?name=www.b.example.", "www.b.example."},
		{api.ServicesPath + "?name=b.example/www", "www.b.example."},
		{api.ServicesPath + "?degraded=true", ""},
		{api.ServicesPath + "?degraded=false&limit=2", "api.a.example. far.a.example. ..."},
		{api.ServicesPath + "?after=a.example/www.a.example", "api.b.example. far.b.example. www.b.example."},
		{api.ServicesPath + "?after=a.example/gone.since.then", "www.a.example. api.b.example. far.b.example. www.b.example."},
		{api.PoolsPath, "a.example./web-eu a.example./web-us b.example./web-eu b.example./web-us"},
		{api.PoolsPath + "?region=us&limit=1", "a.example./web-us ..."},
		{api.PoolsPath + "?region=us&after=a.example/web-us", "b.example./web-us"},
		{api.PoolsPath + "?zone=nowhere", ""},
		{api.EndpointsPath + "?limit=3", "a.example./web-eu/gone a.example./web-eu/one a.example./web-eu/two ..."},
		{api.EndpointsPath + "?after=a.example/web-eu/two&zone=A.example.", "a.example./web-us/one"},
		{api.EndpointsPath + "?state=down", "a.example./web-eu/gone b.example./web-eu/gone"},
		{api.EndpointsPath + "?az=us-a", "a.example./web-us/one b.example./web-us/one"},
		{api.EndpointsPath + "?region=eu&state=up&zone=b.example", "b.example./web-eu/one b.example./web-eu/two"},
		{api.EndpointsPath + "?pool=a.example/web-us", "a.example./web-us/one"},
		{api.EndpointsPath + "?pool=web-us", "a.example./web-us/one b.example./web-us/one"},
		{api.EndpointsPath + "?name=web-us/one", "a.example./web-us/one b.example./web-us/one"},
		{api.RegionsPath, "eu us"},
		{api.AZsPath, "eu-a eu-b us-a"},
		{api.AZsPath + "?region=eu&limit=1", "eu-a ..."},
		{api.AZsPath + "?after=eu-a", "eu-b us-a"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			var got struct {
				api.Page
				Zones, Services, Pools, Endpoints, Regions, AZs []struct{ Zone, Pool, Name string }
			}
			require.Equal(t, 200, get(t, c, tt.path, &got))
			var names []string
			for _, list := range [][]struct{ Zone, Pool, Name string }{got.Zones, got.Services, got.Pools, got.Endpoints, got.Regions, got.AZs} {
				for _, x := range list {
					if strings.Contains(tt.path, api.PoolsPath) || x.Pool != "" {
						x.Name = strings.ReplaceAll(x.Zone+"/"+x.Pool+"/"+x.Name, "//", "/")
					}
					names = append(names, x.Name)
				}
			}
			if got.Next != "" {
				names = append(names, "...")
			}
			require.Equal(t, tt.want, strings.Join(names, " "))
			require.EqualValues(t, 5, got.Generation)
		})
	}
}

// TestReadPages: page by page is the whole list, each item once.
func TestReadPages(t *testing.T) {
	c, _ := start(t, readNode(t))
	for limit := 1; limit <= 9; limit++ {
		var all []string
		after := ""
		for range 9 {
			var page api.Endpoints
			require.Equal(t, 200, get(t, c, fmt.Sprintf("%s?limit=%d&after=%s", api.EndpointsPath, limit, url.QueryEscape(after)), &page))
			require.LessOrEqual(t, len(page.Endpoints), limit)
			for _, e := range page.Endpoints {
				all = append(all, e.Zone+e.Pool+e.Name)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		require.Len(t, all, 8)
		require.IsIncreasing(t, all)
	}
}

func TestReadRefuses(t *testing.T) {
	c, _ := start(t, readNode(t))
	empty, _ := start(t, &fakeNode{})
	for path, want := range map[string]int{
		api.ServicesPath + "?limit=0":                                 400,
		api.ServicesPath + "?limit=1001":                              400,
		api.ServicesPath + "?degraded=perhaps":                        400,
		api.EndpointsPath + "?state=fine":                             400,
		api.EndpointsPath + "?colour=red":                             400,
		api.ItemPath(api.ServicesPath, "www.a.example") + "?zone=x":   400,
		api.ItemPath(api.ZonesPath, "nowhere"):                        404,
		api.ItemPath(api.ServicesPath, "nobody.a.example"):            404,
		api.ItemPath(api.PoolsPath, "a.example", "none"):              404,
		api.ItemPath(api.PoolsPath, "nowhere", "web-eu"):              404,
		api.ItemPath(api.EndpointsPath, "a.example", "web-eu", "six"): 404,
		api.ItemPath(api.EndpointsPath, "a.example", "none", "one"):   404,
		api.ItemPath(api.RegionsPath, "mars"):                         404,
		api.ItemPath(api.AZsPath, "eu"):                               404,
		api.ItemPath(api.RunningPath, "nowhere"):                      404,
	} {
		var p api.Problem
		require.Equal(t, want, get(t, c, path, &p), path)
		require.Equal(t, want, p.Status, path)
	}
	var p api.Problem
	require.Equal(t, 503, get(t, empty, api.ServicesPath, &p))
}

func TestReadOne(t *testing.T) {
	n := readNode(t)
	c, _ := start(t, n)

	var e api.EndpointDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.EndpointsPath, "a.example", "web-eu", "gone"), &e))
	require.Equal(t, []any{"down", "eu", "eu-a", "refused"}, []any{e.State, e.Region, e.AZ, e.Reason})
	require.Len(t, e.Vantages, 2)
	require.Equal(t, []any{"n1", "down", 4, 0.02, "refused"}, []any{e.Vantages[0].Node, e.Vantages[0].State, e.Vantages[0].Failures, e.Vantages[0].LatencySeconds, e.Vantages[0].Reason})
	require.Empty(t, e.Services)
	require.Empty(t, e.Intents)

	require.Equal(t, 200, get(t, c, api.ItemPath(api.EndpointsPath, "a.example", "web-eu", "two"), &e))
	require.Contains(t, e.Services, api.ServiceShare{Service: "www.a.example.", Family: "A", Fraction: 0.75})
	require.Len(t, e.Intents, 1, "its AZ is drained")

	var p api.PoolDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.PoolsPath, "a.example", "web-eu"), &p))
	require.Equal(t, []any{"web-eu", "ready", 3, 1}, []any{p.Name, p.Check, p.States.Total(), p.States.Down})
	require.Len(t, p.Endpoints, 3)
	require.Equal(t, []api.ServiceShare{{Service: "www.a.example.", Family: "A", Fraction: 1}, {Service: "api.a.example.", Family: "A", Fraction: 0.5}}, p.Services)
	require.Len(t, p.Intents, 1)

	var s api.ServiceDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.ServicesPath, "WWW.a.example."), &s))
	require.Equal(t, []any{"www.a.example.", "a.example.", 1, 2, 1}, []any{s.Name, s.Zone, s.Tier, len(s.Pools), len(s.Intents)})
	require.Equal(t, []string{"gone"}, []string{s.Members[0].Name})
	require.Positive(t, s.Bound.D)
	require.InDelta(t, s.BoundSeconds, max(s.Bound.D+s.Bound.G+s.Bound.Q+2, s.Bound.F+s.Bound.G+s.Bound.Q+30)+s.Bound.X, 1e-9)
	s = api.ServiceDetail{}
	require.Equal(t, 200, get(t, c, api.ItemPath(api.ServicesPath, "far.a.example"), &s))
	require.Equal(t, "rule 1", s.Classes[0].Class)
	require.Empty(t, s.Intents, "the drain is for another service")

	var z api.ZoneDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.ZonesPath, "a.example"), &z))
	require.Equal(t, []any{uint32(7), 2, 3, 4, "a.yaml"}, []any{z.Serial, z.Pools, z.Services, z.States.Total(), z.File.Path})

	var running api.RunningZone
	require.Equal(t, 200, get(t, c, api.ItemPath(api.RunningPath, "b.example"), &running))
	require.Equal(t, []string{"b.example.", "zone: b.example."}, []string{running.Zone, string(running.Content)})
}

func TestReadAreas(t *testing.T) {
	c, _ := start(t, readNode(t))
	var az api.AreaDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.AZsPath, "eu-a"), &az))
	require.Equal(t, []any{"eu", 2, 2, 2}, []any{az.Region, az.States.Up, az.States.Down, len(az.Members)})
	require.Contains(t, az.Services, api.ServiceShare{Service: "www.b.example.", Family: "A", Fraction: 0.25})
	require.Empty(t, az.Intents)
	az = api.AreaDetail{}
	require.Equal(t, 200, get(t, c, api.ItemPath(api.AZsPath, "eu-b"), &az))
	require.Len(t, az.Intents, 1)
	var region api.AreaDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.RegionsPath, "eu"), &region))
	require.Equal(t, []string{"eu-a", "eu-b"}, region.AZs)
	require.Contains(t, region.Services, api.ServiceShare{Service: "www.b.example.", Family: "A", Fraction: 1})
	require.Len(t, region.Intents, 1, "an AZ of it is drained")

	// All AZs together get all answers.
	var all api.AZs
	require.Equal(t, 200, get(t, c, api.AZsPath, &all))
	sums := map[string]float64{}
	for _, a := range all.AZs {
		for _, s := range a.Services {
			sums[s.Service+s.Family] += s.Fraction
		}
	}
	require.Len(t, sums, 10)
	for name, sum := range sums {
		require.InDelta(t, 1, sum, 1e-9, name)
	}
}

// TestReadBounded: one endpoint of very many costs what one costs.
func TestReadBounded(t *testing.T) {
	n := readNode(t)
	c, _ := start(t, n)
	var e api.EndpointDetail
	require.Equal(t, 200, get(t, c, api.ItemPath(api.EndpointsPath, "a.example", "web-eu", "one"), &e))
	require.EqualValues(t, 2, n.asked.Load(), "its own observation is looked up, for the endpoint and for its phases")
	var page api.Endpoints
	require.Equal(t, 200, get(t, c, api.EndpointsPath+"?state=down&limit=1", &page))
	require.EqualValues(t, 3, n.asked.Load(), "only what is shown is made")
}
