package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const hostNamesCorefile = `storm.example.org:PORT {
	bind 127.0.0.1
	fairlead {
		zones DIR/zones
		node DIR/node.yaml
		state DIR/state
	}
	errors
}
`

const hostNamesZone = `zone: storm.example.org
nameservers: [{name: ns1.storm.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {ready: {type: tcp, port: %d, interval: 1s, timeout: 900ms, fall: 1, rise: 1}}
pools:
  own: {region: eu, check: ready, endpoints: [{name: lb, host: lb.example.net, az: eu-a}]}
  sorry: {region: eu, endpoints: [{name: page, target: sorry.example.net, az: eu-a}]}
services:
  www: {tiers: [{own: 1}, {sorry: 1}], ttl: {max: 10s, min: 1s}, answers: all, failback: {hold: 0s}, health: {max_removal: 100%%}}
  "@": {alias: lb.example.net}
`

// balancer is the zone file of the host name's own zone.
func balancer(serial int, addresses ...string) string {
	text := fmt.Sprintf("$ORIGIN example.net.\n@ 60 IN SOA ns hostmaster %d 3600 600 86400 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\nlb 3 IN CNAME real\nsorry 1 IN A 127.7.7.9\n", serial)
	for _, a := range addresses {
		text += "real 3 IN A " + a + "\n"
	}
	return text
}

// TestHostNames: the real binary resolves a host name at NSD, probes each of its addresses, and a resolver before it is led to own addresses
// first and to somebody else's page last. What NSD says next is followed, and what it said last stays while it is silent, over a restart too.
func TestHostNames(t *testing.T) {
	waits(t)
	nsd := newNSD("zone:\n\tname: example.net\n\tzonefile: example.net.db\n", map[string]string{"example.net.db": balancer(1, "127.7.7.1", "127.7.7.2")})
	nsd.start(t)
	port := suite.FreePort(t)
	listen := func(ip string) net.Listener {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		return l
	}
	one, two := listen("127.7.7.1"), listen("127.7.7.2")
	dir := t.TempDir()
	p := &process{bin: binary(t, false), dir: dir, socket: filepath.Join(dir, "state", "admin.sock"), dns: fmt.Sprintf("127.0.0.1:%d", suite.FreePort(t))}
	for _, d := range []string{"zones", "state"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	p.replace(filepath.Join(dir, "node.yaml"), fmt.Sprintf("name: n1\nresolvers: [%q]\n", nsd.address))
	p.writeZone("storm.yaml", fmt.Sprintf(hostNamesZone, port))
	p.writeCorefile(hostNamesCorefile)
	start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
	const www = "www.storm.example.org."
	own := func() (out []string) {
		m, _, err := ask("udp", p.dns, www, dns.TypeA)
		if err != nil {
			return nil
		}
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				require.LessOrEqual(t, rr.Hdr.Ttl, uint32(3), "no longer than the records that it is of")
				out = append(out, rr.A.String())
			case *dns.CNAME:
				out = append(out, rr.Target)
			}
		}
		slices.Sort(out)
		return out
	}
	answers := func(want ...string) {
		t.Helper()
		var got []string
		await(t, fmt.Sprint(want), func() bool { got = own(); return slices.Equal(got, want) })
	}
	answers("127.7.7.1", "127.7.7.2")
	apex := func(typ uint16) (out []string) {
		m, _, err := ask("udp", p.dns, "storm.example.org.", typ)
		require.NoError(t, err)
		for _, rr := range m.Answer {
			switch rr := rr.(type) {
			case *dns.A:
				out = append(out, rr.A.String())
			default:
				out = append(out, dns.Type(rr.Header().Rrtype).String())
			}
		}
		slices.Sort(out)
		return out
	}
	require.Equal(t, []string{"127.7.7.1", "127.7.7.2"}, apex(dns.TypeA), "the alias, without a check")
	require.Equal(t, []string{"SOA"}, apex(dns.TypeSOA))
	require.Equal(t, []string{"NS"}, apex(dns.TypeNS))

	host, nodePort, _ := net.SplitHostPort(p.dns)
	stub := func(zone, at string) string {
		return "stub-zone:\n\tname: \"" + zone + "\"\n\tstub-addr: " + strings.Replace(at, ":", "@", 1) + "\n"
	}
	unbound := &resolver{name: "unbound", asks: "sorry.example.net.", args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}, files: map[string]string{
		"unbound.conf": strings.Replace(unboundConf(""), "remote-control:", stub("storm.example.org", host+":"+nodePort)+stub("example.net", nsd.address)+"remote-control:", 1),
	}}
	cache := unbound.start(t, p.dns)
	cached := func(want ...string) {
		t.Helper()
		await(t, "unbound to say "+fmt.Sprint(want), func() bool {
			m, _, err := ask("udp", cache, www, dns.TypeA)
			if err != nil || m.Rcode != dns.RcodeSuccess {
				return false
			}
			var got []string
			for _, rr := range m.Answer {
				if a, ok := rr.(*dns.A); ok {
					got = append(got, a.A.String())
				}
			}
			slices.Sort(got)
			return slices.Equal(got, want)
		})
	}
	cached("127.7.7.1", "127.7.7.2")
	one.Close()
	answers("127.7.7.2")
	two.Close()
	answers("sorry.example.net.")
	cached("127.7.7.9")
	listen("127.7.7.2")
	answers("127.7.7.2")
	cached("127.7.7.2")

	out, code := run(t, p.bin, "drain", "endpoint", "own/lb", "--reason", "CHG-1", "--for", "10m", "--yes", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	answers("sorry.example.net.")
	out, code = run(t, p.bin, "undrain", "endpoint", "own/lb", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	answers("127.7.7.2")

	listen("127.7.7.3")
	require.NoError(t, os.WriteFile(filepath.Join(nsd.dir, "example.net.db"), []byte(balancer(2, "127.7.7.3")), 0o644))
	signal := func(s syscall.Signal) {
		t.Helper()
		b, err := os.ReadFile(filepath.Join(nsd.dir, "nsd.pid"))
		require.NoError(t, err)
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		require.NoError(t, err)
		require.NoError(t, syscall.Kill(pid, s))
	}
	// Its own look at the time of the file has a resolution of a second.
	later := time.Now().Add(2 * time.Second)
	require.NoError(t, os.Chtimes(filepath.Join(nsd.dir, "example.net.db"), later, later))
	signal(syscall.SIGHUP)
	answers("127.7.7.3")
	await(t, "the alias to follow", func() bool { return slices.Equal(apex(dns.TypeA), []string{"127.7.7.3"}) })

	signal(syscall.SIGTERM)
	found := func() (d api.Discovery) {
		out, code := run(t, p.bin, "discovery", "-o", "json", "--server", "unix:"+p.socket)
		if code == 0 {
			require.NoError(t, json.Unmarshal([]byte(out), &d), out)
		}
		return d
	}
	await(t, "the trouble to be told", func() bool { d := found(); return len(d.Hosts) == 2 && d.Hosts[1].State == "failing" })
	h := found().Hosts[1]
	require.Equal(t, "lb.example.net", h.Host)
	require.NotEmpty(t, h.Failure)
	require.Len(t, h.Addresses, 1)
	require.Equal(t, "lb.127-7-7-3", h.Addresses[0].Name)
	require.Equal(t, []string{"127.7.7.3"}, own())
	p.stop()
	start(t, p, "serve", "-conf", filepath.Join(dir, "Corefile"))
	answers("127.7.7.3")
}
