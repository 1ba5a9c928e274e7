// Package gossiptest is a network in memory for clusters in testing/synctest bubbles: packets that are lost, late, twice or
// out of order, one-way cuts, partitions, nodes that die, and streams. It never blocks: what does not fit is dropped, which
// memberlist's own MockNetwork does not do. Everything random comes from the seed, link by link; the order in which
// goroutines run does not, so a seed repeats the odds of a run and not each of its steps.
//
// Make a Network inside the bubble. Its methods may be called from any goroutine.
package gossiptest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// backlog is how many packets and streams a node may have unread.
	packetBacklog = 4096
	streamBacklog = 128
	// retransmit is what a lost segment costs a stream, and resyn a lost handshake.
	retransmit = 200 * time.Millisecond
	resyn      = time.Second
	// maxStream bounds the unread octets of one direction of a stream.
	maxStream = 64 << 20
)

// A Link is how packets fare from one node to another.
type Link struct {
	// Loss and Duplicate are probabilities.
	Loss, Duplicate float64
	// Delay is what every packet takes, Jitter what one takes at most besides: more jitter than the time between packets
	// puts them out of order.
	Delay, Jitter time.Duration
}

// A Packet is one that was sent, lost or not.
type Packet struct {
	From, To netip.AddrPort
	Data     []byte
}

// A Network joins transports.
type Network struct {
	seed uint64
	mu   sync.Mutex
	// mu guards the rest.
	link       Link
	transports map[netip.AddrPort]*Transport
	cuts       map[[2]netip.AddrPort]bool
	groups     map[netip.AddrPort]int
	random     map[[2]netip.AddrPort]*rand.Rand
	tap        func(Packet)
	dropped    int
}

// New makes a network without loss and delay.
func New(seed uint64) *Network {
	return &Network{seed: seed, transports: map[netip.AddrPort]*Transport{}, cuts: map[[2]netip.AddrPort]bool{},
		random: map[[2]netip.AddrPort]*rand.Rand{}}
}

// SetLink sets how packets fare from now on, on every link.
func (n *Network) SetLink(l Link) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.link = l
}

// Cut cuts the way from one address to another, and not the way back.
func (n *Network) Cut(from, to netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[[2]netip.AddrPort{from, to}] = true
}

// Partition lets each group talk among itself only. Who is in no group is in one with the others that are in none.
func (n *Network) Partition(groups ...[]netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups = map[netip.AddrPort]int{}
	for i, g := range groups {
		for _, a := range g {
			n.groups[a] = i + 1
		}
	}
}

// Heal mends all cuts and the partition.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.groups, n.cuts = nil, map[[2]netip.AddrPort]bool{}
}

// Kill makes the node at a dead, as a machine that loses its power: nothing says so to anyone. A new transport at the address
// is a new machine. The dead one's Peer may still be stopped.
func (n *Network) Kill(a netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t := n.transports[a]; t != nil {
		t.dead = true
		delete(n.transports, a)
	}
}

// Tap calls f with every packet that is sent. f must not call the network.
func (n *Network) Tap(f func(Packet)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tap = f
}

// Inject delivers a packet as it is, past loss and cuts.
func (n *Network) Inject(p Packet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.arriveLocked(p)
}

// Dropped is how many packets found their receiver's queue full.
func (n *Network) Dropped() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dropped
}

func (n *Network) arriveLocked(p Packet) {
	t := n.transports[p.To]
	if t == nil {
		return
	}
	select {
	case t.packets <- &memberlist.Packet{Buf: append([]byte(nil), p.Data...), From: net.UDPAddrFromAddrPort(p.From), Timestamp: time.Now()}:
	default:
		n.dropped++
	}
}

func (n *Network) openLocked(from, to netip.AddrPort) bool {
	return !n.cuts[[2]netip.AddrPort{from, to}] && n.groups[from] == n.groups[to]
}

func (n *Network) randomLocked(from, to netip.AddrPort) *rand.Rand {
	link := [2]netip.AddrPort{from, to}
	r := n.random[link]
	if r == nil {
		h := fnv.New64a()
		fmt.Fprint(h, from, to)
		r = rand.New(rand.NewPCG(n.seed, h.Sum64()))
		n.random[link] = r
	}
	return r
}

func (l Link) delay(r *rand.Rand) time.Duration {
	d := l.Delay
	if l.Jitter > 0 {
		d += time.Duration(r.Int64N(int64(l.Jitter)))
	}
	return d
}

// A Transport is a node's. It satisfies memberlist.Transport.
type Transport struct {
	n       *Network
	addr    netip.AddrPort
	packets chan *memberlist.Packet
	streams chan net.Conn
	// dead is guarded by n.mu.
	dead bool
}

// Transport makes the transport of the node at address, which takes the place of an earlier one there.
func (n *Network) Transport(address string) *Transport {
	t := &Transport{n: n, addr: netip.MustParseAddrPort(address), packets: make(chan *memberlist.Packet, packetBacklog),
		streams: make(chan net.Conn, streamBacklog)}
	n.mu.Lock()
	defer n.mu.Unlock()
	if before := n.transports[t.addr]; before != nil {
		before.dead = true
	}
	n.transports[t.addr] = t
	return t
}

// FinalAdvertiseAddr gives the address that the transport was made with.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	return t.addr.Addr().AsSlice(), int(t.addr.Port()), nil
}

// WriteTo sends a packet, which is no error whatever becomes of it.
func (t *Transport) WriteTo(b []byte, addr string) (time.Time, error) {
	now := time.Now()
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return now, err
	}
	p := Packet{From: t.addr, To: to, Data: append([]byte(nil), b...)}
	n := t.n
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.dead {
		return now, nil
	}
	if n.tap != nil {
		n.tap(p)
	}
	r := n.randomLocked(t.addr, to)
	copies := 1
	if r.Float64() < n.link.Duplicate {
		copies = 2
	}
	for range copies {
		lost := r.Float64() < n.link.Loss
		delay := n.link.delay(r)
		switch {
		case lost || !n.openLocked(t.addr, to):
		case delay == 0:
			n.arriveLocked(p)
		default:
			time.AfterFunc(delay, func() {
				n.mu.Lock()
				defer n.mu.Unlock()
				// A cut stops what is under way, too.
				if n.openLocked(p.From, p.To) {
					n.arriveLocked(p)
				}
			})
		}
	}
	return now, nil
}

// PacketCh and StreamCh are what memberlist reads.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh has the streams that others opened.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// Shutdown closes the transport, as the end of a process does: streams to it are refused.
func (t *Transport) Shutdown() error {
	t.n.mu.Lock()
	defer t.n.mu.Unlock()
	t.dead = true
	if t.n.transports[t.addr] == t {
		delete(t.n.transports, t.addr)
	}
	return nil
}

// DialTimeout opens a stream. Over a cut it takes the whole timeout.
func (t *Transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	to, err := netip.ParseAddrPort(addr)
	if err != nil {
		return nil, err
	}
	n := t.n
	n.mu.Lock()
	link, r := n.link, n.randomLocked(t.addr, to)
	wait := link.delay(r) + link.delay(r)
	for range 5 {
		// Both ways must get through.
		there := r.Float64() >= link.Loss
		if there && r.Float64() >= link.Loss {
			break
		}
		wait += resyn
	}
	open := !t.dead && n.openLocked(t.addr, to) && n.openLocked(to, t.addr)
	n.mu.Unlock()
	if !open || wait > timeout {
		time.Sleep(timeout)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	}
	time.Sleep(wait)
	n.mu.Lock()
	defer n.mu.Unlock()
	peer := n.transports[to]
	if peer == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	there, back := newHalf(), newHalf()
	mine := &conn{n: n, from: t.addr, to: to, in: back, out: there, mine: t, theirs: peer}
	theirs := &conn{n: n, from: to, to: t.addr, in: there, out: back, mine: peer, theirs: t}
	select {
	case peer.streams <- theirs:
		return mine, nil
	default:
		n.dropped++
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused: backlog full")}
	}
}
