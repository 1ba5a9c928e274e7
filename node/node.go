package node

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/gossip"
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/health/latehit"
	"github.com/fairlead-dns/fairlead/health/probe"
	"github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/abuse"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/drill"
	"github.com/fairlead-dns/fairlead/plugin/feed"
	"github.com/fairlead-dns/fairlead/plugin/geo"
	"github.com/fairlead-dns/fairlead/plugin/rollover"
	"github.com/fairlead-dns/fairlead/plugin/runner"
	"github.com/fairlead-dns/fairlead/plugin/secondary"
	"github.com/fairlead-dns/fairlead/plugin/steer"
	"github.com/fairlead-dns/fairlead/plugin/stream"
)

// ErrNoSnapshot cannot happen to a node that Start returned.
var ErrNoSnapshot = errors.New("nothing to serve yet")

// stopTimeout is how long the node may take to end. Its parts have shorter deadlines of their own.
const stopTimeout = 10 * time.Second

// Options are what a process gives its node; all are required.
type Options struct {
	// Version is that of the program.
	Version    string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Lanes are the UDP addresses of the process, Streams what its TCP listeners counted.
	Lanes   func() []api.FastLane
	Streams func() stream.Counts
}

// A Node is everything that runs: engine, prober, watch over the files, admin socket. It outlives CoreDNS instances.
type Node struct {
	signer
	opts    Options
	state   string
	logger  *slog.Logger
	current *answer.Current
	// moves are how often services have moved.
	moves *answer.Moves
	// compiler is set before anything runs.
	compiler *answer.Compiler
	// geo are the geo databases, and locator asks them where clients are; set before anything runs. See where.
	geo     *geo.Databases
	locator steer.Locator
	lock    *os.File
	// audit is what operators did; set before anything runs.
	audit  *audit.Log
	source *source
	// discovery reads clusters, names resolves host names; set before anything runs.
	discovery *discovery
	names     *naming
	engine    *engine.Engine
	admin     *admin.Server
	// day keeps the history of the last day.
	day     *dayLog
	metrics *nodeMetrics
	disk    *diskTrial
	scope   *scope
	drills  *drill.Drills
	// runs are those of plans, which runner carries out; set before anything runs.
	runs   *run.Store
	runner *runner.Runner
	events *event.Log
	hooks  *hook.Sender
	// tokens are those of the whole cluster; set before anything runs.
	tokens *token.Store

	// secondaries are what zones have for those who transfer them, guards the cookies and limits; set before anything runs.
	secondaries *secondary.Zones
	guards      abuse.Guards
	// rollover is with which keys zones were answered; set before anything runs.
	rollover *rollover.Record
	// hub knows who listens, feed gives; both nil where nobody may.
	hub  *feed.Hub
	feed *feed.Server

	// echo measures how late this process is.
	echo *probe.Echo
	// endpoints and lateHits are made with the prober.
	endpoints *endpoints
	lateHits  *latehit.Reader

	// config is swapped when a Corefile is reloaded.
	config atomic.Pointer[config.Node]

	cancel context.CancelFunc
	// done is closed when everything has ended; failed is why, if it was not asked to.
	done   chan struct{}
	failed atomic.Pointer[error]
}

// sink hands observations to the engine, which is made after the prober that reports to it.
type sink struct{ engine *engine.Engine }

func (s *sink) Observe(o health.Observation) { s.engine.Observe(o) }

// Start starts the node that a Corefile asks for. The first snapshot is served when it returns. On an error nothing is left.
func Start(c *Corefile, opts Options) (*Node, error) {
	n := &Node{
		opts: opts, state: absolute(c.State), logger: opts.Logger, current: new(answer.Current), moves: new(answer.Moves), done: make(chan struct{}),
		scope: &scope{registerer: opts.Registerer}, guards: abuse.NewGuards(),
	}
	n.signer = signer{&n.config, n.state}
	if err := n.prepare(c); err != nil {
		n.scope.close()
		if n.audit != nil {
			err = errors.Join(err, n.audit.Close())
		}
		if n.lock != nil {
			err = errors.Join(err, n.lock.Close())
		}
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel = cancel
	go n.run(ctx)
	return n, nil
}

// prepare does everything but start: the admin socket comes last, so that nobody finds half a node.
func (n *Node) prepare(c *Corefile) (err error) {
	if err = c.read(n.logger); err != nil {
		return err
	}
	n.config.Store(c.config)
	if n.lock, err = lockState(c.State); err != nil {
		return err
	}
	if err = n.openAudit(); err != nil {
		return err
	}
	if n.geo, err = geo.New(geo.Options{Logger: n.logger, Registerer: n.scope}); err != nil {
		return err
	}
	n.locator = &locator{n.geo}
	if err := n.readGeo(c); err != nil {
		return err
	}
	n.geo.Use(c.geo)
	served := loadServed(n.state, n.logger)
	l := &loader{geo: c.config.GeoDatabase(), state: n.state, served: served.files, logger: n.logger}
	if c.dirs, err = l.start(c.wanted()); err != nil {
		return err
	}
	n.events = event.Open(event.Options{Node: c.config.Name, Dir: n.state, Logger: n.logger, Registerer: n.scope})
	n.disk = newDiskTrial(n.state, n.Name, n.events, n.logger, n.scope)
	n.discovery = newDiscovery(c.config.Name, n.opts.Version, n.state, c.config.Kubernetes, n.logger, n.events, n.scope)
	n.discovery.view, n.discovery.apply = n.view, n.applyDiscovered
	n.names = newNaming(n.state, c.config, n.logger, n.events, n.scope)
	n.names.view, n.names.apply = n.view, n.applyDiscovered
	n.source = newSource(n.logger, c.dirs, served, n.events, n.discovery, n.names)
	n.discovery.files = n.source.files
	n.metrics = newMetrics(n.scope, n)
	n.tokens = n.openTokens()
	n.runs = n.openRuns()
	if err := n.makeEngine(); err != nil {
		return err
	}
	n.secondaries.Look(time.Now())
	if err := n.makeHooks(); err != nil {
		return err
	}
	n.drills = drill.Open(drill.Options{Node: c.config.Name, State: n.state, Orders: n.engine, Explainer: n.Explainer, Logger: n.logger})
	n.makeRunner()
	if err := n.makeFeed(); err != nil {
		return err
	}
	n.day = newDayLog(n, time.Now())
	n.admin, err = admin.New(admin.Options{
		Node: n.parts(), Journal: n.audit, Events: n.events, Hooks: n.hooks, Tokens: n.tokens, Sessions: ui.OpenSessions(filepath.Join(n.state, sessionsName), n.logger), Socket: n.socket(c.config), Listen: c.config.Admin.Listen, TLS: c.config.Admin.TLS, OIDC: c.config.Admin.OIDC,
		Version: n.opts.Version, StartedAt: time.Now(), Logger: n.logger, Registerer: n.scope,
	})
	if err != nil && n.feed != nil {
		err = errors.Join(err, n.feed.Close())
	}
	return err
}

// parts are those that the admin API talks to.
func (n *Node) parts() admin.Node {
	return admin.Node{
		Self: n, Assumptions: n, Orders: n.engine, Holders: n.engine, Verdicts: n.engine, Members: n.engine, Memory: n.engine, IncidentLog: n.engine,
		Gone: n.engine.Gone(), Files: &zoneFiles{n}, Keys: &zoneKeys{n}, Discovery: n.discovery, Resolved: n.names, Drills: n.drills, Plans: n.runner, Endpoints: n.endpoints, Explainer: &explainer{n}, History: n.day.log, Feeds: n,
	}
}

// openTokens opens the file of the bearer tokens. Whatever is wrong with it, queries are answered: nobody logs in by a token then.
func (n *Node) openTokens() *token.Store {
	tokens, err := token.Open(filepath.Join(n.state, tokensName))
	if err != nil {
		n.logger.Error("tokens not readable: no token is a login until the file is put right or removed, and the node started again", "err", err)
	}
	return tokens
}

// openAudit opens the record of what operators do. Whatever is wrong with it, queries are answered: orders are refused for as
// long as they cannot be recorded.
func (n *Node) openAudit() (err error) {
	if n.audit, err = audit.New(audit.Options{Dir: n.state, Node: n.config.Load().Name}); err != nil {
		return err
	}
	if err := n.audit.Open(); err != nil {
		n.logger.Error("audit log not writable: orders are refused until it is", "err", err)
	}
	if broken := n.audit.Broken(); broken != nil {
		n.logger.Error("audit log broken: it goes on in a new segment", "err", broken)
	}
	return nil
}

func (n *Node) makeEngine() error {
	cfg := n.config.Load()
	out := new(sink)
	n.echo = probe.NewEcho()
	probing := probe.Options{
		Lateness: n.echo,
		Sink:     out, Logger: n.logger, Registerer: n.scope, MaxInFlight: cfg.Probe.MaxInFlight, Seed: seed(cfg.Name),
		Allow: cfg.Probe.Allow, AllowExec: cfg.Probe.Exec, Forbidden: ownPorts(cfg), Source: probe.Source{V4: cfg.Probe.SourceV4, V6: cfg.Probe.SourceV6},
	}
	prober, err := probe.New(probing)
	if err != nil {
		return err
	}
	peers, err := clusterOf(cfg, n.opts.Version)
	if err != nil {
		return err
	}
	// The base lies before everything that the engine can speak of.
	n.compiler = answer.NewCompiler(cfg.Name, time.Now())
	n.secondaries = secondary.Open(secondary.Options{
		Path: filepath.Join(n.state, serialsName), Current: n.current, Compiler: n.compiler, Shut: n.isShut, Logger: n.logger,
	})
	var copied string
	if n.state != "" {
		copied = cluster.CopiedState(n.state)
	}
	n.rollover = rollover.Open(rollover.Options{
		Path: filepath.Join(n.state, rollover.FileName), Current: n.current, Restored: copied != "", Logger: n.logger,
		Earlier: func() (time.Time, string) { return n.engine.Earlier() },
	})
	n.engine, err = engine.New(engine.Options{
		Publisher: &answer.Publisher{Compiler: n.compiler, Current: n.current, Events: n.events, Logger: n.logger, Moves: n.moves, Around: n.rollover.Around, Swapped: n.swapped()}, Prober: prober,
		Model: n.source.model, Source: n.source, State: n.state, StateMaxAge: cfg.StateMaxAge,
		References: referenceTargets(cfg.References), Node: cfg.Name, Cluster: peers, Ledger: n.compiler.Ledger(), Transit: cfg.Caches.Transit, Events: n.events, Hooks: len(cfg.Hooks) > 0,
		Logger: n.logger, Registerer: n.scope, Restored: copied, Subscribers: n.subscribers(), Shared: n.tokens, Discovered: n.discovery, Runs: n.runs,
		Handlers: map[string]gossip.Handler{askKeys: n.handleKeys},
	})
	out.engine = n.engine
	if err == nil {
		if cfg.Cluster != nil && len(cfg.Cluster.Nodes) > 1 {
			n.tokens.Doubt()
			n.discovery.several = true
		}
		n.tokens.OnChange(n.engine.TellShared)
		n.discovery.news = n.engine.TellShared
	}
	n.names.expire = n.compiler.SetExpiry
	n.endpoints = &endpoints{view: n.engine.View, prober: prober, probing: probing}
	n.lateHits = latehit.New(latehit.Options{Incidents: n.engine, Caches: n.Caches, Dial: prober.DialContext, Logger: n.logger, Registerer: n.scope})
	return err
}

// seed spreads the phases of nodes that probe the same targets.
func seed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func (n *Node) socket(cfg *config.Node) string {
	if cfg.Admin.Socket != "" {
		return cfg.Admin.Socket
	}
	return filepath.Join(n.state, socketName)
}

// run runs until ctx ends, or until a part fails: then the node is not ready, and goes on answering with what it knew.
func (n *Node) run(ctx context.Context) {
	defer close(n.done)
	var g errgroup.Group
	parts := []func(context.Context) error{n.engine.Run, n.admin.Run, n.geo.Run, n.watchDrills, n.runner.Run, n.events.Run, n.hooks.Run, n.readLateHits, n.echo.Run, n.disk.run, n.day.run, n.discovery.run, n.names.run, n.secondaries.Run, n.rollover.Run,
		func(ctx context.Context) error { return resign(ctx, n.rollover, n.compiler, n.current, n.logger) },
		func(ctx context.Context) error { return shareCookies(ctx, &n.config, n.guards.Jar) },
		func(ctx context.Context) error { return tellTTLs(ctx, n.current, n.events) },
	}
	if n.feed != nil {
		parts = append(parts, n.feed.Run)
	}
	if path := n.config.Load().Probe.Reports; path != "" {
		d := &reportDir{path: path, logger: n.logger, report: n.endpoints.Report, lease: n.endpoints.pushLease}
		parts = append(parts, d.run)
	}
	for _, part := range parts {
		g.Go(func() error {
			err := part(ctx)
			if err != nil && ctx.Err() == nil {
				n.logger.Error("stopped working", "err", err)
				n.failed.CompareAndSwap(nil, &err)
			}
			return nil
		})
	}
	_ = g.Wait()
}

// watchDrills looks at the drills until ctx ends.
func (n *Node) watchDrills(ctx context.Context) error {
	return every(ctx, drill.Interval, n.drills.Look)
}

// readLateHits reads endpoints' counters until ctx ends.
func (n *Node) readLateHits(ctx context.Context) error {
	return every(ctx, latehit.Interval, func(now time.Time) { n.lateHits.Turn(ctx, now) })
}

// every calls do once in an interval until ctx ends.
func every(ctx context.Context, interval time.Duration, do func(now time.Time)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			do(time.Now())
		}
	}
}

// Stop ends everything and lets go of the state directory.
func (n *Node) Stop() {
	n.cancel()
	select {
	case <-n.done:
	case <-time.After(stopTimeout):
		n.logger.Error("not everything ended in time", "timeout_seconds", stopTimeout.Seconds())
	}
	n.scope.close()
	if err := n.audit.Close(); err != nil {
		n.logger.Warn("audit log not closed", "err", err)
	}
	if err := n.lock.Close(); err != nil {
		n.logger.Warn("state not unlocked", "err", err)
	}
}

// Admit prepares a Corefile for a node that already runs: it reads what the Corefile names and refuses what cannot change.
func (n *Node) Admit(c *Corefile) (err error) {
	if state := absolute(c.State); state != n.state {
		return fmt.Errorf("state: %s cannot become %s while the process runs: start it anew", n.state, state)
	}
	if err = c.read(n.logger); err != nil {
		return err
	}
	if err := changedNode(n.config.Load(), c.config); err != nil {
		return err
	}
	if err := n.readGeo(c); err != nil {
		return err
	}
	l := &loader{geo: c.config.GeoDatabase(), state: n.state, logger: n.logger}
	c.dirs, err = l.reload(c.wanted(), n.source.watched())
	return err
}

// Take makes what Admit prepared the configuration in force.
func (n *Node) Take(c *Corefile) {
	roster := changedCluster(n.config.Load(), c.config)
	n.config.Store(c.config)
	n.geo.Use(c.geo)
	n.discovery.configure(c.config.Kubernetes)
	n.names.configure(c.config)
	if roster != nil {
		if err := n.engine.SetRoster(rosterOf(roster)); err != nil {
			n.logger.Error("roster not taken up", "err", err)
		}
	}
	if m := n.source.replace(c.dirs); m != nil {
		n.engine.SetModel(m)
	}
	n.metrics.reloads.WithLabelValues(reloadDone).Inc()
}

// Refused counts a Corefile that was not taken up.
func (n *Node) Refused() { n.metrics.reloads.WithLabelValues(reloadFailed).Inc() }

// Enter gives the snapshot in force until the lease ends.
func (n *Node) Enter(stripe uint32) answer.Lease { return n.current.Enter(stripe) }

// Terms are where clients are, nil without a geo database, and whether service names are not answered now.
func (n *Node) Terms() (locator steer.Locator, shut bool) { return n.where(), n.engine.Shut() != "" }

// Name is the node's name.
func (n *Node) Name() string { return n.config.Load().Name }

// FastLanes are the UDP addresses of the process.
func (n *Node) FastLanes() []api.FastLane { return n.opts.Lanes() }

// Snapshot is what is served.
func (n *Node) Snapshot() *answer.Snapshot { return n.current.Load() }

// Allowances are the terms of the bound that do not stand in the zone file.
func (n *Node) Allowances() steer.Allowances {
	a := steer.DefaultAllowances().For(n.config.Load())
	if n.engine != nil {
		a.OlderTTL = n.engine.OlderTTL()
	}
	return a
}

// Caches are what is assumed of resolvers.
func (n *Node) Caches() config.Caches { return n.config.Load().Caches }

// Ready is nil while queries are answered from a snapshot of at least one zone and the prober turns.
func (n *Node) Ready() error {
	if err := n.failed.Load(); err != nil {
		return *err
	}
	if n.current.Load() == nil {
		return ErrNoSnapshot
	}
	// What an operator has to mend comes before what a moment mends at a start.
	if err := n.source.empty(); err != nil {
		return err
	}
	if err := n.engine.Alive(); err != nil {
		return err
	}
	return n.engine.Serving()
}
