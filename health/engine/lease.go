package engine

import (
	"crypto/rand"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// lease is what this node knows of its own lease and of those of the others. Owned by Run's goroutine; cluster.Lease is the clock of it.
type lease struct {
	// boot is this run's.
	boot round.Boot
	// ended is set while it does not run.
	ended bool
	// fences are when other nodes have stopped answering since their leases ended, by name, as of the last second.
	fences map[string]cluster.Fence
}

func (l *lease) open() {
	// rand.Read does not fail.
	_, _ = rand.Read(l.boot[:])
}

// heardPart is whom a node hears: what it says is as new as what it had heard.
func (c *membership) heardPart() cluster.Part {
	return cluster.Part{Key: round.PartHeard, Encode: func(now time.Time) ([]byte, any) { return c.encodeHeard(now), nil }, Take: c.takeHeard}
}

// takeHeard takes in whom another node hears.
func (c *membership) takeHeard(r *gossip.Round, _ time.Time) error {
	p := c.peers[r.Node]
	err := p.heard.Take(r.Data, r.At)
	if err == nil {
		p.heardMe(c.self, c.lease.boot)
	}
	return err
}

// encodeHeard is whom this node hears.
func (c *membership) encodeHeard(now time.Time) []byte {
	pulse := round.Pulse{Boot: c.lease.boot, Clock: now.Sub(c.started), Lease: c.opts.IsolateAfter}
	return round.EncodeHeard(pulse, c.others(), func(name string) round.Hearing {
		h := &c.peers[name].heard
		return round.Hearing{Pulse: h.Pulse, Age: now.Sub(h.At)}
	})
}

// renew finds out until when this node may answer.
func (c *membership) renew(now time.Time) {
	if c.opts.IsolateAfter == 0 {
		return
	}
	var heard []time.Time
	for _, p := range c.peers {
		if c.without.Without(health.GuardLease) {
			heard = append(heard, p.at)
		} else if h, ok := p.heard.Of(c.self); ok && h.Boot == c.lease.boot {
			heard = append(heard, c.started.Add(h.Clock))
		}
	}
	c.clock.Renew(heard, len(c.nodes), now)
}

// fences finds out which other nodes have stopped answering by themselves. One needs half of the roster, itself included, to hear
// it; once so many others that this cannot be have each not heard it for its lease, and all of that at one instant, it had stopped
// then.
func (c *membership) mindFences(now time.Time) {
	c.lease.fences = make(map[string]cluster.Fence)
	for name, p := range c.peers {
		if p.heard.Lease == 0 || !c.rosterOf(p) {
			continue
		}
		if f, ok := cluster.Fenced(c.silences(name, p, now), (len(c.nodes)+1)/2); ok {
			c.lease.fences[name] = f
		}
	}
}

// rosterOf tells whether another node has the roster that this one has.
func (c *membership) rosterOf(p *peer) bool {
	theirs := slices.Sorted(slices.Values(p.said.Roster()))
	return slices.EqualFunc(theirs, c.nodes, func(name string, n judge.Node) bool { return name == n.Name })
}

// silences are who has not heard a node, this one and others, as far as that is known.
func (c *membership) silences(name string, p *peer, now time.Time) (list []cluster.Silence) {
	list = append(list, cluster.Silence{Ended: p.heard.At.Add(ledger.Slow(p.heard.Lease)), Until: now})
	for other, o := range c.peers {
		of, ok := o.heard.Of(name)
		me, heardMe := o.heard.Of(c.self)
		if other == name || !ok || of.Lease == 0 || !heardMe || me.Boot != c.lease.boot || me.By.Clock > of.By.Clock {
			continue
		}
		// Told at the earliest when it had heard this node say so, and at the latest when it came here.
		list = append(list, cluster.Silence{Ended: of.At.Add(-of.Age).Add(ledger.Slow(of.Lease)), Until: c.started.Add(me.Clock + me.Age)})
	}
	return list
}
