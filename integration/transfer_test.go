package integration

import (
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

const transferZone = `zone: xfr.example.org
nameservers: [{name: ns1.xfr.example.org, addresses: [127.0.0.1]}]
transfer: {view: last}
soa: {refresh: 1h, retry: 1m, negative_ttl: 1s}
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: eu-b}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 0s}, answers: all}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, failback: {hold: 0s}}
delegations: {child: {nameservers: [{name: ns.child.xfr.example.org, addresses: [192.0.2.53]}]}}
records:
  - {name: alias, type: CNAME, data: www}
  - {name: d, type: DNAME, data: apps}
  - {name: "@", type: TXT, data: hello}
`

// transferKey is the TSIG key of the secondaries.
const transferKey = "c2VjcmV0IG9mIHRoZSBzZWNvbmRhcmllcyBpbiB0ZXN0cw=="

const transferCorefile = `xfr.example.org:PORT {
  bind 127.0.0.1
  tsig {
    secret key. ` + transferKey + `
    require AXFR IXFR
  }
  transfer {
    to SECONDARIES
  }
  fairlead {
    zones DIR/zones
    state DIR/state
  }
}
`

// TestSecondaries: NSD and Knot hold what services answer now through drains and returns, each version under a serial that is greater than
// the one before. FAIRLEAD_TRIALS=100 makes 100 changes.
func TestSecondaries(t *testing.T) {
	waits(t)
	bin := binary(t, false)
	port := suite.FreePort(t)
	primary := fmt.Sprintf("127.0.0.1@%d", port)
	nsd := newNSD(`key:
	name: "key"
	algorithm: hmac-sha256
	secret: "`+transferKey+`"
zone:
	name: xfr.example.org
	zonefile: xfr.db
	allow-notify: 127.0.0.1 NOKEY
	request-xfr: `+primary+` key
`, nil)
	knot := newKnot(`key:
  - id: key
    algorithm: hmac-sha256
    secret: `+transferKey+`
remote:
  - id: primary
    address: `+primary+`
    key: key
acl:
  - id: notify
    address: 127.0.0.1
    action: notify
zone:
  - domain: xfr.example.org
    master: primary
    acl: notify
    zonefile-sync: -1
`, nil)
	nsd.start(t)
	knot.start(t)
	text := strings.NewReplacer("SECONDARIES", nsd.address+" "+knot.address, "PORT", fmt.Sprint(port)).Replace(transferCorefile)
	p := startServeBy(t, bin, text, map[string]string{"xfr.yaml": transferZone})
	p.dns = fmt.Sprintf("127.0.0.1:%d", port)
	p.awaitHealthy()
	serial := func(at string) uint32 {
		m, _, err := ask("udp", at, "xfr.example.org.", dns.TypeSOA)
		if err != nil || len(m.Answer) != 1 || !m.Authoritative {
			return 0
		}
		return m.Answer[0].(*dns.SOA).Serial
	}
	addresses := func(at string) (out []string) {
		m, _, err := ask("udp", at, "www.xfr.example.org.", dns.TypeA)
		if err != nil {
			return nil
		}
		for _, rr := range m.Answer {
			out = append(out, rr.(*dns.A).A.String())
		}
		return out
	}
	last := map[string]uint32{}
	hold := func(want int) {
		t.Helper()
		for _, s := range []*nameServer{nsd, knot} {
			await(t, s.name+" to have the new version", func() bool {
				is := serial(s.address)
				require.False(t, is != 0 && int32(is-last[s.name]) < 0 && last[s.name] != 0, "%s: the serial %d after %d", s.name, is, last[s.name])
				if is != 0 {
					last[s.name] = is
				}
				return is != 0 && is == serial(p.dns) && len(addresses(s.address)) == want
			})
		}
	}
	hold(2)
	before := last["NSD"]
	changes := envInt("FAIRLEAD_TRIALS", 6)
	begin := time.Now()
	for i := range changes {
		if i%2 == 0 {
			out, code := run(t, bin, "drain", "endpoint", "web/one", "--reason", "test", "--yes", "--server", "unix:"+p.socket)
			require.Zero(t, code, out)
			hold(1)
		} else {
			out, code := run(t, bin, "undrain", "endpoint", "web/one", "--server", "unix:"+p.socket)
			require.Zero(t, code, out)
			hold(2)
		}
	}
	t.Logf("%d changes in %v", changes, time.Since(begin).Round(time.Millisecond))
	out, code := run(t, bin, "safe", "endpoint", "web/one", "--server", "unix:"+p.socket)
	require.NotZero(t, code)
	require.Contains(t, out, "secondaries of xfr.example.org may answer it")
	require.GreaterOrEqual(t, int(last["NSD"]-before), changes, "each change has a serial of its own")
	// The serial goes on over a restart, and is the same for the same view.
	was := serial(p.dns)
	p.stop()
	p = start(t, &process{bin: bin, dns: p.dns, dir: p.dir, socket: p.socket}, "serve", "-conf", p.dir+"/Corefile")
	p.awaitHealthy()
	require.Equal(t, was, serial(p.dns))
	transferRules(t, p)
}

// transferRules: who gets a transfer, and what is in it.
func transferRules(t *testing.T, p *process) {
	soa := func(qtype uint16, serial uint32) *dns.Msg {
		m := new(dns.Msg).SetQuestion("xfr.example.org.", qtype)
		if qtype == dns.TypeIXFR {
			m.SetIxfr("xfr.example.org.", serial, "ns1.xfr.example.org.", "hostmaster.xfr.example.org.")
		}
		return m
	}
	in := func(m *dns.Msg, key string) (out []dns.RR, err error) {
		tr := new(dns.Transfer)
		if key != "" {
			tr.TsigSecret = map[string]string{"key.": key}
			m.SetTsig("key.", dns.HmacSHA256, 300, time.Now().Unix())
		}
		ch, err := tr.In(m, p.dns)
		if err != nil {
			return nil, err
		}
		for e := range ch {
			if e.Error != nil {
				return out, e.Error
			}
			out = append(out, e.RR...)
		}
		return out, nil
	}
	_, err := in(soa(dns.TypeAXFR, 0), "")
	require.ErrorContains(t, err, "5", "REFUSED without a key")
	_, err = in(soa(dns.TypeAXFR, 0), "d3Jvbmcgc2VjcmV0")
	require.Error(t, err, "a wrong key")
	rrs, err := in(soa(dns.TypeAXFR, 0), transferKey)
	require.NoError(t, err)
	require.IsType(t, new(dns.SOA), rrs[0])
	require.IsType(t, new(dns.SOA), rrs[len(rrs)-1])
	var text []string
	for _, rr := range rrs[1 : len(rrs)-1] {
		text = append(text, strings.ReplaceAll(rr.String(), "\t", " "))
	}
	require.ElementsMatch(t, []string{
		"xfr.example.org. 3600 IN NS ns1.xfr.example.org.", "ns1.xfr.example.org. 3600 IN A 127.0.0.1",
		"child.xfr.example.org. 3600 IN NS ns.child.xfr.example.org.", "ns.child.xfr.example.org. 3600 IN A 192.0.2.53",
		"alias.xfr.example.org. 300 IN CNAME www.xfr.example.org.", "d.xfr.example.org. 300 IN DNAME apps.xfr.example.org.", `xfr.example.org. 300 IN TXT "hello"`,
		"www.xfr.example.org. 2 IN A 192.0.2.1", "www.xfr.example.org. 2 IN A 192.0.2.2", "www.xfr.example.org. 2 IN AAAA 2001:db8::2",
		"*.apps.xfr.example.org. 2 IN A 192.0.2.1", "*.apps.xfr.example.org. 2 IN A 192.0.2.2", "*.apps.xfr.example.org. 2 IN AAAA 2001:db8::2",
	}, text)
	now := rrs[0].(*dns.SOA).Serial
	rrs, err = in(soa(dns.TypeIXFR, now), transferKey)
	require.NoError(t, err)
	require.Len(t, rrs, 1, "nothing new")
	out, code := run(t, p.bin, "drain", "endpoint", "web/one", "--reason", "test", "--yes", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	await(t, "a difference", func() bool {
		rrs, err = in(soa(dns.TypeIXFR, now), transferKey)
		return err == nil && len(rrs) > 1
	})
	text = nil
	for _, rr := range rrs {
		name, _, _ := strings.Cut(rr.String(), "\t")
		text = append(text, name+" "+dns.Type(rr.Header().Rrtype).String())
	}
	// New, old, what goes, new, what comes, new (RFC 1995 section 4).
	require.ElementsMatch(t, []string{"xfr.example.org. SOA", "xfr.example.org. SOA", "www.xfr.example.org. A", "*.apps.xfr.example.org. A", "xfr.example.org. SOA", "xfr.example.org. SOA"}, text)
}

// TestTransports: DoT, DoH and DoQ answer as UDP does, and what is answered there is in the ledger too.
func TestTransports(t *testing.T) {
	waits(t)
	if _, err := exec.LookPath("kdig"); err != nil {
		t.Skip("kdig is not installed: make test-deps installs it")
	}
	bin := binary(t, false)
	tls, https, quic := suite.FreePort(t), suite.FreePort(t), suite.FreePort(t)
	text := "example.org:PORT {\n  bind 127.0.0.1\n  fairlead {\n    zones DIR/zones\n    state DIR/state\n  }\n}\n"
	for scheme, port := range map[string]int{"tls": tls, "https": https, "quic": quic} {
		text += fmt.Sprintf("%s://example.org:%d {\n  bind 127.0.0.1\n  tls DIR/tls.crt DIR/tls.key\n  fairlead {\n    zones DIR/zones\n    state DIR/state\n  }\n}\n", scheme, port)
	}
	dir := t.TempDir()
	cert, key := selfSigned(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	p := startServeBy(t, bin, strings.NewReplacer("DIR/tls.crt", dir+"/tls.crt", "DIR/tls.key", dir+"/tls.key").Replace(text), map[string]string{"xfr.yaml": strings.ReplaceAll(
		strings.Replace(transferZone, "transfer: {view: last}\n", "", 1), "xfr.example.org", "example.org")})
	p.awaitHealthy()
	p.firstStart()
	kdig := func(args ...string) string {
		out, err := exec.Command("kdig", append([]string{"@127.0.0.1", "+timeout=5", "+retry=2"}, args...)...).CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"DoT", []string{"-p", fmt.Sprint(tls), "+tls"}, "(TLS"},
		{"DoH", []string{"-p", fmt.Sprint(https), "+https"}, "HTTP/2-POST"},
		{"DoH by GET", []string{"-p", fmt.Sprint(https), "+https-get"}, "HTTP/2-GET"},
		{"DoQ", []string{"-p", fmt.Sprint(quic), "+quic"}, "QUIC"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			help, _ := exec.Command("kdig", "-h").CombinedOutput()
			if !strings.Contains(string(help), "["+strings.Split(tt.args[2], "-")[0]) && !strings.Contains(string(help), tt.args[2][1:]) {
				t.Skipf("this kdig knows no %s", tt.args[2])
			}
			out := kdig(append(tt.args, "www.example.org", "A")...)
			require.Contains(t, out, tt.want)
			require.Contains(t, out, "192.0.2.1")
			require.Contains(t, out, "192.0.2.2")
			require.Contains(t, kdig(append(tt.args, "nope.example.org", "A")...), "NXDOMAIN")
			require.Contains(t, kdig(append(tt.args, "x.child.example.org", "A")...), "192.0.2.53")
		})
	}
	// Nobody has asked by UDP: what the ledger knows was answered by these.
	out, code := run(t, bin, "drain", "endpoint", "web/one", "--reason", "test", "--yes", "--server", "unix:"+p.socket)
	require.Zero(t, code, out)
	out, _ = run(t, bin, "staleness", "-o", "json", "--server", "unix:"+p.socket)
	require.Contains(t, out, "192.0.2.1")
}
