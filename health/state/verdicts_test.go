package state

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/table"
)

// TestWriteVerdicts: what is written piece by piece is one JSON value that holds every endpoint that was judged.
func TestWriteVerdicts(t *testing.T) {
	now := time.Now()
	for _, known := range []int{0, 1, 3} {
		text := "zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\npools:\n"
		for i := range 4 {
			text += fmt.Sprintf("  p%d: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.%d]}]}\n", i, i+1)
		}
		text += "services: {www: {tiers: [{p0: 1}]}}\n"
		zone, problems := config.Parse("z.yaml", []byte(text), config.ParseOptions{})
		require.NotNil(t, zone, problems.String())
		zv := &health.ZoneView{Zone: zone}
		for i := range zone.Pools {
			pv := &health.PoolView{Endpoints: make([]health.EndpointView, 1)}
			if i < known {
				pv.Endpoints[0].Verdict = health.Verdict{State: health.Down, Since: now.Add(-time.Minute), Left: now.Add(-time.Minute), Reason: `"refused"`}
			}
			zv.Pools = append(zv.Pools, pv)
		}
		var out bytes.Buffer
		require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{zv}}, now))
		var saved savedVerdicts
		require.NoError(t, json.Unmarshal(out.Bytes(), &saved), out.String())
		require.Equal(t, stateVersion, saved.Version)
		require.True(t, saved.SavedAt.Equal(now))
		require.Len(t, saved.Endpoints, known)
		for i := range known {
			v := saved.Endpoints[fmt.Sprintf("example.org./p%d/e", i)]
			require.Equal(t, health.Down, v.State)
			require.Equal(t, `"refused"`, v.Reason)
			require.InDelta(t, 60, *v.LeftSeconds, 0.001)
			require.Len(t, v.Targets, 1)
		}
	}
}

// TestAddressesOutliveRestart: the verdict on each of two addresses is kept, and of an endpoint that gets a second one, or loses it, that of
// the address which stays.
func TestAddressesOutliveRestart(t *testing.T) {
	parse := func(addresses string) *config.Zone {
		zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
			"pools: {p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: ["+addresses+"]}]}}\nservices: {www: {tiers: [{p: 1}]}}\n"), config.ParseOptions{})
		require.NotNil(t, zone, problems.String())
		return zone
	}
	now := time.Now()
	both := parse(`192.0.2.1, "2001:db8::1"`)
	each := &health.Each{
		{State: health.Up, Since: now.Add(-time.Hour)},
		{State: health.Down, Since: now.Add(-time.Minute), Left: now.Add(-time.Minute), Reason: "refused"},
	}
	view := health.EndpointView{Verdict: health.Best(both.Pools[0].Endpoints[0], each, health.Verdict{Since: now.Add(-time.Hour), State: health.Up}, now), Each: each}
	var out bytes.Buffer
	require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{{Zone: both, Pools: []*health.PoolView{{Endpoints: []health.EndpointView{view}}}}}}, now))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), out.Bytes(), 0o600))
	state, err := Open(dir, time.Hour, now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)

	restored := startOf(state, both, now).Endpoints[0]
	require.Equal(t, health.Up, restored.State)
	require.True(t, restored.Withheld(config.IPv6))
	require.False(t, restored.Withheld(config.IPv4))
	require.Equal(t, "refused", restored.Each[config.IPv6].Reason)
	require.WithinDuration(t, now.Add(-time.Minute), restored.Each[config.IPv6].Left, time.Millisecond)

	for _, f := range config.Families() {
		for _, v := range state.targets {
			require.NotEqual(t, health.Unknown, v.State)
		}
		id := health.TargetOn(both.Name, both.Checks[0], both.Pools[0].Endpoints[0], f).ID
		v, known := state.Verdict(id)
		require.True(t, known)
		require.Equal(t, each[f].State, v.State)
	}
}

// startOf is the view with which the one pool of a zone starts.
func startOf(state *File, z *config.Zone, now time.Time) *health.PoolView {
	return table.New(config.NewModel([]*config.Zone{z}), nil, table.NewEvidence("", nil, 0), state, now).Pool(table.Ref{})
}

// TestVerdictsFollowAddresses: an endpoint that has another name, or another check, in the run after keeps what was known of its addresses;
// where two had the same ones, nothing is known.
func TestVerdictsFollowAddresses(t *testing.T) {
	parse := func(check, name, address string) *config.Zone {
		zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {"+check+": {type: tcp, port: 80}}\n"+
			"pools: {p: {region: eu, check: "+check+", endpoints: [{name: "+name+", az: a, addresses: ["+address+"]}]}}\nservices: {www: {tiers: [{p: 1}]}}\n"), config.ParseOptions{})
		require.NotNil(t, zone, problems.String())
		return zone
	}
	now := time.Now()
	old := parse("up", "e", "192.0.2.1")
	down := health.EndpointView{Verdict: health.Verdict{State: health.Down, Since: now.Add(-time.Minute), Left: now.Add(-time.Minute), Reason: "refused"}}
	var out bytes.Buffer
	require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{{Zone: old, Pools: []*health.PoolView{{Endpoints: []health.EndpointView{down}}}}}}, now))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), out.Bytes(), 0o600))
	state, err := Open(dir, time.Hour, now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	for _, tt := range []struct {
		check, name, address string
		known                bool
	}{{"up", "e", "192.0.2.1", true}, {"other", "e", "192.0.2.1", true}, {"other", "f", "192.0.2.1", true}, {"up", "f", "192.0.2.1", true}, {"up", "e", "192.0.2.2", false}} {
		view := startOf(state, parse(tt.check, tt.name, tt.address), now)
		require.Equal(t, tt.known, view != nil && view.Endpoints[0].State == health.Down, "%+v", tt)
	}

	twins, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
		"pools: {p: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}, q: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}}\n"+
		"services: {www: {tiers: [{p: 1}, {q: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, twins, problems.String())
	both := []*health.PoolView{{Endpoints: []health.EndpointView{down}}, {Endpoints: []health.EndpointView{down}}}
	out.Reset()
	require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{{Zone: twins, Pools: both}}}, now))
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), out.Bytes(), 0o600))
	state, err = Open(dir, time.Hour, now, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, startOf(state, parse("other", "f", "192.0.2.1"), now), "two had it")
}

// TestBrokenReturns: a damaged file costs what it held, and is set aside; the node starts.
func TestBrokenReturns(t *testing.T) {
	for name, content := range map[string]string{"empty": "", "torn": `{"version":1,"ret`, "other version": `{"version":9}`, "no hash": `{"version":1,"returns":{"a/b":{"zone":"xx"}}}`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, ReturnsName), []byte(content), 0o600))
			var log bytes.Buffer
			s, err := Open(dir, time.Hour, time.Now(), slog.New(slog.NewTextHandler(&log, nil)))
			require.NoError(t, err)
			require.Empty(t, s.returns)
			require.Contains(t, log.String(), "which pools were out")
			require.Contains(t, log.String(), ReturnsName+".damaged")
			kept, err := os.ReadFile(filepath.Join(dir, ReturnsName+".damaged"))
			require.NoError(t, err)
			require.Equal(t, content, string(kept))
			require.NoFileExists(t, filepath.Join(dir, ReturnsName))
		})
	}
}

// TestPushInComposite: a push check that is part of another check starts from what was known of the endpoint, if that was in service: its
// lease ends then. What is dialled is dialled anew, and decides.
func TestPushInComposite(t *testing.T) {
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\n"+
		"checks: {h: {type: tcp, port: 80}, app: {type: push, lease: 5s}, both: {all: [h, app]}}\n"+
		"pools: {p: {region: eu, check: both, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}}\nservices: {www: {tiers: [{p: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	now := time.Now()
	for _, was := range []health.State{health.Up, health.Down} {
		view := health.EndpointView{Verdict: health.Verdict{State: was, Since: now.Add(-time.Minute)}}
		var out bytes.Buffer
		require.NoError(t, writeVerdicts(&out, &health.View{Zones: []*health.ZoneView{{Zone: zone, Pools: []*health.PoolView{{Endpoints: []health.EndpointView{view}}}}}}, now))
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), out.Bytes(), 0o600))
		state, err := Open(dir, time.Hour, now, slog.New(slog.DiscardHandler))
		require.NoError(t, err)
		started := make(map[config.CheckType]health.State)
		for target, v := range table.New(config.NewModel([]*config.Zone{zone}), nil, table.NewEvidence("", nil, 0), state, now).Probed() {
			started[target.Check.Type] = v.State
		}
		want := map[config.CheckType]health.State{config.CheckTCP: health.Unknown, config.CheckPush: health.Unknown}
		if was == health.Up {
			want[config.CheckPush] = health.Up
		}
		require.Equal(t, want, started)
	}
}
