package fairlead

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// withSubnet is a query with client subnets.
func withSubnet(name string, qtype uint16, subnets ...*dns.EDNS0_SUBNET) *dns.Msg {
	m := new(dns.Msg).SetQuestion(name, qtype)
	m.SetEdns0(1232, true)
	for _, s := range subnets {
		s.Code = dns.EDNS0SUBNET
		m.IsEdns0().Option = append(m.IsEdns0().Option, s)
	}
	return m
}

func subnet(family uint16, length uint8, addr string) *dns.EDNS0_SUBNET {
	return &dns.EDNS0_SUBNET{Family: family, SourceNetmask: length, Address: net.ParseIP(addr)}
}

// TestSubnetIsEchoed is RFC 7871 section 7.2.1: the reply has family, source prefix length and address of the query, and
// scope 0 while the address played no part. In every reply, on both ways to write one.
func TestSubnetIsEchoed(t *testing.T) {
	h := newTestHandler(t)
	for _, sub := range []struct {
		name   string
		subnet *dns.EDNS0_SUBNET
		option string
		want   answer.ECS
	}{
		{"IPv4", subnet(1, 24, "192.0.2.0"), "0001 18 00 c00002", answer.ECS{Present: true, Family: 1, Prefix: netip.MustParsePrefix("192.0.2.0/24")}},
		{"IPv4, part of an octet", subnet(1, 21, "198.51.104.0"), "0001 15 00 c63368", answer.ECS{Present: true, Family: 1, Prefix: netip.MustParsePrefix("198.51.104.0/21")}},
		{"IPv4, whole", subnet(1, 32, "192.0.2.1"), "0001 20 00 c0000201", answer.ECS{Present: true, Family: 1, Prefix: netip.MustParsePrefix("192.0.2.1/32")}},
		{"IPv4, nothing", subnet(1, 0, "0.0.0.0"), "0001 00 00", answer.ECS{Present: true, Family: 1, Prefix: netip.MustParsePrefix("0.0.0.0/0")}},
		{"IPv6", subnet(2, 56, "2001:db8:1:200::"), "0002 38 00 20010db8000102", answer.ECS{Present: true, Family: 2, Prefix: netip.MustParsePrefix("2001:db8:1:200::/56")}},
		{"IPv6, whole", subnet(2, 128, "2001:db8::1"), "0002 80 00 20010db8000000000000000000000001", answer.ECS{Present: true, Family: 2, Prefix: netip.MustParsePrefix("2001:db8::1/128")}},
		{"IPv6, mapped", subnet(2, 120, "::ffff:192.0.2.0"), "0002 78 00 00000000000000000000ffffc00002", answer.ECS{Present: true, Family: 2,
			Prefix: netip.PrefixFrom(netip.MustParseAddr("::ffff:192.0.2.0"), 120)}},
		{"IPv6, nothing", subnet(2, 0, "::"), "0002 00 00", answer.ECS{Present: true, Family: 2, Prefix: netip.MustParsePrefix("::/0")}},
		{"dig +subnet=0", subnet(0, 0, "0.0.0.0"), "0000 00 00", answer.ECS{Present: true}},
	} {
		for _, ask := range []struct {
			name  string
			qtype uint16
			rcode int
		}{
			{"www.example.org.", dns.TypeA, dns.RcodeSuccess},
			{"www.example.org.", dns.TypeAAAA, dns.RcodeSuccess},
			{"nope.example.org.", dns.TypeA, dns.RcodeNameError},
			{"example.org.", dns.TypeNS, dns.RcodeSuccess},
			{"www.example.org.", dns.TypeANY, dns.RcodeSuccess},
			{"example.org.", dns.TypeAXFR, dns.RcodeRefused},
		} {
			for _, opaque := range []bool{false, true} {
				q := withSubnet(ask.name, ask.qtype, sub.subnet)
				w := newWireRecorder(false)
				var to dns.ResponseWriter = w
				if opaque {
					to = request.NewScrubWriter(q, &opaqueWriter{w})
				}
				_, err := h.ServeDNS(context.Background(), to, q)
				require.NoError(t, err)
				m := w.reply(t)
				require.Equal(t, ask.rcode, m.Rcode)
				require.True(t, m.IsEdns0().Do())
				require.Len(t, m.IsEdns0().Option, 1, "%s: %s", sub.name, ask.name)
				// The OPT record is the last one.
				want, err := hex.DecodeString(unspaced(sub.option))
				require.NoError(t, err)
				tail := w.written[len(w.written)-len(want)-6:]
				require.EqualValues(t, len(want)+4, binary.BigEndian.Uint16(tail), "RDLENGTH")
				require.EqualValues(t, dns.EDNS0SUBNET, binary.BigEndian.Uint16(tail[2:]))
				require.EqualValues(t, len(want), binary.BigEndian.Uint16(tail[4:]))
				require.Equal(t, want, tail[6:], "%s: %s", sub.name, ask.name)
			}
		}
		ecs, ok := answer.SubnetOf(withSubnet("www.example.org.", dns.TypeA, sub.subnet).IsEdns0())
		require.True(t, ok, sub.name)
		require.Equal(t, sub.want, ecs, sub.name)
	}
}

func unspaced(s string) string {
	out := ""
	for _, c := range s {
		if c != ' ' {
			out += string(c)
		}
	}
	return out
}

// TestNoSubnet: without the option in the query there is none in the reply; others are not echoed.
func TestNoSubnet(t *testing.T) {
	h := newTestHandler(t)
	q := withSubnet("www.example.org.", dns.TypeA)
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}}
	w := newWireRecorder(false)
	_, err := h.ServeDNS(context.Background(), w, q)
	require.NoError(t, err)
	require.Empty(t, w.reply(t).IsEdns0().Option)
}

// TestSubnetCounts: the option counts against the client's size, also in a truncated reply.
func TestSubnetCounts(t *testing.T) {
	h := newGenerousHandler(t)
	truncated, whole := false, false
	for size := 512; size <= 1232; size++ {
		q := withSubnet("large.example.org.", dns.TypeA, subnet(2, 128, "2001:db8::1"))
		q.IsEdns0().SetUDPSize(uint16(size))
		w := newWireRecorder(false)
		_, err := h.ServeDNS(context.Background(), w, q)
		require.NoError(t, err)
		m := w.reply(t)
		require.LessOrEqual(t, len(w.written), size)
		require.Len(t, m.IsEdns0().Option, 1)
		truncated, whole = truncated || m.Truncated, whole || !m.Truncated
		require.Equal(t, !m.Truncated, len(m.Answer) == 60)
		if whole {
			require.False(t, m.Truncated, "what fits into less fits into more")
		}
	}
	require.True(t, truncated && whole)
}

// TestMalformedSubnets are refused as RFC 7871 wants; see answer.SubnetOf.
func TestMalformedSubnets(t *testing.T) {
	h := newTestHandler(t)
	scoped := subnet(1, 24, "192.0.2.0")
	scoped.SourceScope = 24
	for _, tt := range []struct {
		name    string
		subnets []*dns.EDNS0_SUBNET
	}{
		{"two", []*dns.EDNS0_SUBNET{subnet(1, 24, "192.0.2.0"), subnet(1, 24, "192.0.2.0")}},
		{"two without address", []*dns.EDNS0_SUBNET{subnet(0, 0, "0.0.0.0"), subnet(0, 0, "0.0.0.0")}},
		{"scope", []*dns.EDNS0_SUBNET{scoped}},
		{"scope without address", []*dns.EDNS0_SUBNET{{Family: 0, SourceScope: 1}}},
		{"too long for IPv4", []*dns.EDNS0_SUBNET{subnet(1, 33, "192.0.2.0")}},
		{"too long for IPv6", []*dns.EDNS0_SUBNET{subnet(2, 129, "2001:db8::")}},
		{"bits beyond, IPv4", []*dns.EDNS0_SUBNET{subnet(1, 24, "192.0.2.1")}},
		{"bits beyond, within an octet", []*dns.EDNS0_SUBNET{subnet(1, 23, "192.0.3.0")}},
		{"bits beyond nothing", []*dns.EDNS0_SUBNET{subnet(1, 0, "128.0.0.0")}},
		{"bits beyond, IPv6", []*dns.EDNS0_SUBNET{subnet(2, 32, "2001:db8:1::")}},
		{"family 3", []*dns.EDNS0_SUBNET{subnet(3, 24, "192.0.2.0")}},
		{"family 3, nothing", []*dns.EDNS0_SUBNET{subnet(3, 0, "0.0.0.0")}},
		{"family 0 with a length", []*dns.EDNS0_SUBNET{subnet(0, 24, "192.0.2.0")}},
		{"no address", []*dns.EDNS0_SUBNET{{Family: 1, SourceNetmask: 24}}},
		{"IPv6 as IPv4", []*dns.EDNS0_SUBNET{subnet(1, 24, "2001:db8::")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWireRecorder(false)
			code, err := h.ServeDNS(context.Background(), w, withSubnet("www.example.org.", dns.TypeA, tt.subnets...))
			require.NoError(t, err)
			require.Equal(t, dns.RcodeFormatError, code)
			require.Zero(t, w.writes)
		})
	}
}

// TestSubnetsOverSockets: what the server's own parser makes of options, octet by octet.
func TestSubnetsOverSockets(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	for _, tt := range []struct {
		name   string
		option string
		rcode  int
	}{
		{"good", "0001 18 00 c00002", dns.RcodeSuccess},
		{"IPv6", "0002 38 00 20010db8000100", dns.RcodeSuccess},
		{"no address", "0000 00 00", dns.RcodeSuccess},
		{"scope", "0001 18 18 c00002", dns.RcodeFormatError},
		{"IPv4, 33 bits", "0001 21 00 c000020100", dns.RcodeFormatError},
		{"IPv6, 129 bits", "0002 81 00 20010db800000000000000000000000100", dns.RcodeFormatError},
		{"family 3", "0003 08 00 c0", dns.RcodeFormatError},
		{"family 3, nothing", "0003 00 00", dns.RcodeFormatError},
		{"family 0 with a length", "0000 08 00 c0", dns.RcodeFormatError},
		{"bits beyond", "0001 14 00 c00011", dns.RcodeFormatError},
		{"an octet too many, not zero", "0001 18 00 c0000201", dns.RcodeFormatError},
		{"shorter than its head", "0001 18", dns.RcodeFormatError},
		{"empty", "", dns.RcodeFormatError},
		// These two CoreDNS's parser pads and cuts; RFC 7871 section 6 wants them refused, and the lane, which sees the octets, does.
		{"an octet too few", "0001 18 00 c000", dns.RcodeFormatError},
		{"an octet too many, zero", "0001 18 00 c0000200", dns.RcodeFormatError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := s.raw(t, "www.example.org.", tt.option)
			require.Equal(t, tt.rcode, m.Rcode)
			require.Equal(t, tt.rcode == dns.RcodeSuccess, len(m.Answer) == 1)
		})
	}
}

// raw asks for the A records of name over UDP with the octets of a client subnet option.
func (s *site) raw(t *testing.T, name, option string) *dns.Msg {
	t.Helper()
	data, err := hex.DecodeString(unspaced(option))
	require.NoError(t, err)
	q := new(dns.Msg).SetQuestion(name, dns.TypeA)
	q.SetEdns0(1232, false)
	q.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: dns.EDNS0SUBNET, Data: data}}
	packed, err := q.Pack()
	require.NoError(t, err)
	c, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: s.port})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write(packed)
	require.NoError(t, err)
	buf := make([]byte, 1500)
	n, err := c.Read(buf)
	require.NoError(t, err)
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(buf[:n]))
	require.Equal(t, q.Id, m.Id)
	return m
}

// TestClient: who asks is the resolver's address, in its own family.
func TestClient(t *testing.T) {
	for _, tt := range []struct {
		name   string
		remote net.Addr
		want   netip.Addr
	}{
		{"UDP, mapped", &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}, netip.MustParseAddr("192.0.2.1")},
		{"TCP, four octets", &net.TCPAddr{IP: net.IP{192, 0, 2, 1}, Port: 1}, netip.MustParseAddr("192.0.2.1")},
		{"IPv6 with a zone", &net.UDPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 1}, netip.MustParseAddr("fe80::1")},
		{"no address", &net.UDPAddr{}, netip.Addr{}},
		{"another transport", &net.UnixAddr{Name: "x"}, netip.Addr{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := new(scratch)
			w := newWireRecorder(false)
			w.remote = tt.remote
			require.True(t, s.read(w, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
			require.Equal(t, tt.want, s.question.Client)
		})
	}
}

// TestReadDoesNotAllocate: client and subnet are values.
func TestReadDoesNotAllocate(t *testing.T) {
	q := withSubnet("www.example.org.", dns.TypeA, subnet(2, 56, "2001:db8:1:200::"))
	s, w := new(scratch), newWireRecorder(false)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.read(w, q) }))
}
