package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/discover"
)

// Options are what a Reader works with. Cluster and Changed are required.
type Options struct {
	Cluster *config.KubeCluster
	// Agent is what the API server is told of who asks.
	Agent string
	// UID is that of the cluster that was read before; empty takes the first one that answers.
	UID string
	// Changed is called from any goroutine when Report may say something else. It must not wait.
	Changed func()
	// Resolve looks up the addresses of a host name; nil is the resolver of the host.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// Retry is the pause after a first failure; it doubles up to 30 times as much. 0 is a second.
	Retry time.Duration
}

// A StrangerError says that another cluster stands behind the URL than before.
type StrangerError struct{ Kept, Found string }

func (e *StrangerError) Error() string {
	return fmt.Sprintf("another cluster stands behind the URL: kube-system has the UID %s, before %s", e.Found, e.Kept)
}

// A Reader reads one cluster.
type Reader struct {
	opts Options
	wake chan struct{}

	mu     sync.Mutex // guards the rest
	client *client
	uid    string
	wants  []discover.Want
	feeds  map[feedKey]*running
	hosts  map[string]*host
	// back is set once the cluster was found in an earlier state than it was, until Trust.
	back bool
}

// A running feed can be ended.
type running struct {
	*feed
	cancel context.CancelFunc
}

// New makes a Reader. Nothing is dialled before Run.
func New(o Options) *Reader {
	if o.Resolve == nil {
		o.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if o.Retry == 0 {
		o.Retry = defaultRetry
	}
	return &Reader{opts: o, uid: o.UID, wake: make(chan struct{}, 1), feeds: make(map[feedKey]*running), hosts: make(map[string]*host)}
}

// Want says what is to be read from now on.
func (r *Reader) Want(wants []discover.Want) {
	r.mu.Lock()
	r.wants = wants
	r.mu.Unlock()
	r.poke()
}

// Adopt takes the cluster that answers next for the one that is read. Everything is listed anew: revisions of one cluster mean nothing to
// another.
func (r *Reader) Adopt() { r.take("") }

// Keep takes the cluster with this UID for the one that is read, as another node has adopted it.
func (r *Reader) Keep(uid string) { r.take(uid) }

func (r *Reader) take(uid string) {
	r.mu.Lock()
	if uid != "" && r.uid == uid {
		r.mu.Unlock()
		return
	}
	r.uid, r.back = uid, false
	r.anewLocked()
	r.mu.Unlock()
	r.poke()
}

// Trust takes the state in which the cluster is for the one that counts.
func (r *Reader) Trust() {
	r.mu.Lock()
	r.back = false
	r.mu.Unlock()
}

// rewound has everything listed anew: what one kind of objects says now does not go with what another one said before.
func (r *Reader) rewound() {
	r.mu.Lock()
	r.back = true
	r.anewLocked()
	r.mu.Unlock()
	r.changed()
}

func (r *Reader) anewLocked() {
	for key, f := range r.feeds {
		f.cancel()
		delete(r.feeds, key)
	}
}

// Run reads until ctx ends.
func (r *Reader) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.resolve(ctx) })
	for {
		r.arrange(ctx, g)
		select {
		case <-ctx.Done():
			return g.Wait()
		case <-r.wake:
		}
	}
}

// arrange starts the feeds that are needed, and ends those that are not.
func (r *Reader) arrange(ctx context.Context, g *errgroup.Group) {
	needed := r.needs()
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, f := range r.feeds {
		if !needed[key] {
			f.cancel()
			delete(r.feeds, key)
		}
	}
	for key := range needed {
		if r.feeds[key] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(ctx)
		f := &running{feed: &feed{key: key, source: r, retry: r.opts.Retry}, cancel: cancel}
		r.feeds[key] = f
		g.Go(func() error {
			f.run(ctx)
			return nil
		})
	}
}

func (r *Reader) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// changed is called by feeds: other objects may need other kinds, as a headless Service its EndpointSlices.
func (r *Reader) changed() {
	r.poke()
	r.opts.Changed()
}

// ask is a client of the cluster, once it is known to be the right one.
func (r *Reader) ask(ctx context.Context) (*client, error) {
	r.mu.Lock()
	c := r.client
	r.mu.Unlock()
	if c == nil {
		made, err := newClient(r.opts.Cluster, r.opts.Agent)
		if err != nil {
			return nil, err
		}
		r.mu.Lock()
		r.client, c = made, made
		r.mu.Unlock()
	}
	return c, r.same(ctx, c)
}

// lost gives up the client.
func (r *Reader) lost() {
	r.mu.Lock()
	r.client = nil
	r.mu.Unlock()
}

// same fails unless the cluster is the one that it was. The first that answers is the one that is read.
func (r *Reader) same(ctx context.Context, c *client) error {
	found, err := c.identity(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.uid == "" {
		r.uid = found
	}
	if found != r.uid {
		return &StrangerError{Kept: r.uid, Found: found}
	}
	return nil
}

// A Problem is why something of a cluster may be old, or is missing.
type Problem struct {
	// What is the kind of objects, or the part.
	What string
	Err  error
	// Since is its begin; zero where that says nothing.
	Since time.Time
}

// A Report is what a cluster says.
type Report struct {
	// UID is that of the cluster; empty until it has been read.
	UID string
	// Revision is the greatest resourceVersion of what was read.
	Revision string
	// Rewound is set where the cluster is in an earlier state than it was, as after a restore, until Trust or Adopt.
	Rewound bool
	Seen    []discover.Seen
	// Failures are of the API: what was read before may be old. Problems are of what it says.
	Failures, Problems []Problem
	// ReadAt is when all that is needed was last heard of; zero for never.
	ReadAt time.Time
}

// Complete tells whether everything that is needed has been read.
func (r *Report) Complete() bool {
	return !r.ReadAt.IsZero() && !slices.ContainsFunc(r.Seen, func(s discover.Seen) bool { return !s.Known })
}

// Stranger is set where another cluster stands behind the URL.
func (r *Report) Stranger() *StrangerError {
	for _, p := range r.Failures {
		if e, ok := errors.AsType[*StrangerError](p.Err); ok {
			return e
		}
	}
	return nil
}

// Report is what the cluster says now.
func (r *Reader) Report() Report {
	r.mu.Lock()
	wants := r.wants
	out := Report{UID: r.uid, Rewound: r.back}
	keys := slices.SortedFunc(maps.Keys(r.feeds), func(a, b feedKey) int { return strings.Compare(a.String(), b.String()) })
	for i, key := range keys {
		f := r.feeds[key]
		f.mu.Lock()
		if f.problem != nil {
			out.Failures = append(out.Failures, Problem{What: key.String(), Err: f.problem, Since: f.since})
		}
		out.Revision = greater(out.Revision, f.greatest)
		if i == 0 || f.contact.Before(out.ReadAt) {
			out.ReadAt = f.contact
		}
		f.mu.Unlock()
	}
	r.mu.Unlock()
	for _, w := range wants {
		seen, problems := r.seen(w)
		out.Seen = append(out.Seen, seen)
		for _, p := range problems {
			out.Problems = append(out.Problems, Problem{What: w.Key.String(), Err: errors.New(p)})
		}
	}
	return out
}

// read calls do with all objects of a kind in a namespace, or in all. It tells whether they are known.
func (r *Reader) read(res *resource, namespace string, do func(o *object)) (known bool) {
	r.mu.Lock()
	whole, part := r.feeds[feedKey{resource: res}], r.feeds[feedKey{res, namespace}]
	r.mu.Unlock()
	if whole != nil {
		return whole.feed.read(func(o *object) {
			if namespace == "" || res.whole || o.Metadata.Namespace == namespace {
				do(o)
			}
		})
	}
	return part != nil && part.feed.read(do)
}
