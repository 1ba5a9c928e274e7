package fairlead

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
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

// lateInHold: the first tier of api comes back, and while its hold lasts a node starts that has lost its disk. It leaves the standby when the
// others do.
func lateInHold(s *sim) {
	const api = "api.example.org."
	z, problems := config.Parse("zone.yaml", []byte(strings.ReplaceAll(simZone, "failback: {hold: 5s}", "failback: {hold: 30s}")), config.ParseOptions{})
	require.NoError(s.t, problems.Err())
	for _, n := range s.nodes {
		n.file = config.NewModel([]*config.Zone{z})
		n.engine.SetModel(n.file)
	}
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
