package fairlead

import (
	"context"
	"encoding/hex"
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
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/health/probe"
	"github.com/fairlead-dns/fairlead/plugin/admin"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/geo"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// stopTimeout is how long the node may take to end. Its parts have shorter deadlines of their own.
const stopTimeout = 10 * time.Second

// A node is everything that runs: engine, prober, watch over the files, admin socket. It outlives CoreDNS instances.
type node struct {
	state   string
	logger  *slog.Logger
	current *answer.Current
	// moves are how often services have moved.
	moves *moves
	// compiler is set before anything runs.
	compiler *answer.Compiler
	// geo are the geo databases, and locator asks them where clients are; set before anything runs. See where.
	geo     *geo.Databases
	locator steer.Locator
	lock    *os.File
	// audit is what operators did; set before anything runs.
	audit  *audit.Log
	source *source
	// discovery reads clusters; set before anything runs.
	discovery *discovery
	engine    *engine.Engine
	admin     *admin.Server
	// day keeps the history of the last day.
	day     *dayLog
	metrics *nodeMetrics
	disk    *diskTrial
	scope   *scope
	drills  *drills
	events  *event.Log
	hooks   *hook.Sender
	// tokens are those of the whole cluster; set before anything runs.
	tokens *token.Store

	// echo measures how late this process is.
	echo *probe.Echo
	// prober and probing, the options that it was made with, are set before anything runs.
	prober *probe.Prober
	// lateHits is made with the prober.
	lateHits *hitReader
	probing  probe.Options

	// config is swapped when a Corefile is reloaded.
	config atomic.Pointer[config.Node]
	// committed is set once an instance has started; guarded by the steward.
	committed bool

	cancel context.CancelFunc
	// done is closed when everything has ended; failed is why, if it was not asked to.
	done   chan struct{}
	failed atomic.Pointer[error]
}

// sink hands observations to the engine, which is made after the prober that reports to it.
type sink struct{ engine *engine.Engine }

func (s *sink) Observe(o health.Observation) { s.engine.Observe(o) }

// startNode starts the node that a asks for. The first snapshot is served when it returns. On an error nothing is left.
func startNode(a *attachment) (*node, error) {
	n := &node{
		state: absolute(a.state()), logger: newLogger(), current: new(answer.Current), moves: new(moves), done: make(chan struct{}),
		scope: &scope{registerer: prometheus.DefaultRegisterer},
	}
	if err := n.prepare(a); err != nil {
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
func (n *node) prepare(a *attachment) (err error) {
	if a.config, err = readNodeFile(a.node()); err != nil {
		return err
	}
	n.config.Store(a.config)
	if n.lock, err = lockState(a.state()); err != nil {
		return err
	}
	if err = n.openAudit(); err != nil {
		return err
	}
	if n.geo, err = geo.New(geo.Options{Logger: n.logger, Registerer: n.scope}); err != nil {
		return err
	}
	n.locator = &locator{n.geo}
	if err := n.readGeo(a); err != nil {
		return err
	}
	n.geo.Use(a.geo)
	served := loadServed(n.state, n.logger)
	l := &loader{geo: a.config.GeoDatabase(), state: n.state, served: served.files, logger: n.logger}
	if a.dirs, err = l.start(a.wanted()); err != nil {
		return err
	}
	n.events = event.Open(event.Options{Node: a.config.Name, Dir: n.state, Logger: n.logger, Registerer: n.scope})
	n.disk = newDiskTrial(n.state, n.Name, n.events, n.logger, n.scope)
	n.discovery = newDiscovery(a.config.Name, n.state, a.config.Kubernetes, n.logger, n.events, n.scope)
	n.discovery.view, n.discovery.apply = n.view, n.applyDiscovered
	n.source = newSource(n.logger, a.dirs, served, n.events, n.discovery)
	n.discovery.files = n.source.files
	n.metrics = newMetrics(n.scope, n)
	n.tokens = n.openTokens()
	if err := n.makeEngine(); err != nil {
		return err
	}
	if err := n.makeHooks(); err != nil {
		return err
	}
	n.drills = openDrills(n)
	n.day = newDayLog(n, time.Now())
	n.admin, err = admin.New(admin.Options{
		Node: n, Journal: n.audit, Events: n.events, Hooks: n.hooks, Tokens: n.tokens, Sessions: ui.OpenSessions(filepath.Join(n.state, sessionsName), n.logger), Socket: n.socket(a.config), Listen: a.config.Admin.Listen, TLS: a.config.Admin.TLS, OIDC: a.config.Admin.OIDC,
		Version: version(), StartedAt: time.Now(), Logger: n.logger, Registerer: n.scope,
	})
	return err
}

// openTokens opens the file of the bearer tokens. Whatever is wrong with it, queries are answered: nobody logs in by a token then.
func (n *node) openTokens() *token.Store {
	tokens, err := token.Open(filepath.Join(n.state, tokensName))
	if err != nil {
		n.logger.Error("tokens not readable: no token is a login until the file is put right or removed, and the node started again", "err", err)
	}
	return tokens
}

// openAudit opens the record of what operators do. Whatever is wrong with it, queries are answered: orders are refused for as
// long as they cannot be recorded.
func (n *node) openAudit() (err error) {
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

func (n *node) makeEngine() error {
	cfg := n.config.Load()
	out := new(sink)
	n.echo = probe.NewEcho()
	n.probing = probe.Options{
		Lateness: n.echo,
		Sink:     out, Logger: n.logger, Registerer: n.scope, MaxInFlight: cfg.Probe.MaxInFlight, Seed: seed(cfg.Name),
		Allow: cfg.Probe.Allow, AllowExec: cfg.Probe.Exec, Forbidden: ownPorts(cfg), Source: probe.Source{V4: cfg.Probe.SourceV4, V6: cfg.Probe.SourceV6},
	}
	prober, err := probe.New(n.probing)
	if err != nil {
		return err
	}
	n.prober = prober
	cluster, err := clusterOf(cfg)
	if err != nil {
		return err
	}
	// The base lies before everything that the engine can speak of.
	n.compiler = answer.NewCompiler(cfg.Name, time.Now())
	var copied string
	if n.state != "" {
		copied = engine.CopiedState(n.state)
	}
	n.engine, err = engine.New(engine.Options{
		Publisher: &publisher{compiler: n.compiler, current: n.current, events: n.events, logger: n.logger, moves: n.moves}, Prober: prober,
		Model: n.source.model, Source: n.source, State: n.state, StateMaxAge: cfg.StateMaxAge,
		References: referenceTargets(cfg.References), Node: cfg.Name, Cluster: cluster, Ledger: n.compiler.Ledger(), Transit: cfg.Caches.Transit, Events: n.events, Hooks: len(cfg.Hooks) > 0,
		Logger: n.logger, Registerer: n.scope, Restored: copied, Shared: n.tokens, Discovered: n.discovery,
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
	n.lateHits = newHitReader(n, prober.DialContext)
	return err
}

// seed spreads the phases of nodes that probe the same targets.
func seed(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func (n *node) socket(cfg *config.Node) string {
	if cfg.Admin.Socket != "" {
		return cfg.Admin.Socket
	}
	return filepath.Join(n.state, socketName)
}

// run runs until ctx ends, or until a part fails: then the node is not ready, and goes on answering with what it knew.
func (n *node) run(ctx context.Context) {
	defer close(n.done)
	var g errgroup.Group
	parts := []func(context.Context) error{n.engine.Run, n.admin.Run, n.geo.Run, n.drills.run, n.events.Run, n.hooks.Run, n.lateHits.run, n.echo.Run, n.disk.run, n.day.run, n.resign, n.discovery.run}
	if path := n.config.Load().Probe.Reports; path != "" {
		d := &reportDir{path: path, logger: n.logger, report: n.Report, lease: n.pushLease}
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

// stop ends everything and lets go of the state directory.
func (n *node) stop() {
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

// admit prepares a for a node that already runs: it reads what the Corefile names and refuses what cannot change.
func (n *node) admit(a *attachment) (err error) {
	if state := absolute(a.state()); state != n.state {
		return fmt.Errorf("state: %s cannot become %s while the process runs: start it anew", n.state, state)
	}
	if a.config, err = readNodeFile(a.node()); err != nil {
		return err
	}
	if err := changedNode(n.config.Load(), a.config); err != nil {
		return err
	}
	if err := n.readGeo(a); err != nil {
		return err
	}
	l := &loader{geo: a.config.GeoDatabase(), state: n.state, logger: n.logger}
	a.dirs, err = l.reload(a.wanted(), n.source.watched())
	return err
}

// take makes what admit prepared the configuration in force.
func (n *node) take(a *attachment) {
	roster := changedCluster(n.config.Load(), a.config)
	n.config.Store(a.config)
	n.geo.Use(a.geo)
	n.discovery.configure(a.config.Kubernetes)
	if roster != nil {
		if err := n.engine.SetRoster(rosterOf(roster)); err != nil {
			n.logger.Error("roster not taken up", "err", err)
		}
	}
	if m := n.source.replace(a.dirs); m != nil {
		n.engine.SetModel(m)
	}
}

// Name is the node's name.
func (n *node) Name() string { return n.config.Load().Name }

// Snapshot is what is served.
func (n *node) Snapshot() *answer.Snapshot { return n.current.Load() }

// Observation is the latest one on a target.
func (n *node) Observation(id health.TargetID) (health.Observation, bool) {
	return n.engine.Observation(id)
}

// Files are the zone files.
func (n *node) Files() []api.File { return n.source.status() }

// RunningZone is the text of the file from which z runs.
func (n *node) RunningZone(z *config.Zone) (*api.RunningZone, error) {
	t, err := n.source.text(z)
	if err != nil {
		return nil, err
	}
	return &api.RunningZone{Path: t.Path, Hash: hex.EncodeToString(z.FileHash[:]), Content: t.Content, Files: t.Files, Secret: t.Secret}, nil
}

// Freeze stops every automatic verdict, or lets them move again.
func (n *node) Freeze(on bool, actor, reason string) error { return n.engine.Freeze(on, actor, reason) }

// Frozen is the latest such order.
func (n *node) Frozen() api.Freeze {
	f := n.engine.Frozen()
	return api.Freeze{Frozen: f.On, Actor: f.Actor, Reason: f.Reason, Since: f.Since}
}

// Intend takes an operator's order.
func (n *node) Intend(i health.Intent) (health.IntentID, error) { return n.engine.Intend(i) }

// EndIntent ends orders.
func (n *node) EndIntent(ids []health.IntentID, actor, reason string) error {
	return n.engine.EndIntent(ids, actor, reason)
}

// Extend moves the end of an order to a later time.
func (n *node) Extend(id health.IntentID, end time.Time, actor, reason string) error {
	return n.engine.Extend(id, end, actor, reason)
}

// Extendable tells whether Extend would.
func (n *node) Extendable(id health.IntentID, end time.Time) error {
	return n.engine.Extendable(id, end)
}

// Resume puts an order in force that a rule suspends.
func (n *node) Resume(id health.IntentID, override []string, actor, reason string) (health.IntentID, error) {
	return n.engine.Resume(id, override, actor, reason)
}

// Intents are the orders in force and those planned.
func (n *node) Intents() []health.IntentState { return n.engine.Intents() }

// shut tells whether service names are not answered now.
func (n *node) shut() bool { return n.engine != nil && n.engine.Shut() != "" }

// AwaitHolding returns who has orders on disk.
func (n *node) AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*engine.Holding) bool) engine.Holding {
	return n.engine.AwaitHolding(ctx, ids, done)
}

// Cluster is what is known of the other nodes.
func (n *node) Cluster() engine.ClusterView { return n.engine.Cluster() }

// SharedMissing are the nodes that do not have this node's tokens yet.
func (n *node) SharedMissing(ctx context.Context) []string { return n.engine.SharedMissing(ctx) }

// Waive lets this node join without the answers of others.
func (n *node) Waive(before *time.Duration, names ...string) error {
	return n.engine.Waive(before, names...)
}

// NameMaxTTL is an operator's word for what an earlier process gave.
func (n *node) NameMaxTTL(ttl time.Duration) error { return n.engine.NameMaxTTL(ttl) }

// Allowances are the terms of the bound that do not stand in the zone file.
func (n *node) Allowances() steer.Allowances {
	a := steer.DefaultAllowances().For(n.config.Load())
	if n.engine != nil {
		a.OlderTTL = n.engine.OlderTTL()
	}
	return a
}

// Departures are the endpoints that this node does not answer, and until when caches may hold them.
func (n *node) Departures() []engine.Departure { return n.engine.Departures() }

// Clear is from when on nothing of before the nodes' last starts can be in caches.
func (n *node) Clear() (at time.Time, why string) { return n.engine.Clear() }

// GoneRecords are static records with one of the given RDATA that caches may hold though no file has them.
func (n *node) GoneRecords(rdata ...string) []engine.GoneRecord {
	return n.engine.GoneRecords(rdata...)
}

// Safety is what is known of whether anybody can still be sent to what a scope names.
func (n *node) Safety(scope health.Scope) (engine.Safety, error) { return n.engine.Safety(scope) }

// Caches are what is assumed of resolvers.
func (n *node) Caches() config.Caches { return n.config.Load().Caches }

// CutOff cuts this node off from the others for a rehearsal.
func (n *node) CutOff(d time.Duration, actor, reason string) error {
	return n.engine.CutOff(d, actor, reason)
}

// ChangeKeyring changes the keys of gossip on every node.
func (n *node) ChangeKeyring(ctx context.Context, o cluster.KeyringOrder) (map[string]error, error) {
	return n.engine.ChangeKeyring(ctx, o)
}

// Observations are what every vantage last said of a target.
func (n *node) Observations(t health.Target) []health.Observation { return n.engine.Observations(t) }

// Ready is nil while queries are answered from a snapshot of at least one zone and the prober turns.
func (n *node) Ready() error {
	if err := n.failed.Load(); err != nil {
		return *err
	}
	if n.current.Load() == nil {
		return errNoSnapshot
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
