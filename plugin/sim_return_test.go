package fairlead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestUndrainHolds: what comes back on one node waits out the hold of its service on every one, whenever in the second the drain ends:
// the others hear of the end within it, and what they said before that is not the word that the return is over.
func TestUndrainHolds(t *testing.T) {
	suite.Large(t)
	const hold = 5 * time.Second
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 11, root)
		s.wait(30 * time.Second)
		for phase := range 20 {
			drain := s.drain(s.nodes[0], health.Scope{Kind: health.ScopePool, Zone: "example.org.", Pool: "eu"}, time.Hour)
			require.NotNil(t, drain)
			s.wait(20*time.Second + time.Duration(phase)*50*time.Millisecond)
			s.undrain(s.nodes[0], drain)
			back := time.Now()
			for time.Since(back) < hold-time.Second {
				s.wait(250 * time.Millisecond)
				for _, n := range s.nodes {
					_, address := n.ask("api.example.org.")
					require.Contains(t, []string{"192.0.2.11", "192.0.2.12"}, address, "%s, phase %d: %s after the end of the drain", n.name, phase, time.Since(back))
				}
			}
			s.wait(10 * time.Second)
			for _, n := range s.nodes {
				_, address := n.ask("api.example.org.")
				require.Contains(t, []string{"192.0.2.1", "192.0.2.2"}, address, "%s: it is back", n.name)
			}
		}
		require.Empty(t, s.end())
	})
}
