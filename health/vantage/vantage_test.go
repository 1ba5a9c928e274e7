package vantage

import (
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/state"
	"github.com/fairlead-dns/fairlead/health/table"
)

// prober notes what it is to dial, and is late when it is told to be.
type prober struct {
	targets []health.Target
	by      time.Duration
}

func (p *prober) SetTargets(t []health.Target)                          { p.targets = t }
func (p *prober) Restore(health.TargetID, health.State, time.Time) bool { return true }
func (p *prober) Late(time.Time) (by time.Duration, late bool)          { return p.by, p.by > 0 }

// TestVantage: the latest observation of each target that a table wants is taken in once, and lateness is said when it begins and ends.
func TestVantage(t *testing.T) {
	now, logger := time.Now(), slog.New(slog.DiscardHandler)
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80}}\n"+
		"pools: {main: {region: eu, check: up, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}, {name: f, az: a, addresses: [192.0.2.2]}]}}\nservices: {www: {tiers: [{main: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	reference := health.Target{ID: health.TargetID{1, 2, 3}}
	evidence := table.NewEvidence("n1", []health.Target{reference}, 0)
	file, err := state.Open("", time.Hour, now, logger)
	require.NoError(t, err)
	tb := table.New(config.NewModel([]*config.Zone{zone}), nil, evidence, file, now)
	tables := []*table.Table{tb}
	p := new(prober)
	v := New(Options{Node: "n1", Alone: true, Prober: p, Evidence: evidence, Logger: logger, Registerer: prometheus.NewRegistry()})
	v.SetTargets(tables...)
	require.Len(t, p.targets, 3, "two endpoints and the reference")
	target := health.TargetOf(zone.Name, zone.Checks[0], zone.Pools[0].Endpoints[0])
	require.True(t, v.Wants(target.ID, tables))
	require.True(t, v.Wants(reference.ID, tables))
	require.False(t, v.Wants(health.TargetID{9}, tables))

	observe := func(id health.TargetID, s health.State) {
		v.Observe(health.Observation{Target: id, State: s, At: now, Next: now.Add(time.Second)})
	}
	require.Empty(t, v.Take(tables))
	observe(target.ID, health.Down)
	observe(target.ID, health.Up)
	observe(health.TargetID{9}, health.Up)
	seen := v.Take(tables)
	require.Len(t, seen, 1, "the latest one, and nothing that no table wants")
	require.Equal(t, health.Up, seen[0].State)
	require.False(t, seen[0].Known)
	require.True(t, seen[0].Moved)
	observe(target.ID, health.Up)
	seen = v.Take(tables)
	require.True(t, seen[0].Known)
	require.False(t, seen[0].Moved, "nothing is new")
	require.Empty(t, v.Take(tables))

	changed, _ := v.Look(tb, now)
	require.False(t, changed)
	p.by = time.Second
	changed, everything := v.Look(tb, now)
	require.True(t, changed)
	require.False(t, everything)
	require.True(t, evidence.Late)
	changed, _ = v.Look(tb, now)
	require.False(t, changed, "it is said once")
	p.by = 0
	changed, _ = v.Look(tb, now)
	require.True(t, changed)
	require.False(t, evidence.Late)
}
