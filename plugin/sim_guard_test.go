package fairlead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

var (
	simAZ  = health.Scope{Kind: health.ScopeAZ, Name: "eu-a"}
	simOne = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "us", Endpoint: "b"}
)

// guarded are histories in which one rule is what keeps an invariant. Each is clean with the rule, and not without it.
var guarded = []struct {
	name  string
	guard health.Guards
	size  int
	play  func(s *sim)
}{
	{"quorum: a vantage whose one path is broken moves nothing alone", health.GuardQuorum, 3, func(s *sim) {
		// Its reference answers: it is not blind, it is wrong about one endpoint.
		s.wrong("n2", s.targets[0])
		s.wait(time.Minute)
	}},
	{"min vantages: a vantage that is left alone with one that is wrong moves nothing", health.GuardMinVantages, 4, func(s *sim) {
		// Two of four are not isolated, and one of the two has nothing to say yet.
		s.wrong("n1", s.targets[0])
		s.down(s.node("n3"), s.node("n3").stop)
		s.down(s.node("n4"), s.node("n4").stop)
		s.wait(20 * time.Second)
		s.setBlind(s.node("n2"), true)
		s.wait(time.Minute)
	}},
	{"freshness: who is gone has no vote", health.GuardFresh, 5, func(s *sim) {
		// Two see an endpoint down that is up, and die; later a third one does. Without the rule that makes three of five.
		s.wrong("n1", s.targets[0])
		s.wrong("n2", s.targets[0])
		s.wait(30 * time.Second)
		s.down(s.node("n1"), s.node("n1").kill)
		s.down(s.node("n2"), s.node("n2").kill)
		s.wait(30 * time.Second)
		s.wrong("n3", s.targets[0])
		s.wait(time.Minute)
	}},
	{"isolation: what two of five see alone moves nothing", health.GuardIsolation, 5, func(s *sim) {
		// A rack loses its way to the world and to the others; its references are in the rack.
		s.partition([]*simNode{s.node("n1"), s.node("n2")}, s.nodes[2:])
		s.wait(20 * time.Second)
		s.wrong("n1", s.targets[:3]...)
		s.wrong("n2", s.targets[:3]...)
		s.wait(time.Minute)
	}},
	{"blindness: vantages whose references are out of reach too have no vote", health.GuardBlind, 3, func(s *sim) {
		s.setBlind(s.node("n1"), true)
		s.setBlind(s.node("n2"), true)
		s.wait(time.Minute)
	}},
	{"freeze: it holds on every node", health.GuardFreeze, 3, func(s *sim) {
		s.setFreeze(s.node("n1"), true)
		s.wait(10 * time.Second)
		s.set(s.targets[0], true)
		for _, n := range s.nodes {
			n.mustFreeze = true
		}
		s.wait(40 * time.Second)
	}},
	{"barrier: a node without its disk asks before it answers", health.GuardBarrier, 3, func(s *sim) {
		s.drain(s.node("n1"), simAZ, time.Hour)
		s.wait(5 * time.Second)
		n3 := s.node("n3")
		s.down(n3, n3.kill)
		n3.wipe()
		s.partition([]*simNode{n3}, s.nodes[:2])
		s.up(n3)
		s.mustKnow = true
		s.wait(time.Minute)
	}},
	{"durability: what was acknowledged outlives the process", health.GuardDurable, 3, func(s *sim) {
		s.drain(s.node("n1"), simAZ, time.Hour)
		for _, n := range s.nodes {
			s.down(n, n.kill)
		}
		for _, n := range s.nodes {
			s.up(n)
		}
		s.wait(time.Minute)
	}},
	{"second copy: an acknowledged order outlives the disk of the node that took it", health.GuardSecondCopy, 3, func(s *sim) {
		n1 := s.node("n1")
		s.partition([]*simNode{n1}, s.nodes[1:])
		s.drain(n1, simAZ, time.Hour)
		s.down(n1, n1.kill)
		n1.wipe()
		s.healNet()
		s.up(n1)
		s.wait(time.Minute)
	}},
	{"add wins: an end ends what it has seen, and nothing else", health.GuardAddWins, 3, func(s *sim) {
		o := s.drain(s.node("n1"), simOne, time.Hour)
		s.wait(5 * time.Second)
		s.partition([]*simNode{s.node("n3")}, s.nodes[:2])
		s.wait(time.Second)
		s.drain(s.node("n1"), simOne, time.Hour)
		s.undrain(s.node("n3"), o)
		s.wait(5 * time.Second)
		s.healNet()
		s.wait(time.Minute)
	}},
	{"ends: they stay until every node has had them", health.GuardEnds, 3, func(s *sim) {
		o := s.drain(s.node("n1"), simOne, 2*time.Hour)
		s.wait(5 * time.Second)
		n3 := s.node("n3")
		s.down(n3, n3.kill)
		s.wait(5 * time.Second)
		s.undrain(s.node("n1"), o)
		s.wait(3 * time.Minute)
		s.up(n3)
		s.wait(time.Minute)
	}},
	{"identity: an edit of a check on one node, or on all, changes nothing about what was seen", health.GuardIdentity, 3, func(s *sim) {
		s.set(s.targets[0], true)
		s.wait(2 * time.Minute)
		for version := range simChecks {
			s.editOn(s.node("n2"), version)
			s.wait(10 * time.Second)
		}
		for version := range simChecks {
			for _, n := range s.nodes {
				s.editOn(n, version)
			}
			s.wait(10 * time.Second)
		}
	}},
	{"first probe: what is dead when the cluster starts is not answered for long", health.GuardFirst, 3, func(s *sim) {
		if dead := s.coldStart(); dead > startWithin {
			s.fault("a first tier that is dead at the start is answered for %s", dead)
		}
	}},
	{"memory: a node that starts without its disk during a hold keeps the hold too", health.GuardMemory, 3, lateInHold},
	{"ramp: what fails while it is let in is held back again", health.GuardRamp, 3, deadInRamp},
	{"lost vantages: a pool that nobody watches is out, where its file says so", health.GuardLost, 3, watchmanGone},
	{"incarnation: a node that lost its disk is heard again", health.GuardOutlive, 3, func(s *sim) {
		n3 := s.node("n3")
		for range 3 {
			s.down(n3, n3.stop)
			s.up(n3)
			s.wait(3 * time.Second)
		}
		s.down(n3, n3.kill)
		n3.wipe()
		s.up(n3)
		s.await(agreeWithin)
	}},
}

// TestSimGuards: the simulator notices when a rule is missing, and when none is it is content.
func TestSimGuards(t *testing.T) {
	suite.Large(t)
	for _, tt := range guarded {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			with := playGuarded(t, tt.size, 0, tt.play)
			require.Empty(t, with, "with the rule")
			without := playGuarded(t, tt.size, tt.guard, tt.play)
			require.NotEmpty(t, without, "without the rule")
			t.Log(without[0])
		})
	}
}

func playGuarded(t *testing.T, size int, without health.Guards, play func(*sim)) (faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 1, size, root)
		s.without = without
		s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		s.startAll()
		s.wait(20 * time.Second)
		play(s)
		faults = s.end()
	})
	return faults
}
