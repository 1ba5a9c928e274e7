package resolve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	// DefaultFirstWait is how long a first question waits for a node's first word.
	DefaultFirstWait = 2 * time.Second
	// silentAfter is after how long without anything on it a stream is dead: nodes say something every 5 s.
	silentAfter = 10 * time.Second
	// retryLeast and retryMost bound the pause before a node is asked again.
	retryLeast, retryMost = 100 * time.Millisecond, 5 * time.Second
	// unknownFor is for how long a name of which a node said that it is no service is not asked about again. If nobody has asked by then, it is
	// forgotten, and so is one of which no node has said anything.
	unknownFor = 30 * time.Second
	// knownFor is for how long the last word of a service is kept, and listened for, that nobody asks for.
	knownFor = 24 * time.Hour
)

// Errors for who has to tell them apart.
var (
	// ErrNoService: the nodes know no service of that name.
	ErrNoService = errors.New("no service of the nodes")
	// ErrNoWord: no node has said anything of it, and none can be asked.
	ErrNoWord = errors.New("no node can be asked, and none has said anything of it")
	// ErrExpired: what the nodes said last has expired for longer than Options.AfterExpiry.
	ErrExpired = errors.New("no node can be asked, and what they said last has expired")
	// ErrNoEndpoint: the service answers nobody of the family that was asked for.
	ErrNoEndpoint = errors.New("nobody is in service")
	// ErrClosed: the Resolver was closed.
	ErrClosed = errors.New("resolver closed")
)

// Options say which nodes, and how. Nodes is required.
type Options struct {
	// Nodes are the feeds, as https://HOST:PORT or, on loopback, http://HOST:PORT; the first one that can be reached is listened to.
	Nodes []string
	// Token is a bearer token; TLS the configuration for https, with a client certificate if that is the login; nil trusts the system's CAs.
	Token string
	TLS   *tls.Config
	// Client is the address for which is asked; the zero value leaves it to the connection's.
	Client netip.Addr
	// Zones are those whose names are asked for at the nodes; dialling any other name goes on as without the package. Empty is all names: what
	// the nodes do not know is looked up elsewhere.
	Zones []string
	// FirstWait is that of DefaultFirstWait; 0 is the default.
	FirstWait time.Duration
	// AfterExpiry is for how long the last word is used after its expiry while no node can be asked: 0 is for ever, negative not at all.
	AfterExpiry time.Duration
	// Dialer makes the connections; nil is a net.Dialer with a timeout of 2 s, so that the next endpoint is tried soon.
	Dialer *net.Dialer
	// Logger hears of nodes that are lost and found; nil for nobody.
	Logger *slog.Logger
}

// A Resolver knows the endpoints of services.
type Resolver struct {
	opts   Options
	http   *http.Client
	dialer *net.Dialer
	ctx    context.Context
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu    sync.Mutex
	names map[string]*watched // guarded by mu
}

// New makes a Resolver; it asks nobody yet.
func New(opts Options) (*Resolver, error) {
	if len(opts.Nodes) == 0 {
		return nil, errors.New("resolve: Nodes: want one or more")
	}
	for _, n := range opts.Nodes {
		u, err := url.Parse(n)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery+u.Fragment != "" {
			return nil, fmt.Errorf("resolve: node %q: want https://HOST:PORT", n)
		}
		if u.Scheme == "http" && opts.Token != "" && !loopback(u.Hostname()) {
			return nil, fmt.Errorf("resolve: node %q: a token goes over https alone", n)
		}
	}
	if opts.FirstWait == 0 {
		opts.FirstWait = DefaultFirstWait
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Resolver{opts: opts, names: make(map[string]*watched), dialer: opts.Dialer}
	if r.dialer == nil {
		r.dialer = &net.Dialer{Timeout: 2 * time.Second}
	}
	r.http = &http.Client{
		Transport: &http.Transport{
			TLSClientConfig: opts.TLS, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 2 * time.Second, ResponseHeaderTimeout: 5 * time.Second,
			DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		},
		// A token goes to the node that was named.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback() || host == "localhost"
}

// Close ends all streams.
func (r *Resolver) Close() {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	r.done.Wait()
	r.http.CloseIdleConnections()
}

// canonical is a name as nodes have it: lower case, with the final dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) + "." }

// steered tells whether the nodes are asked for a name.
func (r *Resolver) steered(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	name := canonical(host)
	for _, z := range r.opts.Zones {
		if z = canonical(z); name == z || strings.HasSuffix(name, "."+z) {
			return true
		}
	}
	return len(r.opts.Zones) == 0
}

// watch is what is known of a name; from the first call on it is listened to, until nobody has asked for it for a while.
func (r *Resolver) watch(name string) *watched {
	name = canonical(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.names[name]
	if w == nil {
		w = &watched{resolver: r, name: name, changed: make(chan struct{}), heard: make(chan struct{})}
		r.names[name] = w
		if r.ctx.Err() == nil {
			r.done.Go(w.run)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = time.Now()
	return w
}

// forget forgets a name for which nobody has asked for longer than it is kept.
func (r *Resolver) forget(w *watched, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	kept := knownFor
	if w.unknown || w.state == nil {
		kept = max(unknownFor, r.opts.FirstWait)
	}
	if w.watchers > 0 || now.Sub(w.asked) < kept {
		return false
	}
	delete(r.names, w.name)
	return true
}

// Lookup is what is given under a name now. The first call waits for a node's first word, FirstWait at the longest.
func (r *Resolver) Lookup(ctx context.Context, name string) (*State, error) {
	s, err := r.take(ctx, name)
	if err != nil {
		return nil, err
	}
	s.use.end()
	return s, nil
}

// take is Lookup, for who says by the end of the use when its request has been sent.
func (r *Resolver) take(ctx context.Context, name string) (*State, error) {
	w := r.watch(name)
	timer := time.NewTimer(r.opts.FirstWait)
	defer timer.Stop()
	select {
	case <-w.heard:
	case <-timer.C:
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", name, ctx.Err())
	case <-r.ctx.Done():
		return nil, fmt.Errorf("%s: %w", name, ErrClosed)
	}
	s, err := w.use(time.Now())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// Watch calls do with what is given under a name at first and after each change, one call at a time, until stop is called. A change is
// acknowledged once do has returned.
func (r *Resolver) Watch(name string, do func(*State)) (stop func()) {
	w := r.watch(name)
	ctx, cancel := context.WithCancel(r.ctx)
	ended := make(chan struct{})
	w.mu.Lock()
	w.watchers++
	first := w.state
	w.mu.Unlock()
	var last *State
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			s, changed := w.now()
			if s != nil && (last == nil || s.told != last.told) {
				if last == nil || s.Given.ETag != last.Given.ETag {
					do(s)
				}
				if first == nil || s.told != first.told {
					s.told.end()
				}
				last = s
			}
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		w.mu.Lock()
		defer w.mu.Unlock()
		w.watchers--
		w.asked = time.Now()
		if s := w.state; s != nil && (first == nil || s.told != first.told) && (last == nil || s.told != last.told) {
			// It came as nobody was to be told any more.
			s.told.end()
		}
	}
}

// LookupNetIP are the addresses in service, as net.Resolver has it: network is ip, ip4 or ip6. They stand in the order in which they are to be
// tried: the first is each as often as its weight says.
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if !r.steered(host) {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	s, err := r.Lookup(ctx, host)
	if errors.Is(err, ErrNoService) {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, m := range s.Order(network) {
		if a, err := netip.ParseAddr(m.Data); err == nil {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", host, ErrNoEndpoint)
	}
	return out, nil
}

// LookupHost is LookupNetIP of both families, as text.
func (r *Resolver) LookupHost(ctx context.Context, host string) ([]string, error) {
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return out, err
}

// DialContext connects to who is in service, as net.Dialer does: to the first endpoint that takes the connection. It is for programs that
// open a connection now and then; for HTTP a Transport knows more.
func (r *Resolver) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !r.steered(host) {
		return r.dialer.DialContext(ctx, network, address)
	}
	s, err := r.take(ctx, host)
	if errors.Is(err, ErrNoService) {
		return r.dialer.DialContext(ctx, network, address)
	}
	if err != nil {
		return nil, err
	}
	defer s.use.end()
	var failed []error
	for _, m := range s.Order(network) {
		c, err := r.dialer.DialContext(ctx, network, net.JoinHostPort(strings.TrimSuffix(m.Data, "."), port))
		if err == nil {
			return c, nil
		}
		s.avoid(m.Data, time.Now())
		if failed = append(failed, err); ctx.Err() != nil {
			break
		}
	}
	if failed == nil {
		failed = []error{ErrNoEndpoint}
	}
	return nil, fmt.Errorf("%s: %w", host, errors.Join(failed...))
}
