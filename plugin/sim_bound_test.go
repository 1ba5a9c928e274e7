package fairlead

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// simBounds is how many random histories a run of the tests holds against the bounds that nodes print; FAIRLEAD_BOUNDS is
// another number, FAIRLEAD_SEED the first.
const simBounds = 6

// boundLength is how long each one lasts.
const boundLength = 400 * time.Second

// TestSimBounds: whatever happens to nodes, network, disks and endpoints, no honest cache holds an endpoint past a bound that a
// node printed.
func TestSimBounds(t *testing.T) {
	suite.Large(t)
	first := fromEnv("FAIRLEAD_SEED", 1)
	var checked atomic.Int64
	t.Run("seeds", func(t *testing.T) {
		for i := range fromEnv("FAIRLEAD_BOUNDS", simBounds) {
			seed := first + i
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				n, faults := playBounds(t, seed, 0)
				checked.Add(int64(n))
				for _, f := range faults {
					t.Errorf("FAIRLEAD_SEED=%d FAIRLEAD_BOUNDS=1: %s", seed, f)
				}
			})
		}
	})
	t.Logf("%d times an answer in a cache was held against a bound", checked.Load())
	require.Positive(t, checked.Load())
}

// playBounds plays one history without some rules; checked is how often an answer was held against a bound.
func playBounds(t *testing.T, seed uint64, without health.Guards) (checked int, faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, seed, simSize(seed), root)
		s.without = without
		s.caches = newCaches(s)
		if seed%3 == 0 {
			s.isolateAfter = 20 * time.Second
		}
		w := newFiler(&wreck{sim: s, r: rand.New(rand.NewPCG(seed, 6))})
		s.boundOnly, s.caches.questions = true, simQuestions
		s.model = w.file.model(s)
		w.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		w.startAll()
		w.wait(15 * time.Second)
		for end := time.Now().Add(boundLength); time.Now().Before(end); {
			w.step()
			w.wait(time.Duration(2+w.r.IntN(20)) * time.Second)
		}
		w.mend()
		w.wait(20 * time.Second)
		checked, faults = s.caches.checked, s.end()
	})
	return checked, faults
}

// maxGuardSeeds is how many histories may go by before a rule is missed.
const maxGuardSeeds = 60

// TestSimBoundGuards: without one of the rules of the bound, some cache outlives one that was printed.
func TestSimBoundGuards(t *testing.T) {
	suite.Large(t)
	for _, tt := range []struct {
		name  string
		guard health.Guards
	}{
		{"transit allowance", health.GuardTransit},
		{"quiesce", health.GuardQuiesce},
		{"quiesce by counting", health.GuardCounted},
		{"TTLs that were given", health.GuardStamp},
		{"silent nodes count", health.GuardSilent},
		{"durations travel, and not instants", health.GuardDurations},
		{"who says nothing has not left", health.GuardNamed},
		{"slots outlive the model", health.GuardSlots},
		{"no node leaves by time", health.GuardRoster},
		{"host names are stamped", health.GuardHosts},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(maxGuardSeeds) {
				if _, faults := playBounds(t, seed+1, tt.guard); len(faults) > 0 {
					t.Logf("noticed with seed %d: %s", seed+1, faults[0])
					return
				}
			}
			t.Errorf("not noticed in %d histories", maxGuardSeeds)
		})
	}
	for _, tt := range []struct {
		name  string
		guard health.Guards
		play  func(s *sim)
	}{
		{"what was answered before a restart", health.GuardStart, func(s *sim) {
			// A node that answered alone is killed and starts anew while the endpoint is out.
			s.caches.only = s.nodes[1]
			s.wait(30 * time.Second)
			s.nodes[1].kill()
			s.drain(s.nodes[0], simEndpoint, time.Hour)
			s.nodes[1].start()
			s.wait(time.Minute)
		}},
		{"a greater TTL is on disk before it is given", health.GuardGreatestDisk, func(s *sim) {
			s.longer(15 * time.Second)
			s.restarts(s.nodes[2], nil)
		}},
		{"a greater TTL is remembered by another node before it is given", health.GuardGreatestTold, func(s *sim) {
			// Nobody hears of it before the disk is lost.
			s.caches.only = s.nodes[2]
			s.lay(5)
			s.wait(80 * time.Second)
			s.partition(s.nodes[2:], s.nodes[:2])
			s.lay(60)
			s.wait(9 * time.Second)
			s.restarts(s.nodes[2], func() {
				s.nodes[2].wipe()
				s.healNet()
			})
		}},
		{"the greatest TTL falls when no cache holds more", health.GuardGreatestLower, func(s *sim) {
			s.longer(10 * time.Second)
			s.lay(5)
			s.wait(3 * time.Second)
			s.restarts(s.nodes[2], nil)
		}},
		{"a restored disk is noticed", health.GuardRestored, func(s *sim) {
			s.lay(5)
			s.wait(80 * time.Second)
			f := newFiler(&wreck{sim: s, r: rand.New(rand.NewPCG(1, 1))})
			n3 := s.nodes[2]
			f.backup(n3)
			s.caches.only = n3
			s.lay(60)
			s.wait(10 * time.Second)
			s.restarts(n3, func() {
				require.NoError(s.t, os.RemoveAll(n3.dir))
				require.NoError(s.t, os.Rename(f.backups[n3], n3.dir))
			})
		}},
		{"a node that is declared stopped has answers in caches", health.GuardStopped, func(s *sim) {
			s.longer(10 * time.Second)
			n3 := s.nodes[2]
			s.down(n3, n3.kill)
			s.drain(s.nodes[0], simEndpoint, time.Hour)
			s.wait(12 * time.Second)
			s.give(s.nodes[0], health.Intent{Kind: health.IntentStopped, Scope: health.Scope{Kind: health.ScopeNode, Name: n3.name}, Actor: "sim", Reason: "sim", Forever: true})
			s.wait(20 * time.Second)
		}},
		{"the join barrier", health.GuardBarrier, func(s *sim) {
			loseDisk(s).start()
			s.wait(time.Minute)
		}},
		{"answers to this boot's nonce", health.GuardNonce, func(s *sim) {
			// What was said before the drain arrives once more, late, at a node that knows nothing.
			var old []gossiptest.Packet
			s.net.Tap(func(p gossiptest.Packet) {
				if p.To == s.nodes[2].addr {
					old = append(old, p)
				}
			})
			s.wait(5 * time.Second)
			s.net.Tap(nil)
			n3 := loseDisk(s)
			s.partition([]*simNode{n3}, s.nodes[:2])
			n3.start()
			for _, p := range old {
				s.net.Inject(p)
			}
			s.wait(3 * time.Second)
			s.healNet()
			s.wait(time.Minute)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			play := func(without health.Guards) []string {
				return playGuarded(t, 3, without, func(s *sim) {
					s.caches = newCaches(s)
					s.caches.stalls = 0
					s.wait(30 * time.Second)
					tt.play(s)
				})
			}
			require.Empty(t, play(0))
			faults := play(tt.guard)
			at := slices.IndexFunc(faults, func(f string) bool { return strings.Contains(f, "is forgotten at ") })
			require.GreaterOrEqual(t, at, 0, "not noticed")
			t.Logf("noticed: %s", faults[at])
		})
	}
}

// lay lays a file with another ttl.max on all nodes.
func (s *sim) lay(ttl int) {
	f := newSimFile()
	f.ttl = ttl
	s.boundOnly = true
	for _, n := range s.nodes {
		n.file = f.model(s)
		if n.runs {
			n.engine.SetModel(n.file)
		}
	}
}

// longer has short TTLs for a while, and then long ones for d; the third node alone is asked.
func (s *sim) longer(d time.Duration) {
	s.caches.only = s.nodes[2]
	s.lay(5)
	s.wait(80 * time.Second)
	s.lay(60)
	s.wait(d)
}

// restarts kills a node, does something to its disk, drains an endpoint, and starts the node again.
func (s *sim) restarts(n *simNode, disk func()) {
	s.down(n, n.kill)
	if disk != nil {
		disk()
	}
	s.drain(s.nodes[0], simEndpoint, time.Hour)
	s.up(n)
	s.wait(80 * time.Second)
}

// loseDisk has the third node alone asked, drains an endpoint and kills that node a moment later, whose disk is lost.
func loseDisk(s *sim) *simNode {
	n3 := s.nodes[2]
	s.caches.only = n3
	s.wait(time.Minute)
	s.drain(s.nodes[0], simEndpoint, time.Hour)
	s.wait(time.Second)
	s.down(n3, n3.kill)
	n3.wipe()
	return n3
}

// TestServiceBound: what one service alone does not answer any more has a bound from the order on, which is known within 3 s on every node.
func TestServiceBound(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 7, root)
		s.wait(30 * time.Second)
		const www = "www.example.org."
		order := s.give(s.nodes[0], health.Intent{Kind: health.IntentDrain, Scope: simAZ, Service: www, Actor: "sim", Reason: "sim", End: time.Now().Add(time.Hour)})
		require.NotNil(t, order)
		for _, n := range s.nodes {
			d := n.departed("192.0.2.1")
			require.NotNil(t, d, "%s shows it at once", n.name)
			require.Equal(t, www, d.Service)
			require.True(t, d.Drained)
			require.False(t, d.Bound.Known)
		}
		s.wait(3 * time.Second)
		for _, n := range s.nodes {
			d := n.departed("192.0.2.1")
			require.True(t, d.Bound.Known, "%s: %+v", n.name, d.Bound.Unknown)
			require.Len(t, d.Bound.Confirmed, 3)
			require.Less(t, time.Until(d.Bound.SafeAt), 30*time.Second+simTransit)
		}
		s.wait(time.Minute)
		i := s.nodes[2].engine.Incidents()[0]
		require.Equal(t, "drain az eu-a for www.example.org", i.Title)
		require.Equal(t, order.id.String(), i.Intent)
		require.True(t, i.Known())
		require.Len(t, i.Confirmed, 3)
		require.Len(t, i.Services, 1)
		require.Equal(t, "eu/a", i.Endpoints[0].Name)
		require.Equal(t, www, i.Endpoints[0].Service)
		// It goes on with a process that starts anew.
		s.nodes[2].stop()
		s.nodes[2].start()
		s.wait(10 * time.Second)
		require.Len(t, s.nodes[2].engine.Incidents(), 1)
		require.True(t, s.nodes[2].engine.Incidents()[0].Open())
		// Another one that the same service alone does not answer either has a bound of its own.
		was := s.nodes[0].departed("192.0.2.1").Bound.SafeAt
		s.give(s.nodes[1], health.Intent{Kind: health.IntentDrain, Scope: simOne, Service: www, Actor: "sim", Reason: "sim", End: time.Now().Add(time.Hour)})
		s.wait(3 * time.Second)
		require.True(t, s.nodes[0].departed("192.0.2.12").Bound.SafeAt.After(time.Now()))
		require.False(t, s.nodes[0].departed("192.0.2.1").Bound.SafeAt.After(was))
		for _, n := range s.nodes {
			for _, address := range []string{"192.0.2.1", "192.0.2.12"} {
				d := n.departed(address)
				require.True(t, d.Bound.Known, address)
				require.Empty(t, d.Void)
			}
		}
		s.undrain(s.nodes[1], order)
		s.wait(3 * time.Second)
		require.Nil(t, s.nodes[2].departed("192.0.2.1"))
		require.NotNil(t, s.nodes[2].departed("192.0.2.12"))
		s.wait(2 * time.Minute)
		for _, n := range s.nodes {
			all := n.engine.Incidents()
			require.Len(t, all, 2)
			require.False(t, all[0].Open(), "%s: it is back", n.name)
			require.True(t, all[1].Open(), n.name)
		}
		require.Empty(t, s.end())
	})
}

// TestRestartKeepsBound: a node that starts anew while an order keeps an endpoint out has not served it again, and what was known of
// its earlier process goes on.
func TestRestartKeepsBound(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := calmSim(t, 7, root)
		s.wait(30 * time.Second)
		s.drain(s.nodes[0], simEndpoint, time.Hour)
		s.wait(time.Minute)
		was := s.nodes[0].departed("192.0.2.1").Bound.SafeAt
		total := *s.nodes[2].engine.Incidents()[0].Phases.Total
		s.nodes[2].kill()
		s.wait(5 * time.Second)
		s.nodes[2].start()
		for range 20 {
			s.wait(500 * time.Millisecond)
			d := s.nodes[0].departed("192.0.2.1")
			require.True(t, d.Bound.Known, "%+v", d.Bound.Unknown)
			require.WithinDuration(t, was, d.Bound.SafeAt, 100*time.Millisecond)
			require.Empty(t, d.Void)
		}
		s.wait(time.Minute)
		for _, n := range s.nodes {
			i := n.engine.Incidents()[0]
			require.InDelta(t, total, *i.Phases.Total, 1, "%s: what the incident took does not move", n.name)
			require.Empty(t, i.Void)
		}
		require.Empty(t, s.end())
	})
}
