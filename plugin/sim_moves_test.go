package fairlead

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

// A track is what one node answered for a service, one entry for each time that the answer went to another pool.
type track struct {
	at   []time.Time
	pool []string
}

// moves counts the times that the answer went elsewhere.
func (t *track) moves() int { return max(0, len(t.pool)-1) }

// follow notes for d, ten times a second, from which pool every node answers the service, the first address of each pool's.
func (s *sim) follow(service string, d time.Duration, tracks map[string]*track) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // in a bubble
		synctest.Wait()
		for _, n := range s.nodes {
			if !n.answers() {
				continue
			}
			pool := s.poolOf(n, service)
			t := tracks[n.name]
			if t == nil {
				t = new(track)
				tracks[n.name] = t
			}
			if k := len(t.pool); k == 0 || t.pool[k-1] != pool {
				t.pool, t.at = append(t.pool, pool), append(t.at, time.Now())
			}
		}
	}
}

// poolOf is the pool that has the address which the node answers for the service.
func (s *sim) poolOf(n *simNode, service string) string {
	_, address := n.ask(service)
	for _, p := range s.zone.Pools {
		for _, e := range p.Endpoints {
			if e.V4.String() == address {
				return p.Name
			}
		}
	}
	return "nobody"
}

// together notes as faults where nodes moved otherwise than each other, or not within a second, or more often than want.
func (s *sim) together(tracks map[string]*track, want int) {
	first := tracks[s.nodes[0].name]
	if first.moves() > want {
		s.fault("%d moves, want %d at most: %v", first.moves(), want, first.pool)
	}
	for _, n := range s.nodes[1:] {
		tr := tracks[n.name]
		if !slices.Equal(first.pool, tr.pool) {
			s.fault("%s has %v, %s has %v", s.nodes[0].name, first.pool, n.name, tr.pool)
			continue
		}
		for k := range tr.at {
			if d := tr.at[k].Sub(first.at[k]).Abs(); d >= time.Second {
				s.fault("%s moves to %s %s apart from %s", n.name, tr.pool[k], d, s.nodes[0].name)
			}
			s.spread = max(s.spread, tr.at[k].Sub(first.at[k]).Abs())
		}
	}
}

// breakPool breaks or mends all endpoints of a pool.
func (s *sim) breakPool(name string, broken bool) {
	for _, p := range s.zone.Pools {
		for _, e := range p.Endpoints {
			if p.Name == name {
				s.set(s.target(p.Name+"/"+e.Name), broken)
			}
		}
	}
}

// TestOneMovePerReturn: both tiers of api are dead, and come back in either order; the answers move once for each.
func TestOneMovePerReturn(t *testing.T) {
	for _, size := range []int{1, 3} {
		for _, first := range []string{"eu", "us"} {
			for _, gap := range []time.Duration{0, 2 * time.Second, 4 * time.Second, 8 * time.Second} {
				t.Run(fmt.Sprintf("%d nodes, %s first, the other %s later", size, first, gap), func(t *testing.T) {
					root := simRoot(t)
					synctest.Test(t, func(t *testing.T) {
						s := newSim(t, 3, size, root)
						second := map[string]string{"eu": "us", "us": "eu"}[first]
						s.breakPool(first, true)
						s.breakPool(second, true)
						s.startAll()
						s.wait(30 * time.Second)
						tracks := make(map[string]*track)
						s.breakPool(first, false)
						s.follow("api.example.org.", gap, tracks)
						s.breakPool(second, false)
						s.follow("api.example.org.", 40*time.Second, tracks)
						s.together(tracks, 2)
						require.Empty(t, s.end())
						t.Logf("%d moves, %s apart", tracks["n1"].moves(), s.spread)
					})
				})
			}
		}
	}
}

// TestHeldPrimaryKeepsItsTraffic: a first tier that has to wait longer, since its return failed before, answers when it comes back and nobody
// else is there; it is not left for a standby that came back later and has to wait less.
func TestHeldPrimaryKeepsItsTraffic(t *testing.T) {
	for _, size := range []int{1, 3} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			root := simRoot(t)
			synctest.Test(t, func(t *testing.T) {
				s := rampSim(t, size, root)
				s.breakPool("eu", true)
				s.wait(20 * time.Second)
				s.breakPool("eu", false)
				// It is back after two good probes, held for 10 s and ramps for 20: it dies in the ramp.
				s.wait(30 * time.Second)
				s.breakPool("eu", true)
				s.wait(20 * time.Second)
				s.breakPool("us", true)
				s.wait(20 * time.Second)
				tracks := make(map[string]*track)
				s.breakPool("eu", false)
				s.follow("api.example.org.", 12*time.Second, tracks)
				s.breakPool("us", false)
				s.follow("api.example.org.", 2*time.Minute, tracks)
				s.together(tracks, 1)
				at := s.poolOf(s.nodes[0], "api.example.org.")
				require.Empty(t, s.end())
				require.Equal(t, "eu", at)
			})
		})
	}
}

// TestRampAborts: one probe that a quorum sees fail during a ramp sends the pool back to a hold of twice the time, on every node alike; what
// one vantage of three sees fail does not.
func TestRampAborts(t *testing.T) {
	for _, tt := range []struct {
		size   int
		wrong  bool
		aborts bool
	}{{size: 1, aborts: true}, {size: 3, aborts: true}, {size: 3, wrong: true}} {
		t.Run(fmt.Sprintf("%d nodes, one vantage alone %v", tt.size, tt.wrong), func(t *testing.T) {
			root := simRoot(t)
			synctest.Test(t, func(t *testing.T) {
				s := rampSim(t, tt.size, root)
				s.breakPool("eu", true)
				s.wait(20 * time.Second)
				s.breakPool("eu", false)
				s.awaitReturn(40*time.Second, func(r health.Return, f config.Failback) bool { return r.Ramping(f, time.Now()) })
				if tt.wrong {
					s.wrong("n2", s.target("eu/a"), s.target("eu/b"))
				} else {
					s.breakPool("eu", true)
				}
				s.wait(5 * time.Second)
				s.breakPool("eu", false)
				s.wait(2 * time.Second)
				for _, n := range s.nodes {
					view, pool := n.current.Load().View.Zones[0].Pools[0], s.zone.Pools[0]
					percent, next := view.Return.Share(pool.Failbacks[0], time.Now())
					if aborted := percent == 0; aborted != tt.aborts || aborted && time.Until(next) <= 10*time.Second {
						s.fault("%s: %d %% until %s from now, %+v", n.name, percent, time.Until(next), view.Return)
					}
				}
				require.Empty(t, s.end())
			})
		})
	}
}

// rampSim is a calm cluster in which api holds pools back for 10 s and lets them in by steps of 10 s.
func rampSim(t *testing.T, size int, root string) *sim {
	s := newSim(t, 5, size, root)
	z, problems := config.Parse("zone.yaml", []byte(strings.ReplaceAll(simZone, "failback: {hold: 5s}", "failback: {hold: 10s, ramp: [20%, 60%, 100%], step: 10s}")), config.ParseOptions{})
	require.NoError(t, problems.Err())
	s.zone, s.model = z, config.NewModel([]*config.Zone{z})
	s.net.SetLink(gossiptest.Link{Delay: time.Millisecond, Jitter: time.Millisecond})
	s.startAll()
	s.wait(20 * time.Second)
	return s
}

// awaitReturn waits until every node has the return of pool eu where want wants it.
func (s *sim) awaitReturn(d time.Duration, want func(health.Return, config.Failback) bool) {
	for end := time.Now().Add(d); time.Now().Before(end); s.wait(250 * time.Millisecond) {
		if !slices.ContainsFunc(s.nodes, func(n *simNode) bool {
			return n.runs && !want(n.current.Load().View.Zones[0].Pools[0].Return, s.zone.Pools[0].Failbacks[0])
		}) {
			return
		}
	}
	s.fault("the return is not where it should be within %s", d)
}
