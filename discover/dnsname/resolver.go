package dnsname

import (
	"context"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

const (
	// floor is the time between two lookups of a name at least: some TTLs are 0. most is the greatest: of a longer TTL the name is looked up
	// all the same, which a resolver answers from its cache.
	floor, most = 5 * time.Second, time.Hour
	// retryMost is the greatest pause after failures; the first is floor, and each is twice the one before.
	retryMost = time.Minute
	// spread bounds how much later than its TTL ends a name is looked up, so that names that were resolved together are not for ever.
	spread = time.Second
	// maxLookups is how many names are looked up at once.
	maxLookups = 16
)

// An Answer is what is known of a host name.
type Answer struct {
	// Addresses are those of the last lookups that found some, sorted. Known is unset until there was one.
	Addresses []netip.Addr
	Known     bool
	// Expires is when the least TTL of the records that led to them ends.
	Expires time.Time
	// Looked is when the last lookup ended; zero before the first.
	Looked time.Time
	// Problem is why Addresses are not those of the last lookup, Since the begin of that; nil and zero where they are. Denied is set where
	// that is since the name has no address, or does not exist.
	Problem error
	Since   time.Time
	Denied  bool
}

// Options are what a Resolver works with. Changed is required.
type Options struct {
	// Servers are asked in this order; none means those of /etc/resolv.conf, which is read for each lookup.
	Servers []netip.AddrPort
	// Changed is called from any goroutine when Answers may say something else. It must not wait.
	Changed func()
}

// A Resolver resolves host names.
type Resolver struct {
	changed func()
	wake    chan struct{}
	slots   chan struct{}

	mu      sync.Mutex // guards the rest
	servers []netip.AddrPort
	hosts   map[string]*host
}

// Families are those whose addresses of a name are wanted.
type Families struct{ V4, V6 bool }

// A host is a name that is wanted.
type host struct {
	Answer
	families Families
	// v4 and v6 are the addresses of the last lookup of each family that succeeded.
	v4, v6 []netip.Addr
	// next is when it is looked up; busy while it is. failures counts those in a row; found is set where the last lookup found addresses, maybe of
	// one family alone.
	next     time.Time
	busy     bool
	failures int
	found    bool
}

// New makes a Resolver. Nothing is asked before Run or Look.
func New(o Options) *Resolver {
	return &Resolver{changed: o.Changed, wake: make(chan struct{}, 1), slots: make(chan struct{}, maxLookups), servers: o.Servers, hosts: make(map[string]*host)}
}

// Configure has other servers asked from now on, and every name at once.
func (r *Resolver) Configure(servers []netip.AddrPort) {
	r.mu.Lock()
	if !slices.Equal(r.servers, servers) {
		r.servers = servers
		for _, h := range r.hosts {
			h.next = time.Time{}
		}
	}
	r.mu.Unlock()
	r.poke()
}

// Want says which names, FQDNs in lower case, are looked up from now on. Others are forgotten.
func (r *Resolver) Want(names map[string]Families) {
	r.mu.Lock()
	maps.DeleteFunc(r.hosts, func(name string, _ *host) bool { _, wanted := names[name]; return !wanted })
	for name, families := range names {
		switch h := r.hosts[name]; {
		case h == nil:
			r.hosts[name] = &host{families: families}
		case h.families != families:
			h.families, h.next = families, time.Time{}
		}
	}
	r.mu.Unlock()
	r.poke()
}

// Answers are what is known of the names that are wanted.
func (r *Resolver) Answers() map[string]Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string]Answer, len(r.hosts))
	for name, h := range r.hosts {
		out[name] = h.Answer
	}
	return out
}

func (r *Resolver) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Look looks all names up that never were, once, and waits for that.
func (r *Resolver) Look(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	for _, name := range r.due(time.Now(), true) {
		all.Go(func() { r.look(ctx, name) })
	}
}

// Run looks names up until ctx ends.
func (r *Resolver) Run(ctx context.Context) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		for _, name := range r.due(time.Now(), false) {
			all.Go(func() { r.look(ctx, name) })
		}
		timer := time.NewTimer(r.pause(time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// due takes the names whose time has come, or those that were never looked up.
func (r *Resolver) due(now time.Time, fresh bool) (names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, h := range r.hosts {
		if !h.busy && !h.next.After(now) && !(fresh && !h.Looked.IsZero()) {
			h.busy = true
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pause is how long nothing is due.
func (r *Resolver) pause(now time.Time) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause := most
	for _, h := range r.hosts {
		if !h.busy {
			pause = min(pause, max(0, h.next.Sub(now)))
		}
	}
	return pause
}

// look looks one name up, which due has taken.
func (r *Resolver) look(ctx context.Context, name string) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		r.give(name)
		return
	}
	r.mu.Lock()
	servers, families := r.servers, Families{}
	if h := r.hosts[name]; h != nil {
		families = h.families
	}
	r.mu.Unlock()
	found := lookup(ctx, servers, name, families)
	if ctx.Err() != nil {
		r.give(name)
		return
	}
	now := time.Now()
	r.mu.Lock()
	changed := false
	if h := r.hosts[name]; h != nil {
		changed = h.take(found, now)
		h.busy = false
		h.next = h.due(name, now)
	}
	r.mu.Unlock()
	r.poke()
	if changed {
		r.changed()
	}
}

// give gives a name back that was not looked up.
func (r *Resolver) give(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.hosts[name]; h != nil {
		h.busy = false
	}
}

// take takes in what was found. changed is set where somebody has to look at it: what a resolver says again is no news but for its TTL.
func (h *host) take(f found, now time.Time) (changed bool) {
	was := h.Answer
	h.Looked = now
	none := len(f.v4.addresses)+len(f.v6.addresses) == 0
	h.found = !none
	switch {
	case none && f.v4.denied && f.v6.denied:
		h.Problem, h.Denied = firstOf(f.v4.err, f.v6.err), true
	case none:
		h.Problem, h.Denied = firstOf(f.v4.failure(), f.v6.failure()), false
	default:
		// A family that cannot be looked up stays as it was; one that is denied is empty.
		if f.v4.failure() == nil {
			h.v4 = f.v4.addresses
		}
		if f.v6.failure() == nil {
			h.v6 = f.v6.addresses
		}
		h.Problem, h.Denied = firstOf(f.v4.failure(), f.v6.failure()), false
		h.Addresses, h.Known = slices.Concat(h.v4, h.v6), true
		slices.SortFunc(h.Addresses, netip.Addr.Compare)
		h.Expires = now.Add(f.ttl())
	}
	switch {
	case h.Problem == nil:
		h.failures, h.Since = 0, time.Time{}
	default:
		h.failures++
		if was.Problem == nil || was.Denied != h.Denied {
			h.Since = now
		}
	}
	return was.Known != h.Known || was.Denied != h.Denied || !slices.Equal(was.Addresses, h.Addresses) || !was.Expires.Equal(h.Expires) ||
		(was.Problem == nil) != (h.Problem == nil) || was.Looked.IsZero()
}

// due is when it is to be looked up next.
func (h *host) due(name string, now time.Time) time.Time {
	if h.Problem != nil {
		retry := min(retryMost, floor<<min(h.failures-1, 8))
		if h.found {
			// Of the other family it is known when they end.
			retry = min(retry, max(h.Expires.Sub(now), floor))
		}
		return now.Add(jittered(retry))
	}
	hash := fnv.New32a()
	hash.Write([]byte(name))
	after := min(max(h.Expires.Sub(now), floor), most)
	return now.Add(after + spread*time.Duration(hash.Sum32()%100)/200 + rand.N(spread/2))
}

// jittered is d, more or less a tenth.
func jittered(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5) }

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// fit tells whether clients can be given an address.
func fit(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !a.IsLinkLocalUnicast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// bounded is a without what clients cannot be given, at most config.MaxNamed of it, sorted.
func bounded(a []netip.Addr) []netip.Addr {
	a = slices.DeleteFunc(a, func(a netip.Addr) bool { return !fit(a) })
	slices.SortFunc(a, netip.Addr.Compare)
	a = slices.Compact(a)
	return a[:min(len(a), config.MaxNamed)]
}
