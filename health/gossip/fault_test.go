package gossip

import (
	"crypto/ed25519"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// whole tells whether every node counts every other one as a member.
func (c *cluster) whole() bool {
	for _, n := range c.nodes {
		n.Peer.mu.Lock()
		list := n.Peer.list
		n.Peer.mu.Unlock()
		if list == nil || list.NumMembers() != len(c.nodes) {
			return false
		}
	}
	return true
}

func (c *cluster) wait(what string, limit time.Duration, ok func() bool) time.Duration {
	c.t.Helper()
	start := time.Now()
	for !ok() {
		if time.Since(start) > limit {
			c.t.Fatalf("after %v: not %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return time.Since(start)
}

// TestPartition heals partitions that are shorter and longer than memberlist keeps the dead.
func TestPartition(t *testing.T) {
	for _, length := range []time.Duration{time.Minute, 3 * time.Minute} {
		t.Run(length.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := gossiptest.New(7)
				net.SetLink(lan)
				c := newCluster(t, net, 5, nil)
				c.wait("whole", 15*time.Second, c.whole)
				net.Partition([]netip.AddrPort{testAddress(0), testAddress(1)}, []netip.AddrPort{testAddress(2), testAddress(3), testAddress(4)})
				time.Sleep(length / 2)
				c.publish(0, "k", "a")
				c.publish(4, "k", "b")
				time.Sleep(length / 2)
				require.Equal(t, "a", c.nodes[1].has("n1", "k"))
				require.Empty(t, c.nodes[2].has("n1", "k"))
				require.Greater(t, c.nodes[2].age("n1"), length-2*time.Second)
				require.Less(t, c.nodes[2].age("n4"), 2*time.Second)
				require.False(t, c.whole())
				net.Heal()
				state := c.converged(0, "k", "a", 10*time.Second) + c.converged(4, "k", "b", 10*time.Second)
				members := state + c.wait("whole", 15*time.Second, c.whole)
				t.Logf("state on all nodes %v after the heal, membership whole after %v", state, members)
				require.Less(t, state, 2*time.Second)
				require.Less(t, members, 10*time.Second)
			})
		})
	}
}

// TestOneWayCut is docs/reliability.md id R6: three of four peers hear nothing of a node that hears them; only they see it.
func TestOneWayCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(3)
		net.SetLink(lan)
		c := newCluster(t, net, 5, nil)
		c.wait("whole", 15*time.Second, c.whole)
		for i := 1; i < 4; i++ {
			net.Cut(testAddress(0), testAddress(i))
		}
		start := time.Now()
		for range 6 {
			time.Sleep(10 * time.Second)
			for i, n := range c.nodes {
				for j, h := range n.Heard() {
					age := time.Since(h.Direct)
					if j == 0 && i >= 1 && i <= 3 {
						require.Greater(t, age, time.Since(start)-2*time.Second, "n%d of n%d", i+1, j+1)
					} else {
						require.Less(t, age, 2*time.Second, "n%d of n%d", i+1, j+1)
					}
				}
			}
		}
		// What n5 hears comes by push/pull, with one node at random at a time: late, and as old as it is.
		c.wait("n5's word of n1", 3*time.Minute, func() bool { return c.nodes[1].age("n1") < time.Since(start)-time.Second })
		net.Heal()
		time.Sleep(2 * time.Second)
		for _, n := range c.nodes {
			require.Less(t, n.age("n1"), 2*time.Second)
		}
	})
}

func TestRestart(t *testing.T) {
	for _, test := range []struct {
		name string
		addr netip.AddrPort
		kill bool
		dead time.Duration
	}{
		{"same address, orderly", testAddress(2), false, time.Second},
		{"same address, killed", testAddress(2), true, time.Second},
		{"same address, killed for long", testAddress(2), true, 2 * time.Minute},
		{"another address, orderly", testAddress(9), false, time.Second},
		{"another address, killed", testAddress(9), true, time.Second},
		{"another address, killed for long", testAddress(9), true, 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				net := gossiptest.New(11)
				net.SetLink(lan)
				c := newCluster(t, net, 3, nil)
				c.wait("whole", 15*time.Second, c.whole)
				c.publish(2, "k", "before")
				c.converged(2, "k", "before", time.Second)
				if test.kill {
					net.Kill(testAddress(2))
				}
				c.nodes[2].stop()
				time.Sleep(test.dead)
				require.Greater(t, c.nodes[0].age("n3"), test.dead-time.Millisecond)
				c.nodes[2] = c.start(2, test.addr, 2)
				c.publish(2, "k", "after")
				state := c.converged(2, "k", "after", 2*time.Second)
				for _, h := range c.nodes[0].Heard() {
					if h.Node == "n3" {
						require.Equal(t, uint64(2), h.Incarnation)
						require.Equal(t, test.addr, h.Address)
					}
				}
				// The new one hears the others, whose rosters have its old address, at once too.
				c.publish(0, "k", "hello")
				c.converged(0, "k", "hello", 2*time.Second)
				members := c.wait("whole", 90*time.Second, c.whole)
				t.Logf("state after %v, membership after %v", state, members)
			})
		})
	}
}

// TestLostState starts a node with an incarnation that it has used before, as after the loss of its disk.
func TestLostState(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(12)
		net.SetLink(lan)
		c := newCluster(t, net, 3, nil)
		c.nodes[2].stop()
		c.nodes[2] = c.start(2, testAddress(2), 5)
		c.wait("whole", 15*time.Second, c.whole)
		c.nodes[2].stop()
		c.change = func(o *Options) { o.Outlive = func(above uint64) (uint64, error) { return above + 1, nil } }
		c.nodes[2] = c.start(2, testAddress(2), 1)
		c.publish(2, "k", "after")
		c.converged(2, "k", "after", 5*time.Second)
		require.Equal(t, uint64(6), c.nodes[0].Heard()[2].Incarnation)
		require.Equal(t, uint64(6), c.nodes[2].Heard()[2].Incarnation)
	})
}

// TestRotation changes the key under load: nothing is lost.
func TestRotation(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(13)
		net.SetLink(lan)
		c := newCluster(t, net, 3, func(o *Options) { o.Keyring.Others = [][]byte{testRing("zero")} })
		c.wait("whole", 15*time.Second, c.whole)
		step := func(f func(p *Peer) error) {
			for _, n := range c.nodes {
				require.NoError(t, f(n.Peer))
				time.Sleep(1300 * time.Millisecond)
			}
		}
		seqs := func() (list []uint64) {
			for _, n := range c.nodes {
				list = append(list, n.Heard()[0].Seq, n.Heard()[1].Seq, n.Heard()[2].Seq)
			}
			return list
		}
		before := seqs()
		one, two := testRing("one"), testRing("two")
		step(func(p *Peer) error { return p.AddKey(two) })
		step(func(p *Peer) error { return p.UseKey(two) })
		step(func(p *Peer) error { return p.RemoveKey(one) })
		time.Sleep(time.Second)
		// Every round of every node came to every other one: the packets taken are the rounds made.
		for i, n := range c.nodes {
			require.Equal(t, 2, n.Keys())
			taken, made := value(t, n.metrics.packetsTaken), 0.0
			for j, o := range c.nodes {
				if i != j {
					made += value(t, o.metrics.rounds)
				}
			}
			// One may be under way; the first may have gone before the other listened.
			require.InDelta(t, made, taken, 4, n.o.Node)
			require.Zero(t, value(t, n.metrics.refused[refusedKey]))
		}
		for i, s := range seqs() {
			require.Greater(t, s, before[i]+9)
		}
		require.ErrorContains(t, c.nodes[0].RemoveKey(two), "primary")
		require.ErrorContains(t, c.nodes[0].RemoveKey(one), "no such key")
		require.ErrorContains(t, c.nodes[0].AddKey([]byte("short")), "16, 24 or 32")
	})
}

// TestTwoClusters points two clusters with the same keys at each other.
func TestTwoClusters(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(14)
		net.SetLink(lan)
		a := newCluster(t, net, 3, func(o *Options) { o.Seeds = []string{testAddress(10).String(), testAddress(11).String()} })
		b := &cluster{t: t, net: net, name: "other", change: func(o *Options) { o.Seeds = []string{testAddress(0).String()} }}
		t.Cleanup(b.stop)
		// The same node names, and the same signing keys, at other addresses. One node is absent, so that both look for ever.
		for i := range 4 {
			b.roster = append(b.roster, testMember(i, testAddress(10+i)))
		}
		for i := range 3 {
			b.nodes = append(b.nodes, b.start(i, testAddress(10+i), 9))
		}
		b.publish(0, "k", "other")
		a.publish(0, "k", "test")
		// And a node of one that is misled by its roster.
		time.Sleep(30 * time.Second)
		roster := append([]Member(nil), a.roster...)
		roster[2].Address = testAddress(10).String()
		require.NoError(t, a.nodes[0].SetRoster(roster))
		time.Sleep(time.Minute)
		for _, n := range a.nodes {
			for _, h := range n.Heard() {
				require.Equal(t, uint64(1), h.Incarnation)
			}
			require.NotEqual(t, "other", n.has("n1", "k"))
		}
		for _, n := range b.nodes {
			require.NotEqual(t, "test", n.has("n1", "k"))
			n.Peer.mu.Lock()
			require.Equal(t, 3, n.list.NumMembers())
			n.Peer.mu.Unlock()
		}
		require.NotZero(t, value(t, b.nodes[0].metrics.refused[refusedLabel]))
	})
}

// TestWrongSigningKey has the gossip key and its own signing key, and speaks for another node.
func TestWrongSigningKey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(15)
		net.SetLink(lan)
		c := newCluster(t, net, 3, nil)
		c.publish(0, "k", "truth")
		c.converged(0, "k", "truth", 5*time.Second)
		liar := testKey("n3")
		raw := appendPacket(nil, packet{cluster: "test", node: "n1", incarnation: 99, seq: 1, count: 1, addr: testAddress(2),
			entries: []entry{{key: "k", shards: 1, data: []byte("lie")}}}, liar)
		stranger := appendPacket(nil, packet{cluster: "test", node: "n9", incarnation: 1, seq: 1, count: 1}, liar)
		for range 5 {
			to := c.nodes[2].targets([]string{"n2"})[0]
			require.NoError(t, c.nodes[2].list.SendToAddress(to, raw))
			require.NoError(t, c.nodes[2].list.SendToAddress(to, stranger))
			time.Sleep(time.Second)
		}
		require.Equal(t, "truth", c.nodes[1].has("n1", "k"))
		require.Equal(t, uint64(1), c.nodes[1].Heard()[0].Incarnation)
		require.Equal(t, testAddress(0), c.nodes[1].Heard()[0].Address)
		require.Equal(t, 5.0, c.nodes[1].dropped(dropSignature))
		require.Equal(t, 5.0, c.nodes[1].dropped(dropNode))
	})
}

// TestReplay is docs/reliability.md id S11: a minute of packets, ten minutes later, ten times as fast.
func TestReplay(t *testing.T) {
	suite.Large(t)
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(16)
		net.SetLink(lan)
		c := newCluster(t, net, 3, nil)
		var mu sync.Mutex
		var tape []gossiptest.Packet
		recording := true
		net.Tap(func(p gossiptest.Packet) {
			mu.Lock()
			defer mu.Unlock()
			if recording {
				tape = append(tape, p)
			}
		})
		for i := range 60 {
			c.publish(i%3, "k", fmt.Sprint("old ", i))
			time.Sleep(time.Second)
		}
		mu.Lock()
		recording = false
		mu.Unlock()
		for i := range c.nodes {
			c.publish(i, "k", "new")
		}
		time.Sleep(10 * time.Minute)
		// One of them is silent now, and its recorded rounds must not make it look alive.
		net.Kill(testAddress(2))
		c.nodes[2].stop()
		time.Sleep(20 * time.Second)
		before := c.nodes[0].dropped(dropOld)
		counts := []int{c.nodes[0].count(), c.nodes[1].count()}
		for i, p := range tape {
			net.Inject(p)
			if i%(len(tape)/60) == 0 {
				time.Sleep(100 * time.Millisecond)
			}
		}
		time.Sleep(time.Second)
		require.Greater(t, c.nodes[0].dropped(dropOld)-before, 100.0)
		for i, n := range c.nodes[:2] {
			require.Equal(t, "new", n.has(fmt.Sprintf("n%d", 2-i), "k"))
			require.Equal(t, "new", n.has("n3", "k"))
			require.Greater(t, n.age("n3"), 20*time.Second)
			// What came meanwhile are the other one's rounds of these seconds.
			require.LessOrEqual(t, n.count()-counts[i], 10)
		}
	})
}

// TestOldRoundsAreOldToTheNew starts a node after another one has died: what the others say of the dead is as old as it is.
func TestOldRoundsAreOldToTheNew(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(17)
		net.SetLink(lan)
		c := newCluster(t, net, 3, nil)
		c.publish(2, "k", "last words")
		c.converged(2, "k", "last words", 5*time.Second)
		net.Kill(testAddress(2))
		c.nodes[2].stop()
		time.Sleep(time.Minute)
		c.nodes[1].stop()
		c.nodes[1] = c.start(1, testAddress(1), 2)
		c.converged(2, "k", "last words", 10*time.Second, 0)
		require.InDelta(t, 60, c.nodes[1].age("n3").Seconds(), 10)
	})
}

func TestVersionAndGarbage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(18)
		net.SetLink(lan)
		c := newCluster(t, net, 2, nil)
		time.Sleep(5 * time.Second)
		list, to := c.nodes[0].list, c.nodes[0].targets([]string{"n2"})[0]
		c.nodes[0].Peer.mu.Lock()
		raw := c.nodes[0].own[0]
		c.nodes[0].Peer.mu.Unlock()
		later := append([]byte(nil), raw...)
		later[0] = protocol + 1
		require.NoError(t, list.SendToAddress(to, later))
		require.NoError(t, list.SendToAddress(to, append([]byte{protocol, kindRelay, 0, 0, 0, 0, byte(len(later) >> 8), byte(len(later))}, later...)))
		require.NoError(t, list.SendToAddress(to, []byte{protocol}))
		require.NoError(t, list.SendToAddress(to, []byte{protocol, 200, 1, 2}))
		require.NoError(t, list.SendToAddress(to, raw[:80]))
		require.NoError(t, list.SendToAddress(to, append(append([]byte(nil), raw...), make([]byte, maxDatagram)...)))
		foreign := packet{cluster: "other", node: "n1", incarnation: 7, seq: 1, count: 1}
		require.NoError(t, list.SendToAddress(to, appendPacket(nil, foreign, testKey("n1"))))
		time.Sleep(100 * time.Millisecond)
		n := c.nodes[1]
		require.Equal(t, 2.0, n.dropped(dropVersion))
		require.Equal(t, 3.0, n.dropped(dropMalformed))
		require.Equal(t, 1.0, n.dropped(dropOversize))
		require.Equal(t, 1.0, n.dropped(dropCluster))
		// A bad entry loses itself and not those before it.
		good := appendPacket(nil, packet{cluster: "test", node: "n1", incarnation: 7, seq: 1, count: 1,
			entries: []entry{{key: "good", shards: 1, data: []byte("x")}}}, testKey("n1"))
		torn := append([]byte(nil), good[:len(good)-ed25519.SignatureSize]...)
		torn = append(torn, 9, 'b', 'a', 'd')
		torn = append(torn, sign(roundDomain, torn, testKey("n1"))...)
		require.NoError(t, list.SendToAddress(to, torn))
		time.Sleep(100 * time.Millisecond)
		require.Equal(t, 1.0, n.dropped(dropEntry))
		require.Equal(t, "x", n.has("n1", "good"))
	})
}

// TestQueue stops Deliver: what does not fit is dropped and counted, and nothing else stops.
func TestQueue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(19)
		net.SetLink(lan)
		gate := make(chan struct{})
		c := newCluster(t, net, 3, func(o *Options) {
			if o.Node == "n1" {
				o.Queue = 8
				deliver := o.Deliver
				o.Deliver = func(r Round) {
					<-gate
					deliver(r)
				}
			}
		})
		for i, n := range c.nodes {
			require.NoError(t, n.Publish(map[string][]byte{"k": []byte(fmt.Sprint(i))}))
		}
		time.Sleep(30 * time.Second)
		require.Greater(t, c.nodes[0].dropped(dropQueue), 30.0)
		require.Len(t, c.nodes[0].queue, 8)
		require.Equal(t, "0", c.nodes[1].has("n1", "k"), "it goes on sending")
		require.Less(t, c.nodes[1].age("n1"), 2*time.Second)
		close(gate)
		time.Sleep(3 * time.Second)
		require.Equal(t, "1", c.nodes[0].has("n2", "k"))
		require.Less(t, c.nodes[0].age("n2"), 2*time.Second)
	})
}

// TestStopInPartition ends a node whose dials and streams all hang.
func TestStopInPartition(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(20)
		net.SetLink(lan)
		c := newCluster(t, net, 5, nil)
		c.wait("whole", 15*time.Second, c.whole)
		net.Partition([]netip.AddrPort{testAddress(0)})
		for i := range 5 {
			time.Sleep(11*time.Second + time.Duration(i)*300*time.Millisecond)
			start := time.Now()
			c.nodes[0].stop()
			require.LessOrEqual(t, time.Since(start), 2*time.Second+leaveTimeout)
			_, err := c.nodes[0].Ask(t.Context(), "n2", "x", nil)
			require.ErrorIs(t, err, ErrStopped)
			c.nodes[0] = c.start(0, testAddress(0), uint64(2+i))
		}
	})
}
