package cluster

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/round"
	"github.com/fairlead-dns/fairlead/health/table"
)

// nothing is the memory of a node that starts for the first time.
type nothing struct{}

func (nothing) Verdict(health.TargetID) (v health.Verdict, ok bool) { return v, false }

func (nothing) Part(health.TargetID) (v health.Verdict, ok bool) { return v, false }
func (nothing) Endpoint(*config.Zone, *config.Pool, int, []health.TargetID) (v health.EndpointView, ok bool) {
	return v, false
}

func (nothing) Returns(_ *config.Zone, _ *config.Pool, view *health.PoolView, _ time.Time) *health.PoolView {
	return view
}

// tableOf is the table of a zone with a pool of endpoints, and their targets.
func tableOf(t *testing.T, e *table.Evidence, endpoints string, now time.Time) (tab *table.Table, targets []health.Target) {
	zone, problems := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\nchecks: {up: {type: tcp, port: 80, fall: 3, rise: 2}}\n"+
		"pools: {web: {region: eu, check: up, endpoints: ["+endpoints+"]}}\nservices: {www: {tiers: [{web: 1}]}}\n"), config.ParseOptions{})
	require.NotNil(t, zone, problems.String())
	for _, end := range zone.Pools[0].Endpoints {
		targets = append(targets, health.TargetOf(zone.Name, zone.Checks[0], end))
	}
	tab = table.New(config.NewModel([]*config.Zone{zone}), nil, e, nothing{}, now)
	tab.Judge(now)
	return tab, targets
}

const one, two = "{name: e, az: a, addresses: [192.0.2.1]}", "{name: f, az: a, addresses: [192.0.2.2]}"

// TestMarks: another node reads from the marks what this one has observed; only a mark that moves is news, and what this node does not trust it
// does not say.
func TestMarks(t *testing.T) {
	now := time.Now()
	e := table.NewEvidence("n1", nil, 0)
	tab, targets := tableOf(t, e, one+", "+two, now)
	m, other := NewMarks(e), round.NewVantage("n1")
	require.True(t, m.All(tab, now), "another list")
	require.False(t, m.All(tab, now))
	see := func(target health.Target, state health.State, failures int) bool {
		o := health.Observation{Target: target.ID, State: state, Failures: failures, At: now}
		if failures > 0 {
			o.Reason = "refused"
		}
		e.Put(map[health.TargetID]health.Observation{target.ID: o})
		return m.One(target.ID, now)
	}
	heard := func(target health.Target) (health.Observation, bool) {
		for key, b := range map[string][]byte{round.PartMarks: m.Encode(), round.PartDetail: first(m.EncodeDetails())} {
			moved, err := other.Take(key, 0, 1, b, now, false, m.List)
			require.NoError(t, err)
			for _, prefix := range moved {
				_, known := m.ID(prefix)
				require.True(t, known)
			}
		}
		return other.Observation(target.ID, target.Check)
	}
	require.True(t, see(targets[0], health.Up, 0))
	require.False(t, see(targets[0], health.Up, 0), "the same again")
	o, ok := heard(targets[0])
	require.True(t, ok)
	require.Equal(t, health.Up, o.State)
	_, ok = heard(targets[1])
	require.False(t, ok, "not probed yet")
	require.True(t, see(targets[1], health.Down, 3))
	heard(targets[1])
	o, _ = heard(targets[1])
	require.Equal(t, []any{health.Down, "refused"}, []any{o.State, o.Reason})

	e.Drained = true
	require.True(t, m.One(targets[0].ID, now))
	_, ok = heard(targets[0])
	require.False(t, ok, "a drained node abstains")
	require.False(t, m.One(health.TargetID{9}, now), "no target of the table")
}

func first(b []byte, _ int) []byte { return b }

// TestLists: the list of the configuration before is known still, those of others are learned, and each is asked for now and then.
func TestLists(t *testing.T) {
	now := time.Now()
	e := table.NewEvidence("n1", nil, 0)
	m := NewMarks(e)
	before, _ := tableOf(t, e, one, now)
	after, _ := tableOf(t, e, one+", "+two, now)
	m.All(before, now)
	old := m.Hash()
	require.True(t, m.All(after, now))
	require.NotEqual(t, old, m.Hash())
	require.Equal(t, 1, m.List(old).Len())
	require.Equal(t, 2, m.List(m.Hash()).Len())

	foreign := round.NewTargets([]health.TargetID{{7}})
	require.Nil(t, m.List(foreign.Hash))
	require.True(t, m.Asks(foreign.Hash, now))
	require.False(t, m.Asks(foreign.Hash, now.Add(listRetry-time.Millisecond)))
	require.True(t, m.Asks(foreign.Hash, now.Add(listRetry)))
	m.Learn(foreign)
	require.Equal(t, 1, m.List(foreign.Hash).Len())
}

// TestMemoryOf: what a table holds of who is out is told, and one that missed it takes it up from most of the others.
func TestMemoryOf(t *testing.T) {
	now := time.Now()
	out := func() (*table.Table, *Memory, health.Target) {
		e := table.NewEvidence("n1", nil, 0)
		tab, targets := tableOf(t, e, one, now.Add(-time.Minute))
		return tab, NewMemory(tab), targets[0]
	}
	leave := func(tab *table.Table, left time.Time) {
		view := *tab.Pool(table.Ref{})
		view.Endpoints = []health.EndpointView{{Verdict: health.Verdict{State: health.Down, Left: left}}}
		tab.Amend(table.Ref{}, &view)
	}
	knows, its, _ := out()
	left := now.Add(-20 * time.Second)
	leave(knows, left)
	said := its.Of(nil, now)
	require.Len(t, said.Left, 1)
	require.NotZero(t, said.Names)

	misses, own, _ := out()
	leave(misses, now)
	var heard []*HeardMemory
	for range 2 {
		h := new(HeardMemory)
		require.NoError(t, h.Take(&gossip.Round{Shards: 1, Data: said.Encode(now), At: now}))
		require.True(t, h.Whole(now))
		heard = append(heard, h)
	}
	require.True(t, own.Follow(heard, nil, now))
	require.WithinDuration(t, left, misses.Pool(table.Ref{}).Endpoints[0].Left, memorySlack)
	require.False(t, own.Follow(heard, nil, now), "once")
}
