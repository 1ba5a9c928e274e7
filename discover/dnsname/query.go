package dnsname

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// queryTimeout bounds one question to one server; lookupTimeout all of one family's.
	queryTimeout, lookupTimeout = 2 * time.Second, 12 * time.Second
	// rounds is how often each server is asked.
	rounds = 2
	// maxHops bounds the CNAMEs that are followed.
	maxHops = 12
	// udpSize is what is taken over UDP (RFC 9715).
	udpSize = 1232
	// resolvConf is where the host's resolvers stand.
	resolvConf = "/etc/resolv.conf"
)

// A found is the outcome of one lookup.
type found struct{ v4, v6 family }

// A family is the outcome for one type of records.
type family struct {
	addresses []netip.Addr
	// ttl is the least of the records that led to them, in seconds.
	ttl uint32
	// denied is set where the name has no such records; err then says how that was said, else why nothing is known.
	denied bool
	err    error
}

// failure is why nothing is known.
func (f *family) failure() error {
	if f.denied {
		return nil
	}
	return f.err
}

// ttl is the least TTL of both families.
func (f *found) ttl() time.Duration {
	ttl := f.v4.ttl
	if len(f.v4.addresses) == 0 || len(f.v6.addresses) > 0 && f.v6.ttl < ttl {
		ttl = f.v6.ttl
	}
	return time.Duration(ttl) * time.Second
}

// lookup asks for the families that are wanted, for both at once. One that is not wanted has no addresses.
func lookup(ctx context.Context, servers []netip.AddrPort, name string, wanted Families) (f found) {
	if len(servers) == 0 {
		var err error
		if servers, err = systemServers(resolvConf); err != nil {
			return found{family{err: err}, family{err: err}}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var both sync.WaitGroup
	f.v4.denied, f.v6.denied = true, true
	if wanted.V4 {
		both.Go(func() { f.v4 = lookupType(ctx, servers, name, dns.TypeA) })
	}
	if wanted.V6 {
		both.Go(func() { f.v6 = lookupType(ctx, servers, name, dns.TypeAAAA) })
	}
	both.Wait()
	return f
}

// systemServers are the resolvers of a resolv.conf.
func systemServers(path string) (out []netip.AddrPort, err error) {
	c, err := dns.ClientConfigFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("resolvers of the host: %w", err)
	}
	for _, s := range c.Servers {
		if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.AddrPortFrom(a, 53))
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("resolvers of the host: %s names none", path)
	}
	return out, nil
}

// lookupType asks one server after the other until one knows.
func lookupType(ctx context.Context, servers []netip.AddrPort, name string, typ uint16) (f family) {
	for range rounds {
		for _, s := range servers {
			if f = follow(ctx, s, name, typ); f.err == nil || f.denied {
				return f
			}
			if ctx.Err() != nil {
				return f
			}
		}
	}
	return f
}

// follow asks one server, and again for where a CNAME leads that it has not followed itself.
func follow(ctx context.Context, server netip.AddrPort, name string, typ uint16) family {
	var ttl uint32 = 1<<32 - 1
	asked := name
	for range maxHops {
		m, err := ask(ctx, server, asked, typ)
		if err != nil {
			return family{err: fmt.Errorf("%s %s from %s: %w", asked, dns.Type(typ), server, err)}
		}
		at, addresses, least := walk(m, asked, typ)
		ttl = min(ttl, least)
		switch {
		case at == "":
			return family{err: fmt.Errorf("%s %s from %s: more than %d CNAMEs", asked, dns.Type(typ), server, maxHops)}
		case len(addresses) > 0:
			if addresses = bounded(addresses); len(addresses) == 0 {
				return family{err: fmt.Errorf("%s %s from %s: no address that clients can be given", name, dns.Type(typ), server)}
			}
			return family{addresses: addresses, ttl: ttl}
		case m.Rcode == dns.RcodeNameError:
			return family{denied: true, err: fmt.Errorf("%s: NXDOMAIN from %s", at, server)}
		case at != asked && !has(m.Ns, dns.TypeSOA):
			asked = at
		case has(m.Ns, dns.TypeNS) && !has(m.Ns, dns.TypeSOA) && !m.RecursionAvailable:
			return family{err: fmt.Errorf("%s %s from %s: a referral: it does not resolve for others", asked, dns.Type(typ), server)}
		default:
			return family{denied: true, err: fmt.Errorf("%s: no %s from %s", at, dns.Type(typ), server)}
		}
	}
	return family{err: fmt.Errorf("%s %s from %s: more than %d CNAMEs", name, dns.Type(typ), server, maxHops)}
}

// walk follows the CNAMEs of a reply from name on: where they lead, the addresses there, and the least TTL of all that. at is empty where they
// lead nowhere.
func walk(m *dns.Msg, name string, typ uint16) (at string, addresses []netip.Addr, ttl uint32) {
	at, ttl = name, 1<<32-1
	for range maxHops {
		next := ""
		for _, rr := range m.Answer {
			h := rr.Header()
			if h.Class != dns.ClassINET || !strings.EqualFold(h.Name, at) {
				continue
			}
			switch rr := rr.(type) {
			case *dns.CNAME:
				next, ttl = strings.ToLower(dns.Fqdn(rr.Target)), min(ttl, h.Ttl)
			case *dns.A:
				if a, ok := netip.AddrFromSlice(rr.A.To4()); ok && typ == dns.TypeA {
					addresses, ttl = append(addresses, a), min(ttl, h.Ttl)
				}
			case *dns.AAAA:
				if a, ok := netip.AddrFromSlice(rr.AAAA); ok && typ == dns.TypeAAAA && !a.Is4In6() {
					addresses, ttl = append(addresses, a), min(ttl, h.Ttl)
				}
			}
		}
		if len(addresses) > 0 || next == "" {
			return at, addresses, ttl
		}
		at = next
	}
	return "", nil, 0
}

func has(rrs []dns.RR, typ uint16) bool {
	for _, rr := range rrs {
		if rr.Header().Rrtype == typ {
			return true
		}
	}
	return false
}

// ask asks one question, over UDP first. A reply that says nothing of the name is an error.
func ask(ctx context.Context, server netip.AddrPort, name string, typ uint16) (*dns.Msg, error) {
	q := new(dns.Msg)
	q.SetQuestion(name, typ)
	q.SetEdns0(udpSize, false)
	m, err := exchange(ctx, "udp", server, q)
	if err == nil && m.Rcode == dns.RcodeFormatError {
		// It does not know EDNS.
		q.Extra = nil
		m, err = exchange(ctx, "udp", server, q)
	}
	if err == nil && m.Truncated {
		m, err = exchange(ctx, "tcp", server, q)
	}
	switch {
	case err != nil:
		return nil, err
	case m.Rcode != dns.RcodeSuccess && m.Rcode != dns.RcodeNameError:
		return nil, errors.New(dns.RcodeToString[m.Rcode])
	}
	return m, nil
}

// exchange has one question answered; the reply is to that question.
func exchange(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	c := dns.Client{Net: network, UDPSize: udpSize, Timeout: queryTimeout}
	q.Id = dns.Id()
	m, _, err := c.ExchangeContext(ctx, q, server.String())
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return nil, errors.New("no answer in time")
	}
	if err != nil {
		return nil, err
	}
	if len(m.Question) != 1 || !m.Response || m.Question[0].Qtype != q.Question[0].Qtype || !strings.EqualFold(m.Question[0].Name, q.Question[0].Name) {
		return nil, errors.New("a reply to another question")
	}
	return m, nil
}
