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
	"github.com/fairlead-dns/fairlead/health/event"
	"github.com/fairlead-dns/fairlead/health/hook"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/oidc"
	"github.com/fairlead-dns/fairlead/plugin/admin/ui"
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
	// maxConns and minConns are the arguments of door.ConnLimit; maxSourceConns is how many of them one source can have.
	maxConns       = 512
	minConns       = 8
	maxSourceConns = 128
	// drainTimeout is how long requests may take to end at a shutdown.
	drainTimeout = 2 * time.Second
)

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
	if o.Node.Self == nil || o.Journal == nil || o.Tokens == nil || o.Socket == "" {
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
	lockout   *door.Lockout
	replies   *replies
	dashboard *ui.UI
	sessions  *ui.Sessions
	// oidc takes the tokens of an issuer; nil where none are.
	oidc *oidc.Verifier
	// certificate is nil without a TCP listener.
	certificate *door.Certificate
	// doors are the unix socket, and the TCP listener if there is one.
	doors []entrance
	// streams counts the clients that follow; ending is closed when they have to go.
	streams atomic.Int64
	ending  chan struct{}
	endOnce sync.Once
	// writes is held from the moment at which an order is carried out until it is recorded.
	writes sync.Mutex
}

// An entrance is one listener and what answers there.
type entrance struct {
	name     string
	listener net.Listener
	http     *http.Server
}

func (d *entrance) serve() error {
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
	s := &Server{opts: opts, metrics: newMetrics(opts.Registerer), lockout: door.NewLockout(), replies: newReplies(), ending: make(chan struct{})}
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
	s.doors = []entrance{{"admin socket " + opts.Socket, l, s.server(s.withDashboard(ui.Door{}, anybody), false)}}
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
func (s *Server) listenTLS() (entrance, error) {
	var err error
	if s.certificate, err = door.NewCertificate("the admin API", s.opts.TLS, s.opts.Logger, s.metrics.tlsFailures, s.metrics.expires); err != nil {
		return entrance{}, err
	}
	l, err := net.Listen("tcp", s.opts.Listen)
	if err != nil {
		return entrance{}, plainError(err)
	}
	server := s.server(s.withDashboard(s.tcpDoor(), s.handler(s.tcpLogin)), true)
	server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.certificate.ForClient}
	return entrance{"admin listener " + s.opts.Listen, netutil.LimitListener(door.NewSourceListener(l, maxSourceConns, s.metrics.crowded), door.ConnLimit(minConns, maxConns)), server}, nil
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

// Run answers until ctx ends; the socket is gone then, and so is every connection. An entrance that fails closes the other one.
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

// Close closes the entrances of a server that never ran.
func (s *Server) Close() error {
	var errs []error
	for _, d := range s.doors {
		errs = append(errs, d.listener.Close())
	}
	return errors.Join(errs...)
}
