package dnsname

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A server is a DNS server on the loopback interface, over UDP and TCP, that answers from records in master-file form.
type server struct {
	at netip.AddrPort

	mu sync.Mutex // guards the rest
	// records are those of each name; a name without any does not exist.
	records map[string][]string
	// rcode is that of every reply, unless it is 0; silent drops questions; large truncates over UDP.
	rcode         int
	silent, large bool
	tcp, asked    int
}

func newServer(t *testing.T, records map[string][]string) *server {
	s := &server{records: records}
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	s.at = udp.LocalAddr().(*net.UDPAddr).AddrPort()
	tcp, err := net.Listen("tcp", s.at.String())
	require.NoError(t, err)
	for _, d := range []*dns.Server{{PacketConn: udp, Handler: s}, {Listener: tcp, Handler: s}} {
		go func() { _ = d.ActivateAndServe() }()
		t.Cleanup(func() { _ = d.Shutdown() })
	}
	return s
}

// change changes what the server does.
func (s *server) change(do func(s *server)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s)
}

func (s *server) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if s.silent {
		return
	}
	m := new(dns.Msg).SetReply(q)
	m.RecursionAvailable, m.Rcode = true, s.rcode
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	if tcp {
		s.tcp++
	}
	if m.Rcode == 0 {
		s.fill(m, q.Question[0])
	}
	if s.large && !tcp {
		m.Answer, m.Truncated = nil, true
	}
	_ = w.WriteMsg(m)
}

// fill answers as a resolver does.
func (s *server) fill(m *dns.Msg, q dns.Question) {
	name := q.Name
	for range 20 {
		list, exists := s.records[name]
		if !exists {
			m.Rcode = dns.RcodeNameError
			return
		}
		next := ""
		for _, text := range list {
			rr, err := dns.NewRR(name + " " + text)
			if err != nil {
				panic(err)
			}
			switch rr := rr.(type) {
			case *dns.CNAME:
				m.Answer, next = append(m.Answer, rr), rr.Target
			case *dns.SOA:
				m.Ns = append(m.Ns, rr)
			default:
				if rr.Header().Rrtype == q.Qtype {
					m.Answer = append(m.Answer, rr)
				}
			}
		}
		if _, here := s.records[next]; !here {
			return
		}
		name = next
	}
}

var bothFamilies = Families{true, true}

func addresses(texts ...string) (out []netip.Addr) {
	for _, t := range texts {
		out = append(out, netip.MustParseAddr(t))
	}
	return out
}

// TestLookup: what replies of all kinds say of a name.
func TestLookup(t *testing.T) {
	s := newServer(t, map[string][]string{
		"both.example.net.":  {"60 IN A 192.0.2.2", "60 IN A 192.0.2.1", "30 IN AAAA 2001:db8::1"},
		"four.example.net.":  {"60 IN A 192.0.2.4"},
		"chain.example.net.": {"20 IN CNAME both.example.net."},
		"out.example.net.":   {"300 IN CNAME Far.example.com."},
		"far.example.com.":   {"40 IN A 192.0.2.5"},
		"loop.example.net.":  {"300 IN CNAME pool.example.net."},
		"pool.example.net.":  {"300 IN CNAME loop.example.net."},
		"empty.example.net.": {"60 IN TXT hello"},
		"unfit.example.net.": {"60 IN A 0.0.0.0", "60 IN A 224.0.0.1", "60 IN AAAA ::", "60 IN AAAA fe80::1"},
		"some.example.net.":  {"60 IN A 169.254.169.254", "60 IN A 192.0.2.6"},
	})
	for _, tt := range []struct {
		name, problem string
		want          []netip.Addr
		ttl           time.Duration
		denied        bool
	}{
		{name: "both.example.net.", want: addresses("192.0.2.1", "192.0.2.2", "2001:db8::1"), ttl: 30 * time.Second},
		{name: "four.example.net.", want: addresses("192.0.2.4"), ttl: time.Minute},
		{name: "chain.example.net.", want: addresses("192.0.2.1", "192.0.2.2", "2001:db8::1"), ttl: 20 * time.Second},
		{name: "out.example.net.", want: addresses("192.0.2.5"), ttl: 40 * time.Second},
		{name: "some.example.net.", want: addresses("192.0.2.6"), ttl: time.Minute},
		{name: "nope.example.net.", denied: true, problem: "nope.example.net.: NXDOMAIN from " + s.at.String()},
		{name: "empty.example.net.", denied: true, problem: "empty.example.net.: no A from " + s.at.String()},
		{name: "unfit.example.net.", problem: "no address that clients can be given"},
		{name: "loop.example.net.", problem: "more than 12 CNAMEs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := new(host)
			h.take(lookup(t.Context(), []netip.AddrPort{s.at}, tt.name, bothFamilies), time.Now())
			assert.Equal(t, tt.want, h.Addresses)
			assert.Equal(t, tt.denied, h.Denied)
			if tt.problem != "" {
				require.ErrorContains(t, h.Problem, tt.problem)
				return
			}
			require.NoError(t, h.Problem)
			assert.Equal(t, tt.ttl, h.Expires.Sub(h.Looked))
		})
	}
}

// TestServers: one that says nothing is passed over, truncated replies come over TCP, and one that does not resolve says nothing.
func TestServers(t *testing.T) {
	records := map[string][]string{"www.example.net.": {"60 IN A 192.0.2.1"}}
	bad, good := newServer(t, records), newServer(t, records)
	bad.change(func(s *server) { s.rcode = dns.RcodeServerFailure })
	f := lookup(t.Context(), []netip.AddrPort{bad.at, good.at}, "www.example.net.", bothFamilies)
	require.Equal(t, addresses("192.0.2.1"), f.v4.addresses)
	good.change(func(s *server) { s.large = true })
	f = lookup(t.Context(), []netip.AddrPort{bad.at, good.at}, "www.example.net.", bothFamilies)
	require.Equal(t, addresses("192.0.2.1"), f.v4.addresses)
	good.change(func(s *server) { require.Positive(t, s.tcp); s.rcode = dns.RcodeRefused })
	f = lookup(t.Context(), []netip.AddrPort{bad.at, good.at}, "www.example.net.", bothFamilies)
	require.ErrorContains(t, f.v4.failure(), "REFUSED")
	require.ErrorContains(t, f.v6.failure(), "www.example.net. AAAA from "+good.at.String())
	good.change(func(s *server) { s.rcode, s.silent = 0, true })
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	f = lookup(ctx, []netip.AddrPort{good.at}, "www.example.net.", bothFamilies)
	require.ErrorContains(t, f.v4.failure(), "no answer in time")

	path := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(path, []byte("search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600))
	servers, err := systemServers(path)
	require.NoError(t, err)
	require.Equal(t, []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("[2001:db8::53]:53")}, servers)
	_, err = systemServers(filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}

// TestFamilies: what is not wanted is not asked for, and no trouble.
func TestFamilies(t *testing.T) {
	s := newServer(t, map[string][]string{"www.example.net.": {"60 IN A 192.0.2.1", "60 IN AAAA 2001:db8::1"}, "six.example.net.": {"60 IN AAAA 2001:db8::1"}})
	h := new(host)
	h.take(lookup(t.Context(), []netip.AddrPort{s.at}, "www.example.net.", Families{V4: true}), time.Now())
	require.NoError(t, h.Problem)
	require.Equal(t, addresses("192.0.2.1"), h.Addresses)
	s.change(func(s *server) { require.Equal(t, 1, s.asked) })
	h.take(lookup(t.Context(), []netip.AddrPort{s.at}, "six.example.net.", Families{V4: true}), time.Now())
	require.True(t, h.Denied)
	require.ErrorContains(t, h.Problem, "six.example.net.: no A")
}

// TestLastGood: what a lookup that fails, or a denial, says of the addresses is nothing; of two families each has its own.
func TestLastGood(t *testing.T) {
	now := time.Now()
	h := new(host)
	ok := func(ttl uint32, texts ...string) family { return family{addresses: addresses(texts...), ttl: ttl} }
	gone := family{denied: true, err: assert.AnError}
	fails := family{err: assert.AnError}
	take := func(v4, v6 family) { now = now.Add(time.Second); h.take(found{v4, v6}, now) }

	take(fails, fails)
	require.False(t, h.Known)
	require.Equal(t, now, h.Since)
	take(ok(60, "192.0.2.1"), ok(30, "2001:db8::1"))
	require.True(t, h.Known)
	require.NoError(t, h.Problem)
	require.True(t, h.Since.IsZero())
	require.Equal(t, now.Add(30*time.Second), h.Expires)
	take(ok(60, "192.0.2.2"), fails)
	require.Equal(t, addresses("192.0.2.2", "2001:db8::1"), h.Addresses, "IPv6 is not known")
	require.Error(t, h.Problem)
	take(ok(60, "192.0.2.2"), gone)
	require.Equal(t, addresses("192.0.2.2"), h.Addresses, "IPv6 is gone")
	require.NoError(t, h.Problem)
	until := h.Expires
	take(gone, gone)
	since := now
	require.True(t, h.Denied)
	take(gone, gone)
	require.Equal(t, since, h.Since)
	require.Equal(t, addresses("192.0.2.2"), h.Addresses)
	require.Equal(t, until, h.Expires)
	take(fails, gone)
	require.False(t, h.Denied)
	require.Equal(t, now, h.Since)
	require.Equal(t, addresses("192.0.2.2"), h.Addresses)
}

// TestDue: a name is looked up when its TTL ends, not too often, not too rarely, and later and later while it fails.
func TestDue(t *testing.T) {
	now := time.Now()
	after := func(h *host) time.Duration { return h.due("www.example.net.", now).Sub(now) }
	for _, tt := range []struct{ ttl, least, most time.Duration }{
		{0, floor, floor + spread}, {time.Minute, time.Minute, time.Minute + spread}, {24 * time.Hour, most, most + spread},
	} {
		d := after(&host{Answer: Answer{Expires: now.Add(tt.ttl)}})
		assert.GreaterOrEqual(t, d, tt.least)
		assert.LessOrEqual(t, d, tt.most)
	}
	d := after(&host{Answer: Answer{Problem: assert.AnError, Expires: now.Add(20 * time.Second)}, failures: 9, found: true})
	assert.InDelta(t, 20*time.Second, d, float64(2*time.Second), "the addresses of the other family end then")
	for failures, want := range map[int]time.Duration{1: floor, 2: 2 * floor, 3: 4 * floor, 5: retryMost, 60: retryMost} {
		d := after(&host{Answer: Answer{Problem: assert.AnError}, failures: failures})
		assert.InDelta(t, want, d, float64(want)/10, failures)
	}
}

// TestRun: what changes is told, and names that nobody wants any more are forgotten.
func TestRun(t *testing.T) {
	s := newServer(t, map[string][]string{"a.example.net.": {"0 IN A 192.0.2.1"}, "b.example.net.": {"60 IN A 192.0.2.2"}})
	told := make(chan struct{}, 100)
	r := New(Options{Servers: []netip.AddrPort{s.at}, Changed: func() { told <- struct{}{} }})
	r.Want(map[string]Families{"a.example.net.": bothFamilies})
	r.Look(t.Context())
	require.Equal(t, addresses("192.0.2.1"), r.Answers()["a.example.net."].Addresses)
	<-told
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	r.Want(map[string]Families{"b.example.net.": {V4: true}})
	await(t, told)
	require.Equal(t, addresses("192.0.2.2"), r.Answers()["b.example.net."].Addresses)
	require.NotContains(t, r.Answers(), "a.example.net.")
	other := newServer(t, map[string][]string{"b.example.net.": {"60 IN A 192.0.2.3"}})
	r.Configure([]netip.AddrPort{other.at})
	await(t, told)
	require.Equal(t, addresses("192.0.2.3"), r.Answers()["b.example.net."].Addresses, "other servers are asked at once")
	cancel()
	require.NoError(t, <-done)
}

func await(t *testing.T, told chan struct{}) {
	t.Helper()
	select {
	case <-told:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing is told")
	}
}
