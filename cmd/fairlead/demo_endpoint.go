package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A demoState is what a demo endpoint does with connections.
type demoState string

const (
	// serving answers requests.
	serving demoState = "serving"
	// closed has no listener: the kernel refuses connections.
	closed demoState = "closed"
	// hanging accepts connections and sends nothing.
	hanging demoState = "hanging"
)

// A demoEndpoint is one real HTTP server. Its methods are safe for concurrent use.
type demoEndpoint struct {
	place
	// requests are those of people, not of probes.
	requests atomic.Uint64
	// mu guards the rest.
	mu       sync.Mutex
	state    demoState
	listener *gatedListener
	server   *http.Server
}

// set brings the endpoint into state want; it says whether that was a change.
func (e *demoEndpoint) set(want demoState) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == want {
		return false, nil
	}
	if want == closed {
		e.closeLocked()
		return true, nil
	}
	if e.listener == nil {
		if err := e.openLocked(); err != nil {
			return false, err
		}
	}
	e.listener.gate.set(want == serving)
	e.state = want
	return true, nil
}

func (e *demoEndpoint) current() demoState {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.state
}

func (e *demoEndpoint) openLocked() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp4", e.Addr.String())
	if err != nil {
		return fmt.Errorf("endpoint %s: %w", e.Name, err)
	}
	// The gate starts shut, so that an endpoint that shall hang never answers.
	e.listener = &gatedListener{Listener: l, gate: newGate(), conns: map[*gatedConn]struct{}{}}
	e.server = &http.Server{
		Handler:           e.handler(),
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	go func(s *http.Server, l net.Listener) { _ = s.Serve(l) }(e.server, e.listener)
	return nil
}

func (e *demoEndpoint) closeLocked() {
	if e.listener != nil {
		_ = e.listener.Close()
		_ = e.server.Close()
		e.listener, e.server = nil, nil
	}
	e.state = closed
}

// handler tells where the request came to, for people with curl.
func (e *demoEndpoint) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		e.requests.Add(1)
		fmt.Fprintf(w, "region %s, AZ %s, endpoint %s\n", e.Region, e.AZ, e.Name)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "{\"requests\": %d}\n", e.requests.Load())
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	return mux
}

// A gate lets writes pass while it is open.
type gate struct {
	mu sync.Mutex
	// open is closed while writes may pass.
	open   chan struct{}
	isOpen bool
}

func newGate() *gate { return &gate{open: make(chan struct{})} }

func (g *gate) set(open bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case open && !g.isOpen:
		close(g.open)
	case !open && g.isOpen:
		g.open = make(chan struct{})
	}
	g.isOpen = open
}

// wait returns when the gate is open, or with an error when done is closed.
func (g *gate) wait(done <-chan struct{}) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return nil
	case <-done:
		return net.ErrClosed
	}
}

// A gatedListener closes with it every connection that it accepted. net/http alone would miss one that is accepted while
// the server closes.
type gatedListener struct {
	net.Listener
	gate *gate
	// mu guards the rest.
	mu    sync.Mutex
	ended bool
	conns map[*gatedConn]struct{}
}

func (l *gatedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	gc := &gatedConn{Conn: c, listener: l, done: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	l.conns[gc] = struct{}{}
	return gc, nil
}

func (l *gatedListener) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	l.ended = true
	conns := l.conns
	l.conns = map[*gatedConn]struct{}{}
	l.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
	return err
}

// A gatedConn writes only while the gate is open.
type gatedConn struct {
	net.Conn
	listener *gatedListener
	once     sync.Once
	done     chan struct{}
}

func (c *gatedConn) Write(b []byte) (int, error) {
	if err := c.listener.gate.wait(c.done); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

func (c *gatedConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.done)
		c.listener.mu.Lock()
		delete(c.listener.conns, c)
		c.listener.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}
