package order

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/report"
	"github.com/fairlead-dns/fairlead/health/table"
)

// Options are what Orders work with.
type Options struct {
	// Node is this node's name, Dir the state directory, empty for none, and Incarnation that of this run.
	Node        string
	Dir         string
	Incarnation uint64
	// Members, Holders and Barrier are nil for a node alone.
	Members *cluster.Members
	Holders *cluster.Holders
	Barrier *cluster.Barrier
	Shut    *cluster.Shut
	// Evidence is told of what orders stop.
	Evidence *table.Evidence
	Rounds   *cluster.Rounds
	// Ask asks another node; nil for a node alone. Loop is the owner's.
	Ask        cluster.Ask
	Loop       *loop.Loop
	Pause      *loop.Pause
	Reporter   *report.Reporter
	Without    health.Guards
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Orders are those that stand, here and on the other nodes. Make them with Open.
type Orders struct {
	opts    Options
	metrics *metrics
	members *cluster.Members
	store   *intent.Store
	// queue is what waits for the disk; refused is set while that refuses what is in force.
	queue   *intent.Queue
	refused bool
	// rules judge by the table of the model in force.
	rules rules
	// wake is the nearest start or end; zero for none.
	wake time.Time
	// moved is set while something is in force that was not applied; always where that is to be published whatever it changes. told are those
	// that the other nodes are to be handed once it is.
	moved, always bool
	told          []health.IntentID
	ends          ends
	// reviving are the words that a node is stopped which are about to be ended.
	reviving map[health.IntentID]bool
	freeze   FreezeOrder

	shown   atomic.Pointer[shown]       // swapped, never mutated
	frozen  atomic.Pointer[FreezeOrder] // swapped, never mutated
	drained atomic.Bool                 // an order drains this node
}

// shown are what has become of the orders; moved is closed when that, or who holds them, is out of date.
type shown struct {
	states []health.IntentState
	moved  chan struct{}
}

// Open reads the orders that are kept. Damaged says what was wrong with that.
func Open(o Options, now time.Time) (*Orders, error) {
	dir := o.Dir
	if o.Without.Without(health.GuardDurable) {
		dir = ""
	}
	store, err := intent.Open(dir, o.Node, o.Incarnation, now)
	if err != nil {
		return nil, err
	}
	s := &Orders{opts: o, metrics: newMetrics(o.Registerer), members: o.Members, rules: rules{node: o.Node, members: o.Members, barrier: o.Barrier, shut: o.Shut}, store: store, reviving: make(map[health.IntentID]bool)}
	s.ends = ends{gauges: s.metrics.ends, reporter: o.Reporter, logger: o.Logger}
	s.frozen.Store(new(FreezeOrder))
	if err := store.Lost(); err != nil {
		o.Logger.Error("orders hold for names alone: what they bind is not readable", "err", err)
	}
	s.queue = intent.NewQueue(store, s.unkept)
	store.SetAlone(o.Members.Alone())
	store.SetWithout(o.Without)
	return s, nil
}

// Damaged is what was wrong with the file of orders, none of which is known any more; nil where nothing was.
func (s *Orders) Damaged() error { return s.store.Damaged() }

// SlowDown has orders written by another function, for tests of slow disks.
func (s *Orders) SlowDown(write func(*intent.Job) error) { s.queue.SlowDown(write) }

// Run brings orders to the disk, on a goroutine of its own, until the loop has ended.
func (s *Orders) Run() { s.queue.Run(s.opts.Loop.Ended()) }

// Written has what came of the disk, for Take.
func (s *Orders) Written() <-chan intent.Written { return s.queue.Results() }

// Take takes up what came of the disk.
func (s *Orders) Take(w intent.Written, now time.Time) { s.queue.Take(w, now) }

// End begins nothing more, and waits for what is on its way to the disk.
func (s *Orders) End() { s.queue.End() }

// Use has orders judged by the table of the model in force.
func (s *Orders) Use(t *table.Table) { s.rules.table = t }

// SetRoster takes up that the roster is another one.
func (s *Orders) SetRoster() { s.store.SetAlone(s.members.Alone()) }

// Raise makes the ids that are given from now on those of an incarnation, if it is a later one.
func (s *Orders) Raise(incarnation uint64) { s.store.Raise(incarnation) }

// Digest is that of the orders that are on disk.
func (s *Orders) Digest() [16]byte { return s.store.Kept().Digest() }

// Open are those that are in force or planned.
func (s *Orders) Open(now time.Time) []health.Intent { return s.store.Set().Open(now) }

// Due tells whether one has begun or ended since they were applied.
func (s *Orders) Due(now time.Time) bool { return !s.wake.IsZero() && !now.Before(s.wake) }

// Moved tells whether something is in force that was not applied, and forgets that; always is set where that is to be published whatever it
// changes.
func (s *Orders) Moved() (moved, always bool) {
	moved, always = s.moved, s.always
	s.moved, s.always = false, false
	return moved, always
}

// Release hands what is in force to the other nodes, answers those who ordered it, and begins the next order. more is set where that has to be
// settled too.
func (s *Orders) Release(now time.Time) (more bool) {
	if ids := s.told; len(ids) > 0 {
		s.told = nil
		s.share(ids, now)
	}
	return s.queue.Release(now) || s.moved
}

// inForce notes what an order that is on disk has changed.
func (s *Orders) inForce(ids []health.IntentID) {
	s.moved, s.always = true, true
	s.told = append(s.told, ids...)
}

// unkept shows whether the disk refuses orders, and says so when that begins.
func (s *Orders) unkept(refuses bool, err error) {
	s.metrics.unkept.Set(boolValue(refuses))
	if refuses && !s.refused {
		s.opts.Logger.Warn("intents not kept", "err", err)
	}
	s.refused = refuses
}

// States are the orders in force and those planned, by id, as of the latest change. It may be called from any goroutine.
func (s *Orders) States() []health.IntentState { return s.shown.Load().states }

// Drained tells whether an order drains this node. It may be called from any goroutine.
func (s *Orders) Drained() bool { return s.drained.Load() }

// Frozen tells whether an order has stopped every automatic verdict.
func (s *Orders) Frozen() bool { return s.freeze.On }
