package kube

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

const (
	// resolveEvery is the time between two lookups of a host name: clouds give theirs TTLs of a minute.
	resolveEvery = 30 * time.Second
	// resolveTimeout bounds one of them.
	resolveTimeout = 5 * time.Second
)

// A host is a host name of a load balancer, with the addresses of its last lookup that succeeded.
type host struct {
	addresses []netip.Addr
	// problem is why the last lookup failed.
	problem error
	// asked is the last time that anybody wanted to know: a name that nobody wants any more is forgotten.
	asked, looked time.Time
}

// lookup is what is known of a host name; known is unset until a lookup has succeeded.
func (r *Reader) lookup(name string) (addresses []netip.Addr, known bool, problem error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[name]
	if h == nil {
		h = new(host)
		r.hosts[name] = h
		r.poke()
	}
	h.asked = time.Now()
	return h.addresses, h.addresses != nil, h.problem
}

// resolve looks up the host names that are wanted, again and again.
func (r *Reader) resolve(ctx context.Context) error {
	const look = time.Second
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		for _, name := range r.dueHosts() {
			r.resolveOne(ctx, name)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (r *Reader) dueHosts() (due []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, h := range r.hosts {
		switch {
		case time.Since(h.asked) > 4*resolveEvery:
			delete(r.hosts, name)
		case h.looked.IsZero() || time.Since(h.looked) >= resolveEvery:
			due = append(due, name)
		}
	}
	slices.Sort(due)
	return due
}

func (r *Reader) resolveOne(ctx context.Context, name string) {
	ctx, cancel := context.WithTimeout(ctx, resolveTimeout)
	found, err := r.opts.Resolve(ctx, name)
	cancel()
	for i, a := range found {
		found[i] = a.Unmap().WithZone("")
	}
	slices.SortFunc(found, netip.Addr.Compare)
	found = slices.Compact(found)
	r.mu.Lock()
	h := r.hosts[name]
	different := false
	if h != nil {
		h.looked = time.Now()
		different = (err == nil) != (h.problem == nil)
		h.problem = err
		// What a lookup that fails says of the addresses is nothing.
		if err == nil && len(found) > 0 && !slices.Equal(found, h.addresses) {
			h.addresses, different = found, true
		}
	}
	r.mu.Unlock()
	if different {
		r.opts.Changed()
	}
}
