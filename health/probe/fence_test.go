package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// resolverFunc is a fake resolver.
type resolverFunc func(ctx context.Context, host string) ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	return f(ctx, host)
}

// giving is a resolver that has the same address for every name.
func giving(address string) Resolver {
	return resolverFunc(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr(address)}, nil
	})
}

// A canary counts who connects to it.
func canary(t *testing.T) (address netip.AddrPort, heard *atomic.Int32) {
	t.Helper()
	heard = new(atomic.Int32)
	return netip.MustParseAddrPort(listen(t, func(net.Conn) { heard.Add(1) })), heard
}

// TestFenceRefuses has forms of an address in a target, and for names what a careless resolver would make of them.
func TestFenceRefuses(t *testing.T) {
	own, heard := canary(t)
	const port = "this node's own admin or gossip port"
	for _, test := range []struct{ host, resolved, means, what string }{
		{"169.254.169.254", "", "", "cloud metadata"},
		{"::ffff:169.254.169.254", "", "", "cloud metadata"},
		{"::ffff:a9fe:a9fe", "", "", "cloud metadata"},
		{"0:0:0:0:0:FFFF:A9FE:A9FE", "", "", "cloud metadata"},
		{"::169.254.169.254", "", "169.254.169.254", "cloud metadata"},
		{"64:ff9b::169.254.169.254", "", "169.254.169.254", "cloud metadata"},
		{"64:ff9b::a9fe:a9fe", "", "169.254.169.254", "cloud metadata"},
		{"64:ff9b:1::a9fe:a9fe", "", "169.254.169.254", "cloud metadata"},
		{"64:ff9b:1:a9fe:a9:fe00::", "", "169.254.169.254", "cloud metadata"},
		{"64:ff9b:1:0:a9:fea9:fe00::", "", "169.254.169.254", "cloud metadata"},
		{"2002:a9fe:a9fe::1", "", "169.254.169.254", "cloud metadata"},
		{"2001:0:a9fe:a9fe::1", "", "169.254.169.254", "cloud metadata"},
		{"2001:0:c000:201::5601:5601", "", "169.254.169.254", "cloud metadata"},
		{"2001:db8::5efe:a9fe:a9fe", "", "169.254.169.254", "cloud metadata"},
		{"fe80::5efe:169.254.169.254", "", "", "link-local"},
		{"169.254.170.2", "", "", "cloud metadata"},
		{"169.254.170.23", "", "", "cloud metadata"},
		{"fd00:ec2::254", "", "", "cloud metadata"},
		{"fd00:ec2::23", "", "", "cloud metadata"},
		{"fd20:ce::254", "", "", "cloud metadata"},
		{"100.100.100.200", "", "", "cloud metadata"},
		{"168.63.129.16", "", "", "cloud metadata"},
		{"192.0.0.192", "", "", "cloud metadata"},
		{"169.254.1.1", "", "", "link-local"},
		{"fe80::1", "", "", "link-local"},
		{"fe80::1%lo", "", "", "link-local"},
		{"febf::1", "", "", "link-local"},
		{"224.0.0.1", "", "", "multicast"},
		{"239.255.255.250", "", "", "multicast"},
		{"ff02::1", "", "", "multicast"},
		{"255.255.255.255", "", "", "broadcast"},
		{"0.1.2.3", "", "", "unspecified"},

		{"metadata.example.net.", "169.254.169.254", "", "cloud metadata"},
		{"2852039166", "169.254.169.254", "", "cloud metadata"},
		{"0xa9fea9fe", "169.254.169.254", "", "cloud metadata"},
		{"0251.0376.0251.0376", "169.254.169.254", "", "cloud metadata"},
		{"0xa9.254.0251.254", "169.254.169.254", "", "cloud metadata"},
		{"169.16689662", "169.254.169.254", "", "cloud metadata"},
		{"v6.example.net.", "::ffff:169.254.169.254", "", "cloud metadata"},
		{"①⑥⑨.②⑤④.①⑥⑨.②⑤④", "169.254.169.254", "", "cloud metadata"},

		{"127.0.0.1", "", "", port},
		{"::ffff:127.0.0.1", "", "", port},
		{"::ffff:7f00:1", "", "", port},
		{"::127.0.0.1", "", "127.0.0.1", port},
		{"64:ff9b::7f00:1", "", "127.0.0.1", port},
		{"localhost", "127.0.0.1", "", port},
		{"2130706433", "127.0.0.1", "", port},
		{"0x7f.1", "127.0.0.1", "", port},
		{"017700000001", "127.0.0.1", "", port},
		{"127.1", "127.0.0.1", "", port},
		{"0.0.0.0", "", "", "unspecified"},
		{"::", "", "", "unspecified"},
		{"0", "0.0.0.0", "", "unspecified"},
	} {
		t.Run(test.host, func(t *testing.T) {
			opts := Options{Forbidden: []netip.AddrPort{own}}
			shown := test.host
			if test.resolved != "" {
				opts.Resolver, shown = giving(test.resolved), test.resolved
			}
			dialled := netip.MustParseAddr(shown).WithZone("").Unmap()
			text := fmt.Sprintf("%v is refused: %s", dialled, test.what)
			if test.means != "" {
				text = fmt.Sprintf("%v is refused: it stands for %s, %s", dialled, test.means, test.what)
			}
			if test.what != port {
				text += " (probe.allow)"
			}
			for _, check := range fencedChecks() {
				r := Once(t.Context(), health.Target{Check: check, Host: test.host, Port: own.Port()}, opts)
				assert.Equal(t, Reason{Kind: Forbidden, Text: text}, r.Reason, "%s", check.Type)
			}
		})
	}
	assert.True(t, Forbidden.Evidence())
	assert.Zero(t, heard.Load(), "connections at the canary")
}

// fencedChecks is a check of each type that dials ports.
func fencedChecks() []*config.Check {
	return []*config.Check{
		tcpCheck(nil), httpCheck(nil),
		tlsCheck(config.CheckHTTPS, func(*config.TLSCheck) {}), tlsCheck(config.CheckTLS, func(*config.TLSCheck) {}),
		grpcCheck("", nil), dnsCheck(nil), dnsCheck(func(c *config.DNSCheck) { c.TCP = true }),
	}
}

func TestFenceOnICMP(t *testing.T) {
	r := Once(t.Context(), target(icmpCheck(), "::ffff:169.254.169.254", 0), Options{})
	assert.Equal(t, Reason{Forbidden, "169.254.169.254 is refused: cloud metadata (probe.allow)"}, r.Reason)
}

// TestFenceAllows has what must not be refused, and what Options.Allow opens.
func TestFenceAllows(t *testing.T) {
	allow := func(prefixes ...string) (list []netip.Prefix) {
		for _, p := range prefixes {
			list = append(list, netip.MustParsePrefix(p))
		}
		return list
	}
	for _, test := range []struct {
		name, address string
		allow         []netip.Prefix
		refused       bool
	}{
		{"loopback", "127.0.0.1", nil, false},
		{"loopback, IPv6", "::1", nil, false},
		{"private", "10.0.0.1", nil, false},
		{"unique local", "fd12:3456::1", nil, false},
		{"shared", "100.64.0.1", nil, false},
		{"public", "192.0.2.1", nil, false},
		{"NAT64 of a public address", "64:ff9b::192.0.2.1", nil, false},
		{"local NAT64 of a public address", "64:ff9b:1::192.0.2.1", nil, false},
		{"6to4 of a public address", "2002:c000:201::1", nil, false},
		{"link-local, allowed", "169.254.1.1", allow("169.254.0.0/16"), false},
		{"metadata, allowed by name of its prefix", "169.254.169.254", allow("169.254.169.254/32"), false},
		{"mapped, allowed", "::ffff:169.254.1.1", allow("169.254.0.0/16"), false},
		{"in NAT64, allowed", "64:ff9b::169.254.1.1", allow("169.254.0.0/16"), false},
		{"the NAT64 prefix opens nothing behind it", "64:ff9b::169.254.1.1", allow("64:ff9b::/96"), true},
		{"another prefix", "169.254.1.1", allow("10.0.0.0/8"), true},
		{"multicast, allowed", "ff02::1", allow("ff00::/8"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := newFence(test.allow, nil).check(netip.AddrPortFrom(netip.MustParseAddr(test.address), 80))
			assert.Equal(t, test.refused, err != nil, "%v", err)
		})
	}
}

func TestFenceOwnPort(t *testing.T) {
	fence := newFence([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, []netip.AddrPort{
		netip.MustParseAddrPort("0.0.0.0:8053"), netip.MustParseAddrPort("192.0.2.1:9053"),
	})
	for address, refused := range map[string]bool{
		"127.0.0.1:8053": true, "127.9.9.9:8053": true, "[::1]:8053": true, "0.0.0.0:8053": true, "[::ffff:127.0.0.1]:8053": true,
		"127.0.0.1:80": false, "192.0.2.1:8053": false, "192.0.2.1:9053": true, "192.0.2.2:9053": false,
	} {
		err := fence.check(netip.MustParseAddrPort(address))
		var forbidden *ForbiddenError
		assert.Equal(t, refused, errors.As(err, &forbidden), "%s: %v", address, err)
	}
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		addr, _ := netip.AddrFromSlice(a.(*net.IPNet).IP)
		assert.Error(t, fence.check(netip.AddrPortFrom(addr, 8053)), "own address %v", addr)
	}
}

// TestRedirectAndRebinding: what an endpoint or its DNS says later does not lead a probe to the canary either.
func TestRedirectAndRebinding(t *testing.T) {
	own, heard := canary(t)
	opts := Options{Forbidden: []netip.AddrPort{own}}
	address := listen(t, then(fmt.Sprintf("HTTP/1.1 302 Found\r\nLocation: http://%v/\r\n\r\n", own), hang))
	r := Once(t.Context(), targetAt(t, httpCheck(nil), address), opts)
	assert.Equal(t, Redirect, r.Reason.Kind)

	// A name that has a good address first, and then, once that does not answer, the canary's.
	opts.Resolver = resolverFunc(func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("127.0.0.2"), own.Addr()}, nil
	})
	r = Once(t.Context(), target(httpCheck(nil), "www.example.org.", own.Port()), opts)
	assert.Equal(t, Reason{Refused, "connection refused"}, r.Reason)
	assert.Zero(t, heard.Load())
}

func BenchmarkFence(b *testing.B) {
	fence := newFence(nil, []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:8053")})
	to := netip.MustParseAddrPort("127.1.2.3:80")
	b.ReportAllocs()
	for b.Loop() {
		if err := fence.check(to); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSource: probes come from the address that was asked for, for each family and transport.
func TestSource(t *testing.T) {
	source := Source{V4: netip.MustParseAddr("127.0.0.9"), V6: netip.MustParseAddr("::1")}
	from := make(chan string, 1)
	address := listen(t, func(c net.Conn) {
		from <- c.RemoteAddr().(*net.TCPAddr).IP.String()
		hang(c)
	})
	r := Once(t.Context(), targetAt(t, tcpCheck(nil), address), Options{Source: source})
	require.Equal(t, Reason{}, r.Reason)
	assert.Equal(t, "127.0.0.9", <-from)

	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer packets.Close()
	check := dnsCheck(nil)
	check.Timeout = 100 * time.Millisecond
	r = Once(t.Context(), targetAt(t, check, packets.LocalAddr().String()), Options{Source: source})
	assert.Equal(t, NoAnswer, r.Reason.Kind)
	_, peer, err := packets.ReadFrom(make([]byte, 512))
	require.NoError(t, err)
	assert.Equal(t, "127.0.0.9", peer.(*net.UDPAddr).IP.String())

	r = Once(t.Context(), targetAt(t, tcpCheck(nil), address), Options{Source: Source{V4: netip.MustParseAddr("192.0.2.77")}})
	assert.Equal(t, Reason{Resource, "not probed: this node has no local address or port left"}, r.Reason)
}
