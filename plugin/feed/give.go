package feed

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/fairlead-dns/fairlead/health/ledger"
	"github.com/fairlead-dns/fairlead/plugin/answer"
	"github.com/fairlead-dns/fairlead/plugin/feed/wire"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// workers are what stamps are written by.
type workers struct{ pool sync.Pool }

// use has f stamp.
func (w *workers) use(l *ledger.Ledger, f func(*ledger.Worker)) {
	holder, _ := w.pool.Get().(*ledger.Holder)
	if holder == nil {
		holder = new(ledger.Holder)
	}
	f(l.Worker(holder))
	w.pool.Put(holder)
}

// A name is an owner name that somebody wants.
type name struct {
	text string
	wire []byte
}

// parseName reads an owner name, with or without its final dot.
func parseName(text string) (n name, err error) {
	if text == "" {
		return n, errors.New("the name is missing")
	}
	n.text = strings.ToLower(dns.Fqdn(text))
	buf := make([]byte, 256)
	end, err := dns.PackDomainName(n.text, buf, 0, nil, false)
	if err != nil {
		return n, fmt.Errorf("no name: %q", cut(text))
	}
	n.wire = buf[:end:end]
	return n, nil
}

// cut is what of a text of somebody else's is repeated.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// parseType reads a type of record, by name or number.
func parseType(text string) (uint16, error) {
	if text == "" {
		return dns.TypeA, nil
	}
	if t, ok := dns.StringToType[strings.ToUpper(text)]; ok {
		return t, nil
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "TYPE"), 10, 16)
	if err != nil {
		return 0, fmt.Errorf("no type of record: %q", cut(text))
	}
	return uint16(n), nil
}

// A client is for whom something is asked.
type client struct {
	addr   netip.Addr
	stripe uint32
	// tells is where the address came from a prefix instead: an option of DNS.
	ecs answer.ECS
}

// question is one about a name.
func (s *Server) question(n name, typ uint16, c client) answer.Question {
	q := answer.Question{Name: n.wire, Type: typ, Class: dns.ClassINET, Client: c.addr, Stripe: c.stripe, ECS: c.ecs}
	q.Locator, q.Shut = s.opts.Source.Terms()
	return q
}

// given is g as it goes over the wire; at is when that is.
func (s *Server) given(n name, g *answer.Given, at time.Time) wire.Given {
	out := wire.Given{
		Name: n.text, ETag: etagOf(g), MaxAge: g.TTL, ExpiresAt: expiry(at, g.TTL), Source: g.Plan.Source.String(), Degraded: g.Plan.Source.Degraded(), Class: g.Plan.Key,
		Sets: make(map[string][]wire.Member, len(g.Sets)),
	}
	if svc := g.Service; svc != nil {
		out.Service, out.Sticky = svc.Name, svc.Sticky != nil
		if b := steer.BoundOf(g.Zone, svc, s.opts.Source.Allowances()); b.Monitored {
			out.Bound = b.S.Seconds()
		}
	}
	for _, set := range g.Sets {
		members := make([]wire.Member, len(set.Members))
		for i, m := range set.Members {
			members[i] = wire.Member{Data: m.Data, Weight: m.Weight}
			if m.Pool >= 0 {
				members[i].Endpoint, members[i].Region, members[i].AZ = placeOf(g, &m)
			}
		}
		out.Sets[dns.TypeToString[set.Type]] = members
	}
	return out
}

// placeOf is the endpoint of a member as zone/pool/endpoint, and where it stands.
func placeOf(g *answer.Given, m *answer.GivenMember) (endpoint, region, az string) {
	l := ledger.LabelOf(g.Zone, m.Pool, m.Endpoint)
	return strings.TrimSuffix(l.Zone, ".") + "/" + l.Name(), l.Region, l.AZ
}

// etagOf is the same for as long as the sets are.
func etagOf(g *answer.Given) string { return strconv.FormatUint(g.Hash, 16) }

// expiry is when what is given at an instant for so many seconds expires.
func expiry(at time.Time, seconds uint32) time.Time {
	return at.Add(time.Duration(seconds) * time.Second).UTC().Truncate(time.Millisecond)
}
