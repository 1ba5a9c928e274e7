package fairlead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// TestIsolatedReturnsNothing: a hold that began before a node was cut off does not run out there alone, however long that lasts; the others
// go on, and the node follows them once it is back.
func TestIsolatedReturnsNothing(t *testing.T) {
	suite.Large(t)
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 7, root)
		f := newSimFile()
		f.hold = 40
		s.boundOnly = true
		for _, n := range s.nodes {
			n.file = f.model(s)
			n.engine.SetModel(n.file)
		}
		n3 := s.nodes[2]
		answers := func(n *simNode) bool {
			_, address := n.ask("api.example.org.")
			return address == "192.0.2.1" || address == "192.0.2.2"
		}
		s.wait(30 * time.Second)
		require.True(t, answers(n3))
		s.set(s.targets[0], true)
		s.set(s.targets[1], true)
		s.wait(90 * time.Second)
		require.False(t, answers(n3), "the second tier answers")
		s.set(s.targets[0], false)
		s.set(s.targets[1], false)
		s.wait(15 * time.Second)
		require.False(t, answers(n3), "held")
		s.partition(s.nodes[2:], s.nodes[:2])
		for range 90 {
			s.wait(time.Second)
			require.False(t, answers(n3), "it is cut off, and its hold runs out")
		}
		require.True(t, answers(s.nodes[0]), "the majority goes on")
		s.healNet()
		s.wait(60 * time.Second)
		require.True(t, answers(n3))
		require.Empty(t, s.end())
	})
}
