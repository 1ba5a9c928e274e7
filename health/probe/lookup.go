package probe

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// nameFor is how long an address of a name is used without asking again: a target is not looked up for each probe,
	// and an answer that flips is seen, and logged, at most twice a minute.
	nameFor = 30 * time.Second
	// maxAddresses is how many addresses of a name are tried.
	maxAddresses = 4
	// namesFull is how many names are kept before those out of use are dropped.
	namesFull = 1024
)

// A Resolver looks up names, as net.Resolver does. It must heed ctx.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// lookups keeps the addresses of named targets. A failed look-up is not kept, and nothing is used beyond its time: a name
// that clients cannot resolve is a failure of the endpoint.
type lookups struct {
	resolver Resolver
	log      *slog.Logger

	mu    sync.Mutex // guards known
	known map[string]lookup
}

// A lookup is what a name had at an instant.
type lookup struct {
	addrs []netip.Addr
	at    time.Time
}

func newLookups(resolver Resolver, log *slog.Logger) *lookups {
	if resolver == nil {
		// The C library's resolver would hold a thread for each look-up, and heeds no deadline.
		resolver = &net.Resolver{PreferGo: true}
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &lookups{resolver: resolver, log: log, known: map[string]lookup{}}
}

// addresses are those of host, at least one.
func (n *lookups) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	known, ok := n.known[host]
	n.mu.Unlock()
	if ok && time.Since(known.at) < nameFor {
		return known.few(), nil
	}
	addrs, err := n.resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	if err != nil {
		return nil, lookupError(err, host)
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return n.keep(host, addrs), nil
}

// keep remembers the addresses of host and returns those to use: as long as the set is the same, in the order of before,
// so that answers in turning order do not move the probe.
func (n *lookups) keep(host string, addrs []netip.Addr) []netip.Addr {
	n.mu.Lock()
	defer n.mu.Unlock()
	before, seen := n.known[host]
	if seen && slices.Equal(inOrder(before.addrs), inOrder(addrs)) {
		addrs = before.addrs
	} else if seen {
		n.log.Info("address of a named target changed", "host", host, "old", before.addrs, "new", addrs)
	}
	now := time.Now()
	if !seen && len(n.known) >= namesFull {
		for h, l := range n.known {
			if now.Sub(l.at) > 10*nameFor {
				delete(n.known, h)
			}
		}
	}
	kept := lookup{addrs: addrs, at: now}
	n.known[host] = kept
	return kept.few()
}

// few are the addresses to try.
func (l lookup) few() []netip.Addr { return l.addrs[:min(len(l.addrs), maxAddresses)] }

// inOrder is a sorted copy.
func inOrder(addrs []netip.Addr) []netip.Addr {
	sorted := slices.Clone(addrs)
	slices.SortFunc(sorted, netip.Addr.Compare)
	return sorted
}

// lookupError makes err a net.DNSError, whatever the Resolver gave.
func lookupError(err error, host string) error {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return err
	}
	return &net.DNSError{Err: err.Error(), Name: host, IsTimeout: timedOut(err)}
}
