package fairlead

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// simEdited is the address that leaves by an edit in the histories below.
const simEdited = "192.0.2.1"

// layFile has nodes take up a file.
func (s *sim) layFile(f simFile, nodes ...*simNode) {
	s.boundOnly = true
	for _, n := range nodes {
		n.file = f.model(s)
		if n.runs {
			n.engine.SetModel(n.file)
		}
	}
}

// reserve is a file in which the endpoint with simEdited is a reserve: no answer carries it, and it is probed all the same, so that a node
// which goes back to the older file answers it at once.
func reserve(ttl int) (with, without simFile) {
	with = newSimFile()
	with.ttl = ttl
	without = with
	without.endpoints[0].weight = 0
	return with, without
}

// leavesByEdit has all nodes take it out of their answers, and returns when the first node's bound says that it is forgotten.
func (s *sim) leavesByEdit(with, without simFile) time.Time {
	s.layFile(with, s.nodes...)
	s.wait(80 * time.Second)
	s.layFile(without, s.nodes...)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		s.wait(200 * time.Millisecond)
		if d := s.nodes[0].departed(simEdited); d != nil && d.Bound.Known {
			return d.Bound.SafeAt
		}
	}
	require.Fail(s.t, "the bound does not become known")
	return time.Time{}
}

// TestSimWordGuards: without one of the rules of words, a history that is made for it has some cache outlive a bound that was printed.
func TestSimWordGuards(t *testing.T) {
	suite.Large(t)
	for _, tt := range []struct {
		name  string
		guard health.Guards
		play  func(s *sim)
	}{
		{"final by words that were given after the instant", health.GuardAfter, func(s *sim) {
			// A node goes back to the older file, and is cut off, just before the instant: its word is younger than HeardFor, and older than that.
			for _, before := range []time.Duration{1200 * time.Millisecond, 600 * time.Millisecond, 2 * time.Second, 3 * time.Second} {
				with, without := reserve(10)
				safe := s.leavesByEdit(with, without)
				s.wait(time.Until(safe.Add(-before)))
				s.partition(s.nodes[2:], s.nodes[:2])
				s.layFile(with, s.nodes[2])
				s.wait(20 * time.Second)
				s.healNet()
			}
		}},
		{"a word is as old as what it echoes", health.GuardEcho, func(s *sim) {
			// What a node said while it was out of its answers comes late, when it answers again: the name with the shortest bound shows it.
			s.caches.questions = []simQuestion{{"api.example.org.", dns.TypeA}}
			with, without := reserve(10)
			s.leavesByEdit(with, without)
			n3 := s.nodes[2]
			var late []gossiptest.Packet
			s.net.Tap(func(p gossiptest.Packet) {
				if p.From == n3.addr {
					late = append(late, p)
				}
			})
			s.partition(s.nodes[2:], s.nodes[:2])
			s.wait(2 * time.Second)
			s.net.Tap(nil)
			s.layFile(with, n3)
			s.wait(9 * time.Second)
			for _, p := range late {
				s.net.Inject(p)
			}
			s.wait(20 * time.Second)
		}},
		{"other names are told", health.GuardNames, func(s *sim) {
			// One node has a file in which one name less answers the address, and the others one in which none does.
			with, without := reserve(10)
			s.layFile(with, s.nodes...)
			s.wait(80 * time.Second)
			s.layFile(without, s.nodes[:2]...)
			with.safe = false
			s.layFile(with, s.nodes[2])
			s.wait(40 * time.Second)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Whether a resolver accepts an answer late, just when that matters, is chance.
			play := func(without health.Guards, chance uint64) []string {
				return playGuarded(t, 3, without, func(s *sim) {
					s.caches = newCaches(s)
					s.caches.r = rand.New(rand.NewPCG(chance, 11))
					s.caches.stalls, s.caches.questions = 0, simQuestions
					s.wait(30 * time.Second)
					tt.play(s)
				})
			}
			require.Empty(t, play(0, 1))
			var faults []string
			at := -1
			for chance := uint64(1); at < 0 && chance <= 10; chance++ {
				faults = play(tt.guard, chance)
				at = slices.IndexFunc(faults, func(f string) bool { return strings.Contains(f, "is forgotten at ") })
			}
			require.GreaterOrEqual(t, at, 0, "not noticed: %q", faults)
			t.Logf("noticed: %s", faults[at])
		})
	}
}

// TestRemainingTimesAreSigned: what expired long ago is told as that. Without it the instant moves on with every word, and nothing is ever
// forgotten for good.
func TestRemainingTimesAreSigned(t *testing.T) {
	suite.Large(t)
	final := func(without health.Guards) (final bool) {
		faults := playGuarded(t, 3, without, func(s *sim) {
			safe := s.leavesByEdit(reserve(10))
			s.wait(time.Until(safe.Add(3 * time.Second)))
			for _, n := range s.nodes {
				d := n.departed(simEdited)
				final = d != nil && d.Bound.Final
				if !final {
					return
				}
			}
		})
		require.Empty(t, faults)
		return final
	}
	require.True(t, final(0), "all nodes say so within 3 s of the instant")
	require.False(t, final(health.GuardSigned))
}

// TestAllDisksLost: where no node of a cluster knows what was answered before, nobody says that there is nothing, until it is named on each
// node; and a node that lost its disk alone is told by the others.
func TestAllDisksLost(t *testing.T) {
	suite.Large(t)
	bounds := func(s *sim) (known int) {
		for _, n := range s.nodes {
			d := n.departed(simEdited)
			require.NotNil(s.t, d, n.name)
			if d.Bound.Known {
				known++
			}
		}
		return known
	}
	lose := func(s *sim, nodes []*simNode) {
		s.caches.stalls, s.caches.questions = 0, simQuestions
		s.lay(60)
		s.wait(30 * time.Second)
		for _, n := range nodes {
			s.down(n, n.kill)
			n.wipe()
		}
		s.lay(10)
		for _, n := range nodes {
			s.up(n)
		}
		s.wait(12 * time.Second)
		s.drain(s.nodes[0], simEndpoint, time.Hour)
		s.wait(25 * time.Second)
	}
	require.Empty(t, playGuarded(t, 3, 0, func(s *sim) {
		s.caches = newCaches(s)
		lose(s, s.nodes)
		require.Zero(t, bounds(s))
		for _, n := range s.nodes {
			require.NoError(t, n.engine.NameMaxTTL(time.Minute), n.name)
		}
		s.wait(5 * time.Second)
		require.Equal(t, 3, bounds(s))
		s.wait(time.Minute)
	}))
	require.Empty(t, playGuarded(t, 3, 0, func(s *sim) {
		s.caches = newCaches(s)
		lose(s, s.nodes[:1])
		require.Equal(t, 3, bounds(s), "the others remember")
	}))
	require.Empty(t, playGuarded(t, 3, 0, func(s *sim) {
		s.caches = newCaches(s)
		// The third remembers both; whether that is all depends on who hears whom first.
		lose(s, s.nodes[:2])
	}))
}
