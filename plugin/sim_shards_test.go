package fairlead

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

// TestShardsFailOverAndBack: shards that fail back leave a pool that answers others still, on all nodes: each lists them with a bound that no honest
// cache outlives, and calls it final.
func TestShardsFailOverAndBack(t *testing.T) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s, file := newSim(t, 1, 3, root), newSimFile()
		s.model, s.boundOnly = file.model(s), true
		s.caches = newCaches(s)
		s.caches.stalls = 0
		s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		s.caches.questions = []simQuestion{{askedShard + ".cells.example.org.", dns.TypeA}, {"www.example.org.", dns.TypeA}}
		s.startAll()
		s.wait(25 * time.Second)
		us := s.targets[2:4]
		for _, target := range us {
			s.set(target, true)
		}
		s.wait(time.Minute)
		for _, target := range us {
			s.set(target, false)
		}
		const what = "cells 2-3 from eu to us"
		var d *departure.Departure
		for _, n := range s.nodes {
			deadline := time.Now().Add(2 * time.Minute)
			for d = movedAt(n, what); d == nil || !d.Bound.Known; d = movedAt(n, what) {
				require.True(t, time.Now().Before(deadline), "%s: %+v", n.name, n.engine.Departures())
				s.wait(250 * time.Millisecond)
			}
			require.Less(t, time.Since(d.Since), 5*time.Second, n.name)
			require.False(t, d.Bound.Final, n.name)
			require.Len(t, d.Bound.Confirmed, len(s.nodes), n.name)
			require.GreaterOrEqual(t, d.Bound.SafeAt.Sub(d.Since), time.Duration(file.ttl)*time.Second, n.name)
		}
		checked := s.caches.checked
		s.wait(time.Until(d.Bound.SafeAt) + 15*time.Second)
		for _, n := range s.nodes {
			require.True(t, movedAt(n, what).Bound.Final, n.name)
		}
		require.Greater(t, s.caches.checked, checked, "caches held what they left")
		require.Empty(t, s.end())
	})
}

// movedAt is a move that a node lists, by its words; nil for none.
func movedAt(n *simNode, what string) *departure.Departure {
	for _, d := range n.engine.Departures() {
		if d.Moved && d.RData == what {
			return &d
		}
	}
	return nil
}
