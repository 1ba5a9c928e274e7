package resolve

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
)

const (
	// maxEvent bounds one line of a stream, in octets.
	maxEvent = 4 << 20
	// ackTimeout is how long an acknowledgement may take, and how long who chose by an earlier word is waited for.
	ackTimeout = 5 * time.Second
)

// errNoService ends the streams of a name for a while, errUnused for good.
var (
	errNoService = errors.New("404")
	errUnused    = errors.New("nobody asks for it any more")
)

// A watched name is one that is listened to.
type watched struct {
	resolver *Resolver
	name     string
	// heard is closed after the first word, whatever it is.
	heard chan struct{}

	mu sync.Mutex
	// state is the last word; nil before the first. unknown is set while nodes say that the name is no service. changed is closed at the next
	// change of both. guarded by mu
	state   *State
	unknown bool
	changed chan struct{}
	// watchers is how many are told of each word, asked when somebody asked for it last. guarded by mu
	watchers int
	asked    time.Time
	// shared is that of all states; owned by run.
	shared shared
}

// now is the last word, and a channel that closes with the next one.
func (w *watched) now() (*State, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.state, w.changed
}

// use is the last word as far as it may be used; the caller ends the use.
func (w *watched) use(now time.Time) (*State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	after := w.resolver.opts.AfterExpiry
	switch {
	case w.unknown:
		return nil, ErrNoService
	case w.state == nil:
		return nil, ErrNoWord
	case after < 0 && w.state.Expired(now), after > 0 && w.state.Expired(now.Add(-after)):
		return nil, ErrExpired
	}
	w.state.use.begin()
	return w.state, nil
}

// set takes a word; nil says that the name is no service. It returns the one before.
func (w *watched) set(s *State) (was *State) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if was = w.state; s != nil {
		for range w.watchers {
			s.told.begin()
		}
		w.state = s
	}
	w.unknown = s == nil
	close(w.changed)
	w.changed = make(chan struct{})
	select {
	case <-w.heard:
	default:
		close(w.heard)
	}
	return was
}

// run listens to one node after the other until the resolver is closed, or the name is forgotten.
func (w *watched) run() {
	r := w.resolver
	pause, turn, lost := retryLeast, 0, false
	for r.ctx.Err() == nil {
		node := strings.TrimSuffix(r.opts.Nodes[turn%len(r.opts.Nodes)], "/")
		s := &stream{watched: w, node: node, found: func() {
			if pause = retryLeast; lost {
				r.opts.Logger.Info("feed found", "name", w.name, "node", node)
			}
			lost = false
		}}
		err := s.listen(r.ctx)
		if r.ctx.Err() != nil || errors.Is(err, errUnused) {
			return
		}
		wait := pause/2 + rand.N(pause/2+1)
		switch {
		case errors.Is(err, errNoService):
			w.set(nil)
			wait = unknownFor
		default:
			if !lost {
				r.opts.Logger.Warn("feed lost", "name", w.name, "node", node, "err", err)
			}
			lost = true
			// The next node at once; all of them in vain, after a pause.
			if turn++; turn%len(r.opts.Nodes) != 0 {
				wait = 0
			} else {
				pause = min(2*pause, retryMost)
			}
		}
		select {
		case <-time.After(wait):
		case <-r.ctx.Done():
		}
		if r.forget(w, time.Now()) {
			return
		}
	}
}

// A stream is one connection to a node.
type stream struct {
	watched *watched
	node    string
	// found is called with the first word.
	found func()
	hello wire.Hello
	// version is that of the last change.
	version string
	acks    sync.WaitGroup
}

// listen listens until the stream breaks off, is silent, or ends.
func (s *stream) listen(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		cancel(nil)
		s.acks.Wait()
	}()
	r := s.watched.resolver
	q := url.Values{"name": {s.watched.name}}
	if r.opts.Client.IsValid() {
		q.Set("client", r.opts.Client.String())
	}
	req, err := s.request(ctx, http.MethodGet, wire.WatchPath+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	resp, err := r.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return errNoService
	default:
		var f wire.Failure
		_ = json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&f)
		return fmt.Errorf("status %d: %s", resp.StatusCode, f.Error)
	}
	silent := time.AfterFunc(silentAfter, func() { cancel(fmt.Errorf("nothing for %s", silentAfter)) })
	defer silent.Stop()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var kind string
	var data bytes.Buffer
	for lines.Scan() {
		silent.Reset(silentAfter)
		switch line := lines.Text(); {
		case line == "":
			if err := s.event(ctx, kind, data.Bytes()); err != nil {
				return err
			}
			kind = ""
			data.Reset()
		case strings.HasPrefix(line, "event:"):
			kind = strings.TrimSpace(line[len("event:"):])
		case strings.HasPrefix(line, "data:"):
			data.WriteString(strings.TrimPrefix(line[len("data:"):], " "))
		}
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

func (s *stream) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.node+path, body)
	if err == nil && s.watched.resolver.opts.Token != "" {
		req.Header.Set("Authorization", "Bearer "+s.watched.resolver.opts.Token)
	}
	return req, err
}

// event takes one event. What it does not know it leaves alone.
func (s *stream) event(ctx context.Context, kind string, data []byte) error {
	now := time.Now()
	switch kind {
	case wire.EventHello:
		return json.Unmarshal(data, &s.hello)
	case wire.EventGiven:
		var c wire.Change
		if err := json.Unmarshal(data, &c); err != nil {
			return err
		}
		s.change(ctx, &c, now)
	case wire.EventLease:
		var l wire.Lease
		if err := json.Unmarshal(data, &l); err != nil {
			return err
		}
		for _, n := range l.Names {
			s.renew(&n, now)
		}
		if s.watched.resolver.forget(s.watched, now) {
			return errUnused
		}
	case wire.EventEnd:
		var e wire.End
		if err := json.Unmarshal(data, &e); err != nil {
			return err
		}
		return errors.New(e.Reason)
	}
	return nil
}

// change puts what is given to use, and acknowledges it once nobody goes by the word before who has not sent its request.
func (s *stream) change(ctx context.Context, c *wire.Change, now time.Time) {
	w := s.watched
	s.version = c.Version
	for _, g := range c.Given {
		if g.Name != w.name {
			continue
		}
		next := &State{Given: g, Node: s.hello.Node, ExpiresAt: now.Add(time.Duration(g.MaxAge) * time.Second), shared: &w.shared, use: newUse(), told: newUse()}
		was := w.set(next)
		s.found()
		s.acks.Go(func() { s.acknowledge(ctx, was, next, c.Version) })
	}
}

// renew lengthens what was given.
func (s *stream) renew(n *wire.Renewal, now time.Time) {
	w := s.watched
	w.mu.Lock()
	defer w.mu.Unlock()
	if n.Name != w.name || w.state == nil || s.version == "" {
		return
	}
	next := *w.state
	next.ExpiresAt = now.Add(time.Duration(n.MaxAge) * time.Second)
	w.state = &next
}

// acknowledge says that a version is in use.
func (s *stream) acknowledge(ctx context.Context, was, next *State, version string) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	wait := []*use{next.told}
	if was != nil {
		wait = append(wait, was.use)
	}
	for _, u := range wait {
		select {
		case <-u.quiet():
		case <-ctx.Done():
			// Whoever goes by the word before may send at any time: nothing is acknowledged.
			return
		}
	}
	body, err := json.Marshal(wire.Ack{Subscriber: s.hello.Subscriber, Version: version})
	if err != nil {
		return
	}
	req, err := s.request(ctx, http.MethodPost, wire.AckPath, bytes.NewReader(body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.watched.resolver.http.Do(req)
	if err != nil {
		s.watched.resolver.opts.Logger.Debug("not acknowledged", "name", s.watched.name, "err", err)
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 4096))
	resp.Body.Close()
}
