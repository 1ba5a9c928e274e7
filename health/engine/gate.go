package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/order"
	"github.com/fairlead-dns/fairlead/health/staleness"
)

// A gate decides when service names may be answered, as far as other nodes have to be asked or heard: it is shut before the join barrier is
// passed, and while the lease has ended. Owned by Run's goroutine, but for why and serving.
type gate struct {
	opts *Options
	shut *cluster.Shut
	// lease may be asked by anybody; Run's goroutine renews it.
	lease  *cluster.Lease
	orders *order.Orders
	// in is nil for a node alone, whose gate is open.
	in    *cluster.Membership
	lives *cluster.Lives
	stale *staleness.Staleness
	loop  *loop.Loop
	// marked is what came of the mark that this node has joined; nil while there is nothing to take up.
	marked *error
}

// errDrained is for a node that answers, and is to get no more work.
var errDrained = errors.New("drained by an operator")

// Shut says why service names are not answered now; empty while they are. It may be called from any goroutine.
func (g *gate) Shut() string { return g.shut.Why() }

// Serving is nil unless this node does not answer service names, or is drained. It may be called from any goroutine.
func (g *gate) Serving() error {
	if err := g.shut.Err(); err != nil {
		return err
	}
	if g.orders.Drained() {
		return errDrained
	}
	return nil
}

// mind opens the gate when nothing is left to wait for, which opened tells, and shuts it when the lease has ended.
func (g *gate) mind(now time.Time) (opened bool) {
	b := g.in.Barrier
	g.in.Members.Renew(g.lease, now)
	over := g.lease.Over()
	back := b.LeaseEnds(over != "")
	if over != "" {
		g.shut.Because(over)
		return false
	}
	if back {
		// It missed what was ordered meanwhile, and asks before it answers.
		g.shut.Because(b.Reason(nil))
		g.in.Pull.Begin()
	}
	switch {
	case b.Open():
	case b.Passed(now):
		return g.open(now)
	case !b.Joined():
		g.shut.Because(b.Reason(b.Missing(now)))
	}
	return false
}

// open lets service names be answered, once the mark of that is on disk; what is remembered of this node's earlier answers is taken up.
func (g *gate) open(now time.Time) (opened bool) {
	b := g.in.Barrier
	if !b.Joined() {
		b.Mark(func(err error) { g.loop.Post(func(time.Time) { g.marked = &err }) })
		return false
	}
	if g.lives.Greatest().Asks() {
		g.lives.Answered(b.Absent(now))
		g.stale.Claim(now)
		g.lives.Save()
	}
	b.Let()
	g.in.Urge()
	return true
}

// opened answers service names, by what this node has learned.
func (g *gate) opened() { g.shut.Because("") }

// settle takes up what came of asking the other nodes, and of the mark; opened is set where the gate opens.
func (g *gate) settle(now time.Time) (opened bool) {
	news := g.in.Pull.News()
	if news.Restored != "" {
		g.restored(news.Restored)
	}
	if news.Moved {
		opened = g.mind(now)
	}
	if news.Late && g.in.Barrier.Joined() && !g.in.Barrier.Ended() {
		opened = g.open(now) || opened
	}
	if g.marked == nil {
		return opened
	}
	err := *g.marked
	g.marked = nil
	if g.in.Barrier.Marked(err); err != nil {
		g.shut.Because("cannot keep that it joined the cluster: " + err.Error())
		return opened
	}
	g.lives.Rejoined()
	return g.open(now) || opened
}

// restored has this node join anew: another one remembers more of it than it knows itself.
func (g *gate) restored(by string) {
	g.opts.Logger.Error("this node's state is older than what it told the others: it joins the cluster anew", "says", by)
	g.opts.Events.Add("node.restored", g.opts.Node, fmt.Sprintf("its state is older than what %s remembers of it", by), nil)
	g.in.Barrier.Rejoin()
	g.lives.Restored()
	g.shut.Because("its state is older than what it told the other nodes: asks them what it missed")
	g.in.Urge()
	g.in.Pull.Begin()
}
