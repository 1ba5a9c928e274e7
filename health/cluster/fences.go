package cluster

import (
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// HeardPart is whom a node hears: what it says is as new as what it had heard. lease is how long this node answers without a majority.
func (m *Members) HeardPart(lease time.Duration) Part {
	return Part{Key: round.PartHeard, Take: m.takeHeard, Encode: func(now time.Time) ([]byte, any) {
		pulse := round.Pulse{Boot: m.boot, Clock: now.Sub(m.opts.Started), Lease: lease}
		return round.EncodeHeard(pulse, m.Others(), func(name string) round.Hearing {
			h := &m.peers[name].heard
			return round.Hearing{Pulse: h.Pulse, Age: now.Sub(h.At)}
		}), nil
	}}
}

// takeHeard takes in whom another node hears.
func (m *Members) takeHeard(r *gossip.Round, _ time.Time) error {
	p := m.peers[r.Node]
	err := p.heard.Take(r.Data, r.At)
	if err == nil {
		p.heardMe(m.self, m.boot)
	}
	return err
}

// Renew renews this node's lease by who is known to have heard this node.
func (m *Members) Renew(lease *Lease, now time.Time) {
	var heard []time.Time
	for _, p := range m.peers {
		if m.opts.Without.Without(health.GuardLease) {
			heard = append(heard, p.at)
		} else if h, ok := p.heard.Of(m.self); ok && h.Boot == m.boot {
			heard = append(heard, m.opts.Started.Add(h.Clock))
		}
	}
	lease.Renew(heard, len(m.nodes), now)
}

// MindFences finds out which other nodes have stopped answering by themselves. One needs half of the roster, itself included, to hear
// it; once so many others that this cannot be have each not heard it for its lease, and all of that at one instant, it had stopped
// then.
func (m *Members) MindFences(now time.Time) {
	m.fences = make(map[string]Fence)
	for name, p := range m.peers {
		if p.heard.Lease == 0 || !m.rosterOf(p) {
			continue
		}
		if f, ok := Fenced(m.silences(name, p, now), (len(m.nodes)+1)/2); ok {
			m.fences[name] = f
		}
	}
}

// rosterOf tells whether another node has the roster that this one has.
func (m *Members) rosterOf(p *peer) bool {
	theirs := slices.Sorted(slices.Values(p.said.Roster()))
	return slices.EqualFunc(theirs, m.nodes, func(name string, n judge.Node) bool { return name == n.Name })
}

// silences are who has not heard a node, this one and others, as far as that is known.
func (m *Members) silences(name string, p *peer, now time.Time) (list []Silence) {
	list = append(list, Silence{Ended: p.heard.At.Add(ledger.Slow(p.heard.Lease)), Until: now})
	for other, o := range m.peers {
		of, ok := o.heard.Of(name)
		me, heardMe := o.heard.Of(m.self)
		if other == name || !ok || of.Lease == 0 || !heardMe || me.Boot != m.boot || me.By.Clock > of.By.Clock {
			continue
		}
		// Told at the earliest when it had heard this node say so, and at the latest when it came here.
		list = append(list, Silence{Ended: of.At.Add(-of.Age).Add(ledger.Slow(of.Lease)), Until: m.opts.Started.Add(me.Clock + me.Age)})
	}
	return list
}
