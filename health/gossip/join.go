package gossip

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// lookupTimeout bounds one look-up of a name.
	lookupTimeout = 3 * time.Second
	// joiners is how many joins are under way at once, at most: an address that does not answer takes its time.
	joiners = 8
	// maxSeeds bounds the addresses that one seed stands for.
	maxSeeds = 64
)

// join looks for ever for the nodes of the roster that are not heard: memberlist forgets the dead and never dials them again.
func (p *Peer) join(ctx context.Context, list *memberlist.Memberlist) {
	for {
		p.joinSilent(ctx, list)
		wait := time.NewTimer(rejoin - rejoin/5 + time.Duration(rand.Int64N(int64(rejoin/5))))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
	}
}

// joinSilent tries each silent node, and the seeds if there is one, and returns when all tries are over.
func (p *Peer) joinSilent(ctx context.Context, list *memberlist.Memberlist) {
	missing := p.missing(list)
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
		hand(func() { p.joinNode(ctx, list, name) })
	}
	for _, seed := range p.o.Seeds {
		hand(func() { p.joinSeed(ctx, list, seed) })
	}
	close(work)
	wg.Wait()
}

// missing are the nodes of the roster that are not heard, or not members.
func (p *Peer) missing(list *memberlist.Memberlist) []string {
	members := map[string]bool{}
	for _, m := range list.Members() {
		members[m.Name] = true
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, name := range p.roster.names {
		if name != p.o.Node && (!members[name] || p.silentLocked(name, now)) {
			names = append(names, name)
		}
	}
	return names
}

func (p *Peer) joinNode(ctx context.Context, list *memberlist.Memberlist, name string) {
	if !slices.Contains(p.missing(list), name) {
		// An earlier try has brought it.
		return
	}
	p.mu.Lock()
	address := p.roster.members[name].Address
	p.mu.Unlock()
	if address == "" {
		return
	}
	if found := p.lookup(ctx, address, maxAddresses); len(found) > 0 {
		p.mu.Lock()
		if p.roster.members[name].Address == address {
			p.resolved[name] = found
		}
		p.mu.Unlock()
	}
	p.mu.Lock()
	addresses := p.addressesLocked(name)
	p.mu.Unlock()
	for _, a := range addresses {
		if p.joinAddress(ctx, list, a) {
			return
		}
	}
}

func (p *Peer) joinSeed(ctx context.Context, list *memberlist.Memberlist, seed string) {
	for _, a := range p.lookup(ctx, seed, maxSeeds) {
		if len(p.missing(list)) == 0 {
			return
		}
		p.joinAddress(ctx, list, a)
	}
}

// joinAddress exchanges states with whoever listens at a.
func (p *Peer) joinAddress(ctx context.Context, list *memberlist.Memberlist, a netip.AddrPort) bool {
	if ctx.Err() != nil || a == p.Addr() {
		return false
	}
	if _, err := list.Join([]string{a.String()}); err != nil {
		p.metrics.joins[outcomeError].Inc()
		p.log.Debug("gossip: join", "address", a.String(), "err", err)
		return false
	}
	p.metrics.joins[outcomeOK].Inc()
	return true
}

// lookup gives the addresses of host:port, up to limit of them in random order.
func (p *Peer) lookup(ctx context.Context, address string, limit int) []netip.AddrPort {
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
	ips, err := p.o.Resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		p.log.Debug("gossip: look-up", "name", host, "err", err)
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
