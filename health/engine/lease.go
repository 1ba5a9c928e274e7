package engine

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/judge"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/round"
)

// leaseWrite is how long an answer may take to be written that was begun while the lease still ran: it is looked at once more right before
// the write, for which CoreDNS gives a TCP client 5 s. Only a process that stands still for longer between the two is later than the others
// believe.
const leaseWrite = 10 * time.Second

// A lease is the right to answer service names, for isolate_after from the last moment at which a majority is known to have heard
// this node. It is not enough to hear the majority: when only the way out is cut, the others cannot know what this node does.
// Owned by Run's goroutine.
type lease struct {
	// boot is this run's.
	boot round.Boot
	// ended is set while it does not run.
	ended bool
	// fences are when other nodes have stopped answering since their leases ended, by name, as of the last second.
	fences map[string]fence
}

// A fence is that a node began no answer from at on, as far as it is known to stand: to.
type fence struct{ at, to time.Time }

func (l *lease) open() {
	// rand.Read does not fail.
	_, _ = rand.Read(l.boot[:])
}

// heardPart is whom a node hears: what it says is as new as what it had heard.
func (e *Engine) heardPart() cluster.Part {
	return cluster.Part{Key: round.PartHeard, Encode: func(now time.Time) ([]byte, any) { return e.encodeHeard(now), nil }, Take: e.takeHeard}
}

// takeHeard takes in whom another node hears.
func (e *Engine) takeHeard(r *gossip.Round, _ time.Time) error {
	p := e.cluster.peers[r.Node]
	err := p.heard.Take(r.Data, r.At)
	if err == nil {
		p.heardMe(e.cluster.self, e.cluster.lease.boot)
	}
	return err
}

// encodeHeard is whom this node hears.
func (e *Engine) encodeHeard(now time.Time) []byte {
	c := e.cluster
	pulse := round.Pulse{Boot: c.lease.boot, Clock: now.Sub(e.started), Lease: c.opts.IsolateAfter}
	return round.EncodeHeard(pulse, c.others(), func(name string) round.Hearing {
		h := &c.peers[name].heard
		return round.Hearing{Pulse: h.Pulse, Age: now.Sub(h.At)}
	})
}

// renew finds out until when this node may answer.
func (e *Engine) renew(now time.Time) {
	c := e.cluster
	if c.opts.IsolateAfter == 0 {
		return
	}
	e.suspends.notice(now)
	var heard []time.Time
	for _, p := range c.peers {
		if e.opts.Without.Without(health.GuardLease) {
			heard = append(heard, p.at)
		} else if h, ok := p.heard.Of(c.self); ok && h.Boot == c.lease.boot {
			heard = append(heard, e.started.Add(h.Clock))
		}
	}
	slices.SortFunc(heard, func(a, b time.Time) int { return b.Compare(a) })
	others := len(c.nodes) / 2
	var from time.Time
	switch {
	case others == 0:
		from = now
	case len(heard) >= others:
		// With this node they are more than half of the roster.
		from = heard[others-1]
	default:
		e.leaseEnd.Store(1)
		return
	}
	e.leaseEnd.Store(max(1, int64(from.Sub(e.started)+e.suspends.before(from)+c.opts.IsolateAfter)))
}

// leaseOver says that the lease has ended, also between two ticks; empty while it runs, and where there is none.
func (e *Engine) leaseOver() string {
	end := e.leaseEnd.Load()
	if end == 0 || int64(time.Since(e.started)+e.suspends.total()) < end {
		return ""
	}
	if end == 1 {
		return "no majority has heard this node since it started (isolate_after)"
	}
	return fmt.Sprintf("no majority has heard this node for %s (isolate_after)", e.opts.Cluster.IsolateAfter)
}

// A silence is an interval in which a node has not heard another one, and the end of the lease that it would have had from the node.
type silence struct{ ended, until time.Time }

// fences finds out which other nodes have stopped answering by themselves. One needs half of the roster, itself included, to hear
// it; once so many others that this cannot be have each not heard it for its lease, and all of that at one instant, it had stopped
// then.
func (e *Engine) mindFences(now time.Time) {
	c := e.cluster
	c.lease.fences = make(map[string]fence)
	for name, p := range c.peers {
		if p.heard.Lease == 0 || !c.rosterOf(p) {
			continue
		}
		if f, ok := fenced(e.silences(name, p, now), (len(c.nodes)+1)/2); ok {
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
func (e *Engine) silences(name string, p *peer, now time.Time) (list []silence) {
	c := e.cluster
	list = append(list, silence{p.heard.At.Add(ledger.Slow(p.heard.Lease)), now})
	for other, o := range c.peers {
		of, ok := o.heard.Of(name)
		me, heardMe := o.heard.Of(c.self)
		if other == name || !ok || of.Lease == 0 || !heardMe || me.Boot != c.lease.boot || me.By.Clock > of.By.Clock {
			continue
		}
		// Told at the earliest when it had heard this node say so, and at the latest when it came here.
		list = append(list, silence{of.At.Add(-of.Age).Add(ledger.Slow(of.Lease)), e.started.Add(me.Clock + me.Age)})
	}
	return list
}

// fenced is the earliest instant at which need of the leases had ended, and until when so many of them are known to have.
func fenced(list []silence, need int) (f fence, ok bool) {
	slices.SortFunc(list, func(a, b silence) int { return cmp.Or(a.ended.Compare(b.ended), a.until.Compare(b.until)) })
	for _, s := range list {
		var until []time.Time
		for _, o := range list {
			if !o.ended.After(s.ended) && !o.until.Before(s.ended) {
				until = append(until, o.until)
			}
		}
		if len(until) >= need {
			slices.SortFunc(until, time.Time.Compare)
			return fence{s.ended, until[len(until)-need]}, true
		}
	}
	return fence{}, false
}
