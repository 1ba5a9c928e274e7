package gossip

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/memberlist"
)

// maxAddresses bounds the addresses to which one node's messages go while it is not sure where it is.
const maxAddresses = 4

// repeats is how often a round that a change caused is repeated, urgentGap apart: at 30 % loss a second round alone would leave
// one receiver in eleven to the tick.
const repeats = 2

// send makes the rounds: one at the start, one a second, and some at once after a change.
func (p *Peer) send(ctx context.Context, list *memberlist.Memberlist) {
	// Nodes that start together do not all send at the same instant.
	tick := time.NewTimer(time.Duration(rand.Int64N(int64(interval))))
	defer tick.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	<-gap.C
	p.makeRound(list, true)
	last := time.Now()
	// wait is the channel of gap while a change waits for it; left is how many rounds it still has.
	var wait <-chan time.Time
	left := 0
	// routine makes the round of this second, unless a change goes out in a moment, which is that round then.
	routine := func(next time.Duration) {
		tick.Reset(next)
		if left == 0 {
			p.makeRound(list, false)
			last = time.Now()
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			routine(interval)
		case <-p.refreshed:
			// The next tick is for a state that nobody refreshes.
			routine(interval + urgentGap)
		case <-p.changed:
			left = 1 + repeats
			if wait == nil {
				gap.Reset(max(0, urgentGap-time.Since(last)))
				wait = gap.C
			}
		case <-wait:
			p.makeRound(list, true)
			last = time.Now()
			if left--; left > 0 {
				gap.Reset(urgentGap)
			} else {
				wait = nil
			}
		}
	}
}

// makeRound signs the state and sends it.
func (p *Peer) makeRound(list *memberlist.Memberlist, urgent bool) {
	p.mu.Lock()
	p.seq++
	head := packet{cluster: p.o.Cluster, node: p.o.Node, incarnation: p.incarnation, seq: p.seq, addr: p.advertise}
	parts := p.parts
	p.mu.Unlock()
	if urgent {
		head.flags |= flagUrgent
		p.metrics.urgent.Inc()
	}
	// A packet must also fit a relay message.
	groups := pack(parts, p.room-relayHead-relayItem-roundOverhead(head.cluster, head.node, head.addr))
	own := make([][]byte, len(groups))
	for i, entries := range groups {
		head.index, head.count, head.entries = uint16(i), uint16(len(groups)), entries
		own[i] = appendPacket(make([]byte, 0, maxDatagram), head, p.o.SigningKey)
	}
	now := time.Now()
	p.mu.Lock()
	if p.incarnation == head.incarnation {
		p.own, p.ownAt = own, now
	}
	relays := len(p.roster.names) > p.o.Direct
	p.mu.Unlock()
	p.metrics.rounds.Inc()
	if !relays {
		for _, to := range p.targets(p.others()) {
			for _, raw := range own {
				p.sendPacket(list, to, raw, 1)
			}
		}
		return
	}
	// A change goes alone: whoever gets it passes it on at once. What the others say goes along once a second.
	messages := bundle(p.snapshot(now, !urgent, relayAge), p.room)
	for _, to := range p.targets(p.pick(now)) {
		for _, m := range messages {
			p.sendPacket(list, to, m.b, m.packets)
		}
	}
}

// bundled is a relay message and how many packets are in it.
type bundled struct {
	b       []byte
	packets int
}

// bundle lays packets into relay messages of at most room octets, first fit.
func bundle(packets []relayed, room int) []bundled {
	var list []bundled
	// Only the last few are tried: it must not become quadratic.
	const tries = 4
next:
	for _, r := range packets {
		for i := len(list) - 1; i >= max(0, len(list)-tries); i-- {
			if len(list[i].b)+relayItem+len(r.raw) <= room {
				list[i].b = appendRelayed(list[i].b, r)
				list[i].packets++
				continue next
			}
		}
		b := append(make([]byte, 0, room), protocol, kindRelay)
		list = append(list, bundled{appendRelayed(b, r), 1})
	}
	return list
}

// forward passes on what a change caused, at once.
func (p *Peer) forward(r relayed, origin string) {
	p.mu.Lock()
	list := p.list
	p.mu.Unlock()
	if list == nil {
		return
	}
	b := appendRelayed([]byte{protocol, kindRelay}, r)
	names := slices.DeleteFunc(p.pick(time.Now()), func(n string) bool { return n == origin })
	for _, to := range p.targets(names) {
		p.sendPacket(list, to, b, 1)
	}
}

func (p *Peer) sendPacket(list *memberlist.Memberlist, to memberlist.Address, b []byte, packets int) {
	p.ringMu.RLock()
	err := list.SendToAddress(to, b)
	p.ringMu.RUnlock()
	if err != nil {
		// A full buffer or no route: the next round is a second away.
		p.metrics.sendErrors.Inc()
		return
	}
	p.metrics.packetsSent.Add(float64(packets))
}

// others are the names of the roster but this node's.
func (p *Peer) others() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.roster.names), func(n string) bool { return n == p.o.Node })
}

// pick is Fanout random nodes that are heard, and one that is not, so that a silent one is found again.
func (p *Peer) pick(now time.Time) []string {
	var heard, silent []string
	p.mu.Lock()
	for _, name := range p.roster.names {
		if name == p.o.Node {
			continue
		}
		if p.silentLocked(name, now) {
			silent = append(silent, name)
		} else {
			heard = append(heard, name)
		}
	}
	p.mu.Unlock()
	rand.Shuffle(len(heard), func(i, j int) { heard[i], heard[j] = heard[j], heard[i] })
	names := heard[:min(len(heard), p.o.Fanout)]
	if len(silent) > 0 {
		names = append(slices.Clip(names), silent[rand.IntN(len(silent))])
	}
	return names
}

func (p *Peer) silentLocked(name string, now time.Time) bool {
	k := p.known[name]
	return k == nil || now.Sub(k.at) > silence
}

// targets are the addresses of nodes: where their newest rounds say, and where the roster says when that is another.
func (p *Peer) targets(names []string) []memberlist.Address {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]memberlist.Address, 0, len(names))
	for _, name := range names {
		for _, a := range p.addressesLocked(name) {
			list = append(list, memberlist.Address{Addr: a.String(), Name: name})
		}
	}
	return list
}

func (p *Peer) addressesLocked(name string) []netip.AddrPort {
	var list []netip.AddrPort
	if k := p.known[name]; k != nil && k.addr.IsValid() {
		list = append(list, k.addr)
	}
	for _, a := range p.resolved[name] {
		if len(list) < maxAddresses && !slices.Contains(list, a) {
			list = append(list, a)
		}
	}
	return list
}
