package feed

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/netutil"
	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/door"
	"github.com/fairlead-dns/fairlead/plugin/admin/token"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// The limits of one connection.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 60 * time.Second
	maxHeader     = 16 << 10
	// drainTimeout is how long requests may take to end at a shutdown: streams end at once.
	drainTimeout = 2 * time.Second
	// minConns is how many connections there may be however few files a process may open.
	minConns = 16
)

// A Source is what is given: a *node.Node.
type Source interface {
	// Enter gives the snapshot in force until the lease ends, Terms what else there is to a question: see plugin.Handler.
	Enter(stripe uint32) answer.Lease
	Terms() (locator steer.Locator, shut bool)
	Name() string
	Allowances() steer.Allowances
}

// Tokens are the bearer tokens of the node: a token.Store.
type Tokens interface {
	Verify(secret string, now time.Time) (token.Token, error)
}

// Options are what a Server needs. Config, Source, Tokens and Hub are required.
type Options struct {
	Config *config.Feed
	Source Source
	Tokens Tokens
	Hub    *Hub
	// Transit is how long what was written may take to arrive: X of docs/design.md section 6.
	Transit time.Duration
	Logger  *slog.Logger
	// Registerer is nil for a registry that nobody reads.
	Registerer prometheus.Registerer
}

func (o *Options) validate() error {
	if o.Config == nil || o.Source == nil || o.Tokens == nil || o.Hub == nil {
		return errors.New("feed: Config, Source, Tokens and Hub are required")
	}
	if o.Transit <= 0 {
		o.Transit = config.DefaultTransit
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	return nil
}

// A Server gives while Run runs.
type Server struct {
	opts    Options
	metrics *serverMetrics
	lockout *door.Lockout
	rates   *rates
	workers workers
	encoder encoder
	// certificate is nil where everything is in clear.
	certificate *door.Certificate
	// parts are what listens.
	parts []part
	// ending is closed when streams have to end.
	ending chan struct{}
}

// A part is one listener and what answers there until ctx ends.
type part struct {
	name     string
	listener net.Listener
	serve    func(ctx context.Context, l net.Listener) error
}

// New opens the listeners. Run or Close must follow.
func New(opts Options) (*Server, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	s := &Server{
		opts: opts, metrics: newMetrics(opts.Registerer, opts.Hub), lockout: door.NewLockout(), rates: newRates(opts.Config.Rate), ending: make(chan struct{}),
	}
	if opts.Config.TLS != nil {
		var err error
		if s.certificate, err = door.NewCertificate("the feeds", opts.Config.TLS, opts.Logger, s.metrics.tlsFailures, s.metrics.expires); err != nil {
			return nil, fmt.Errorf("feed: %w", err)
		}
	}
	for _, p := range []struct {
		name, at string
		serve    func(context.Context, net.Listener) error
	}{
		{"http", opts.Config.HTTP, s.serveHTTP},
		{"xds", opts.Config.XDS, s.serveXDS},
		{"agent", opts.Config.Agent, s.serveAgent},
	} {
		if p.at == "" {
			continue
		}
		l, err := s.listen(p.at)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("feed.%s %s: %w", p.name, p.at, err), s.Close())
		}
		s.parts = append(s.parts, part{p.name, l, p.serve})
	}
	return s, nil
}

// listen opens a bounded listener, whose connections give up what a peer has not taken within Transit: nothing arrives later than that.
func (s *Server) listen(at string) (net.Listener, error) {
	lc := net.ListenConfig{KeepAlive: 15 * time.Second}
	l, err := lc.Listen(context.Background(), "tcp", at)
	if err != nil {
		return nil, err
	}
	most := door.ConnLimit(minConns, s.opts.Config.Connections)
	bounded := door.NewSourceListener(&promptListener{l, s.opts.Transit}, s.opts.Config.PerClient, s.metrics.crowded)
	return netutil.LimitListener(bounded, most), nil
}

// tlsConfig is that of the listeners.
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, GetConfigForClient: s.certificate.ForClient}
}

// Run gives until ctx ends. A listener that fails closes the others.
func (s *Server) Run(ctx context.Context) error {
	g, serving := errgroup.WithContext(ctx)
	for _, p := range s.parts {
		g.Go(func() error {
			if err := p.serve(serving, p.listener); err != nil {
				return fmt.Errorf("feed.%s: %w", p.name, err)
			}
			return nil
		})
	}
	g.Go(func() error {
		<-serving.Done()
		close(s.ending)
		return nil
	})
	g.Go(func() error {
		s.opts.Hub.run(serving)
		return nil
	})
	return g.Wait()
}

// Close closes the listeners of a server that never ran.
func (s *Server) Close() error {
	var errs []error
	for _, p := range s.parts {
		errs = append(errs, p.listener.Close())
	}
	return errors.Join(errs...)
}

// serveHTTP answers over HTTP until ctx ends.
func (s *Server) serveHTTP(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: headerTimeout, ReadTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		if srv.Shutdown(limit) != nil {
			srv.Close()
		}
	})
	serve := srv.Serve
	if s.certificate != nil {
		srv.TLSConfig = s.tlsConfig()
		serve = func(l net.Listener) error { return srv.ServeTLS(l, "", "") }
	}
	err := serve(l)
	if stop() {
		// It ended by itself.
		srv.Close()
		return err
	}
	<-stopped
	return nil
}
