package admin

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// The limits of one connection. A client that is slow on purpose gets no further than these.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	// writeTimeout leaves time for the status of 100,000 endpoints, some 40 MB.
	writeTimeout = 30 * time.Second
	idleTimeout  = 60 * time.Second
	maxHeader    = 64 << 10
	maxBody      = 1 << 20
	// drainTimeout is how long requests may take to end at a shutdown.
	drainTimeout = 2 * time.Second
)

// A Node is what the API shows.
type Node interface {
	// Name is the node's name.
	Name() string
	// Snapshot is what is served; nil before the first one.
	Snapshot() *answer.Snapshot
	// Observation is the latest one on a target.
	Observation(health.TargetID) (health.Observation, bool)
	// Files are the zone files and what is wrong with them.
	Files() []api.File
	// Reload looks at them now. Rollback has one run in the version before the present one, Forward ends that; Config has the
	// versions that are kept. Their errors are those of package config.
	Reload(ctx context.Context, force bool) (*api.ReloadResult, error)
	Rollback(ctx context.Context, file, actor, reason string) error
	Forward(ctx context.Context, file string) error
	Config() *api.Config
	// Ready is nil when queries are answered from live evidence, else it says why not.
	Ready() error
	// Freeze stops every automatic verdict or lets them move again; nil means that it is on disk and in force.
	Freeze(on bool, actor, reason string) error
	// Frozen is the latest such order.
	Frozen() api.Freeze
	// Intend takes an order; nil means that it is on disk and, if it has started, in force. EndIntent ends some, Intents are
	// those in force and planned. Their errors are those of package health.
	Intend(health.Intent) (health.IntentID, error)
	EndIntent(ids []health.IntentID, actor, reason string) error
	// Extend moves an end to a later time, zero for never. Resume puts another intent in the place of one that a rule suspends.
	Extend(id health.IntentID, end time.Time, actor, reason string) error
	Resume(id health.IntentID, override []string, actor, reason string) (health.IntentID, error)
	Intents() []health.IntentState
	// AwaitHolding returns who has the intents on disk, once done says so or ctx ends.
	AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*engine.Holding) bool) engine.Holding
	// Cluster is what is known of the other nodes. Waive lets this one join without the answers of some, or, without names, of
	// all; ChangeKeyring returns the nodes that did not do it.
	Cluster() engine.ClusterView
	Waive(names ...string) error
	ChangeKeyring(context.Context, engine.KeyringOrder) (failed map[string]error, err error)
	// Allowances are the terms of the bound that do not stand in the zone file.
	Allowances() steer.Allowances
	// CutOff cuts this node off from the others for a rehearsal; zero ends that.
	CutOff(d time.Duration, actor, reason string) error
	// Observations are what every vantage last said of a target, by name.
	Observations(health.Target) []health.Observation
	// Probe probes an endpoint, named zone/pool/endpoint, at once.
	Probe(ctx context.Context, endpoint string) ([]api.ProbeResult, error)
	// Report takes what an endpoint says of itself.
	Report(api.ReportRequest) error
	// Explain explains the answer to a question, WhatIf what assumptions would change. Errors are ErrInvalid.
	Explain(api.Question) (*api.Explanation, error)
	WhatIf(api.Assumptions) (*api.WhatIf, error)
	// Preview is what an order would do; a refusal by a safety rule is a part of it.
	Preview(health.Intent) (*api.Preview, error)
}

// Options are what a Server needs. Node, Journal and Socket are required.
type Options struct {
	Node    Node
	Journal Journal
	// Socket is the path of the unix socket.
	Socket    string
	Version   string
	StartedAt time.Time
	Logger    *slog.Logger
}

func (o *Options) validate() error {
	if o.Node == nil || o.Journal == nil || o.Socket == "" {
		return errors.New("admin: Node, Journal and Socket are required")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Server answers on its socket while Run runs.
type Server struct {
	opts     Options
	listener net.Listener
	http     *http.Server
	// writes is held from the moment at which an order is carried out until it is recorded.
	writes sync.Mutex
}

// New opens the socket. Run or Close must follow.
func New(opts Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	l, err := listen(opts.Socket)
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w", opts.Socket, err)
	}
	s := &Server{opts: opts, listener: l}
	s.http = &http.Server{
		Handler:           s.handler(),
		ConnContext:       withPeer,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(opts.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Run answers until ctx ends; the socket is gone then, and so is every connection.
func (s *Server) Run(ctx context.Context) error {
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if s.http.Shutdown(limit) != nil {
			s.http.Close()
		}
	})
	err := s.http.Serve(s.listener)
	if stop() {
		// Serve ended by itself.
		s.http.Close()
		return fmt.Errorf("admin socket %s: %w", s.opts.Socket, err)
	}
	<-stopped
	return nil
}

// Close removes the socket of a server that never ran.
func (s *Server) Close() error { return s.listener.Close() }
