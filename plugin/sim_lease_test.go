package fairlead

import (
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

var simEndpoint = health.Scope{Kind: health.ScopeEndpoint, Zone: "example.org.", Pool: "eu", Endpoint: "a"}

// departed is what a node prints of the endpoint with an address; nil where it is not out.
func (n *simNode) departed(address string) *departure.Departure {
	for _, d := range n.engine.Departures() {
		if d.RData == address {
			return &d
		}
	}
	return nil
}

func fencedNode(b *ledger.Bound) string {
	if i := slices.IndexFunc(b.Confirmed, func(c ledger.Confirmation) bool { return c.Fenced }); i >= 0 {
		return b.Confirmed[i].Node
	}
	return ""
}

// playLease has nodes with leases of a minute in a bubble, all of them asked.
func playLease(t *testing.T, size int, without health.Guards, play func(t *testing.T, s *sim)) (faults []string) {
	root := simRoot(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, 5, size, root)
		s.without, s.isolateAfter = without, time.Minute
		s.caches = newCaches(s)
		s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
		s.startAll()
		s.wait(30 * time.Second)
		for _, n := range s.nodes {
			require.True(t, n.answers(), "%s: %s", n.name, n.engine.Shut())
		}
		play(t, s)
		faults = s.end()
	})
	return faults
}

// TestLease: of a node that nobody hears the bound becomes known once its lease has ended, whatever it goes on doing until then.
func TestLease(t *testing.T) {
	drainAndAwait := func(t *testing.T, s *sim, silent *simNode) {
		s.drain(s.nodes[0], simEndpoint, time.Hour)
		s.wait(14 * time.Second)
		d := s.nodes[0].departed("192.0.2.1")
		require.NotNil(t, d)
		require.False(t, d.Bound.Known, "its lease runs")
		require.Len(t, d.Bound.Unknown, 1)
		require.Equal(t, 60.0, d.Bound.Unknown[0].LeaseSeconds)
		s.wait(53 * time.Second)
		for _, n := range s.nodes {
			if n == silent {
				continue
			}
			d := n.departed("192.0.2.1")
			require.True(t, d.Bound.Known, "%s: %+v", n.name, d.Bound.Unknown)
			require.Equal(t, silent.name, fencedNode(&d.Bound))
		}
	}
	for _, size := range []int{3, 5} {
		t.Run("dead", func(t *testing.T) {
			if size > 3 {
				suite.Large(t)
			}
			t.Parallel()
			require.Empty(t, playLease(t, size, 0, func(t *testing.T, s *sim) {
				last := s.nodes[size-1]
				s.down(last, last.kill)
				drainAndAwait(t, s, last)
			}))
		})
		t.Run("cut off", func(t *testing.T) {
			if size > 3 {
				suite.Large(t)
			}
			t.Parallel()
			require.Empty(t, playLease(t, size, 0, func(t *testing.T, s *sim) {
				last := s.nodes[size-1]
				s.partition([]*simNode{last}, s.nodes[:size-1])
				drainAndAwait(t, s, last)
				require.False(t, last.answers())
				s.healNet()
				s.wait(10 * time.Second)
				require.True(t, last.answers(), last.engine.Shut())
				require.True(t, s.nodes[0].departed("192.0.2.1").Bound.Known)
			}))
		})
	}
	// The one that is cut off starts anew, and nobody hears it: it does not begin another lease.
	t.Run("starts anew while it is cut off", func(t *testing.T) {
		t.Parallel()
		require.Empty(t, playLease(t, 3, 0, func(t *testing.T, s *sim) {
			last := s.nodes[2]
			s.partition([]*simNode{last}, s.nodes[:2])
			s.wait(40 * time.Second)
			s.down(last, last.kill)
			s.up(last)
			drainAndAwait(t, s, last)
			require.Contains(t, last.engine.Shut(), "no majority has heard this node since it started")
		}))
	})
	// It hears everybody, and nobody hears it: then it hears nobody either. Whoever would trust in its own ears would answer for twice
	// the time.
	deaf := func(t *testing.T, s *sim) {
		last := s.nodes[2]
		for _, n := range s.nodes[:2] {
			s.net.Cut(last.addr, n.addr)
		}
		s.trouble(troubleNet)
		s.wait(58 * time.Second)
		s.partition([]*simNode{last}, s.nodes[:2])
		s.drain(s.nodes[0], simEndpoint, time.Hour)
		s.wait(90 * time.Second)
		d := s.nodes[0].departed("192.0.2.1")
		require.True(t, d.Bound.Known)
		require.Equal(t, last.name, fencedNode(&d.Bound))
	}
	t.Run("cut off one way", func(t *testing.T) {
		suite.Large(t)
		t.Parallel()
		require.Empty(t, playLease(t, 3, 0, deaf))
		require.NotEmpty(t, playLease(t, 3, health.GuardLease, deaf))
	})
}

// TestLeaseRunsThroughSuspends: a machine that was suspended for longer than the lease answers nothing when it runs again, though its own
// clock did not move, nor an answer that was begun before; and once a majority has heard the node it answers again.
func TestLeaseRunsThroughSuspends(t *testing.T) {
	ask := func(n *simNode) int {
		w := &recorder{nullWriter: nullWriter{remote: &net.UDPAddr{IP: net.IPv4(192, 0, 2, 200), Port: 4321}}}
		_, err := n.handler.ServeDNS(t.Context(), w, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))
		require.NoError(t, err)
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(w.wrote))
		return m.Rcode
	}
	require.Empty(t, playLease(t, 3, 0, func(t *testing.T, s *sim) {
		last := s.nodes[2]
		require.Equal(t, dns.RcodeSuccess, ask(last))
		last.suspended.Store(int64(50 * time.Second))
		require.Equal(t, dns.RcodeSuccess, ask(last), "its lease is longer")
		last.suspended.Store(int64(61 * time.Second))
		require.Equal(t, dns.RcodeServerFailure, ask(last))
		s.wait(10 * time.Second)
		require.Equal(t, dns.RcodeSuccess, ask(last), last.engine.Shut())
		// The machine stands still between the question and the write.
		synctest.Wait()
		last.asleep.Store(int64(2 * time.Minute))
		require.Equal(t, dns.RcodeServerFailure, ask(last))
		s.wait(10 * time.Second)
		require.Equal(t, dns.RcodeSuccess, ask(last), last.engine.Shut())
	}))
}

// A recorder keeps what was written last.
type recorder struct {
	nullWriter
	wrote []byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = append(r.wrote[:0], b...)
	return len(b), nil
}
