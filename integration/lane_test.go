package integration

import (
	bin "encoding/binary"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/ipv4"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const (
	// laneFlappers are endpoints of which one goes away or comes back every laneFlip: with an interval of 200 ms and a threshold of one
	// failure each is a verdict.
	laneFlappers = 10
	laneFlip     = 100 * time.Millisecond
	// laneReload is how often the Corefile is read again.
	laneReload = 5 * time.Second
	// laneWindow is how many questions a client has under way: all of them fit into a socket of any system.
	laneClients = 2
	laneWindow  = 64
	// laneLate is when a client takes an answer for lost.
	laneLate = 10 * time.Second
)

const laneCorefile = `lane.example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		state DIR/state
	}
	prometheus METRICS
	errors
}
`

// laneZone has services whose first endpoint flaps and whose second one does not. PORT is where endpoints listen.
func laneZone(port int) string {
	var pools, services strings.Builder
	for i := range laneFlappers {
		fmt.Fprintf(&pools, "  p%d: {region: eu, check: c, endpoints: [{name: f, addresses: [%s], az: a}, {name: s, addresses: [%s], az: b}]}\n", i, flapper(i), steady(i))
		fmt.Fprintf(&services, "  s%d: {tiers: [{p%d: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 0s}, health: {max_removal: 100%%}}\n", i, i)
	}
	return fmt.Sprintf("zone: lane.example.org\nnameservers: [{name: ns1.lane.example.org, addresses: [127.0.0.1]}]\nregions: {eu: {azs: [a, b]}}\n"+
		"checks: {c: {type: tcp, port: %d, interval: 200ms, timeout: 150ms, fall: 1, rise: 1}}\npools:\n%sservices:\n%s", port, pools.String(), services.String())
}

func flapper(i int) string { return fmt.Sprintf("127.0.51.%d", i+1) }
func steady(i int) string  { return fmt.Sprintf("127.0.52.%d", i+1) }

// A laneClient asks as fast as it is answered, with laneWindow questions under way, and looks at every octet of the answers.
type laneClient struct {
	conn      *ipv4.PacketConn
	questions [laneFlappers][]byte
	// asked is the service that an id asked for, and -1 where none is under way.
	asked [1 << 16]int8

	answered, lost int
	wrong          []string
}

func newLaneClient(t *testing.T, server string) *laneClient {
	t.Helper()
	conn, err := net.Dial("udp4", server)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	c := &laneClient{conn: ipv4.NewPacketConn(conn.(*net.UDPConn))}
	for i := range c.questions {
		if c.questions[i], err = new(dns.Msg).SetQuestion(fmt.Sprintf("s%d.lane.example.org.", i), dns.TypeA).Pack(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range c.asked {
		c.asked[i] = -1
	}
	return c
}

// run asks until stop is closed, and then waits for what is under way.
func (c *laneClient) run(stop <-chan struct{}) error {
	in, out := make([]ipv4.Message, laneWindow), make([]ipv4.Message, laneWindow)
	for i := range in {
		in[i].Buffers, out[i].Buffers = [][]byte{make([]byte, 512)}, [][]byte{make([]byte, 512)}
	}
	id, under, stopping := uint16(0), 0, false
	for !stopping || under > 0 {
		select {
		case <-stop:
			stopping = true
		default:
		}
		if n := laneWindow - under; n > 0 && !stopping {
			for i := range n {
				at := int(id) % laneFlappers
				out[i].Buffers[0] = append(out[i].Buffers[0][:0], c.questions[at]...)
				bin.BigEndian.PutUint16(out[i].Buffers[0], id)
				c.asked[id] = int8(at)
				id++
			}
			sent, err := c.conn.WriteBatch(out[:n], 0)
			if err != nil {
				return err
			}
			id -= uint16(n - sent)
			under += sent
		}
		if err := c.conn.SetReadDeadline(time.Now().Add(laneLate)); err != nil {
			return err
		}
		n, err := c.conn.ReadBatch(in, 0)
		if ne, ok := err.(net.Error); ok && ne.Timeout() {
			c.lost, under = c.lost+under, 0
			continue
		}
		if err != nil {
			return err
		}
		for _, m := range in[:n] {
			c.look(m.Buffers[0][:m.N])
		}
		under -= n
	}
	return nil
}

// look wants the question echoed, no error, and one address of the service that was asked for, with a TTL from the ladder.
func (c *laneClient) look(b []byte) {
	c.answered++
	id := bin.BigEndian.Uint16(b)
	at := c.asked[id]
	if c.asked[id] = -1; at < 0 {
		c.wrong = append(c.wrong, fmt.Sprintf("%x: nobody asked", b))
		return
	}
	q := c.questions[at]
	rr := len(q)
	ok := len(b) == rr+16 && b[2] == 0x85 && b[3] == 0 && string(b[4:12]) == "\x00\x01\x00\x01\x00\x00\x00\x00" && string(b[12:rr]) == string(q[12:])
	if ok {
		ip, ttl := net.IP(b[rr+12:]).String(), bin.BigEndian.Uint32(b[rr+6:])
		ok = ttl >= 2 && ttl <= 30 && (ip == flapper(int(at)) || ip == steady(int(at)))
	}
	if !ok && len(c.wrong) < 10 {
		c.wrong = append(c.wrong, fmt.Sprintf("%x to %x", b, q))
	}
}

// flap closes and opens the listeners of flappers in turn until stop is closed, and returns how often.
func flap(t *testing.T, port int, stop <-chan struct{}) (flips int) {
	var listeners [laneFlappers]net.Listener
	defer func() {
		for _, l := range listeners {
			if l != nil {
				l.Close()
			}
		}
	}()
	tick := time.NewTicker(laneFlip)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return flips
		case <-tick.C:
		}
		l := &listeners[flips%laneFlappers]
		if *l != nil {
			(*l).Close()
			*l = nil
		} else {
			var err error
			if *l, err = net.Listen("tcp4", fmt.Sprintf("%s:%d", flapper(flips%laneFlappers), port)); err != nil {
				t.Error(err)
				return flips
			}
			go drain(*l)
		}
		flips++
	}
}

func drain(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		c.Close()
	}
}

// TestLaneUnderFire asks through the fast lane as fast as it answers while verdicts flip ten times a second and the Corefile is read again
// every five: each answer is right, and none is lost. FAIRLEAD_LANE_SECONDS=60 is the full length.
func TestLaneUnderFire(t *testing.T) {
	seconds := time.Duration(envInt("FAIRLEAD_LANE_SECONDS", 12)) * time.Second
	port := suite.FreePort(t)
	for i := range laneFlappers {
		l, err := net.Listen("tcp4", fmt.Sprintf("%s:%d", steady(i), port))
		require.NoError(t, err)
		defer l.Close()
		go drain(l)
	}
	metrics := fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))
	p := startServe(t, false, strings.Replace(laneCorefile, "METRICS", metrics, 1), map[string]string{"lane.yaml": laneZone(port)})
	await(t, "the first answers", func() bool {
		m, _, err := ask("udp", p.dns, "s0.lane.example.org.", dns.TypeA)
		return err == nil && len(m.Answer) == 1
	})
	lanes := p.status().FastLanes
	require.Len(t, lanes, 1)
	require.Positive(t, lanes[0].Sockets, lanes[0].Reason)

	before, stop := p.status().Generation, make(chan struct{})
	var all sync.WaitGroup
	clients := make([]*laneClient, laneClients)
	for i := range clients {
		clients[i] = newLaneClient(t, p.dns)
		all.Go(func() {
			if err := clients[i].run(stop); err != nil {
				t.Error(err)
			}
		})
	}
	flips := 0
	all.Go(func() { flips = flap(t, port, stop) })
	reloads := 0
	for begin := time.Now(); time.Since(begin) < seconds; reloads++ {
		next := time.After(laneReload)
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGUSR1))
		await(t, "a reload", func() bool { return strings.Count(p.output(), "Reloading complete") > reloads })
		<-next
	}
	close(stop)
	all.Wait()
	answered, lost := 0, 0
	for _, c := range clients {
		require.Empty(t, c.wrong)
		answered, lost = answered+c.answered, lost+c.lost
	}
	changes := p.status().Generation - before
	t.Logf("%d answers in %v, %d lost, %d flips, %d generations, %d reloads", answered, seconds, lost, flips, changes, reloads)
	require.Zero(t, lost)
	require.Greater(t, int(changes), flips/4, "the verdicts hardly moved")
	require.Equal(t, lanes, p.status().FastLanes)
}
