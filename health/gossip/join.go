package gossip

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// lookupTimeout bounds one look-up of a name.
	lookupTimeout = 3 * time.Second
	// joiners is how many joins are under way at once, at most: an address that does not answer takes its time.
	joiners = 8
	// maxSeeds bounds the addresses that one seed stands for.
	maxSeeds = 64
)

// A joiner looks for the nodes of the roster that are not heard. It runs on a goroutine of its own; what it finds belongs to others.
type joiner struct {
	// who knows the roster; a *Peer is it.
	who interface {
		// missing are the nodes of the roster that are not heard, or not members of list.
		missing(list *memberlist.Memberlist) []string
		// addressOf is the address in the roster; addressesOf are all to try, with those that it stands for by now.
		addressOf(name string) string
		addressesOf(name, address string, found []netip.AddrPort) []netip.AddrPort
		Addr() netip.AddrPort
	}
	list     *memberlist.Memberlist
	seeds    []string
	resolver Resolver
	joins    map[string]prometheus.Counter
	log      *slog.Logger
}

// newJoiner looks for those of the roster of p that are not in list.
func newJoiner(p *Peer, list *memberlist.Memberlist) *joiner {
	return &joiner{who: p, list: list, seeds: p.o.Seeds, resolver: p.o.Resolver, joins: p.metrics.joins, log: p.log}
}

// run looks for ever for the nodes of the roster that are not heard: memberlist forgets the dead and never dials them again.
func (j *joiner) run(ctx context.Context) {
	for {
		j.silent(ctx)
		wait := time.NewTimer(rejoin - rejoin/5 + time.Duration(rand.Int64N(int64(rejoin/5))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// silent tries each silent node, and the seeds if there is one, and returns when all tries are over.
func (j *joiner) silent(ctx context.Context) {
	missing := j.who.missing(j.list)
	if len(missing) == 0 {
		return
	}
	rand.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	work := make(chan func())
	var wg sync.WaitGroup
	for range joiners {
		wg.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	hand := func(f func()) {
		select {
		case work <- f:
		case <-ctx.Done():
		}
	}
	for _, name := range missing {
		hand(func() { j.node(ctx, name) })
	}
	for _, seed := range j.seeds {
		hand(func() { j.seed(ctx, seed) })
	}
	close(work)
	wg.Wait()
}

func (j *joiner) node(ctx context.Context, name string) {
	if !slices.Contains(j.who.missing(j.list), name) {
		// An earlier try has brought it.
		return
	}
	address := j.who.addressOf(name)
	if address == "" {
		return
	}
	for _, a := range j.who.addressesOf(name, address, j.lookup(ctx, address, maxAddresses)) {
		if j.address(ctx, a) {
			return
		}
	}
}

func (j *joiner) seed(ctx context.Context, seed string) {
	for _, a := range j.lookup(ctx, seed, maxSeeds) {
		if len(j.who.missing(j.list)) == 0 {
			return
		}
		j.address(ctx, a)
	}
}

// address exchanges states with whoever listens at a.
func (j *joiner) address(ctx context.Context, a netip.AddrPort) bool {
	if ctx.Err() != nil || a == j.who.Addr() {
		return false
	}
	if _, err := j.list.Join([]string{a.String()}); err != nil {
		j.joins[outcomeError].Inc()
		j.log.Debug("gossip: join", "address", a.String(), "err", err)
		return false
	}
	j.joins[outcomeOK].Inc()
	return true
}

// lookup gives the addresses of host:port, up to limit of them in random order.
func (j *joiner) lookup(ctx context.Context, address string, limit int) []netip.AddrPort {
	if a, err := netip.ParseAddrPort(address); err == nil {
		return []netip.AddrPort{unmap(a)}
	}
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	ips, err := j.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		j.log.Debug("gossip: look-up", "name", host, "err", err)
		return nil
	}
	ips = slices.Clone(ips)
	rand.Shuffle(len(ips), func(i, j int) { ips[i], ips[j] = ips[j], ips[i] })
	list := make([]netip.AddrPort, 0, len(ips))
	for _, ip := range ips[:min(len(ips), limit)] {
		list = append(list, netip.AddrPortFrom(ip.Unmap(), uint16(port)))
	}
	return list
}
