package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var (
	testNow   = time.Date(2026, 5, 17, 3, 12, 40, 0, time.UTC)
	testEarly = testNow.Add(-50 * time.Hour)
)

func moment(ago time.Duration) *time.Time {
	t := testNow.Add(-ago)
	return &t
}

func upEndpoint(name, az, addr string) api.Endpoint {
	return api.Endpoint{Name: name, AZ: az, Addresses: []string{addr}, Weight: 1, State: "up", Health: "up", Since: testEarly,
		Probed: addr + ":443", ProbedAt: moment(time.Second), LatencySeconds: 0.012, Successes: 900}
}

func downEndpoint(name, az, addr string) api.Endpoint {
	e := upEndpoint(name, az, addr)
	e.State, e.Health, e.Since, e.Successes, e.Failures = "down", "down", *moment(130 * time.Second), 0, 66
	e.Reason = "connection refused"
	return e
}

func statusOf(zones ...api.Zone) *api.Status {
	return &api.Status{Node: "ns1", Version: "v0.1.0", At: testNow, StartedAt: testEarly, Generation: 41, ConfigHash: "0f3a9be12c44",
		Ready: true, Zones: zones, FastLanes: []api.FastLane{{Address: "dns://:53", Sockets: 2}}, Files: []api.File{{Path: "zones.d/gslb.yaml", Zone: "gslb.example.org.", Hash: "0f3a9be12c44"}}}
}

func wellStatus() *api.Status {
	return statusOf(api.Zone{Name: "gslb.example.org.", Serial: 7,
		Pools: []api.Pool{
			{Name: "web-eu", Region: "eu-west", Check: "ready", Endpoints: []api.Endpoint{
				upEndpoint("web-1a", "eu-west-1a", "203.0.113.10"), upEndpoint("web-1b", "eu-west-1b", "203.0.113.20")}},
		},
		Services: []api.Service{{Name: "www.gslb.example.org.", Source: "tier", Tier: 1, TTLSeconds: 30, BoundSeconds: 39.45, TargetSeconds: 60,
			Shares: []api.Share{
				{Family: "A", Pool: "web-eu", AZ: "eu-west-1a", Endpoint: "web-1a", Data: "203.0.113.10", Fraction: 0.4},
				{Family: "A", Pool: "web-eu", AZ: "eu-west-1b", Endpoint: "web-1b", Data: "203.0.113.20", Fraction: 0.6}}}}})
}

// nightStatus has one of everything that can be wrong.
func nightStatus() *api.Status {
	stale := upEndpoint("l-2a", "us-east-1a", "198.51.100.30")
	stale.Stale, stale.ProbedAt, stale.Successes = true, nil, 0
	cert := upEndpoint("web-2b", "us-east-1b", "198.51.100.20")
	cert.Warning = "the certificate ends in 40h"
	suspect := upEndpoint("web-1c", "eu-west-1b", "203.0.113.21")
	suspect.State, suspect.Health, suspect.Failures, suspect.Successes = "suspect", "suspect", 1, 0
	suspect.Reason = "timeout after 1s before the first byte"
	drained := downEndpoint("web-1d", "eu-west-1b", "203.0.113.22")
	drained.State = "drained"
	s := statusOf(api.Zone{Name: "gslb.example.org.", Serial: 7,
		Pools: []api.Pool{
			{Name: "sorry", Region: "us-east", Endpoints: []api.Endpoint{{Name: "sorry", AZ: "us-east-1a", Addresses: []string{"198.51.100.80"},
				State: "up", Health: "up", Unmonitored: true, Since: testEarly}}},
			{Name: "web-us", Region: "us-east", Check: "ready", HeldUntil: moment(-20 * time.Second), Returns: []api.PoolReturn{{All: true, Next: moment(-20 * time.Second)}}, Endpoints: []api.Endpoint{cert}},
			{Name: "ledger-us", Region: "us-east", Check: "ready", Endpoints: []api.Endpoint{stale}},
			{Name: "web-eu", Region: "eu-west", Check: "ready", Endpoints: []api.Endpoint{
				downEndpoint("web-1a", "eu-west-1a", "203.0.113.10"), upEndpoint("web-1b", "eu-west-1b", "203.0.113.20"), suspect, drained}},
			{Name: "old", Region: "eu-west", Check: "ready", Endpoints: []api.Endpoint{downEndpoint("old-1", "eu-west-1a", "203.0.113.40")}},
		},
		Services: []api.Service{
			{Name: "www.gslb.example.org.", Source: "tier", Tier: 1, TTLSeconds: 5, BoundSeconds: 39.45, TargetSeconds: 60, Shares: []api.Share{
				{Family: "A", Pool: "web-eu", AZ: "eu-west-1a", Endpoint: "web-1a", Data: "203.0.113.10", Fraction: 1. / 3},
				{Family: "A", Pool: "web-eu", AZ: "eu-west-1b", Endpoint: "web-1b", Data: "203.0.113.20", Fraction: 1. / 3},
				{Family: "A", Pool: "web-eu", AZ: "eu-west-1b", Endpoint: "web-1c", Data: "203.0.113.21", Fraction: 1. / 3},
				{Family: "AAAA", Pool: "web-us", AZ: "us-east-1b", Endpoint: "web-2b", Data: "2001:db8:2::20", Fraction: 1}}},
			{Name: "api.gslb.example.org.", Source: "tier", Tier: 2, Skipped: []string{"tier 1: failback hold"}, TTLSeconds: 2, BoundSeconds: 16.05,
				Shares: []api.Share{{Family: "A", Pool: "web-us", AZ: "us-east-1b", Endpoint: "web-2b", Data: "198.51.100.20", Fraction: 1}}},
			{Name: "static.gslb.example.org.", Source: "tier", Tier: 1, TTLSeconds: 30,
				Shares: []api.Share{{Family: "A", Pool: "sorry", AZ: "us-east-1a", Endpoint: "sorry", Data: "198.51.100.80", Fraction: 1}}},
			{Name: "legacy.gslb.example.org.", Source: "last_good", Degraded: true, Tier: 1, Skipped: []string{"tier 1: nothing up"}, TTLSeconds: 2, BoundSeconds: 39.45,
				Shares: []api.Share{{Family: "A", Pool: "old", AZ: "eu-west-1a", Endpoint: "old-1", Data: "203.0.113.40", Fraction: 1}}},
			{Name: "fixed.gslb.example.org.", Source: "fixed", Degraded: true, TTLSeconds: 2, BoundSeconds: 39.45,
				Shares: []api.Share{{Family: "A", Data: "192.0.2.1", Fraction: 0.5}, {Family: "A", Data: "192.0.2.2", Fraction: 0.5}}},
			{Name: "accounts.gslb.example.org.", Source: "nodata", Degraded: true, TTLSeconds: 2, BoundSeconds: 39.45},
		}})
	s.Degraded = true
	s.Feeds = &api.Feeds{Subscribers: 41, Unconfirmed: 2, Silent: 1}
	s.FastLanes = append(s.FastLanes, api.FastLane{Address: "dns://192.0.2.54:53", Reason: "the plugin log must see every query"})
	s.Files = append(s.Files,
		api.File{Path: "zones.d/shop.yaml", Zone: "shop.example.org.", Hash: strings.Repeat("77aa", 16), LastGood: true, BrokenSince: moment(9 * time.Minute),
			Problems: []string{"zones.d/shop.yaml:4:3: error: zone: unknown key \"sao\"\n  sao: {}\n  ^\n  help: did you mean \"soa\"?"}},
		api.File{Path: "zones.d/new.yaml", BrokenSince: moment(30 * time.Hour), Problems: []string{"zones.d/new.yaml: error: cannot be read: permission denied"}})
	return s
}

// bigStatus is well, but for one service of very many.
func bigStatus() *api.Status {
	z := api.Zone{Name: "gslb.example.org."}
	for i := range 60 {
		addr := fmt.Sprintf("203.0.113.%d", i)
		z.Pools = append(z.Pools, api.Pool{Name: fmt.Sprintf("pool-%d", i), Region: "eu", Check: "ready", Endpoints: []api.Endpoint{upEndpoint("e", "eu-a", addr)}})
		z.Services = append(z.Services, api.Service{Name: fmt.Sprintf("s%d.gslb.example.org.", i), Source: "tier", Tier: 1, TTLSeconds: 30, BoundSeconds: 39.45,
			Shares: []api.Share{{Family: "A", Pool: fmt.Sprintf("pool-%d", i), AZ: "eu-a", Endpoint: "e", Data: addr, Fraction: 1}}})
	}
	z.Pools[50].Endpoints[0] = downEndpoint("e", "eu-a", "203.0.113.50")
	z.Services[50].Source, z.Services[50].Degraded = "last_good", true
	s := statusOf(z)
	s.Degraded = true
	return s
}

func TestReport(t *testing.T) {
	starting := wellStatus()
	starting.Ready, starting.NotReady = false, "3 endpoints have no verdict yet"
	frozen := wellStatus()
	frozen.Degraded, frozen.Blind = true, true
	frozen.Freeze = &api.Freeze{Frozen: true, Actor: "ada", Reason: "network maintenance", Since: *moment(time.Hour)}
	ordered := wellStatus()
	ordered.Degraded = true
	zone := &ordered.Zones[0]
	seven := 7
	zone.Pools[0].WaitsFor, zone.Pools[0].Weight = "ready", &seven
	for _, p := range []api.Pool{{Name: "ledger", WaitsFor: "failback", Returns: []api.PoolReturn{{All: true, WaitsFor: "failback"}}}, {Name: "old", WaitsFor: "config", Returns: []api.PoolReturn{{All: true, WaitsFor: "config"}}}, {Name: "replica", WaitsFor: "check", GateCheck: "caught-up"}, {Name: "ramps", RampPercent: 30, RampNext: moment(-40 * time.Second), Returns: []api.PoolReturn{{All: true, Percent: 30, Next: moment(-40 * time.Second)}}}} {
		p.Region, p.Check, p.Endpoints = "eu-west", "ready", []api.Endpoint{upEndpoint("e", "eu-west-1a", "203.0.113.99")}
		zone.Pools = append(zone.Pools, p)
	}
	ordered.Intents = []api.Intent{
		{ID: "n1-1-1", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "eu-west-1a"}, State: api.IntentInForce, Actor: "ada", Reason: "CHG-1", Override: []string{"keep_azs"}, StartsAt: testEarly, EndsAt: moment(-time.Hour)},
		{ID: "n1-1-2", Kind: "drain", Scope: api.Scope{Kind: "az", Name: "eu-west-1b"}, Service: "www.gslb.example.org.", State: api.IntentSuspended, Rule: "never_empty", RuleService: "www.gslb.example.org.", Actor: "bob", Reason: "CHG-2", StartsAt: testEarly},
		{ID: "n1-1-3", Kind: "weight", Scope: api.Scope{Kind: "pool", Name: "gslb.example.org/web-eu"}, Weight: &seven, State: api.IntentInForce, Actor: "ada", StartsAt: testEarly},
		{ID: "n1-1-4", Kind: "drain", Scope: api.Scope{Kind: "region", Name: "mars"}, State: api.IntentNoEffect, Note: "it names nothing in the configuration", Actor: "ada", Reason: "CHG-3", StartsAt: testEarly},
		{ID: "n1-1-5", Kind: "drain", Scope: api.Scope{Kind: "region", Name: "us-east"}, State: api.IntentPlanned, Actor: "ada", Reason: "CHG-4", StartsAt: *moment(-time.Minute), EndsAt: moment(-30 * time.Hour)},
	}
	for _, tc := range []struct {
		name   string
		status *api.Status
		style  terminal.Style
		all    bool
	}{
		{name: "well", status: wellStatus()},
		{name: "starting", status: starting},
		{name: "frozen", status: frozen},
		{name: "ordered", status: ordered},
		{name: "night", status: nightStatus()},
		{name: "colour", status: nightStatus(), style: terminal.Style{Colour: true}},
		{name: "big", status: bigStatus()},
		{name: "empty", status: statusOf()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			report{status: tc.status, style: tc.style, all: tc.all}.write(&b)
			golden(t, tc.name+".txt", b.Bytes())
		})
	}
}

// TestReportAll: --all leaves nothing out.
func TestReportAll(t *testing.T) {
	var b bytes.Buffer
	report{status: bigStatus(), all: true}.write(&b)
	for i := range 60 {
		assert.Contains(t, b.String(), fmt.Sprintf("s%d.gslb.example.org", i))
		assert.Contains(t, b.String(), fmt.Sprintf("/pool-%d ", i))
	}
	assert.NotContains(t, b.String(), "more")
}

// TestColourAddsNothing: without the colours, the coloured report is the plain one.
func TestColourAddsNothing(t *testing.T) {
	var plain, coloured bytes.Buffer
	report{status: nightStatus()}.write(&plain)
	report{status: nightStatus(), style: terminal.Style{Colour: true}}.write(&coloured)
	text := coloured.String()
	for _, c := range []string{terminal.Red, terminal.Green, terminal.Yellow, terminal.Blue, terminal.Grey, terminal.Bold, "0"} {
		text = strings.ReplaceAll(text, "\x1b["+c+"m", "")
	}
	assert.Equal(t, plain.String(), text)
}

// TestScriptStatus keeps the JSON that the scripts serve equal to the statuses of this file.
func TestScriptStatus(t *testing.T) {
	for name, s := range map[string]*api.Status{"well.json": wellStatus(), "night.json": nightStatus()} {
		text, err := json.MarshalIndent(s, "", "  ")
		require.NoError(t, err)
		golden(t, name, append(text, '\n'))
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "status", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestFormat(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0.0s", 400 * time.Millisecond: "0.4s", 42 * time.Second: "42s", 130 * time.Second: "2m10s",
		3*time.Hour + 5*time.Minute: "3h05m", 50 * time.Hour: "2d02h",
	} {
		assert.Equal(t, want, terminal.Age(d), d)
	}
	for f, want := range map[float64]string{0: "0%", 1: "100%", 0.28: "28%", 1. / 3: "33.3%", 0.0001: "<0.1%", 0.001: "0.1%"} {
		assert.Equal(t, want, terminal.Percent(f), f)
	}
	assert.Equal(t, "3.2s", terminal.UpTo(3150*time.Millisecond))
	assert.Equal(t, "3.1s", terminal.UpTo(3100*time.Millisecond))
}

// TestEmptyPool: a pool without endpoints is not up, and none of none is no figure.
func TestEmptyPool(t *testing.T) {
	r := report{status: &api.Status{Zones: []api.Zone{{Name: "example.org.", Pools: []api.Pool{{Name: "web", Region: "eu"}}}}}}
	bad, well := r.poolRows()
	require.Empty(t, well)
	require.Len(t, bad, 1)
	assert.Equal(t, []string{"○ empty", "example.org/web", "eu", "-", "none: always up", ""}, bad[0].cells)
	assert.Equal(t, "-", upOf(api.States{}))
	assert.Equal(t, "1 of 2", upOf(api.States{Suspect: 1, Down: 1}))
}
