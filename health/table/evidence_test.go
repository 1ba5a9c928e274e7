package table

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/judge"
)

// TestTrust: a vantage to which nothing answers abstains; when it sees again, good news counts at once, and bad news only when it could have
// begun after that.
func TestTrust(t *testing.T) {
	b := newBench(t, twoPools)
	reference := health.Target{ID: health.TargetID{1}, Check: b.Model.Zones[0].Checks[0]}
	b.e.references = []health.Target{reference}
	outside := func(failures int) {
		b.e.Put(map[health.TargetID]health.Observation{reference.ID: {Target: reference.ID, Failures: failures, At: b.now}})
	}
	fail := func() {
		for pool, p := range b.Model.Zones[0].Pools {
			for i := range p.Endpoints {
				b.see(pool, i, health.Up, 1)
			}
		}
	}
	outside(0)
	b.see(main, 0, health.Up, 0)
	fail()
	require.False(t, b.e.LookOutside(b.Table, b.now), "the world outside answers: the endpoints are at fault")
	outside(1)
	require.True(t, b.e.LookOutside(b.Table, b.now))
	require.True(t, b.e.Blind())
	require.True(t, b.View(1, b.now).Blind)
	require.False(t, b.e.LookOutside(b.Table, b.now), "it is told once")

	id, c := b.target(main, 0).ID, b.Model.Zones[0].Checks[0]
	good, bad := health.Observation{State: health.Up, At: b.now}, health.Observation{State: health.Down, Failures: 3, At: b.now}
	require.False(t, b.e.Trusts(id, c, good))
	outside(0)
	require.True(t, b.e.LookOutside(b.Table, b.now))
	require.True(t, b.e.Trusts(id, c, good))
	require.False(t, b.e.Trusts(id, c, bad))
	bad.At = b.now.Add(7 * time.Second)
	require.True(t, b.e.Trusts(id, c, bad), "three failures that began after it")
	b.e.Drained = true
	require.False(t, b.e.Trusts(id, c, good))
}

// another is a vantage that says the same of everything.
type another struct {
	name  string
	state health.State
	at    time.Time
}

func (v *another) Observation(id health.TargetID, _ *config.Check) (health.Observation, bool) {
	if v.state == health.Unknown {
		return health.Observation{}, false
	}
	o := health.Observation{Target: id, Vantage: v.name, State: v.state, At: v.at}
	if v.state == health.Down {
		o.Failures, o.Reason = 3, "refused"
	}
	return o, true
}

// cluster gives the table two more voters.
func (b *bench) cluster() (n2, n3 *another) {
	n2, n3 = &another{name: "n2", at: b.now}, &another{name: "n3", at: b.now}
	b.e.Listen(b.now)
	b.e.SetVoters(judge.NewBench([]judge.Node{{Name: "n1"}, {Name: "n2"}, {Name: "n3"}}), []Vantage{n2, n3}, time.Second)
	b.ChooseVantages()
	return n2, n3
}

// TestVoters: of three nodes a majority decides, and what a prober took over from an earlier run is no vote until a probe bears it out.
func TestVoters(t *testing.T) {
	b := newBench(t, twoPools)
	n2, n3 := b.cluster()
	id := b.target(main, 0).ID
	require.True(t, b.Probes(id))
	n2.state, n3.state = health.Down, health.Up
	b.see(main, 0, health.Up, 0)
	require.True(t, b.Pool(Ref{}).Endpoints[0].Verdict.InService(), "one of three")
	n3.state = health.Down
	b.see(main, 0, health.Up, 0)
	require.Equal(t, health.Down, b.Pool(Ref{}).Endpoints[0].State, "two of three")
	require.Equal(t, []string{"n1", "n2", "n3"}, vantages(b.e.Of(b.target(main, 0))))

	n3.state = health.Up
	b.e.Restore(id)
	b.see(main, 0, health.Down, 3)
	require.NotEqual(t, health.Up, b.Pool(Ref{}).Endpoints[0].State)
	require.True(t, b.e.Restored(id))
	b.e.BearOut(health.Observation{Target: id, State: health.Up, Failures: 1})
	require.True(t, b.e.Restored(id), "a failure does not bear out that it was up")
	b.e.BearOut(health.Observation{Target: id, State: health.Up})
	require.False(t, b.e.Restored(id))
}

func vantages(list []health.Observation) (names []string) {
	for _, o := range list {
		names = append(names, o.Vantage)
	}
	return names
}

// TestLost: a pool with on_vantages_lost: down is out once none of its vantages is heard any more, for that reason.
func TestLost(t *testing.T) {
	b := newBench(t, "pools: {p: {region: eu, check: up, on_vantages_lost: down, endpoints: [{name: e, az: a, addresses: [192.0.2.1]}]}}\n"+
		"services: {www: {tiers: [{p: 1}]}}\n")
	use := b.targets[b.target(0, 0).ID]
	n2, _ := b.cluster()
	use.vantages, use.mine = []string{"n2"}, false
	n2.state, n2.at = health.Up, b.now
	b.e.Heard("n2", b.now)
	b.Observed(b.target(0, 0).ID, true)
	b.Judge(b.now)
	require.Equal(t, health.Up, b.Pool(Ref{}).Endpoints[0].State)
	b.pass(HeardFor - time.Millisecond)
	b.AwaitLoss(b.now)
	require.Empty(t, b.Judge(b.now))
	b.pass(2 * time.Millisecond)
	b.AwaitLoss(b.now)
	require.Len(t, b.Judge(b.now), 1)
	e := b.Pool(Ref{}).Endpoints[0]
	require.Equal(t, health.Down, e.State)
	require.Equal(t, "none of its vantages is heard: n2", e.Reason)
	require.True(t, e.Lost)
}

// TestOwn: what nothing depends on any more is forgotten.
func TestOwn(t *testing.T) {
	b := newBench(t, twoPools)
	b.see(main, 0, health.Up, 0)
	b.see(main, 1, health.Up, 0)
	kept := b.target(main, 1).ID
	b.e.Forget(func(id health.TargetID) bool { return id == kept })
	_, ok := b.e.Own(b.target(main, 0).ID)
	require.False(t, ok)
	_, ok = b.e.Own(kept)
	require.True(t, ok)
}
