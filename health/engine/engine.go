package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gone"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/incident"
	"github.com/fairlead-dns/fairlead/health/intent"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/health/loop"
	"github.com/fairlead-dns/fairlead/health/report"
	"github.com/fairlead-dns/fairlead/health/state"
	"github.com/fairlead-dns/fairlead/health/table"
)

const (
	// tick paces what needs no event: horizons, ends of holds, freshness.
	tick = 250 * time.Millisecond
	// pollInterval is how often the zone files are looked at; settleInterval is how soon a file that changed is read
	// again, for it counts only after two equal reads.
	pollInterval   = 2 * time.Second
	settleInterval = 500 * time.Millisecond
	// DefaultStateMaxAge is how old persisted verdicts may be at a start.
	DefaultStateMaxAge = time.Hour
	// DefaultNode is the name of a node that has none.
	DefaultNode = "node"
)

// A Publisher makes what is served from views. All calls but Prepare come from Run's goroutine, one at a time.
type Publisher interface {
	// Prepare compiles a view of a new model, beside the views that go on being published, so that the Publish of that
	// model is cheap. It runs on a goroutine of its own.
	Prepare(*health.View)
	// Publish serves v from now on. The horizons in lower, by v's indices, hold before v does: they only move flips to an
	// earlier time.
	Publish(v *health.View, lower []health.PoolHorizon) ledger.Swap
	// MoveHorizons moves the earliest flips of pools of the view that was published last.
	MoveHorizons([]health.PoolHorizon)
	// Serves tells whether a service of a zone, both by name, answers with something that is up.
	Serves(zone, service string) bool
	// PlanHash is the same on two nodes that answer the same from the same model.
	PlanHash() uint64
}

// A Prober probes targets and reports to Engine.Observe.
type Prober interface {
	Run(context.Context) error
	// SetTargets replaces the whole set; targets that stay keep their counters and their phase.
	SetTargets([]health.Target)
	// Restore seeds the state of a target before its first probe; unset means that it came too late.
	Restore(id health.TargetID, state health.State, since time.Time) bool
	// Alive is nil while the schedule turns.
	Alive() error
}

// A Source watches the zone files. Its calls come one at a time.
type Source interface {
	// Poll looks at the files. model is not nil when a new one is to be served. settling asks for the next look soon.
	Poll() (model *config.Model, settling bool)
}

// Options are what an Engine works with. Publisher, Prober and Model are required.
type Options struct {
	Publisher Publisher
	Prober    Prober
	// Model is what is served from the start.
	Model *config.Model
	// Source may be nil: then only SetModel changes the model.
	Source Source
	// Node names this node in the ids of intents; DefaultNode when empty.
	Node string
	// State is the directory for intents and the last verdicts; empty for none. StateMaxAge is DefaultStateMaxAge when 0.
	State       string
	StateMaxAge time.Duration
	// Ledger is what the Publisher's answers are stamped in; nil means that nobody asks.
	Ledger *ledger.Ledger
	// Events is told what happens; nil means nobody. Hooks is set when this node has webhooks, which the others are told.
	Events *event.Log
	Hooks  bool
	// Subscribers are those who listen to this node's feeds; nil where it has none.
	Subscribers Subscribers
	// Transit is how late a resolver may still accept an answer (X of docs/design.md section 6); config.DefaultTransit when 0.
	Transit time.Duration
	// Shared is what the nodes share besides orders; nil for nothing.
	Shared cluster.Shared
	// Discovered is what clusters give, which nodes tell each other; nil for nothing.
	Discovered cluster.Shared
	// Handlers reply to what other nodes ask for by AskEach, by kind; nil for nothing.
	Handlers map[string]gossip.Handler
	// Runs are those of plans; nil for none.
	Runs cluster.Shared
	// References are probed only to tell a broken vantage from a broken world; none means that it never abstains.
	References []health.Target
	// MaxTTL is an operator's word for the greatest TTL that an earlier process of this node gave; nil for none. Restored, where it is not
	// empty, says why State may be an older copy.
	MaxTTL   *time.Duration
	Restored string
	// Without is for simulators, and so is Skew: how far this node's clock is ahead, where instants are told by it.
	Without health.Guards
	Skew    time.Duration
	// Suspended is for how long the machine has been suspended since it was started; nil asks the kernel. It is for simulators.
	Suspended func() time.Duration
	// Cluster is nil for a node alone. With it, Node is its name in the roster and State is required.
	Cluster    *Cluster
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

func (o *Options) validate() error {
	if o.Publisher == nil || o.Prober == nil || o.Model == nil {
		return errors.New("engine: Publisher, Prober and Model are required")
	}
	if o.Node == "" {
		o.Node = DefaultNode
	}
	if o.Ledger == nil {
		o.Ledger = ledger.New(time.Now())
	}
	if o.Transit == 0 {
		o.Transit = config.DefaultTransit
	}
	if o.StateMaxAge == 0 {
		o.StateMaxAge = DefaultStateMaxAge
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return nil
}

// Engine folds and publishes. Make it with New.
type Engine struct {
	opts    Options
	metrics *metrics
	// reporter and incidents follow what is published. Owned by Run's goroutine.
	reporter  *report.Reporter
	incidents *incident.Watch
	state     *state.File

	view   atomic.Pointer[health.View] // swapped, never mutated
	frozen atomic.Pointer[FreezeOrder] // swapped, never mutated

	shownIntents atomic.Pointer[shownIntents] // swapped, never mutated
	shownCluster atomic.Pointer[ClusterView]  // swapped, never mutated
	shownLeft    atomic.Pointer[[]Departure]  // swapped, never mutated
	shownClear   atomic.Pointer[clearing]     // swapped, never mutated
	olderTTL     atomic.Int64                 // in nanoseconds
	drained      atomic.Bool                  // an intent drains this node
	shut         atomic.Pointer[string]       // swapped, never mutated: why service names are not answered
	lease        *cluster.Lease               // may be asked by anybody; renewed by Run's goroutine

	mu    sync.Mutex
	inbox map[health.TargetID]health.Observation // guarded by mu: the latest one per target since the last fold
	model *config.Model                          // guarded by mu: to be taken up
	taken chan struct{}                          // guarded by mu: closed when the next model is served

	loop   *loop.Loop    // turned by Run's goroutine
	untidy chan struct{} // holds at most one token, for tidy
	pulls  chan struct{} // holds at most one token: ask the other nodes what they hold
	pulled chan struct{} // another node has answered
	looks  chan looking  // taken by the goroutine that watches the files

	evidence *table.Evidence // its observations are read by anybody; written by Run's goroutine alone

	// owned by Run's goroutine
	cur, next  *version
	prepared   chan *version
	generation uint64
	ticks      int
	started    time.Time
	freeze     FreezeOrder
	intents    *intent.Store
	// kept is what waits for the disk of intents; refused is set while that refuses what is in force.
	kept    *intent.Queue
	refused bool
	// intentWake is the nearest start or end of an intent; zero for none.
	intentWake time.Time
	// announced are the ends that are near and have been announced.
	announced map[health.IntentID]time.Time
	// cluster is nil for a node alone.
	cluster *membership
	issued  issued
	// gone are static records that no file has any more; what it shows is asked by anybody.
	gone *gone.Records
	// moved are names that a file has answered elsewhere. Owned by Run's goroutine.
	moved []movedNames
	// turn is when Run last did something, pause when it had stood still before. Owned by its goroutine.
	turn    time.Time
	pause   pause
	lives   lives
	takings takings
}

// New judges opts.Model from what was persisted and publishes the first view, so that an answer exists before the first
// query.
func New(opts Options) (*Engine, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	e := &Engine{
		opts:     opts,
		metrics:  newMetrics(opts.Registerer),
		reporter: report.New(opts.Events, opts.Logger, opts.Registerer),
		inbox:    make(map[health.TargetID]health.Observation),
		loop:     loop.New(),
		prepared: make(chan *version, 1),
		untidy:   make(chan struct{}, 1),
		pulls:    make(chan struct{}, 1),
		pulled:   make(chan struct{}),
		taken:    make(chan struct{}),
		looks:    make(chan looking),
	}
	var err error
	now := time.Now()
	e.started = now
	isolateAfter := time.Duration(0)
	if opts.Cluster != nil {
		isolateAfter = opts.Cluster.IsolateAfter
	}
	e.lease = cluster.NewLease(isolateAfter, now, opts.Suspended)
	if e.state, err = state.Open(opts.State, opts.StateMaxAge, now, opts.Logger); err != nil {
		return nil, fmt.Errorf("state of the engine: %w", err)
	}
	e.frozen.Store(new(FreezeOrder))
	e.shownLeft.Store(new([]Departure))
	e.shownClear.Store(new(clearing))
	incidents := incident.Open(incident.Options{Node: opts.Node, State: opts.State, Events: opts.Events, Logger: opts.Logger})
	e.shut.Store(new(string))
	e.evidence = table.NewEvidence(opts.Node, opts.References, opts.Without)
	if err := e.joinCluster(); err != nil {
		return nil, fmt.Errorf("cluster: %w", err)
	}
	if err := e.openIntents(now); err != nil {
		return nil, fmt.Errorf("state of the engine: %w", err)
	}
	e.cur = e.newVersion(opts.Model, nil, now)
	if err := e.openIssued(now); err != nil {
		return nil, fmt.Errorf("state of the engine: %w", err)
	}
	e.incidents = incident.NewWatch(incidents, incident.Answers{
		Book: e.issued.book, Ledger: opts.Ledger, Serves: opts.Publisher.Serves, Loss: e.loss,
		Orders: func(now time.Time) []health.Intent { return e.intents.Set().Open(now) },
	}, now)
	e.gone = gone.Open(gone.Options{State: opts.State, Transit: opts.Transit, Logger: opts.Logger, Damaged: e.state.Damage}, opts.Model, now)
	for _, d := range e.state.Damaged() {
		e.opts.Events.Add("state.damaged", d.File, d.Text, nil)
	}
	e.markAll(now)
	e.applyIntents(now)
	e.setTargets(e.cur.Table)
	e.publish(now, true)
	// What is out has been out all the time of this process, and the first word to the others says so.
	e.claim(now)
	e.issued.book.Poll(now)
	e.follow(now)
	e.watchEnds(now)
	e.showCluster(now)
	e.tookUp(opts.Model, nil)
	return e, nil
}

// openIntents reads the orders that are kept.
func (e *Engine) openIntents(now time.Time) (err error) {
	kept := e.opts.State
	if e.opts.Without.Without(health.GuardDurable) {
		kept = ""
	}
	if e.intents, err = intent.Open(kept, e.opts.Node, e.incarnation(), now); err != nil {
		return err
	}
	if err := e.intents.Damaged(); err != nil {
		e.state.Damage(intent.FileName, "the orders that this node kept are forgotten", err)
		if e.cluster != nil && !e.cluster.alone() {
			// The other nodes know them: it joins anew.
			e.cluster.gate.joined = false
			e.shutGate(e.cluster.gate.reason(e.cluster.others()))
		}
	}
	if err := e.intents.Lost(); err != nil {
		e.opts.Logger.Error("orders hold for names alone: what they bind is not readable", "err", err)
	}
	e.kept = intent.NewQueue(e.intents, e.unkept)
	e.intents.SetAlone(e.cluster.alone())
	e.intents.SetWithout(e.opts.Without)
	return nil
}

// setTargets has the prober probe what the tables need. Its counters go on from the verdicts that there are on what it is given
// anew: those of an earlier run, or of the vantages that probed it before this node did.
func (e *Engine) setTargets(tables ...*table.Table) {
	e.opts.Prober.SetTargets(e.targets(tables...))
	for _, t := range tables {
		for target, v := range t.Probed() {
			if _, observed := e.evidence.Own(target.ID); observed || v.Pending() {
				continue
			}
			if e.opts.Prober.Restore(target.ID, v.State.Settled(), v.Since) && e.cluster != nil {
				e.evidence.Restore(target.ID)
			}
		}
	}
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

// Gone are the static records that no file has any more.
func (e *Engine) Gone() *gone.Records { return e.gone }

// Alive is nil while the engine's prober turns.
func (e *Engine) Alive() error { return e.opts.Prober.Alive() }

// Observe takes an observation: only the latest one of a target counts.
func (e *Engine) Observe(o health.Observation) {
	e.mu.Lock()
	e.inbox[o.Target] = o
	e.mu.Unlock()
	e.loop.Wake()
}

// SetModel takes a new model; a model that still waits is replaced.
func (e *Engine) SetModel(m *config.Model) {
	e.mu.Lock()
	e.model = m
	e.mu.Unlock()
	e.loop.Wake()
}

// Run folds until ctx ends. It returns nil then, with no goroutine left and the last verdicts on disk.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	e.loop.Run(ctx)
	g.Go(func() error { return e.opts.Prober.Run(ctx) })
	if e.cluster != nil {
		e.pokePull()
		g.Go(func() error { return e.cluster.peer.Run(ctx) })
		g.Go(func() error { return e.pull(ctx) })
		g.Go(func() error { return e.cluster.gate.mark.Run(ctx) })
	}
	g.Go(func() error { return e.state.Run(ctx) })
	g.Go(func() error { return e.tidy(ctx) })
	g.Go(func() error { e.kept.Run(e.loop.Ended()); return nil })
	g.Go(func() error { return e.incidents.Run(ctx) })
	if e.issued.writer != nil {
		g.Go(func() error { return e.issued.writer.Run(ctx) })
	}
	g.Go(func() error { return e.gone.Run(ctx) })
	if e.opts.Source != nil {
		g.Go(func() error { return e.poll(ctx) })
	}
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
	defer e.kept.End()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		e.tellUrgent()
		select {
		case <-ctx.Done():
			return nil
		case <-e.loop.Woken():
			e.turned(time.Now())
			e.loop.DoPosted(time.Now())
			e.fold(time.Now())
			e.takeModel(time.Now())
		case t := <-e.prepared:
			e.turned(time.Now())
			e.takeUp(t, time.Now())
			e.takeModel(time.Now())
		case c := <-e.loop.Commands():
			e.turned(time.Now())
			c.Do(time.Now())
		case w := <-e.kept.Results():
			e.kept.Take(w, time.Now())
		case <-ticker.C:
			e.turned(time.Now())
			e.onTick(time.Now())
		}
	}
}

// poll looks at the zone files again and again.
func (e *Engine) poll(ctx context.Context) error {
	timer := time.NewTimer(pollInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case l := <-e.looks:
			e.onLook(l)
			continue
		case <-timer.C:
		}
		m, settling := e.opts.Source.Poll()
		if m != nil {
			e.SetModel(m)
		}
		if settling {
			timer.Reset(settleInterval)
		} else {
			timer.Reset(pollInterval)
		}
	}
}
