package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

const signedZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [127.0.0.1]}]
dnssec: {keys: keys/}
soa: {negative_ttl: 1s}
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: eu-b}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}}
  all: {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}, answers: all}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}}
delegations: {child: {nameservers: [ns.example.net]}, safe: {nameservers: [ns.example.net], ds: ["12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}
records:
  - {name: a.b.c, type: TXT, data: deep}
  - {name: alias, type: CNAME, data: x.apps}
  - {name: d, type: DNAME, data: apps}
  - {name: "*.w", type: MX, data: 10 Mail}
`

// signedQuestions are questions of signedZone, each with what delv says of a reply that is valid.
var signedQuestions = []struct{ name, qtype, want string }{
	{"www", "A", "; fully validated"}, {"www", "AAAA", "; fully validated"}, {"all", "A", "; fully validated"}, {"www", "TXT", "; negative response, fully validated"},
	{"x.apps", "A", "; fully validated"}, {"y.apps", "TXT", "; negative response, fully validated"}, {"nope", "A", "; negative response, fully validated"},
	{"a.nope", "MX", "; negative response, fully validated"}, {"c", "TXT", "; negative response, fully validated"}, {"b.c", "A", "; negative response, fully validated"},
	{"a.b.c", "TXT", "; fully validated"}, {"alias", "A", "; fully validated"}, {"x.d", "A", "; fully validated"}, {"q.w", "MX", "; fully validated"},
	{"q.w", "A", "; negative response, fully validated"}, {"safe", "DS", "; fully validated"}, {"child", "DS", "; negative response, fully validated"},
	{"@", "DNSKEY", "; fully validated"}, {"@", "SOA", "; fully validated"}, {"@", "CDS", "; fully validated"}, {"@", "NS", "; fully validated"}, {"www", "ANY", "; fully validated"},
}

func fullName(name string) string {
	if name == "@" {
		return "example.org"
	}
	return name + ".example.org"
}

// startSigned runs a node with signedZone and a KSK and a ZSK made by keygen. anchor is the KSK's DNSKEY RDATA.
func startSigned(t *testing.T) (p *process, keys string, anchor []string) {
	t.Helper()
	bin := binary(t, false)
	made := t.TempDir()
	for _, kind := range []string{"--ksk", "--zsk"} {
		out, code := run(t, bin, "dnssec", "keygen", "example.org", "--dir", made, kind)
		require.Zero(t, code, out)
	}
	p = startServe(t, false, "example.org:PORT {\n  bind 127.0.0.1\n  fairlead {\n    zones DIR/zones\n    state DIR/state\n  }\n}\n", nil)
	keys = filepath.Join(p.dir, "zones", "keys")
	require.NoError(t, os.Rename(made, keys))
	files, err := filepath.Glob(filepath.Join(keys, "*.key"))
	require.NoError(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		rr, err := dns.NewRR(string(text))
		require.NoError(t, err)
		if k := rr.(*dns.DNSKEY); k.Flags == 257 {
			anchor = []string{"257", "3", strconv.Itoa(int(k.Algorithm)), k.PublicKey}
		}
	}
	p.writeZone("example.org.yaml", signedZone)
	await(t, "signed answers", func() bool {
		m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA).SetEdns0(1232, true)
		r, err := dns.Exchange(m, p.dns)
		return err == nil && len(r.Answer) == 2
	})
	return p, keys, anchor
}

// TestDelvValidates: BIND's validator takes every kind of reply.
func TestDelvValidates(t *testing.T) {
	if _, err := exec.LookPath("delv"); err != nil {
		t.Skip("delv is not installed: make test-deps installs it")
	}
	p, _, anchor := startSigned(t)
	file := filepath.Join(p.dir, "anchor.conf")
	text := fmt.Sprintf("trust-anchors { \"example.org.\" static-key %s %q; };\n", strings.Join(anchor[:3], " "), anchor[3])
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	host, port, _ := strings.Cut(p.dns, ":")
	for _, q := range signedQuestions {
		t.Run(q.name+" "+q.qtype, func(t *testing.T) {
			out, _ := exec.Command("delv", "@"+host, "-p", port, "-a", file, "+root=example.org", fullName(q.name), q.qtype).CombinedOutput()
			require.Contains(t, string(out), q.want)
		})
	}
}

// TestUnboundValidates: a validating resolver that makes denials of its own (RFC 8198) never fails, nor denies what exists, while
// endpoints are drained and return, and through the replacement of the ZSK.
func TestUnboundValidates(t *testing.T) {
	p, keys, anchor := startSigned(t)
	host, port, _ := strings.Cut(p.dns, ":")
	u := resolver{name: "unbound", asks: "www.example.org.", args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}, files: map[string]string{"unbound.conf": `server:
	directory: "DIR"
	chroot: ""
	username: ""
	pidfile: "DIR/unbound.pid"
	use-syslog: no
	interface: 127.0.0.1
	port: PORT
	do-not-query-localhost: no
	module-config: "validator iterator"
	aggressive-nsec: yes
	trust-anchor: "example.org. DNSKEY ` + strings.Join(anchor, " ") + `"
stub-zone:
	name: "example.org"
	stub-addr: ` + host + `@` + port + `
remote-control:
	control-enable: no
`}}
	at := u.start(t, p.dns)
	names := map[string]int{"www": dns.RcodeSuccess, "all": dns.RcodeSuccess, "x.apps": dns.RcodeSuccess, "y.apps": dns.RcodeSuccess, "alias": dns.RcodeSuccess, "x.d": dns.RcodeSuccess,
		"nope": dns.RcodeNameError, "aaa": dns.RcodeNameError, "zzz": dns.RcodeNameError, "www.nope": dns.RcodeNameError}
	asked := 0
	look := func() {
		for name, want := range names {
			m := new(dns.Msg).SetQuestion(fullName(name)+".", dns.TypeA).SetEdns0(1232, true)
			r, err := dns.Exchange(m, at)
			require.NoError(t, err)
			require.Equal(t, dns.RcodeToString[want], dns.RcodeToString[r.Rcode], "%s", name)
			require.True(t, r.AuthenticatedData, "%s", r)
			asked++
		}
	}
	drain := func(args ...string) {
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Zero(t, code, out)
	}
	look()
	for i := range 4 {
		drain("drain", "endpoint", "web/one", "--reason", "test", "--yes")
		look()
		drain("undrain", "endpoint", "web/one")
		look()
		if i == 1 {
			out, code := run(t, p.bin, "dnssec", "keygen", "example.org", "--dir", keys, "--zsk")
			require.Zero(t, code, out)
			await(t, "the new key", func() bool {
				r, err := dns.Exchange(new(dns.Msg).SetQuestion("example.org.", dns.TypeDNSKEY), p.dns)
				return err == nil && len(r.Answer) == 3
			})
		}
		for deadline := time.Now().Add(2500 * time.Millisecond); time.Now().Before(deadline); {
			look()
		}
	}
	t.Logf("%d questions", asked)
}
