package fairlead

import (
	"context"
	"slices"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const exampleSOA = "example.org. 10 IN SOA ns1.example.org. hostmaster.example.org. 7 7200 3600 1209600 10"

func TestAnswers(t *testing.T) {
	h := newTestHandler(t)
	for _, tt := range []struct {
		name   string
		qname  string
		qtype  uint16
		rcode  int
		answer []string
		ns     []string
		extra  []string
	}{
		{name: "A", qname: "www.example.org.", qtype: dns.TypeA, answer: []string{"www.example.org. 30 IN A 192.0.2.1"}},
		{name: "case is echoed", qname: "wWw.eXample.ORG.", qtype: dns.TypeA, answer: []string{"wWw.eXample.ORG. 30 IN A 192.0.2.1"}},
		{name: "AAAA of a v4-only name", qname: "www.example.org.", qtype: dns.TypeAAAA, ns: []string{exampleSOA}},
		{name: "TXT of a service", qname: "www.example.org.", qtype: dns.TypeTXT, ns: []string{exampleSOA}},
		{name: "unknown type", qname: "www.example.org.", qtype: 65280, ns: []string{exampleSOA}},
		{name: "DS below the apex", qname: "www.example.org.", qtype: dns.TypeDS, ns: []string{exampleSOA}},
		{name: "both families have one TTL", qname: "both.example.org.", qtype: dns.TypeAAAA,
			answer: []string{"both.example.org. 30 IN AAAA 2001:db8::2", "both.example.org. 30 IN AAAA 2001:db8::3"}},
		{name: "no such name", qname: "nope.example.org.", qtype: dns.TypeA, rcode: dns.RcodeNameError, ns: []string{exampleSOA}},
		{name: "below a service", qname: "x.www.example.org.", qtype: dns.TypeA, rcode: dns.RcodeNameError, ns: []string{exampleSOA}},
		{name: "empty non-terminal", qname: "deep.example.org.", qtype: dns.TypeA, ns: []string{exampleSOA}},
		{name: "deeper empty non-terminal", qname: "b.deep.example.org.", qtype: dns.TypeTXT, ns: []string{exampleSOA}},
		{name: "empty non-terminal over a wildcard", qname: "apps.example.org.", qtype: dns.TypeA, ns: []string{exampleSOA}},
		{name: "below empty non-terminals", qname: "a.b.deep.example.org.", qtype: dns.TypeA, answer: []string{"a.b.deep.example.org. 300 IN A 192.0.2.12"}},
		{name: "SOA", qname: "example.org.", qtype: dns.TypeSOA, answer: []string{exampleSOA}},
		{name: "NS and glue", qname: "example.org.", qtype: dns.TypeNS,
			answer: []string{"example.org. 3600 IN NS ns1.example.org.", "example.org. 3600 IN NS ns2.example.net."},
			extra:  []string{"ns1.example.org. 3600 IN A 192.0.2.53", "ns1.example.org. 3600 IN AAAA 2001:db8::53"}},
		{name: "glue by name", qname: "ns1.example.org.", qtype: dns.TypeAAAA, answer: []string{"ns1.example.org. 3600 IN AAAA 2001:db8::53"}},
		{name: "A of the apex", qname: "example.org.", qtype: dns.TypeA, ns: []string{exampleSOA}},
		{name: "static TXT", qname: "example.org.", qtype: dns.TypeTXT, answer: []string{`example.org. 3600 IN TXT "hello"`}},
		{name: "static RRset", qname: "static.example.org.", qtype: dns.TypeA,
			answer: []string{"static.example.org. 300 IN A 192.0.2.10", "static.example.org. 300 IN A 192.0.2.11"}},
		{name: "static CNAME into a service", qname: "alias.example.org.", qtype: dns.TypeA,
			answer: []string{"alias.example.org. 300 IN CNAME www.example.org.", "www.example.org. 30 IN A 192.0.2.1"}},
		{name: "static CNAME asked for", qname: "alias.example.org.", qtype: dns.TypeCNAME, answer: []string{"alias.example.org. 300 IN CNAME www.example.org."}},
		{name: "static CNAME to elsewhere", qname: "away.example.org.", qtype: dns.TypeA, answer: []string{"away.example.org. 300 IN CNAME www.example.net."}},
		{name: "CNAME service", qname: "edge.example.org.", qtype: dns.TypeA, answer: []string{"edge.example.org. 30 IN CNAME edge.example.net."}},
		{name: "CNAME service into the zone", qname: "inner.example.org.", qtype: dns.TypeA,
			answer: []string{"inner.example.org. 20 IN CNAME www.example.org.", "www.example.org. 30 IN A 192.0.2.1"}},
		{name: "chase ends in NODATA", qname: "inner.example.org.", qtype: dns.TypeAAAA,
			answer: []string{"inner.example.org. 20 IN CNAME www.example.org."}, ns: []string{exampleSOA}},
		{name: "wildcard", qname: "Any.Thing.apps.example.org.", qtype: dns.TypeA, answer: []string{"Any.Thing.apps.example.org. 30 IN A 192.0.2.1"}},
		{name: "ANY is small", qname: "www.example.org.", qtype: dns.TypeANY, answer: []string{`www.example.org. 10 IN HINFO "RFC8482" ""`}},
		{name: "AXFR", qname: "example.org.", qtype: dns.TypeAXFR, rcode: dns.RcodeRefused},
		{name: "IXFR", qname: "example.org.", qtype: dns.TypeIXFR, rcode: dns.RcodeRefused},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWireRecorder(true)
			code, err := h.ServeDNS(context.Background(), w, new(dns.Msg).SetQuestion(tt.qname, tt.qtype))
			require.NoError(t, err)
			require.True(t, plugin.ClientWrite(code), "CoreDNS would answer a second time")
			m := w.reply(t)
			require.Equal(t, tt.rcode, m.Rcode)
			require.Equal(t, tt.rcode != dns.RcodeRefused, m.Authoritative)
			require.Equal(t, tt.qname, m.Question[0].Name)
			for _, section := range []struct {
				name      string
				got, want []string
			}{{"answer", text(m.Answer), tt.answer}, {"authority", text(m.Ns), tt.ns}, {"additional", text(m.Extra), tt.extra}} {
				slices.Sort(section.got)
				require.Equal(t, append([]string{}, section.want...), section.got, section.name)
			}
		})
	}
}

func TestSizes(t *testing.T) {
	h := newGenerousHandler(t)
	for _, tt := range []struct {
		name      string
		tcp       bool
		edns      uint16
		truncated bool
	}{
		{name: "UDP without EDNS", truncated: true},
		{name: "UDP, 512", edns: 512, truncated: true},
		{name: "UDP, less than 512 means 512", edns: 100, truncated: true},
		{name: "UDP, 1232", edns: 1232},
		{name: "UDP, 4096", edns: 4096},
		{name: "TCP without EDNS", tcp: true},
		{name: "TCP, 512", tcp: true, edns: 512},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := new(dns.Msg).SetQuestion("large.example.org.", dns.TypeA)
			if tt.edns > 0 {
				q.SetEdns0(tt.edns, true)
			}
			w := newWireRecorder(tt.tcp)
			_, err := h.ServeDNS(context.Background(), w, q)
			require.NoError(t, err)
			m := w.reply(t)
			require.Equal(t, tt.truncated, m.Truncated)
			require.Equal(t, map[bool]int{true: 0, false: 60}[tt.truncated], len(m.Answer))
			opt := m.IsEdns0()
			require.Equal(t, tt.edns > 0, opt != nil)
			if opt != nil {
				require.True(t, opt.Do(), "DO is echoed")
				require.EqualValues(t, 1232, opt.UDPSize())
			}
			if !tt.tcp {
				require.LessOrEqual(t, len(w.written), max(512, min(int(tt.edns), 1232)))
			}
		})
	}
}

func TestFlagsAreCopied(t *testing.T) {
	h := newTestHandler(t)
	q := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
	q.RecursionDesired, q.CheckingDisabled, q.Id = true, true, 4711
	w := newWireRecorder(false)
	_, err := h.ServeDNS(context.Background(), w, q)
	require.NoError(t, err)
	m := w.reply(t)
	require.True(t, m.Response && m.RecursionDesired && m.CheckingDisabled && m.Authoritative)
	require.False(t, m.RecursionAvailable)
	require.EqualValues(t, 4711, m.Id)
}

func TestOddMessages(t *testing.T) {
	h := newTestHandler(t)
	question := func(change func(*dns.Msg)) *dns.Msg {
		m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
		change(m)
		return m
	}
	for _, tt := range []struct {
		name   string
		query  *dns.Msg
		code   int
		writes int
	}{
		{"no question", question(func(m *dns.Msg) { m.Question = nil }), dns.RcodeFormatError, 0},
		{"two questions", question(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }), dns.RcodeFormatError, 0},
		{"a response", question(func(m *dns.Msg) { m.Response = true }), dns.RcodeSuccess, 0},
		{"NOTIFY", question(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }), dns.RcodeNotImplemented, 0},
		{"UPDATE", question(func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }), dns.RcodeNotImplemented, 0},
		{"no name", question(func(m *dns.Msg) { m.Question[0].Name = "" }), dns.RcodeFormatError, 0},
		{"not fully qualified", question(func(m *dns.Msg) { m.Question[0].Name = "www.example.org" }), dns.RcodeFormatError, 0},
		{"empty label", question(func(m *dns.Msg) { m.Question[0].Name = "www..example.org." }), dns.RcodeFormatError, 0},
		{"the root", question(func(m *dns.Msg) { m.Question[0].Name = "." }), dns.RcodeRefused, 0},
		{"outside", question(func(m *dns.Msg) { m.Question[0].Name = "www.example.com." }), dns.RcodeRefused, 0},
		{"looks like inside", question(func(m *dns.Msg) { m.Question[0].Name = `www\.example.org.` }), dns.RcodeRefused, 0},
		{"two OPTs", question(func(m *dns.Msg) { m.SetEdns0(1232, false).SetEdns0(1232, false) }), dns.RcodeFormatError, 0},
		{"an OPT among the answers", question(func(m *dns.Msg) { m.SetEdns0(1232, false); m.Answer, m.Extra = m.Extra, nil }), dns.RcodeFormatError, 0},
		{"an OPT in the authority section", question(func(m *dns.Msg) { m.SetEdns0(1232, false); m.Ns, m.Extra = m.Extra, nil }), dns.RcodeFormatError, 0},
		{"an OPT under a name", question(func(m *dns.Msg) { m.SetEdns0(1232, false); m.Extra[0].Header().Name = "example.org." }), dns.RcodeFormatError, 0},
		{"class CH", question(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }), dns.RcodeSuccess, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWireRecorder(false)
			code, err := h.ServeDNS(context.Background(), w, tt.query)
			require.NoError(t, err)
			require.Equal(t, tt.code, code)
			require.Equal(t, tt.writes, w.writes)
		})
	}
}

func TestFallthrough(t *testing.T) {
	h := newTestHandler(t)
	h.Next = plugin.HandlerFunc(func(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) { return dns.RcodeBadKey, nil })
	ask := func(name string) int {
		code, err := h.ServeDNS(context.Background(), newWireRecorder(false), new(dns.Msg).SetQuestion(name, dns.TypeA))
		require.NoError(t, err)
		return code
	}
	require.Equal(t, dns.RcodeRefused, ask("www.example.com."))
	h.directive.fall.SetZonesFromArgs([]string{"example.com"})
	require.Equal(t, dns.RcodeBadKey, ask("www.example.com."))
	require.Equal(t, dns.RcodeRefused, ask("www.example.net."))
	require.Equal(t, dns.RcodeSuccess, ask("nope.example.org."), "NXDOMAIN is an answer: it never falls through")
}

func TestOtherDirectory(t *testing.T) {
	h := newTestHandler(t)
	h.files = "elsewhere/"
	code, err := h.ServeDNS(context.Background(), newWireRecorder(false), new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))
	require.NoError(t, err)
	require.Equal(t, dns.RcodeRefused, code, "a block answers from its own directory alone")
}

// TestRecorderGetsRCode: the plugin prometheus counts what its recorder says.
func TestRecorderGetsRCode(t *testing.T) {
	h := newTestHandler(t)
	q := new(dns.Msg).SetQuestion("nope.example.org.", dns.TypeA)
	rec := metrics.NewRecorder(request.NewScrubWriter(q, newWireRecorder(false)))
	code, err := plugin.NextOrFailure("test", h, context.Background(), rec, q)
	require.NoError(t, err)
	require.Equal(t, dns.RcodeSuccess, code)
	require.Equal(t, dns.RcodeNameError, rec.Rcode)
	require.Equal(t, "fairlead", rec.Plugin)
	require.Positive(t, rec.Len)
	require.Nil(t, rec.Msg, "octets went through")
}
