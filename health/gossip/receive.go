package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxBlob bounds what push/pull carries of ours, in octets.
	maxBlob = 4 << 20
	// maxQueued bounds the octets between memberlist and Deliver.
	maxQueued = 32 << 20
	// relayAge is how old a packet may be to be relayed in packets: it has been replaced since, or its origin has gone.
	relayAge = 10 * time.Second
)

// item is a message as it came, and when.
type item struct {
	b  []byte
	at time.Time
}

// delegate is what memberlist calls. It copies, enqueues and returns.
type delegate struct{ p *Peer }

func (d delegate) NodeMeta(int) []byte               { return nil }
func (d delegate) GetBroadcasts(_, _ int) [][]byte   { return nil }
func (d delegate) NotifyMsg(b []byte)                { d.p.enqueue(b, MaxAsk+maxDatagram) }
func (d delegate) MergeRemoteState(b []byte, _ bool) { d.p.enqueue(b, maxBlob) }

// LocalState is this node's newest round and those of every other node, whatever their age.
func (d delegate) LocalState(bool) []byte {
	b := []byte{protocol, kindRelay}
	for _, r := range d.p.snapshot(time.Now(), true, 1<<62) {
		if len(b)+relayItem+len(r.raw) > maxBlob {
			break
		}
		b = appendRelayed(b, r)
	}
	return b
}

// NotifyAlive keeps names that the roster does not have out of the membership.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	if _, ok := d.p.roster.members[n.Name]; !ok {
		return fmt.Errorf("node %q is not in the roster", n.Name)
	}
	return nil
}

func (m *metrics) drop(reason string) { m.dropped[reason].Inc() }

func (p *Peer) enqueue(b []byte, limit int) {
	now := time.Now()
	if len(b) == 0 {
		return
	}
	if len(b) > limit {
		p.metrics.drop(dropOversize)
		return
	}
	if p.queued.Add(int64(len(b))) <= maxQueued {
		select {
		case p.queue <- item{bytes.Clone(b), now}:
			return
		default:
		}
	}
	p.queued.Add(int64(-len(b)))
	p.metrics.drop(dropQueue)
}

func (p *Peer) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case i := <-p.queue:
			p.queued.Add(int64(-len(i.b)))
			p.receive(i)
		}
	}
}

// receive takes one message. A bad one, or a bad part of one, is dropped and counted.
func (p *Peer) receive(i item) {
	if i.b[0] != protocol {
		p.metrics.drop(dropVersion)
		return
	}
	if len(i.b) < 2 {
		p.metrics.drop(dropMalformed)
		return
	}
	switch i.b[1] {
	case kindRound:
		p.round(i.b, i.at, true)
	case kindRelay:
		if err := eachRelayed(i.b, func(r relayed) { p.round(bytes.Clone(r.raw), i.at.Add(-r.age), false) }); err != nil {
			p.metrics.drop(dropMalformed)
		}
	case kindAsk, kindReply:
		p.message(i.b)
	default:
		p.metrics.drop(dropMalformed)
	}
}

// round takes a packet, which it keeps. at is when it came, less how long it was held on the way; direct says that it came
// straight from its origin.
func (p *Peer) round(raw []byte, at time.Time, direct bool) {
	pk, ok := p.open(raw)
	if !ok {
		return
	}
	p.mu.Lock()
	member, ok := p.roster.members[pk.node]
	// Only this goroutine changes what is known, SetRoster aside; so what is not old now is not old below.
	old := pk.node != p.o.Node && p.known[pk.node].isOld(pk) || pk.node == p.o.Node && !p.aheadLocked(pk)
	p.mu.Unlock()
	switch {
	case !ok:
		p.metrics.drop(dropNode)
	case old && pk.node == p.o.Node:
		p.metrics.drop(dropOwn)
	case old:
		// Before the signature: most of what relays bring ends here.
		p.metrics.drop(dropOld)
	case !verify(roundDomain, pk.signed, pk.sig, member.PublicKey):
		p.metrics.drop(dropSignature)
	case pk.node == p.o.Node:
		p.outlive(pk)
	default:
		p.take(pk, member, raw, at, direct)
	}
}

// open decodes a packet of this cluster; not ok when it has been dropped.
func (p *Peer) open(raw []byte) (pk packet, ok bool) {
	if len(raw) > maxDatagram {
		p.metrics.drop(dropOversize)
		return pk, false
	}
	pk, err := decodePacket(raw)
	switch {
	case errors.Is(err, errVersion):
		p.metrics.drop(dropVersion)
	case err != nil:
		p.metrics.drop(dropMalformed)
	case pk.cluster != p.o.Cluster:
		p.metrics.drop(dropCluster)
	default:
		return pk, true
	}
	return pk, false
}

// take keeps a packet that is new and signed by member, hands out what is new in it, and relays it where that is due.
func (p *Peer) take(pk packet, member Member, raw []byte, at time.Time, direct bool) {
	if pk.broken {
		p.metrics.drop(dropEntry)
	}
	p.mu.Lock()
	if now, ok := p.roster.members[pk.node]; !ok || !now.PublicKey.Equal(member.PublicKey) {
		p.mu.Unlock()
		p.metrics.drop(dropNode)
		return
	}
	k := p.known[pk.node]
	if k == nil {
		k = &known{packets: map[uint16]held{}, shards: map[shardID]uint64{}}
		p.known[pk.node] = k
	}
	before, new := k.incarnation, pk.incarnation > k.incarnation
	fresh, crowded := k.accept(pk, raw, at, direct)
	relays := len(p.roster.names) > p.o.Direct
	p.mu.Unlock()
	if new {
		p.log.Info("gossip hears a new incarnation", "node", pk.node, "old", before, "new", pk.incarnation, "address", pk.addr.String())
	}
	p.metrics.packetsTaken.Inc()
	p.metrics.dropped[dropCrowded].Add(float64(crowded))
	if relays && pk.flags&flagUrgent != 0 {
		p.forward(relayed{raw: raw, age: max(0, time.Since(at))}, pk.node)
	}
	for _, e := range fresh {
		p.o.Deliver(Round{Node: pk.node, Incarnation: pk.incarnation, Seq: pk.seq, Key: e.key,
			Shard: int(e.shard), Shards: int(e.shards), Data: e.data, At: at, Relayed: !direct})
	}
}

// aheadLocked tells whether a packet under this node's name says more than this node has.
func (p *Peer) aheadLocked(pk packet) bool {
	return pk.incarnation > p.incarnation || pk.incarnation == p.incarnation && pk.seq > p.seq
}

// outlive answers a round that this node signed in a life that it does not remember: the others take its rounds for old ones
// until its incarnation is greater.
func (p *Peer) outlive(pk packet) {
	p.metrics.outlived.Inc()
	p.mu.Lock()
	present := p.incarnation
	p.mu.Unlock()
	if p.o.Outlive == nil {
		p.log.Error("gossip: others know this node as a later incarnation: its state was lost, or another node has its name and key",
			"node", p.o.Node, "present", present, "known", pk.incarnation)
		return
	}
	next, err := p.o.Outlive(pk.incarnation)
	if err != nil || next <= pk.incarnation {
		p.log.Error("gossip: cannot outlive a later incarnation", "node", p.o.Node, "present", present, "known", pk.incarnation,
			"new", next, "err", err)
		return
	}
	p.log.Warn("gossip: others know this node as a later incarnation: its state was lost, or another node has its name and key",
		"node", p.o.Node, "old", present, "known", pk.incarnation, "new", next)
	p.mu.Lock()
	p.incarnation, p.seq = next, 0
	p.mu.Unlock()
	poke(p.changed)
}

// snapshot is the packets of this node's newest round, and those of the others that are younger than limit if relay says so.
// The others stand in random order, for the case that not all of them fit.
func (p *Peer) snapshot(now time.Time, relay bool, limit time.Duration) []relayed {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []relayed
	for _, raw := range p.own {
		list = append(list, relayed{raw: raw, age: max(0, now.Sub(p.ownAt))})
	}
	if !relay {
		return list
	}
	names := slices.Clone(p.roster.names)
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names {
		if k := p.known[name]; k != nil {
			list = k.relay(list, now, limit)
		}
	}
	return list
}
