package integration

import (
	"errors"
	"fmt"
	"io/fs"
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
dnssec: {keys: keys/, ttl: 1s}
soa: {negative_ttl: 1s}
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: eu-b}]}
  solo: {region: eu, endpoints: [{name: one, addresses: [192.0.2.9], az: eu-a}]}
  page: {region: eu, endpoints: [{name: page, target: page.example.org, az: eu-b}]}
services:
  mix: {tiers: [{solo: 1}, {page: 1}], ttl: {max: 2s, min: 1s}, failback: {hold: 0s}}
  www: {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}, failback: {hold: 0s}}
LADDER  all: {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}, answers: all, failback: {hold: 0s}}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 2s, min: 1s}}
delegations: {child: {nameservers: [ns.example.net]}, safe: {nameservers: [ns.example.net], ds: ["12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}
records:
  - {name: a.b.c, type: TXT, data: deep}
  - {name: alias, type: CNAME, data: x.apps}
  - {name: d, type: DNAME, data: apps}
  - {name: "*.w", type: MX, data: 10 Mail}
  - {name: page, type: A, data: 192.0.2.80}
  - {name: page, type: AAAA, data: "2001:db8::80"}
`

// signedQuestions are questions of signedZone, each with what delv says of a reply that is valid.
var signedQuestions = []struct{ name, qtype, want string }{
	{"www", "A", "; fully validated"}, {"www", "AAAA", "; fully validated"}, {"all", "A", "; fully validated"}, {"www", "TXT", "; negative response, fully validated"},
	{"x.apps", "A", "; fully validated"}, {"y.apps", "TXT", "; negative response, fully validated"}, {"nope", "A", "; negative response, fully validated"},
	{"a.nope", "MX", "; negative response, fully validated"}, {"c", "TXT", "; negative response, fully validated"}, {"b.c", "A", "; negative response, fully validated"},
	{"a.b.c", "TXT", "; fully validated"}, {"alias", "A", "; fully validated"}, {"x.d", "A", "; fully validated"}, {"q.w", "MX", "; fully validated"},
	{"q.w", "A", "; negative response, fully validated"}, {"safe", "DS", "; fully validated"}, {"child", "DS", "; negative response, fully validated"},
	{"mix", "A", "; fully validated"}, {"mix", "AAAA", "; negative response, fully validated"}, {"mix", "TXT", "; negative response, fully validated"},
	{"@", "DNSKEY", "; fully validated"}, {"@", "SOA", "; fully validated"}, {"@", "CDS", "; fully validated"}, {"@", "NS", "; fully validated"}, {"www", "ANY", "; fully validated"},
}

func fullName(name string) string {
	if name == "@" {
		return "example.org"
	}
	return name + ".example.org"
}

// validatedTTLs are rungs of the ladder that services have as their greatest TTL.
var validatedTTLs = []int{1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60}

// anchorOf is the DNSKEY RDATA of the KSK among files.
func anchorOf(t *testing.T, pattern string) (anchor []string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
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
	return anchor
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
	anchor = anchorOf(t, filepath.Join(keys, "*.key"))
	var ladder strings.Builder
	for _, ttl := range validatedTTLs {
		fmt.Fprintf(&ladder, "  t%d: {tiers: [{web: 1}], ttl: {max: %ds, min: 1s}, failback: {hold: 0s}}\n", ttl, ttl)
	}
	p.writeZone("example.org.yaml", strings.Replace(signedZone, "LADDER", ladder.String(), 1))
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

// validators are resolvers that validate below a trust anchor for each of two KSKs, as a parent with both DS records has them.
func validators(host, port string, anchors [][]string) []resolver {
	var unbound, bind string
	for _, a := range anchors {
		unbound += "\ttrust-anchor: \"example.org. DNSKEY " + strings.Join(a, " ") + "\"\n"
		bind += fmt.Sprintf("example.org. static-key %s %q; ", strings.Join(a[:3], " "), a[3])
	}
	return []resolver{
		{name: "unbound", asks: "www.example.org.", args: []string{"unbound", "-d", "-c", "DIR/unbound.conf"}, files: map[string]string{"unbound.conf": `server:
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
` + unbound + `stub-zone:
	name: "example.org"
	stub-addr: ` + host + `@` + port + `
remote-control:
	control-enable: no
`}},
		{name: "BIND", asks: "www.example.org.", args: []string{"named", "-f", "-c", "DIR/named.conf"}, files: map[string]string{"named.conf": `options {
	directory "DIR"; pid-file "DIR/named.pid"; session-keyfile "DIR/session.key"; listen-on port PORT { 127.0.0.1; }; listen-on-v6 { none; };
	dnssec-validation yes; recursion yes; empty-zones-enable no; synth-from-dnssec yes;
};
controls { };
trust-anchors { ` + bind + `};
zone "example.org" { type forward; forward only; forwarders { ` + host + ` port ` + port + `; }; };
`}},
	}
}

// validatedSeconds is how long validators ask through drains and returns, twice; 120 in issue 20.
var validatedSeconds = envInt("FAIRLEAD_VALIDATE", 5)

// TestValidatingResolvers: resolvers that validate and make denials of their own (RFC 8198) never fail, nor deny what exists, while an endpoint is
// drained and returns every two seconds, at TTLs of the whole ladder, and through the replacement of the ZSK and of the KSK.
func TestValidatingResolvers(t *testing.T) {
	waits(t)
	p, keys, anchor := startSigned(t)
	next := t.TempDir()
	out, code := run(t, p.bin, "dnssec", "keygen", "example.org", "--dir", next, "--ksk")
	require.Zero(t, code, out)
	host, port, _ := strings.Cut(p.dns, ":")
	v := &validation{t: t, p: p, names: map[string]int{"www": dns.RcodeSuccess, "all": dns.RcodeSuccess, "x.apps": dns.RcodeSuccess, "y.apps": dns.RcodeSuccess, "alias": dns.RcodeSuccess,
		"x.d": dns.RcodeSuccess, "mix": dns.RcodeSuccess, "mix AAAA": dns.RcodeSuccess, "mix TXT": dns.RcodeSuccess, "mix CNAME": dns.RcodeSuccess, "nope": dns.RcodeNameError, "aaa": dns.RcodeNameError, "zzz": dns.RcodeNameError, "www.nope": dns.RcodeNameError}}
	for _, ttl := range validatedTTLs {
		v.names[fmt.Sprintf("t%d", ttl)] = dns.RcodeSuccess
	}
	for _, r := range validators(host, port, [][]string{anchor, anchorOf(t, filepath.Join(next, "*.key"))}) {
		v.at = append(v.at, r.start(t, p.dns))
		v.by = append(v.by, r.name)
	}
	v.look()
	v.flips(time.Duration(validatedSeconds) * time.Second)
	// The ZSK: the new one is published and signs beside the old one, which then goes.
	old, err := filepath.Glob(filepath.Join(keys, "*.key"))
	require.NoError(t, err)
	out, code = run(t, p.bin, "dnssec", "keygen", "example.org", "--dir", keys, "--zsk")
	require.Zero(t, code, out)
	v.awaitKeys(3)
	v.flips(4 * time.Second)
	removeKeys(t, old, 256)
	v.awaitKeys(2)
	v.flips(4 * time.Second)
	// The KSK, likewise: the parent has had both DS records from the beginning.
	fresh, err := filepath.Glob(filepath.Join(next, "*"))
	require.NoError(t, err)
	for _, f := range fresh {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(keys, filepath.Base(f)), text, 0o600))
	}
	v.awaitKeys(3)
	v.flips(4 * time.Second)
	removeKeys(t, old, 257)
	v.awaitKeys(2)
	v.flips(time.Duration(validatedSeconds) * time.Second)
	t.Logf("%d replies of %s, all of them valid", v.asked, strings.Join(v.by, " and "))
}

// removeKeys removes those key files of a kind.
func removeKeys(t *testing.T, files []string, flags uint16) {
	t.Helper()
	removed := 0
	for _, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, fs.ErrNotExist) {
			// It has been removed before.
			continue
		}
		require.NoError(t, err)
		rr, err := dns.NewRR(string(text))
		require.NoError(t, err)
		if rr.(*dns.DNSKEY).Flags == flags {
			require.NoError(t, os.Remove(f))
			require.NoError(t, os.Remove(strings.TrimSuffix(f, ".key")+".private"))
			removed++
		}
	}
	require.Equal(t, 1, removed)
}

// A validation asks validators, and moves what they ask about.
type validation struct {
	t      *testing.T
	p      *process
	at, by []string
	// names are what is asked for, A unless a type stands behind a blank, and the RCODEs.
	names map[string]int
	asked int
}

// look asks each validator for each name.
func (v *validation) look() {
	v.t.Helper()
	for i, at := range v.at {
		for name, want := range v.names {
			short, qtype, typed := strings.Cut(name, " ")
			if !typed {
				qtype = "A"
			}
			m := new(dns.Msg).SetQuestion(fullName(short)+".", dns.StringToType[qtype]).SetEdns0(1232, true)
			r, _, err := (&dns.Client{Timeout: 20 * time.Second}).Exchange(m, at)
			require.NoError(v.t, err, "%s asks for %s", v.by[i], name)
			require.Equal(v.t, dns.RcodeToString[want], dns.RcodeToString[r.Rcode], "%s: %s", v.by[i], name)
			require.True(v.t, r.AuthenticatedData, "%s: %s", v.by[i], r)
			v.asked++
		}
	}
}

// flips drains and undrains an AZ for so long, every two seconds, and looks all the time: an endpoint of several leaves, and an address makes room for
// a CNAME.
func (v *validation) flips(length time.Duration) {
	v.t.Helper()
	order := func(args ...string) {
		out, code := run(v.t, v.p.bin, append(args, "--server", "unix:"+v.p.socket)...)
		require.Zero(v.t, code, out)
	}
	for end := time.Now().Add(length); time.Now().Before(end); {
		for _, args := range [][]string{{"drain", "az", "eu-a", "--reason", "test", "--yes"}, {"undrain", "az", "eu-a"}} {
			order(args...)
			for next := time.Now().Add(2 * time.Second); time.Now().Before(next); {
				v.look()
			}
		}
	}
}

// awaitKeys waits until the zone has so many keys, and caches have forgotten the others.
func (v *validation) awaitKeys(n int) {
	v.t.Helper()
	await(v.t, fmt.Sprintf("%d keys", n), func() bool {
		r, err := dns.Exchange(new(dns.Msg).SetQuestion("example.org.", dns.TypeDNSKEY), v.p.dns)
		return err == nil && len(r.Answer) == n
	})
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
		v.look()
	}
}
