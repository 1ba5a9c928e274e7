package resolve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

// A Transport sends each request to an endpoint that is in service when it is sent. Endpoints have connections of their own: those of one that
// leaves are closed once they are idle, and no request goes there any more, also over HTTP/2. A request whose connection was never made goes to
// the next endpoint.
type Transport struct {
	resolver *Resolver
	base     *http.Transport
	// other is for names that are not steered.
	other *http.Transport

	mu sync.Mutex
	// hosts are the services by their names, stops the ends of what watches them; guarded by mu.
	hosts map[string]map[string]*lane
	stops []func()
}

// A lane has the connections to one endpoint.
type lane struct {
	*http.Transport
	mu sync.Mutex
	// open counts requests under way; left is set once the endpoint has left. guarded by mu
	open int
	left bool
}

// NewTransport makes a Transport that makes connections as base does; nil is as http.DefaultTransport.
func (r *Resolver) NewTransport(base *http.Transport) *Transport {
	if base == nil {
		base = http.DefaultTransport.(*http.Transport)
	}
	return &Transport{resolver: r, base: base.Clone(), other: base.Clone(), hosts: make(map[string]map[string]*lane)}
}

// Close closes idle connections, and those in use once they are not.
func (t *Transport) Close() {
	t.mu.Lock()
	stops := t.stops
	t.stops = nil
	for _, lanes := range t.hosts {
		for _, l := range lanes {
			l.leave()
		}
	}
	t.mu.Unlock()
	for _, stop := range stops {
		stop()
	}
	t.other.CloseIdleConnections()
}

// A dialError says that a request was not sent, for there was no connection.
type dialError struct{ err error }

func (e *dialError) Error() string { return e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// RoundTrip sends a request.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	host := req.URL.Hostname()
	if !t.resolver.steered(host) {
		return t.other.RoundTrip(req)
	}
	s, err := t.resolver.take(req.Context(), host)
	if errors.Is(err, ErrNoService) {
		return t.other.RoundTrip(req)
	}
	var body *onceBody
	if req.Body != nil && req.Body != http.NoBody {
		body = &onceBody{ReadCloser: req.Body}
		defer body.done()
	}
	if err != nil {
		return nil, err
	}
	// From when the request is written on it goes where it was sent; until then it counts as one that goes by this word.
	sent := sync.OnceFunc(s.use.end)
	defer sent()
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { sent() }})
	var failed []error
	for _, m := range s.Order("tcp") {
		l := t.lane(host, m.Data)
		out := req.WithContext(ctx)
		if body != nil {
			out.Body = body
		}
		resp, err := l.send(out)
		if err == nil {
			return resp, nil
		}
		failed = append(failed, err)
		if dial := (*dialError)(nil); !errors.As(err, &dial) || req.Context().Err() != nil || body != nil && body.read.Load() {
			break
		}
		s.avoid(m.Data, time.Now())
	}
	if failed == nil {
		failed = []error{ErrNoEndpoint}
	}
	return nil, fmt.Errorf("%s: %w", host, errors.Join(failed...))
}

// A onceBody is closed when the last endpoint has been tried, and knows whether anything of it was sent.
type onceBody struct {
	io.ReadCloser
	read atomic.Bool
}

func (b *onceBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

// Close is for who was handed it.
func (b *onceBody) Close() error {
	if b.read.Load() {
		return b.ReadCloser.Close()
	}
	return nil
}

func (b *onceBody) done() {
	if !b.read.Load() {
		b.ReadCloser.Close()
	}
}

// lane has the connections to an endpoint of a service; the first call for the service watches it.
func (t *Transport) lane(host, data string) *lane {
	t.mu.Lock()
	defer t.mu.Unlock()
	lanes := t.hosts[host]
	if lanes == nil {
		lanes = make(map[string]*lane)
		t.hosts[host] = lanes
		t.stops = append(t.stops, t.resolver.Watch(host, func(s *State) { t.prune(host, s) }))
	}
	l := lanes[data]
	if l == nil {
		l = &lane{Transport: t.base.Clone()}
		l.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, &dialError{err}
			}
			c, err := t.resolver.dialer.DialContext(ctx, network, net.JoinHostPort(strings.TrimSuffix(data, "."), port))
			if err != nil {
				return nil, &dialError{err}
			}
			return c, nil
		}
		lanes[data] = l
		if now, _ := t.resolver.watch(host).now(); now != nil && !slices.ContainsFunc(now.Members("tcp"), func(m wire.Member) bool { return m.Data == data }) {
			// Chosen by a word that is over meanwhile: for this request alone.
			l.left = true
			delete(lanes, data)
		}
	}
	return l
}

// prune leaves those that are not in service any more.
func (t *Transport) prune(host string, s *State) {
	here := make(map[string]bool)
	for _, m := range s.Members("tcp") {
		here[m.Data] = true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for data, l := range t.hosts[host] {
		if !here[data] {
			delete(t.hosts[host], data)
			l.leave()
		}
	}
}

// send sends a request, and notes when its response has been read.
func (l *lane) send(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.open++
	l.mu.Unlock()
	resp, err := l.RoundTrip(req)
	if err != nil {
		l.ended()
		return nil, err
	}
	resp.Body = &countedBody{ReadCloser: resp.Body, ended: sync.OnceFunc(l.ended)}
	return resp, nil
}

// ended notes that a request is over; the last one of an endpoint that has left closes its connections.
func (l *lane) ended() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open--; l.left && l.open == 0 {
		l.CloseIdleConnections()
	}
}

// leave closes what is idle, and what is not once it is.
func (l *lane) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	// What becomes idle later is closed too, as long as nothing new asks for a connection.
	l.left = true
	l.CloseIdleConnections()
}

// A countedBody tells when it is closed.
type countedBody struct {
	io.ReadCloser
	ended func()
}

func (b *countedBody) Close() error {
	err := b.ReadCloser.Close()
	b.ended()
	return err
}
