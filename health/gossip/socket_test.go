package gossip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
	"github.com/fairlead-dns/fairlead/integration/suite"
)

// freePort finds a port that is free for UDP and TCP on the three addresses.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for start := time.Now(); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatal("not", what)
		}
	}
}

// TestSockets runs three nodes on loopback, and strangers without the key.
func TestSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("opens sockets")
	}
	goroutines := runtime.NumGoroutine()
	port := uint16(suite.FreePort(t))
	c := &cluster{t: t, name: "test"}
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, byte(i + 1)}), port)
	}
	for i := range 3 {
		c.roster = append(c.roster, testMember(i, addr(i)))
	}
	for i := range 3 {
		o := c.options(i, addr(i), 1)
		n := &node{t: t, addr: addr(i), done: make(chan error, 1), state: map[string]string{}, at: map[string]time.Time{}}
		o.Deliver = n.take
		o.Handlers = map[string]Handler{"echo": func(_ context.Context, _ string, b []byte) ([]byte, error) { return b, nil }}
		p, err := New(o)
		require.NoError(t, err)
		n.Peer = p
		var ctx context.Context
		ctx, n.cancel = context.WithCancel(context.Background())
		go func() {
			n.done <- p.Run(ctx)
			close(n.done)
		}()
		c.nodes = append(c.nodes, n)
	}
	for _, n := range c.nodes {
		<-n.Ready()
		require.Equal(t, n.addr, n.Addr())
	}
	require.ErrorContains(t, c.nodes[0].Run(t.Context()), "before")
	eventually(t, "whole", c.whole)
	c.publish(0, "k", "hello")
	took := c.converged(0, "k", "hello", 5*time.Second)
	t.Logf("a change was everywhere after %v", took)
	big := make([]byte, MaxAsk)
	reply, err := c.nodes[0].Ask(t.Context(), "n2", "echo", big)
	require.NoError(t, err)
	require.Len(t, reply, MaxAsk)

	// Somebody in clear, and somebody with another key, and somebody of another cluster.
	for _, stranger := range []struct {
		name, label, want string
		key               []byte
	}{
		{"in clear", "test", refusedClear, nil},
		{"another key", "test", refusedKey, testRing("guess")},
		{"another cluster", "else", refusedLabel, testRing("one")},
	} {
		t.Run(stranger.name, func(t *testing.T) {
			cfg := memberlist.DefaultLANConfig()
			cfg.Name, cfg.Label, cfg.SecretKey, cfg.LogOutput = "n3", stranger.label, stranger.key, io.Discard
			cfg.BindAddr, cfg.BindPort, cfg.AdvertisePort = "127.0.0.9", int(port), int(port)
			m, err := memberlist.Create(cfg)
			require.NoError(t, err)
			defer m.Shutdown()
			_, err = m.Join([]string{addr(0).String()})
			require.Error(t, err)
			c.nodes[2].Peer.mu.Lock()
			raw := c.nodes[2].own[0]
			c.nodes[2].Peer.mu.Unlock()
			require.NoError(t, m.SendToAddress(memberlist.Address{Addr: addr(0).String()}, raw))
			eventually(t, "counted", func() bool { return value(t, c.nodes[0].metrics.refused[stranger.want]) > 0 })
			require.Equal(t, 1, m.NumMembers())
			require.True(t, c.whole())
		})
	}

	// A node that is stopped and started again is heard within a second or two.
	c.nodes[2].stop()
	o := c.options(2, addr(2), 2)
	p, err := New(o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	eventually(t, "heard", func() bool { return c.nodes[0].Heard()[2].Incarnation == 2 })
	eventually(t, "a member", c.nodes[0].sees(3))
	cancel()
	require.NoError(t, <-done)
	for _, n := range c.nodes {
		n.cancel()
		require.NoError(t, <-n.done)
	}
	eventually(t, fmt.Sprint("down to ", goroutines, " goroutines"), func() bool { return runtime.NumGoroutine() <= goroutines })
	// The address is free again.
	l, err := net.Listen("tcp", addr(0).String())
	require.NoError(t, err)
	l.Close()
}

func (n *node) sees(count int) func() bool {
	return func() bool {
		n.Peer.mu.Lock()
		defer n.Peer.mu.Unlock()
		return n.list.NumMembers() == count
	}
}

func TestAddressInUse(t *testing.T) {
	if testing.Short() {
		t.Skip("opens sockets")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	addr := l.Addr().(*net.TCPAddr).AddrPort()
	c := &cluster{name: "test", roster: []Member{testMember(0, addr)}}
	p, err := New(c.options(0, addr, 1))
	require.NoError(t, err)
	require.ErrorContains(t, p.Run(t.Context()), "address already in use")
}

// names is a Resolver.
type names struct {
	mu   sync.Mutex
	zone map[string][]netip.Addr
}

func (n *names) set(host string, list ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.zone[host] = list
}

func (n *names) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	list := n.zone[host]
	n.mu.Unlock()
	if list == nil {
		<-ctx.Done()
		return nil, errors.Join(ctx.Err(), errors.New("no such name"))
	}
	return list, nil
}

// TestNames has a roster of DNS names, a headless service as its seed, and a node that moves under its name.
func TestNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(23)
		net.SetLink(lan)
		zone := &names{zone: map[string][]netip.Addr{}}
		for i := range 3 {
			zone.set(fmt.Sprintf("n%d.example.org", i+1), testAddress(i).Addr())
		}
		zone.set("gossip.example.org", testAddress(0).Addr(), testAddress(1).Addr())
		c := &cluster{t: t, net: net, name: "test", change: func(o *Options) {
			o.Resolver = zone
			o.Seeds = []string{"gossip.example.org:7946", "nowhere.example.org:7946"}
		}}
		t.Cleanup(c.stop)
		for i := range 3 {
			m := testMember(i, testAddress(i))
			m.Address = fmt.Sprintf("n%d.example.org:7946", i+1)
			c.roster = append(c.roster, m)
		}
		for i := range 3 {
			c.nodes = append(c.nodes, c.start(i, testAddress(i), 1))
		}
		c.wait("whole", 15*time.Second, c.whole)
		// All of them move at once while nobody runs: the names are all that is left.
		for _, n := range c.nodes {
			n.stop()
		}
		for i := range 3 {
			zone.set(fmt.Sprintf("n%d.example.org", i+1), testAddress(10+i).Addr())
		}
		zone.set("gossip.example.org")
		for i := range 3 {
			c.nodes[i] = c.start(i, testAddress(10+i), 2)
		}
		c.publish(0, "k", "moved")
		c.converged(0, "k", "moved", 10*time.Second)
		// One moves, and only its name says so.
		net.Kill(testAddress(12))
		c.nodes[2].stop()
		zone.set("n3.example.org", testAddress(20).Addr())
		time.Sleep(time.Minute)
		c.nodes[2] = c.start(2, testAddress(20), 3)
		c.publish(0, "k", "moved again")
		c.converged(0, "k", "moved again", 10*time.Second)
	})
}

// TestRosterChange adds a node at run time and takes one away.
func TestRosterChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		net := gossiptest.New(24)
		net.SetLink(lan)
		c := newCluster(t, net, 3, nil)
		c.wait("whole", 15*time.Second, c.whole)
		old := c.roster
		c.roster = append(append([]Member(nil), old[0], old[1]), testMember(3, testAddress(3)))
		c.nodes[2].stop()
		fourth := c.start(3, testAddress(3), 1)
		defer fourth.stop()
		require.NoError(t, fourth.Publish(map[string][]byte{"k": []byte("new")}))
		time.Sleep(5 * time.Second)
		require.Empty(t, c.nodes[0].has("n4", "k"))
		require.NotZero(t, c.nodes[0].dropped(dropNode))
		for _, n := range c.nodes[:2] {
			require.NoError(t, n.SetRoster(c.roster))
		}
		time.Sleep(6 * time.Second)
		for _, n := range c.nodes[:2] {
			require.Equal(t, "new", n.has("n4", "k"))
			require.Len(t, n.Heard(), 3)
			require.Equal(t, "n4", n.Heard()[2].Node)
		}
		require.ErrorContains(t, c.nodes[0].SetRoster(c.roster[1:]), "this one")
	})
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := gossiptest.New(25)
		reg := prometheus.NewPedanticRegistry()
		c := newCluster(t, net, 2, func(o *Options) {
			if o.Node == "n1" {
				o.Registerer = reg
			}
		})
		c.nodes[1].cancel()
		time.Sleep(10 * time.Second)
		problems, err := testutil.GatherAndLint(reg)
		require.NoError(t, err)
		require.Empty(t, problems)
		families, err := reg.Gather()
		require.NoError(t, err)
		var got []string
		for _, f := range families {
			got = append(got, fmt.Sprintf("%s %d", strings.TrimPrefix(f.GetName(), "fairlead_gossip_"), len(f.GetMetric())))
		}
		require.Equal(t, []string{"asks_total 3", "dropped_total 13", "heard_age_seconds 1", "joins_total 2", "outlived_total 1",
			"packets_received_total 1", "packets_sent_total 1", "queue_messages 1", "received_bytes_total 2", "refused_total 4",
			"rounds_sent_total 1", "send_errors_total 1", "sent_bytes_total 2", "urgent_rounds_sent_total 1"}, got)
		_, err = New(Options{Cluster: "test", Node: "n1", Incarnation: 1, SigningKey: testKey("n1"), Roster: c.roster,
			Bind: "192.0.2.1:1", Keyring: Keyring{Primary: testRing("one")}, Registerer: reg})
		require.ErrorContains(t, err, "metrics")
	})
}
