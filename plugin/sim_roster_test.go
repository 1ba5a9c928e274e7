package fairlead

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
)

// inSim runs play on a cluster that is calm, and wants no invariant broken.
func inSim(t *testing.T, size int, play func(t *testing.T, s *sim)) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, size, root)
		s.startAll()
		s.await(20 * time.Second)
		play(t, s)
		require.Empty(t, s.end())
	})
}

func (n *simNode) shows(name string) cluster.NodeView {
	for _, v := range n.engine.Cluster().Nodes {
		if v.Name == name {
			return v
		}
	}
	return cluster.NodeView{}
}

// TestRosterChanges: a fourth node joins, the third is declared stopped, comes back, and is removed for good.
func TestRosterChanges(t *testing.T) {
	inSim(t, 3, func(t *testing.T, s *sim) {
		require.NotNil(t, s.drain(s.node("n1"), simAZ, time.Hour))
		n4 := &simNode{sim: s, name: "n4", addr: netip.MustParseAddrPort("10.0.0.4:7946"), dir: filepath.Join(filepath.Dir(s.nodes[0].dir), "n4")}
		require.NoError(t, os.Mkdir(n4.dir, 0o700))
		s.nodes = append(s.nodes, n4)
		for _, n := range s.nodes[:3] {
			require.NoError(t, n.engine.SetRoster(s.members(), s.places()))
		}
		n4.start()
		s.await(agreeWithin)
		require.Len(t, n4.engine.Intents(), 1, "it knows of the drain before it answers")

		order := func(kind health.IntentKind) error {
			_, err := s.node("n1").engine.Intend(health.Intent{Kind: kind, Scope: health.Scope{Kind: health.ScopeNode, Name: "n3"}, Actor: "ada", Reason: "x", Forever: true})
			return err
		}
		require.ErrorIs(t, order(health.IntentStopped), health.ErrIntentConflict, "it is heard")
		n3 := s.node("n3")
		s.down(n3, n3.stop)
		s.wait(20 * time.Second)
		require.NoError(t, order(health.IntentStopped))
		s.wait(2 * time.Second)
		require.True(t, s.node("n2").shows("n3").Stopped)
		s.up(n3)
		s.wait(20 * time.Second)
		require.False(t, s.node("n2").shows("n3").Stopped, "it is heard again")
		require.Len(t, s.node("n2").engine.Intents(), 1)

		s.down(n3, n3.stop)
		s.wait(20 * time.Second)
		require.NoError(t, order(health.IntentStopped))
		n3.start()
		s.wait(3 * time.Second)
		n3.kill()
		s.wait(20 * time.Second)
		require.False(t, s.node("n2").shows("n3").Stopped, "it was heard for a moment, in a life that began after the word")
		require.NoError(t, order(health.IntentRemoved))
		s.wait(2 * time.Second)
		require.Len(t, s.node("n2").engine.Intents(), 2)
		n3.start()
		s.wait(20 * time.Second)
		require.Len(t, s.node("n2").engine.Intents(), 1, "it is heard, and so it may be answering: that it was removed is no word any more")
		require.NotEmpty(t, s.node("n1").shows("n3").Name)
		n3.kill()
		s.wait(20 * time.Second)

		require.NoError(t, order(health.IntentRemoved))
		s.nodes = append(s.nodes[:2:2], n4)
		for _, n := range s.nodes {
			require.NoError(t, n.engine.SetRoster(s.members(), s.places()))
		}
		s.ease(troubleNode + "n3")
		s.wait(5 * time.Second)
		require.Empty(t, s.node("n1").shows("n3").Name)
		require.Len(t, s.node("n1").engine.Cluster().Nodes, 3)
	})
}

// TestDrift: a node with another version of the zone file is told of, and what the versions have in common is still judged
// together.
func TestDrift(t *testing.T) {
	inSim(t, 3, func(t *testing.T, s *sim) {
		text := strings.Replace(simZone, "{name: b, addresses: [192.0.2.2], az: eu-b}", "{name: b, addresses: [192.0.2.2], az: eu-b}, {name: c, addresses: [192.0.2.3], az: eu-b}", 1)
		z, problems := config.Parse("zone.yaml", []byte(text), config.ParseOptions{})
		require.NoError(t, problems.Err())
		n3 := s.node("n3")
		s.trouble("drift")
		n3.engine.SetModel(config.NewModel([]*config.Zone{z}))
		time.Sleep(10 * time.Second)
		require.True(t, s.node("n1").shows("n3").Drift.IsZero(), "it may be on its way")
		time.Sleep(10 * time.Second)
		require.False(t, s.node("n1").shows("n3").Drift.IsZero())
		require.False(t, n3.shows("n1").Drift.IsZero())
		// Only the two others see eu/a down: n3 learns it from them, though their lists of targets differ.
		s.wrong("n1", s.targets[0])
		s.wrong("n2", s.targets[0])
		s.set(s.targets[0], true)
		s.set(s.targets[0], false)
		time.Sleep(20 * time.Second)
		v := n3.current.Load().View.Zones[0].Pools[0].Endpoints
		require.Len(t, v, 3)
		require.Equal(t, health.Down, v[0].State, v[0].Reason)
		require.Equal(t, health.Up, v[1].State)
	})
}

// TestNodeDrain: a node that is drained goes on answering, has no vote, and is not ready.
func TestNodeDrain(t *testing.T) {
	inSim(t, 3, func(t *testing.T, s *sim) {
		n2 := s.node("n2")
		require.NoError(t, n2.engine.Serving())
		id, err := s.node("n1").engine.Intend(health.Intent{Kind: health.IntentDrain, Scope: health.Scope{Kind: health.ScopeNode, Name: "n2"}, Reason: "x"})
		require.NoError(t, err)
		s.wait(3 * time.Second)
		require.Error(t, n2.engine.Serving())
		require.True(t, n2.answers())
		_, address := n2.ask("www.example.org.")
		require.NotEmpty(t, address)
		for _, o := range s.node("n1").engine.Observations(health.TargetOf(s.zone.Name, s.zone.Checks[0], s.zone.Pools[0].Endpoints[0])) {
			require.NotEqual(t, "n2", o.Vantage, "it abstains")
		}
		s.set(s.targets[0], true)
		s.wait(20 * time.Second)
		require.Equal(t, "down", s.state(n2, "eu/a"), "it believes the others")
		s.set(s.targets[0], false)
		require.NoError(t, s.node("n3").engine.EndIntent([]health.IntentID{id}, "ada", ""))
		s.wait(3 * time.Second)
		require.NoError(t, n2.engine.Serving())
		s.await(30 * time.Second)
	})
}

// TestIsolateAfter: without a majority for so long a node answers no service name; when it hears the others again it asks what it
// missed, and then answers.
func TestIsolateAfter(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, 3, root)
		s.isolateAfter = time.Minute
		s.startAll()
		s.await(20 * time.Second)
		n1 := s.node("n1")
		s.partition([]*simNode{n1}, s.nodes[1:])
		s.wait(57 * time.Second)
		require.True(t, n1.answers(), "a minute counts from when it was last heard")
		require.NotNil(t, s.drain(s.node("n2"), simAZ, time.Hour))
		s.wait(4 * time.Second)
		require.Equal(t, "no majority has heard this node for 1m0s (isolate_after)", n1.engine.Shut())
		require.True(t, s.node("n2").answers())
		s.healNet()
		s.wait(8 * time.Second)
		require.True(t, n1.answers())
		require.Len(t, n1.engine.Intents(), 1)
		require.Empty(t, s.end())
	})
}
