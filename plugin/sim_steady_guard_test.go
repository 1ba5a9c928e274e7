package fairlead

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// TestSimSteadyGuards: without one of the rules that keep what is known, a random history notices. Seeds begin where each was last noticed.
func TestSimSteadyGuards(t *testing.T) {
	suite.Large(t)
	for _, tt := range []struct {
		name  string
		guard health.Guards
		seed  uint64
	}{
		{"identity: what is known outlives an edit", health.GuardIdentity, 1},
		{"first probe: one failure is down where nothing is known", health.GuardFirst, 4},
		{"orders hold for the addresses behind what they name", health.GuardBound, 6},
		{"each address has a verdict", health.GuardEach, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(maxGuardSeeds) {
				if faults := playSteady(t, tt.seed+seed, tt.guard); len(faults) > 0 {
					t.Logf("noticed with seed %d: %s", tt.seed+seed, faults[0])
					return
				}
			}
			t.Errorf("not noticed in %d histories", maxGuardSeeds)
		})
	}
}

// take has every node take up the ordinary file with some words replaced.
func (s *sim) take(words ...string) {
	z, problems := config.Parse("zone.yaml", []byte(strings.NewReplacer(words...).Replace(simZone)), config.ParseOptions{})
	require.NoError(s.t, problems.Err())
	for _, n := range s.nodes {
		n.file = config.NewModel([]*config.Zone{z})
		n.engine.SetModel(n.file)
	}
}

// deadInRamp: the first tier of api dies again while it is let in, and is held back from then on.
func deadInRamp(s *sim) {
	s.take("failback: {hold: 5s}", "failback: {hold: 10s, ramp: [20%, 60%, 100%], step: 10s}")
	s.breakPool("eu", true)
	s.wait(20 * time.Second)
	s.breakPool("eu", false)
	ramps := func(n *simNode) bool {
		v := n.current.Load().View.Zones[0]
		return v.Pools[0].Return.Ramping(v.Zone.Pools[0].Failbacks[0], time.Now())
	}
	for end := time.Now().Add(40 * time.Second); time.Now().Before(end) && !ramps(s.nodes[0]); {
		s.wait(250 * time.Millisecond)
	}
	s.breakPool("eu", true)
	s.wait(5 * time.Second)
	s.breakPool("eu", false)
	s.wait(2 * time.Second)
	for _, n := range s.nodes {
		v := n.current.Load().View.Zones[0]
		if percent, _ := v.Pools[0].Return.Share(v.Zone.Pools[0].Failbacks[0], time.Now()); percent > 0 {
			s.fault("%s gives %d %% to a pool that failed in its ramp", n.name, percent)
		}
	}
}

// watchmanGone: the one node that may probe a pool dies.
func watchmanGone(s *sim) {
	s.take("checks: {", "checks: {inner: {type: tcp, port: 80, interval: 5s, timeout: 1s, fall: 2, rise: 2, vantages: {nodes: [n1]}}, ",
		"us: {region: us, check: ready,", "us: {region: us, check: inner, on_vantages_lost: down,")
	s.wait(30 * time.Second)
	n1 := s.node("n1")
	s.down(n1, n1.kill)
	s.wait(20 * time.Second)
	for _, n := range s.nodes[1:] {
		snap := n.current.Load()
		for _, m := range snap.Plan(snap.View.Model.Zones[0], 0).Sets[steer.V4] {
			if m.Pool == 1 {
				s.fault("%s answers a pool that nobody watches any more", n.name)
			}
		}
	}
	s.up(n1)
	s.wait(30 * time.Second)
}

// lateInHold: the first tier of api comes back, and while its hold lasts a node starts that has lost its disk. It leaves the standby when the
// others do.
func lateInHold(s *sim) {
	const api = "api.example.org."
	s.take("failback: {hold: 5s}", "failback: {hold: 30s}")
	s.breakPool("eu", true)
	s.wait(30 * time.Second)
	n3 := s.node("n3")
	s.down(n3, n3.kill)
	n3.wipe()
	s.wait(20 * time.Second)
	s.breakPool("eu", false)
	s.awaitReturn(20*time.Second, func(r health.Return, _ config.Failback) bool { return r.On() })
	s.up(n3)
	apart := 0
	for end := time.Now().Add(45 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // in a bubble
		synctest.Wait()
		if n3.answers() && s.poolOf(n3, api) != s.poolOf(s.nodes[0], api) {
			apart++
		}
	}
	if apart > 10 {
		s.fault("a node that started during the hold answered otherwise for %d tenths of a second", apart)
	}
}

// TestSimNoticesSpeedLimit: three of four endpoints leave within a minute. The simulator is content where the speed limit keeps one of
// them, and complains where the zone file has none.
func TestSimNoticesSpeedLimit(t *testing.T) {
	suite.Large(t)
	for _, tt := range []struct {
		limit string
		wrong bool
	}{{"34%", false}, {"100%", true}} {
		root := simRoot(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSim(t, 1, 3, root)
			s.use(strings.ReplaceAll(simZone, "failback: {hold: 5s}", "failback: {hold: 5s}, health: {max_removal: "+tt.limit+"}"))
			s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
			s.startAll()
			s.wait(20 * time.Second)
			for _, target := range s.targets[1:] {
				s.set(target, true)
			}
			s.wait(40 * time.Second)
			require.Equal(t, tt.wrong, len(s.end()) > 0, tt.limit)
		})
	}
}
