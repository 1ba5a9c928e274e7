package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
	"golang.org/x/sync/errgroup"
)

const (
	// interval is between rounds; urgentGap is the least time between two, which makes at most five a second.
	interval  = time.Second
	urgentGap = 200 * time.Millisecond
	// silence is how old the newest round of a node may be before it is looked for.
	silence = 5 * time.Second
	// rejoin is how often that is done, with jitter.
	rejoin = 5 * time.Second
	// reclaim is how long a name must have been dead before memberlist takes it at another address. Zero would mean never.
	reclaim = 3 * time.Second
	// leaveTimeout bounds the orderly farewell.
	leaveTimeout = time.Second
)

// A Peer is this node in the cluster. See the package.
type Peer struct {
	keyring
	o       Options
	log     *slog.Logger
	metrics *metrics
	// room is how many octets a message may have so that it fits one datagram.
	room    int
	queue   chan item
	changed chan struct{}
	// refreshed holds one value when the round of the second is due.
	refreshed chan struct{}
	ready     chan struct{}
	started   atomic.Bool
	// cut is set while a rehearsal cuts this node off.
	cut atomic.Bool
	// queued is the octets in queue.
	queued atomic.Int64

	asks asks

	mu sync.Mutex
	// mu guards the rest.
	roster      *roster
	known       map[string]*known
	resolved    map[string][]netip.AddrPort
	parts       []part
	incarnation uint64
	seq         uint64
	// own has the packets of the newest round of this node, made at ownAt.
	own       [][]byte
	ownAt     time.Time
	advertise netip.AddrPort
	// list is nil while the Peer does not run.
	list *memberlist.Memberlist
}

// New makes a Peer. It opens nothing: Run does.
func New(o Options) (*Peer, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	p := &Peer{
		o: o, log: o.Logger, incarnation: o.Incarnation,
		room:      maxDatagram - sealing - 2 - len(o.Cluster),
		queue:     make(chan item, o.Queue),
		changed:   make(chan struct{}, 1),
		refreshed: make(chan struct{}, 1),
		ready:     make(chan struct{}),
		known:     map[string]*known{},
		resolved:  map[string][]netip.AddrPort{},
	}
	if err := p.SetRoster(o.Roster); err != nil {
		return nil, err
	}
	p.asks.init()
	if len(o.Keyring.Primary) > 0 {
		others := make([][]byte, len(o.Keyring.Others))
		for i, k := range o.Keyring.Others {
			others[i] = bytes.Clone(k)
		}
		var err error
		if p.ring, err = memberlist.NewKeyring(others, bytes.Clone(o.Keyring.Primary)); err != nil {
			return nil, fmt.Errorf("keyring: %w", err)
		}
	}
	var err error
	p.metrics, err = newMetrics(o.Registerer, p)
	return p, err
}

// missing are the nodes of the roster that are not heard, or not members.
func (p *Peer) missing(list *memberlist.Memberlist) []string {
	members := map[string]bool{}
	for _, m := range list.Members() {
		members[m.Name] = true
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, name := range p.roster.names {
		if name != p.o.Node && (!members[name] || p.silentLocked(name, now)) {
			names = append(names, name)
		}
	}
	return names
}

// addressOf is the address of a node in the roster; empty for none.
func (p *Peer) addressOf(name string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.roster.members[name].Address
}

// addressesOf are the addresses to try for a node, with those that its address stands for by now, unless the roster has another one.
func (p *Peer) addressesOf(name, address string, found []netip.AddrPort) []netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(found) > 0 && p.roster.members[name].Address == address {
		p.resolved[name] = found
	}
	return p.addressesLocked(name)
}

// Publish replaces the state of this node. The parts are copied. A change is sent at once and twice more within half a
// second, at most five rounds a second; the state is sent once a second in any case. A part that should survive loss on its own is best kept within ShardSize.
func (p *Peer) Publish(parts map[string][]byte) error {
	same, err := p.setParts(parts)
	if err == nil && !same {
		poke(p.changed)
	}
	return err
}

// Refresh is Publish for a state that says the same in other words, as how much is left of a duration: it is the round of the
// second, made now so that its ages are true, and goes along with a change that is on its way.
func (p *Peer) Refresh(parts map[string][]byte) error {
	_, err := p.setParts(parts)
	if err == nil {
		poke(p.refreshed)
	}
	return err
}

func (p *Peer) setParts(parts map[string][]byte) (same bool, err error) {
	if err := checkParts(parts); err != nil {
		return false, err
	}
	list := make([]part, 0, len(parts))
	for _, k := range slices.Sorted(maps.Keys(parts)) {
		list = append(list, part{k, bytes.Clone(parts[k])})
	}
	p.mu.Lock()
	same = slices.EqualFunc(p.parts, list, func(a, b part) bool { return a.key == b.key && bytes.Equal(a.data, b.data) })
	p.parts = list
	p.mu.Unlock()
	return same, nil
}

// poke asks for a round.
func poke(of chan<- struct{}) {
	select {
	case of <- struct{}{}:
	default:
	}
}

// SetRoster replaces the roster. It must have this node. What was heard of nodes that leave is forgotten.
func (p *Peer) SetRoster(list []Member) error {
	r, err := newRoster(list)
	if err != nil {
		return err
	}
	if m, ok := r.members[p.o.Node]; !ok || !m.PublicKey.Equal(p.o.SigningKey.Public()) {
		return fmt.Errorf("roster: node %q, which is this one, is not in it with its public key", p.o.Node)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, m := range r.members {
		before, ok := Member{}, false
		if p.roster != nil {
			before, ok = p.roster.members[name]
		}
		if ok && before.Address != m.Address {
			delete(p.resolved, name)
		}
		if ok && !before.PublicKey.Equal(m.PublicKey) {
			// Another node under the same name: nothing of the old one is newer.
			delete(p.known, name)
			p.asks.renamed(name)
		}
		if addr, err := netip.ParseAddrPort(m.Address); err == nil {
			p.resolved[name] = []netip.AddrPort{unmap(addr)}
		}
	}
	for name := range p.known {
		if _, ok := r.members[name]; !ok {
			delete(p.known, name)
		}
	}
	for name := range p.resolved {
		if _, ok := r.members[name]; !ok {
			delete(p.resolved, name)
		}
	}
	p.roster = r
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// A Heard is what is known of a node of the roster. Of this node it says what it sent last.
type Heard struct {
	Node             string
	Incarnation, Seq uint64
	// At is when the newest round came, on the monotonic clock, less how long relays held it; zero when none has come.
	At time.Time
	// Direct is when the newest one that came straight from the node did. Push/pull with a third node renews At over a one-way
	// cut now and then; it does not renew Direct. In a roster above Options.Direct nothing does.
	Direct time.Time
	// Address is where the node wants its messages.
	Address netip.AddrPort
}

// Heard tells of every node of the roster, in its order, this one included.
func (p *Peer) Heard() []Heard {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Heard, 0, len(p.roster.names))
	for _, name := range p.roster.names {
		h := Heard{Node: name}
		if name == p.o.Node {
			h = Heard{Node: name, Incarnation: p.incarnation, Seq: p.seq, At: p.ownAt, Direct: p.ownAt, Address: p.advertise}
		} else if k := p.known[name]; k != nil {
			h = Heard{Node: name, Incarnation: k.incarnation, Seq: k.seq, At: k.at, Direct: k.direct, Address: k.addr}
		}
		list = append(list, h)
	}
	return list
}

// Cut drops whatever comes in and goes out, or lets it pass again: a rehearsal of a cable that is pulled.
func (p *Peer) Cut(on bool) { p.cut.Store(on) }

// Ready is closed when the Peer listens.
func (p *Peer) Ready() <-chan struct{} { return p.ready }

// Addr is where the Peer listens, as it tells the others; valid after Ready.
func (p *Peer) Addr() netip.AddrPort {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.advertise
}

// ErrStopped says that the Peer does not run.
var ErrStopped = errors.New("gossip does not run")

// Run listens, sends and delivers until ctx ends; then it says farewell and returns nil, a dial's timeout and a
// second later at most. It can be called once.
func (p *Peer) Run(ctx context.Context) error {
	if p.started.Swap(true) {
		return errors.New("gossip: Run was called before")
	}
	list, err := p.create(ctx)
	if err != nil {
		return fmt.Errorf("gossip: %w", err)
	}
	self := list.LocalNode()
	p.mu.Lock()
	p.list = list
	ip, _ := netip.AddrFromSlice(self.Addr)
	p.advertise = unmap(netip.AddrPortFrom(ip, self.Port))
	p.mu.Unlock()
	close(p.ready)
	p.log.Info("gossip started", "node", p.o.Node, "cluster", p.o.Cluster, "address", p.advertise.String(), "encrypted", p.ring != nil)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { p.send(ctx, list); return nil })
	g.Go(func() error { p.deliver(ctx); return nil })
	g.Go(func() error { newJoiner(p, list).run(ctx); return nil })
	p.asks.start(ctx)
	_ = g.Wait()
	p.asks.stop()
	// No farewell in time is no trouble: ages tell.
	_ = list.Leave(leaveTimeout)
	err = list.Shutdown()
	p.mu.Lock()
	p.list = nil
	p.mu.Unlock()
	p.asks.wait()
	p.log.Info("gossip stopped", "node", p.o.Node)
	return err
}

// create makes the memberlist. What it dials ends with ctx.
func (p *Peer) create(ctx context.Context) (*memberlist.Memberlist, error) {
	c := memberlist.DefaultLANConfig()
	c.TCPTimeout = 2 * time.Second
	c.PushPullInterval = 15 * time.Second
	if p.o.Profile == WAN {
		c = memberlist.DefaultWANConfig()
		c.TCPTimeout = 5 * time.Second
		c.PushPullInterval = 30 * time.Second
	}
	c.Name = p.o.Node
	c.Label = p.o.Cluster
	c.BindAddr, c.BindPort = p.o.bind.Addr().String(), int(p.o.bind.Port())
	c.AdvertisePort = c.BindPort
	if p.o.advertise.IsValid() {
		c.AdvertiseAddr, c.AdvertisePort = p.o.advertise.Addr().String(), int(p.o.advertise.Port())
	}
	c.Keyring = p.ring
	c.GossipVerifyIncoming, c.GossipVerifyOutgoing = true, true
	c.DeadNodeReclaimTime = reclaim
	// Rounds are random bits to a compressor.
	c.EnableCompression = false
	c.UDPBufferSize = maxDatagram
	// What memberlist holds before it calls us; it drops above that, newest first.
	c.HandoffQueueDepth = p.o.Queue
	c.LogOutput = logWriter{p.log, p.metrics}
	d := delegate{p}
	c.Delegate, c.Alive = d, d
	t := p.o.Transport
	if t == nil {
		// Its own words are about sockets only.
		var err error
		t, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{c.BindAddr}, BindPort: c.BindPort, Logger: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		})
		if err != nil {
			return nil, err
		}
	}
	w := newMeter(ctx, t, p.metrics, &p.cut, c.TCPTimeout, p.ring != nil)
	c.Transport = w
	list, err := memberlist.Create(c)
	if err != nil {
		return nil, errors.Join(err, w.Shutdown())
	}
	return list, nil
}
