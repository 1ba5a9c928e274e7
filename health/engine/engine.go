package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/departure"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/order"
	"github.com/fairlead-dns/fairlead/health/reload"
	"github.com/fairlead-dns/fairlead/health/report"
	"github.com/fairlead-dns/fairlead/health/staleness"
	"github.com/fairlead-dns/fairlead/health/state"
	"github.com/fairlead-dns/fairlead/health/table"
	"github.com/fairlead-dns/fairlead/health/vantage"
)

const (
	// tick paces what needs no event: horizons, ends of holds, freshness.
	tick = 250 * time.Millisecond
	// tellTicks is how many ticks pass between two tellings while nothing changes: a second, gossip's own pace.
	tellTicks = 4
	// collectTicks is how many ticks pass between two looks for intents that are over for good.
	collectTicks = 240
	// DefaultStateMaxAge is how old persisted verdicts may be at a start.
	DefaultStateMaxAge = time.Hour
	// DefaultNode is the name of a node that has none.
	DefaultNode = "node"
)

// Engine folds and publishes. Make it with New. Its Desk takes orders, its Console what concerns the other nodes, and its Memory tells of answers
// that caches may hold; they, and all other exported methods but Show and Join, may be used from any goroutine.
type Engine struct {
	*order.Desk
	*cluster.Console
	*staleness.Memory
	*reload.Files
	*gate

	opts           Options
	publishing     prometheus.Histogram
	clusterMetrics *cluster.Metrics
	// reporter and incidents follow what is published. Owned by Run's goroutine.
	reporter  *report.Reporter
	incidents *incident.Watch
	state     *state.File

	view atomic.Pointer[health.View] // swapped, never mutated
	loop *loop.Loop                  // turned by Run's goroutine
	tidy reload.Tidier               // may be used by anybody
	// models are those that wait; they may be used by anybody.
	models *reload.Models

	evidence *table.Evidence  // its observations are read by anybody; written by Run's goroutine alone
	vantage  *vantage.Vantage // its mailbox is filled by anybody; all else is Run's goroutine's

	// owned by Run's goroutine
	cur, next  *version
	prepared   chan *version
	generation uint64
	ticks      int
	started    time.Time
	pause      loop.Pause
	orders     *order.Orders
	// cluster is nil for a node alone, and so are members, which are of it.
	cluster *cluster.Membership
	members *cluster.Members
	// rounds are what nodes tell each other; what waits of them has a lock of its own.
	rounds cluster.Rounds
	// lives are what the disk keeps of answers, words what the nodes say of what has left them; departures follow that.
	lives      *cluster.Lives
	words      *cluster.Words
	departures *departure.Set
	stale      *staleness.Staleness
	// gone are static records that no file has any more; what it shows is asked by anybody.
	gone *gone.Records
}

// New judges opts.Model from what was persisted and publishes the first view, so that an answer exists before the first
// query.
func New(opts Options) (*Engine, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	now := time.Now()
	e := &Engine{
		opts:       opts,
		publishing: newPublish(opts.Registerer), clusterMetrics: cluster.NewMetrics(opts.Registerer),
		reporter: report.New(opts.Events, opts.Logger, opts.Registerer),
		loop:     loop.New(),
		models:   reload.NewModels(),
		prepared: make(chan *version, 1),
		tidy:     reload.NewTidier(),
		started:  now,
		evidence: table.NewEvidence(opts.Node, opts.References, opts.Without),
	}
	var err error
	if e.state, err = state.Open(opts.State, opts.StateMaxAge, now, opts.Logger); err != nil {
		return nil, fmt.Errorf("state of the engine: %w", err)
	}
	e.vantage = vantage.New(vantage.Options{
		Node: opts.Node, Alone: opts.Cluster == nil, Prober: opts.Prober, Evidence: e.evidence, Events: opts.Events, Logger: opts.Logger, Registerer: opts.Registerer,
	})
	if err := e.join(now); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if err := e.openOrders(now); err != nil {
		return nil, fmt.Errorf("state of the engine: %w", err)
	}
	e.cur = e.newVersion(opts.Model, nil, now)
	e.orders.Use(e.cur.Table)
	e.openLives(now)
	if e.cluster != nil {
		e.cluster.Pull.Lives, e.cluster.Pull.Orders, e.cluster.Lives, e.cluster.Departures = e.lives, e.orders, e.lives, e.departures
		e.cluster.Start(e.orders.Part(), e.cluster.Shares)
	}
	e.incidents = incident.NewWatch(
		incident.Open(incident.Options{Node: opts.Node, State: opts.State, Events: opts.Events, Logger: opts.Logger}),
		incident.Answers{Book: e.lives.Book(), Ledger: opts.Ledger, Serves: opts.Publisher.Serves, Loss: func(z *config.Zone, p *config.Pool, svc *config.Service, failed, now time.Time) *ledger.Loss {
			return e.cur.Loss(z, p, svc, failed, now)
		}, Orders: e.orders.Open}, now)
	e.stale = staleness.New(staleness.Options{
		Loop: e.loop, Rounds: &e.rounds, Ledger: opts.Ledger, In: e.cluster, Lives: e.lives, Words: e.words, Departures: e.departures, Incidents: e.incidents, Orders: e.orders, Started: now,
	})
	e.Memory = e.stale.Memory()
	e.Files = reload.NewFiles(opts.Source, e.models, e.loop, e.departures)
	e.gate.orders, e.gate.lives, e.gate.stale = e.orders, e.lives, e.stale
	e.gone = gone.Open(gone.Options{State: opts.State, Transit: opts.Transit, Logger: opts.Logger, Damaged: e.state.Damage}, opts.Model, now)
	for _, d := range e.state.Damaged() {
		e.opts.Events.Add("state.damaged", d.File, d.Text, nil)
	}
	e.markAll(now)
	e.orders.Apply(e.tables(), now)
	e.vantage.SetTargets(e.cur.Table)
	e.publish(now, true)
	e.stale.Begin(now)
	e.orders.WatchEnds(now)
	e.showCluster(now)
	e.tidy.TookUp(opts.Model, nil)
	return e, nil
}

// join makes this node's part in the cluster of its options, if there is one.
func (e *Engine) join(now time.Time) error {
	o := &e.opts
	isolateAfter := time.Duration(0)
	if o.Cluster != nil {
		isolateAfter = o.Cluster.IsolateAfter
	}
	lease := cluster.NewLease(isolateAfter, now, o.Suspended)
	e.gate = &gate{opts: o, lease: lease, shut: cluster.NewShut(o.Node, lease, o.Events, o.Logger, o.Registerer), loop: e.loop}
	e.words = &cluster.Words{Self: o.Node, Started: now, Transit: o.Transit, Without: o.Without, Skew: o.Skew, Subscribers: o.Subscribers, Loop: e.loop, Logger: o.Logger}
	e.Console = cluster.NewConsole(cluster.ConsoleOptions{Node: o.Node, Shared: o.Shared, Loop: e.loop, Rounds: &e.rounds, Logger: o.Logger})
	if o.Cluster == nil {
		return nil
	}
	handlers := maps.Clone(o.Handlers)
	if handlers == nil {
		handlers = make(map[string]gossip.Handler)
	}
	handlers[order.AskIntents] = func(ctx context.Context, from string, body []byte) ([]byte, error) {
		return e.orders.Handle(ctx, from, body)
	}
	m, err := cluster.Join(*o.Cluster, cluster.Around{
		Node: o.Node, Dir: o.State, State: e.state, Started: now, Shared: o.Shared, Discovered: o.Discovered, Runs: o.Runs, Handlers: handlers,
		Words: e.words, Evidence: e.evidence, Rounds: &e.rounds, Loop: e.loop, Metrics: e.clusterMetrics, Events: o.Events, Without: o.Without, Logger: o.Logger, Registerer: o.Registerer,
	})
	if err != nil {
		return err
	}
	e.cluster, e.members, e.gate.in = m, m.Members, m
	e.Console.Join(m)
	if !m.Barrier.Open() {
		e.shut.Because(m.Barrier.Reason(m.Members.Others()))
	}
	return nil
}

// openOrders reads the orders that are kept.
func (e *Engine) openOrders(now time.Time) (err error) {
	o := order.Options{
		Node: e.opts.Node, Dir: e.opts.State, Members: e.members, Shut: e.shut, Evidence: e.evidence, Rounds: &e.rounds, Ask: e.words.Ask, Loop: e.loop,
		Pause: &e.pause, Reporter: e.reporter, Without: e.opts.Without, Logger: e.opts.Logger, Registerer: e.opts.Registerer,
	}
	if e.cluster != nil {
		o.Incarnation, o.Holders, o.Barrier = e.cluster.Incarnation, e.cluster.Holders, e.cluster.Barrier
	}
	if e.orders, err = order.Open(o, now); err != nil {
		return err
	}
	e.Desk = e.orders.Desk()
	if err := e.orders.Damaged(); err != nil {
		e.state.Damage(intent.FileName, "the orders that this node kept are forgotten", err)
		if !e.members.Alone() {
			// The other nodes know them: it joins anew.
			e.cluster.Barrier.Unjoin()
			e.shut.Because(e.cluster.Barrier.Reason(e.members.Others()))
		}
	}
	return nil
}

// openLives begins this life, and with it the ledger's book.
func (e *Engine) openLives(now time.Time) {
	was, damaged := cluster.ReadLives(e.opts.State)
	if damaged != nil {
		e.state.Damage(cluster.LedgerName, "what earlier answers may have carried is lost: bounds are unknown until it is named", damaged)
	}
	o := cluster.LivesOptions{
		Dir: e.opts.State, Members: e.members, Orders: e.orders.Digest(), Want: ledger.TTLOf(e.opts.Model), MaxTTL: e.opts.MaxTTL, Restored: e.opts.Restored,
		Ledger: e.opts.Ledger, Transit: e.opts.Transit, Rounds: &e.rounds, Loop: e.loop, Without: e.opts.Without, Logger: e.opts.Logger,
	}
	if e.cluster != nil {
		o.Incarnation, o.Barrier = e.cluster.Incarnation, e.cluster.Barrier
	}
	e.lives = cluster.OpenLives(o, was, now)
	e.words.Lives = e.lives
	e.departures = departure.New(departure.Options{
		Book: e.lives.Book(), Ledger: e.opts.Ledger, Greatest: e.lives.Greatest(), Started: e.started, Transit: e.opts.Transit, Without: e.opts.Without, Events: e.opts.Events, Logger: e.opts.Logger,
	})
}

// A version is a model that is served, or about to be, with what the engine keeps beside its table.
type version struct {
	*table.Table
	// standing are the static records that carry what endpoints have; set once it is compiled.
	standing gone.Standing
	// memory is what this node remembers of its pools.
	memory *cluster.Memory
}

// newVersion makes the table for m. What old, which may be nil, believed of the same endpoints goes on.
func (e *Engine) newVersion(m *config.Model, old *table.Table, now time.Time) *version {
	t := table.New(m, old, e.evidence, e.state, now)
	for d := range old.Dropped(t) {
		e.state.Drop(d.Zone, d.Pool, d.Endpoint, d.View, d.Leaves, now)
	}
	return &version{Table: t, memory: cluster.NewMemory(t)}
}

// tables are the one in force and the one that is being compiled, if there is one.
func (e *Engine) tables() []*table.Table {
	if e.next == nil {
		return []*table.Table{e.cur.Table}
	}
	return []*table.Table{e.cur.Table, e.next.Table}
}

// View is what was published last.
func (e *Engine) View() *health.View { return e.view.Load() }

// Observation is the latest one on a target.
func (e *Engine) Observation(id health.TargetID) (health.Observation, bool) {
	return e.evidence.Own(id)
}

// Observations are what the vantages that are heard last said of a target, by name of the vantage; this node's own bears its
// name too.
func (e *Engine) Observations(t health.Target) []health.Observation { return e.evidence.Of(t) }

// Lag is how far pool p of zone z, which has a check of its lag, is behind by what counts now; view is that of the pool.
func (e *Engine) Lag(z *config.Zone, p *config.Pool, view *health.PoolView, now time.Time) table.PoolLag {
	return e.evidence.Lags.Of(z, p, view, time.Time{}, 0, now)
}

// Gone are the static records that no file has any more.
func (e *Engine) Gone() *gone.Records { return e.gone }

// Alive is nil while the engine's prober turns.
func (e *Engine) Alive() error { return e.opts.Prober.Alive() }

// Observe takes an observation: only the latest one of a target counts.
func (e *Engine) Observe(o health.Observation) {
	e.vantage.Observe(o)
	e.loop.Wake()
}

// Run folds until ctx ends. It returns nil then, with no goroutine left and the last verdicts on disk.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	e.loop.Run(ctx)
	g.Go(func() error { return e.opts.Prober.Run(ctx) })
	if e.cluster != nil {
		e.cluster.Run(ctx, g.Go)
	}
	g.Go(func() error { return e.state.Run(ctx) })
	g.Go(func() error { return e.tidy.Run(ctx) })
	g.Go(func() error { e.orders.Run(); return nil })
	g.Go(func() error { return e.incidents.Run(ctx) })
	g.Go(func() error { return e.lives.Run(ctx) })
	g.Go(func() error { return e.gone.Run(ctx) })
	g.Go(func() error { return e.Watch(ctx) })
	g.Go(func() error { return e.turns(ctx) })
	err := g.Wait()
	e.loop.Wait()
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("engine: %w", err)
	}
	return nil
}

func (e *Engine) turns(ctx context.Context) error {
	defer e.loop.Close()
	defer func() {
		e.orders.End()
		e.settle(time.Now())
	}()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		e.settle(time.Now())
		if e.rounds.Urgent() && e.cluster != nil {
			now := time.Now()
			e.cluster.Tell(e.status(now), e.cur.Table, now)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-e.loop.Woken():
			e.turned(time.Now())
			e.loop.DoPosted(time.Now())
			e.settle(time.Now())
			e.fold(time.Now())
			e.takeModel(time.Now())
		case t := <-e.prepared:
			e.turned(time.Now())
			e.takeUp(t, time.Now())
			e.takeModel(time.Now())
		case c := <-e.loop.Commands():
			e.turned(time.Now())
			c.Do(time.Now(), e.settle)
		case w := <-e.orders.Written():
			e.orders.Take(w, time.Now())
		case <-ticker.C:
			e.turned(time.Now())
			e.onTick(time.Now())
		}
	}
}

// settle brings into force what this turn has moved, before anybody is answered.
func (e *Engine) settle(now time.Time) {
	for {
		if moved, always := e.orders.Moved(); moved {
			e.orders.Apply(e.tables(), now)
			e.publish(now, always)
		}
		if e.cluster != nil && e.gate.settle(now) {
			e.opened(now)
		}
		if !e.orders.Release(now) {
			return
		}
	}
}

// opened has service names answered, first by what the other nodes remember.
func (e *Engine) opened(now time.Time) {
	if e.remember(now) {
		e.publish(now, true)
	}
	e.gate.opened()
}

// turned notes that the engine turns at now, and whether it has stood still before.
func (e *Engine) turned(now time.Time) {
	if stood := e.pause.Turned(now); stood > 0 {
		e.opts.Logger.Warn("this node stood still", "seconds", stood.Seconds())
		if e.cluster != nil {
			e.cluster.Pull.Begin()
		}
	}
}
