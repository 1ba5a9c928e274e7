package gossip

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/gossip/gossiptest"
)

// testKey is the signing key of the name.
func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func testRing(text string) []byte {
	k := sha256.Sum256([]byte(text))
	return k[:]
}

// testAddress is where the i-th node of a test listens.
func testAddress(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 7946)
}

func testMember(i int, addr netip.AddrPort) Member {
	name := fmt.Sprintf("n%d", i+1)
	return Member{Name: name, Address: addr.String(), PublicKey: testKey(name).Public().(ed25519.PublicKey)}
}

// node is one node of a cluster in a bubble, and what was delivered to it.
type node struct {
	*Peer
	t      *testing.T
	addr   netip.AddrPort
	cancel context.CancelFunc
	done   chan error
	mu     sync.Mutex
	// state has the newest data by origin and key, and rounds all that came.
	state  map[string]string
	rounds []Round
	at     map[string]time.Time
}

func (n *node) take(r Round) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rounds = append(n.rounds, r)
	id := fmt.Sprintf("%s %s %d", r.Node, r.Key, r.Shard)
	if n.state[id] != string(r.Data) {
		n.at[id+" "+string(r.Data)] = time.Now()
	}
	n.state[id] = string(r.Data)
}

// has gives what the node knows of one shard.
func (n *node) has(origin, key string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state[origin+" "+key+" 0"]
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.rounds)
}

func (n *node) age(origin string) time.Duration {
	for _, h := range n.Heard() {
		if h.Node == origin {
			if h.At.IsZero() {
				return 1 << 62
			}
			return time.Since(h.At)
		}
	}
	return 1 << 62
}

func (n *node) dropped(reason string) float64 { return value(n.t, n.metrics.dropped[reason]) }

// stop ends the node in the orderly way.
func (n *node) stop() {
	n.cancel()
	require.NoError(n.t, <-n.done)
}

type cluster struct {
	t      *testing.T
	net    *gossiptest.Network
	name   string
	roster []Member
	nodes  []*node
	change func(*Options)
}

// newCluster starts size nodes in the bubble. change may change the options of each.
func newCluster(t *testing.T, net *gossiptest.Network, size int, change func(*Options)) *cluster {
	c := &cluster{t: t, net: net, name: "test", change: change}
	for i := range size {
		c.roster = append(c.roster, testMember(i, testAddress(i)))
	}
	for i := range size {
		c.nodes = append(c.nodes, c.start(i, testAddress(i), 1))
	}
	t.Cleanup(c.stop)
	return c
}

func (c *cluster) options(i int, addr netip.AddrPort, incarnation uint64) Options {
	name := fmt.Sprintf("n%d", i+1)
	return Options{
		Cluster: c.name, Node: name, Incarnation: incarnation, SigningKey: testKey(name), Roster: c.roster,
		Bind: addr.String(), Keyring: Keyring{Primary: testRing("one")},
	}
}

func (c *cluster) start(i int, addr netip.AddrPort, incarnation uint64) *node {
	o := c.options(i, addr, incarnation)
	n := &node{t: c.t, addr: addr, done: make(chan error, 1), state: map[string]string{}, at: map[string]time.Time{}}
	o.Deliver = n.take
	o.Transport = c.net.Transport(addr.String())
	if c.change != nil {
		c.change(&o)
	}
	p, err := New(o)
	require.NoError(c.t, err)
	n.Peer = p
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	go func() {
		n.done <- p.Run(ctx)
		close(n.done)
	}()
	return n
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.cancel()
	}
	for _, n := range c.nodes {
		<-n.done
	}
	// What memberlist has under way ends within its timeouts.
	time.Sleep(time.Minute)
}

// publish sets one key of one node, which thereby has one key.
func (c *cluster) publish(i int, key, value string) {
	require.NoError(c.t, c.nodes[i].Publish(map[string][]byte{key: []byte(value)}))
}

// converged waits until every node but those left out knows value, and returns how long that took.
func (c *cluster) converged(origin int, key, value string, limit time.Duration, out ...int) time.Duration {
	c.t.Helper()
	start := time.Now()
	for {
		missing := ""
		for i, n := range c.nodes {
			skip := i == origin
			for _, o := range out {
				skip = skip || o == i
			}
			if !skip && n.has(fmt.Sprintf("n%d", origin+1), key) != value {
				missing = n.o.Node
				break
			}
		}
		if missing == "" {
			return time.Since(start)
		}
		if time.Since(start) > limit {
			c.t.Fatalf("after %v %s does not know %s=%s of n%d", limit, missing, key, value, origin+1)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// bubble runs f in one. A goroutine that is left at the end makes it fail.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

var lan = gossiptest.Link{Delay: 200 * time.Microsecond, Jitter: 20 * time.Millisecond}

func lossy(loss float64) gossiptest.Link {
	l := lan
	l.Loss = loss
	return l
}
