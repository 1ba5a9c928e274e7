package delegation

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

const (
	// maxParentServers and maxNameservers bound the addresses that are asked: the root has 26, and no sensible zone more.
	maxParentServers, maxNameservers = 26, 32
	// foreignName is in nobody's zone (RFC 6761 section 6.4).
	foreignName = "invalid."
)

// A delegation is what was found; report judges it.
type delegation struct {
	*querier
	zone string
	// parent is the zone above; empty when its servers were named.
	parent        string
	parentServers []string
	// referrals are the replies of the parent's servers, in their order.
	referrals []*referral
	// parentNames are the nameservers that the parent names, names those and what the zone itself names besides.
	parentNames, names []string
	// glue are the addresses in the parent. addrs are those by which a name is asked: glue, else what the resolver or the zone says;
	// addrErrs why there are none.
	glue, addrs map[string][]netip.Addr
	addrErrs    map[string]error
	servers     []*nameserver
}

// A referral is what one server of the parent says.
type referral struct {
	server string
	ns, ds reply
	// names is the NS set of the zone, sorted; empty if it has none. ttl is that of the set.
	names []string
	ttl   uint32
}

// A nameserver is what one address of one of the zone's nameservers says.
type nameserver struct {
	name string
	addr netip.Addr
	// soa is over UDP, soaTCP over TCP. The others are asked only if one of those came.
	soa, soaTCP                      reply
	ns, small, badvers, foreign, key reply
	// own are the addresses that it answers for the nameservers in the zone; those that it does not answer for are absent.
	own map[string][]netip.Addr
}

func (n *nameserver) reached() bool { return n.soa.err == nil || n.soaTCP.err == nil }

// first is the reply to the SOA, by UDP if there is one.
func (n *nameserver) first() reply {
	if n.soa.err != nil {
		return n.soaTCP
	}
	return n.soa
}

// serial is the SOA serial; ok is false without authority.
func (n *nameserver) serial(zone string) (serial uint32, ok bool) {
	if r := n.first(); r.ok() {
		for _, rr := range r.msg.Answer {
			if soa, is := rr.(*dns.SOA); is && dns.CanonicalName(soa.Hdr.Name) == zone {
				return soa.Serial, true
			}
		}
	}
	return 0, false
}

// concurrently runs f on all of list at once, and waits.
func concurrently[T any](list []T, f func(T)) {
	var wg sync.WaitGroup
	for _, x := range list {
		wg.Go(func() { f(x) })
	}
	wg.Wait()
}

// find asks everybody.
func (d *delegation) find(ctx context.Context) error {
	if len(d.parentServers) == 0 {
		if err := d.findParent(ctx); err != nil {
			return exit.WithHint(fmt.Errorf("parent zone of %s: %w", terminal.Display(d.zone), err), "name one of its servers with --parent, or another resolver with --resolver")
		}
	}
	for _, s := range d.parentServers {
		d.referrals = append(d.referrals, &referral{server: s})
	}
	concurrently(d.referrals, func(r *referral) { d.refer(ctx, r) })
	d.glue, d.addrs, d.addrErrs = map[string][]netip.Addr{}, map[string][]netip.Addr{}, map[string]error{}
	names := map[string]bool{}
	for _, r := range d.referrals {
		for _, name := range r.names {
			names[name] = true
			d.glue[name] = append(d.glue[name], addressesIn(r.ns.msg.Extra, name)...)
		}
	}
	d.parentNames = slices.Sorted(maps.Keys(names))
	for _, name := range d.parentNames {
		d.glue[name] = sortedSet(d.glue[name])
	}
	d.askServers(ctx, d.parentNames)
	// What the zone names besides, and names in it that lack glue: those that were reached know their addresses.
	for _, n := range d.servers {
		for _, name := range nsNames(n.ns, d.zone) {
			names[name] = true
		}
	}
	d.names = slices.Sorted(maps.Keys(names))
	d.askServers(ctx, slices.DeleteFunc(slices.Clone(d.names), func(name string) bool { return len(d.addrs[name]) > 0 }))
	concurrently(d.servers, func(n *nameserver) { d.askAddresses(ctx, n) })
	return nil
}

// findParent finds the zone above and the addresses of its servers.
func (d *delegation) findParent(ctx context.Context) error {
	i, end := dns.NextLabel(d.zone, 0)
	above := "."
	if !end {
		above = d.zone[i:]
	}
	m, err := d.resolve(ctx, above, dns.TypeSOA)
	if err != nil {
		return err
	}
	for _, rr := range append(m.Answer, m.Ns...) {
		if soa, ok := rr.(*dns.SOA); ok && dns.IsSubDomain(soa.Hdr.Name, above) {
			d.parent = dns.CanonicalName(soa.Hdr.Name)
		}
	}
	if d.parent == "" {
		return fmt.Errorf("the resolver knows no SOA at or above %s", terminal.Display(above))
	}
	if m, err = d.resolve(ctx, d.parent, dns.TypeNS); err != nil {
		return err
	}
	var mu sync.Mutex
	var all []netip.Addr
	concurrently(nsIn(m.Answer, d.parent), func(name string) {
		if addrs, lookup := d.addresses(ctx, name); lookup == nil {
			mu.Lock()
			all = append(all, addrs...)
			mu.Unlock()
		}
	})
	if len(all) == 0 {
		return fmt.Errorf("no address of a nameserver of %s is found", d.parent)
	}
	all = sortedSet(all)
	for _, a := range all[:min(len(all), maxParentServers)] {
		d.parentServers = append(d.parentServers, net.JoinHostPort(a.String(), strconv.Itoa(dnsPort)))
	}
	return nil
}

// refer asks one server of the parent.
func (d *delegation) refer(ctx context.Context, r *referral) {
	r.ns = d.ask(ctx, r.server, question{name: d.zone, qtype: dns.TypeNS, edns: ednsSize})
	if r.ns.err != nil {
		return
	}
	r.ds = d.ask(ctx, r.server, question{name: d.zone, qtype: dns.TypeDS, edns: ednsSize})
	// A server that has both zones answers what another one delegates.
	section := r.ns.msg.Ns
	if len(r.ns.msg.Answer) > 0 {
		section = r.ns.msg.Answer
	}
	r.names = nsIn(section, d.zone)
	for _, rr := range section {
		if rr.Header().Rrtype == dns.TypeNS {
			r.ttl = rr.Header().Ttl
		}
	}
}

// nsNames is the NS set of an answer with authority.
func nsNames(r reply, zone string) []string {
	if !r.ok() {
		return nil
	}
	return nsIn(r.msg.Answer, zone)
}

// nsIn are the nameservers of owner in rrs, sorted, each once.
func nsIn(rrs []dns.RR, owner string) []string {
	var out []string
	for _, rr := range rrs {
		if ns, ok := rr.(*dns.NS); ok && dns.CanonicalName(ns.Hdr.Name) == owner {
			out = append(out, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// askServers finds the addresses of names and asks each of them.
func (d *delegation) askServers(ctx context.Context, names []string) {
	var mu sync.Mutex
	concurrently(names, func(name string) {
		addrs, err := d.addressesOf(ctx, name)
		mu.Lock()
		defer mu.Unlock()
		d.addrs[name], d.addrErrs[name] = addrs, err
	})
	var added []*nameserver
	for _, name := range names {
		for _, a := range d.addrs[name] {
			if len(d.servers)+len(added) < maxNameservers {
				added = append(added, &nameserver{name: name, addr: a, own: map[string][]netip.Addr{}})
			}
		}
	}
	concurrently(added, func(n *nameserver) { d.askServer(ctx, n) })
	d.servers = append(d.servers, added...)
}

// addressesOf is where a nameserver is asked.
func (d *delegation) addressesOf(ctx context.Context, name string) ([]netip.Addr, error) {
	if g := d.glue[name]; len(g) > 0 {
		return g, nil
	}
	if !dns.IsSubDomain(d.zone, name) {
		return d.addresses(ctx, name)
	}
	for _, n := range d.servers {
		if n.reached() {
			if own, ok := d.ownAddresses(ctx, n, name); ok && len(own) > 0 {
				return own, nil
			}
		}
	}
	return nil, nil
}

// at is where n is asked.
func (d *delegation) at(n *nameserver) string {
	return net.JoinHostPort(n.addr.String(), strconv.Itoa(int(d.port)))
}

// askServer asks one nameserver for the zone.
func (d *delegation) askServer(ctx context.Context, n *nameserver) {
	at, soa := d.at(n), question{name: d.zone, qtype: dns.TypeSOA}
	concurrently([]func(){
		func() { n.soa = d.exchange(ctx, "udp", at, soa) },
		func() { n.soaTCP = d.exchange(ctx, "tcp", at, soa) },
	}, func(f func()) { f() })
	if !n.reached() {
		return
	}
	asks := []func(){
		func() { n.ns = d.askOf(ctx, n, question{name: d.zone, qtype: dns.TypeNS, edns: ednsSize}) },
		func() { n.foreign = d.askOf(ctx, n, question{name: foreignName, qtype: dns.TypeNS}) },
		func() {
			n.key = d.askOf(ctx, n, question{name: d.zone, qtype: dns.TypeDNSKEY, edns: ednsSize, dnssec: true})
		},
	}
	if n.soa.err == nil {
		small := question{name: d.zone, qtype: dns.TypeNS, edns: smallSize, dnssec: true}
		newer := question{name: d.zone, qtype: dns.TypeSOA, edns: ednsSize, version: 1}
		asks = append(asks,
			func() { n.small = d.exchange(ctx, "udp", at, small) },
			func() { n.badvers = d.exchange(ctx, "udp", at, newer) })
	}
	concurrently(asks, func(f func()) { f() })
}

// askAddresses asks n for the addresses of all nameservers within the zone.
func (d *delegation) askAddresses(ctx context.Context, n *nameserver) {
	for _, name := range d.names {
		if !n.reached() || !dns.IsSubDomain(d.zone, name) {
			continue
		}
		if own, ok := d.ownAddresses(ctx, n, name); ok {
			n.own[name] = own
		}
	}
}

// ownAddresses are what n answers for a nameserver within the zone; ok is false if it does not say.
func (d *delegation) ownAddresses(ctx context.Context, n *nameserver, name string) (addrs []netip.Addr, ok bool) {
	for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
		r := d.askOf(ctx, n, question{name: name, qtype: qtype, edns: ednsSize})
		if !r.ok() && (r.err != nil || r.msg.Rcode != dns.RcodeNameError) {
			return nil, false
		}
		addrs = append(addrs, addressesIn(r.msg.Answer, name)...)
	}
	return sortedSet(addrs), true
}

// askOf asks n as it can be reached.
func (d *delegation) askOf(ctx context.Context, n *nameserver, what question) reply {
	if n.soa.err != nil {
		return d.exchange(ctx, "tcp", d.at(n), what)
	}
	return d.ask(ctx, d.at(n), what)
}
