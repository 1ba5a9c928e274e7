package admin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/cluster"
	"github.com/fairlead-dns/fairlead/health/engine"
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/history"
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
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
	// maxConns is how many TCP connections there can be, or an eighth of the process's limit of open files, if that is less, but
	// minConns: further ones wait in the kernel, and probes and DNS keep their descriptors.
	maxConns = 512
	minConns = 8
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
	Rollback(ctx context.Context, file, actor, reason string) (api.LeftByConfig, error)
	Forward(ctx context.Context, file string) (api.LeftByConfig, error)
	Config() *api.Config
	// Ready is nil when queries are answered from live evidence, else it says why not.
	Ready() error
	// Unwritable is set while the state directory cannot be written.
	Unwritable() *api.Unwritable
	// Discovery are the clusters of Kubernetes that endpoints come from. AcceptDiscovered lets go of what one does not name any more, AdoptDiscovered takes
	// another one for it; they may fail with ErrNoCluster.
	Discovery() []api.DiscoveredCluster
	AcceptDiscovered(cluster string) error
	AdoptDiscovered(cluster string) error
	// Freeze stops every automatic verdict or lets them move again; nil means that it is on disk and in force.
	Freeze(on bool, actor, reason string) error
	// Frozen is the latest such order.
	Frozen() api.Freeze
	// FastLanes are the UDP addresses, with why one has no fast lane.
	FastLanes() []api.FastLane
	// Intend takes an order; nil means that it is on disk and, if it has started, in force. EndIntent ends some, Intents are
	// those in force and planned. Their errors are those of package health.
	Intend(health.Intent) (health.IntentID, error)
	EndIntent(ids []health.IntentID, actor, reason string) error
	// Extend moves an end to a later time, zero for never; Extendable tells whether it would. Resume puts another intent in the place of one
	// that a rule suspends.
	Extend(id health.IntentID, end time.Time, actor, reason string) error
	Extendable(id health.IntentID, end time.Time) error
	Resume(id health.IntentID, override []string, actor, reason string) (health.IntentID, error)
	Intents() []health.IntentState
	// AwaitHolding returns who has the intents on disk, once done says so or ctx ends.
	AwaitHolding(ctx context.Context, ids []health.IntentID, done func(*engine.Holding) bool) engine.Holding
	// Cluster is what is known of the other nodes. Waive lets this one join without the answers of some, or, without names, of
	// all; ChangeKeyring returns the nodes that did not do it.
	Cluster() engine.ClusterView
	// SharedMissing are the nodes that were not heard to have the same tokens, once there are none or ctx has ended.
	SharedMissing(ctx context.Context) []string
	Waive(before *time.Duration, names ...string) error
	// NameMaxTTL is an operator's word for the greatest TTL that an earlier process of this node gave.
	NameMaxTTL(ttl time.Duration) error
	ChangeKeyring(context.Context, cluster.KeyringOrder) (failed map[string]error, err error)
	// Allowances are the terms of the bound that do not stand in the zone file.
	Allowances() steer.Allowances
	// Departures are the endpoints that the node does not answer, and until when caches may hold them; Caches what is assumed
	// of resolvers.
	Departures() []engine.Departure
	// Clear is from when on nothing that the nodes answered before their last starts can be in caches; why says why that is not known.
	Clear() (at time.Time, why string)
	// GoneRecords are static records with one of the given RDATA that caches may hold though no file has them, or held until a minute ago.
	GoneRecords(rdata ...string) []engine.GoneRecord
	// Safety is what is known of whether anybody can still be sent to what a scope names.
	Safety(health.Scope) (engine.Safety, error)
	// Incidents are those that the node keeps, the newest last. Certify signs; it refuses a nil certificate by ErrNotKnown.
	Incidents() []*ledger.Incident
	// Drill begins a rehearsal by an order, AbortDrill ends one, Drills are those that are kept.
	Drill(*api.DrillRequest, health.Intent) (*api.Drill, error)
	AbortDrill(id, actor, reason string) (*api.Drill, error)
	Drills() []api.Drill
	LateHits(id string, h *ledger.LateHits) (*ledger.Incident, error)
	Certify(*ledger.Certificate) (*ledger.Envelope, error)
	Caches() config.Caches
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
	// RunningZone is the text of the file from which a zone runs; page and zone are left to the caller.
	RunningZone(*config.Zone) (*api.RunningZone, error)
	// History is what is kept of series whose names begin with prefix, since an instant.
	History(prefix string, since time.Time) map[string][]history.Point
	// Preview is what an order would do; a refusal by a safety rule is a part of it.
	Preview(health.Intent) (*api.Preview, error)
	// PreviewEnd is what the end of orders would do; with admit pools are let in at once that would wait.
	PreviewEnd(ids []health.IntentID, admit bool) (*api.EndPreview, error)
}

// Options are what a Server needs. Node, Journal, Tokens and Socket are required.
type Options struct {
	Node    Node
	Journal Journal
	Tokens  Tokens
	// Socket is the path of the unix socket.
	Socket string
	// Listen is host:port for TCP; empty means none. It needs TLS.
	Listen string
	TLS    *config.AdminTLS
	// OIDC says whose tokens are logins too; nil for nobody's.
	OIDC      *config.AdminOIDC
	Version   string
	StartedAt time.Time
	Logger    *slog.Logger
	// Events is what happened; nil for nothing. Hooks are nil for none.
	Events *event.Log
	Hooks  *hook.Sender
	// Sessions are the logins of people to the dashboard; nil for some that end with the process.
	Sessions *ui.Sessions
	// Registerer is nil for a registry that nobody reads, Gatherer for the default one.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
}

func (o *Options) validate() error {
	if o.Node == nil || o.Journal == nil || o.Tokens == nil || o.Socket == "" {
		return errors.New("admin: Node, Journal, Tokens and Socket are required")
	}
	if (o.Listen == "") != (o.TLS == nil) {
		return errors.New("admin: nothing is served in clear: Listen and TLS go together")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Events == nil {
		o.Events = event.Open(event.Options{})
	}
	return nil
}

// A Server answers on its socket, and over TCP if it is asked to, while Run runs.
type Server struct {
	opts      Options
	metrics   *serverMetrics
	lockout   *lockout
	replies   *replies
	dashboard *ui.UI
	sessions  *ui.Sessions
	// oidc takes the tokens of an issuer; nil where none are.
	oidc *oidc.Verifier
	// certificate is nil without a TCP listener.
	certificate *certificate
	// doors are the unix socket, and the TCP listener if there is one.
	doors []door
	// streams counts the clients that follow; ending is closed when they have to go.
	streams atomic.Int64
	ending  chan struct{}
	endOnce sync.Once
	// writes is held from the moment at which an order is carried out until it is recorded.
	writes sync.Mutex
}

// A door is one listener and what answers there.
type door struct {
	name     string
	listener net.Listener
	http     *http.Server
}

func (d *door) serve() error {
	if d.http.TLSConfig != nil {
		return d.http.ServeTLS(d.listener, "", "")
	}
	return d.http.Serve(d.listener)
}

// New opens the socket and the listener. Run or Close must follow.
func New(opts Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	s := &Server{opts: opts, metrics: newMetrics(opts.Registerer), lockout: newLockout(), replies: newReplies(), ending: make(chan struct{})}
	var err error
	if err = s.newDashboard(); err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	if opts.OIDC != nil {
		s.metrics.withIssuer(opts.Registerer)
		s.oidc, err = oidc.New(oidc.Options{Config: opts.OIDC, Logger: opts.Logger, Failed: s.metrics.issuerFailures.Inc})
		if err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
	}
	l, err := listen(opts.Socket)
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w", opts.Socket, err)
	}
	anybody := s.handler(func(*http.Request) (login, *loginError) { return socketLogin, nil })
	s.doors = []door{{"admin socket " + opts.Socket, l, s.server(s.withDashboard(ui.Door{}, anybody), false)}}
	if opts.Listen == "" {
		return s, nil
	}
	tcp, err := s.listenTLS()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("admin listener %s: %w", opts.Listen, err), s.Close())
	}
	s.doors = append(s.doors, tcp)
	return s, nil
}

// listenTLS opens the TCP listener. Without a certificate there is none.
func (s *Server) listenTLS() (door, error) {
	var err error
	if s.certificate, err = newCertificate(s.opts.TLS, s.opts.Logger, s.metrics.tlsFailures, s.metrics.expires); err != nil {
		return door{}, err
	}
	l, err := net.Listen("tcp", s.opts.Listen)
	if err != nil {
		return door{}, plainError(err)
	}
	server := s.server(s.withDashboard(s.tcpDoor(), s.handler(s.tcpLogin)), true)
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.certificate.forClient}
	return door{"admin listener " + s.opts.Listen, netutil.LimitListener(newSourceListener(l, s.metrics.crowded), connLimit()), server}, nil
}

func (s *Server) server(h http.Handler, tls bool) *http.Server {
	srv := &http.Server{
		Handler:           guarded(h, tls),
		ConnContext:       withPeer,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(func() { s.endOnce.Do(func() { close(s.ending) }) })
	return srv
}

// Run answers until ctx ends; the socket is gone then, and so is every connection. A door that fails closes the other one.
func (s *Server) Run(ctx context.Context) error {
	g, serving := errgroup.WithContext(ctx)
	if s.oidc != nil {
		g.Go(func() error {
			s.oidc.Run(serving)
			return nil
		})
	}
	for _, d := range s.doors {
		g.Go(func() error {
			stopped := make(chan struct{})
			stop := context.AfterFunc(serving, func() {
				defer close(stopped)
				limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
				defer cancel()
				if d.http.Shutdown(limit) != nil {
					d.http.Close()
				}
			})
			err := d.serve()
			if stop() {
				// It ended by itself.
				d.http.Close()
				return fmt.Errorf("%s: %w", d.name, err)
			}
			<-stopped
			return nil
		})
	}
	return g.Wait()
}

// Close closes the doors of a server that never ran.
func (s *Server) Close() error {
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(errs...)
}
