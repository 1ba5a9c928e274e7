package integration

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// delegationSite is a parent zone on a real named, and two nodes with the same port on addresses of their own.
type delegationSite struct {
	t    *testing.T
	bin  string
	port int
	// parent listens on 127.0.0.1: named takes only what an interface has.
	parent string
	// net is the first three octets of the zones' addresses; .2 and .3 the nodes, .4 a relay for UDP alone.
	net string
}

// delegationZone is a zone file: ns1 at .2 and ns2 at the last octet second.
func (s *delegationSite) zone(name string, second, serial int) string {
	return fmt.Sprintf(`zone: %[1]s.example.org
soa: {serial: %[4]d}
nameservers:
  - {name: ns1.%[1]s.example.org, addresses: [%[2]s.2]}
  - {name: ns2.%[1]s.example.org, addresses: [%[2]s.%[3]d]}
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
`, name, s.net, second, serial)
}

// outsideZone names nameservers of the parent zone.
const outsideZone = `zone: outside.example.org
nameservers: [{name: ns1.example.org}, {name: ns2.example.org}]
regions: {eu: {azs: [eu-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
services:
  www: {tiers: [{web: 1}]}
`

// parentZone delegates each of the zones, with faults.
const parentZone = `$ORIGIN example.org.
$TTL 3600
@ SOA ns.example.org. hostmaster.example.org. 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
ns1 A NET.2
ns2 A NET.3
outside NS ns1
outside NS ns2
good NS ns1.good
good NS ns2.good
ns1.good A NET.2
ns2.good A NET.3
noglue NS ns1.noglue
noglue NS ns2.noglue
ns1.noglue A NET.2
stale NS ns1.stale
stale NS ns2.stale
ns1.stale A NET.2
ns2.stale A NET.3
ns2.stale A NET.2
wrong NS ns1.wrong
wrong NS ns2.wrong
wrong NS ns2.good
ns1.wrong A NET.2
ns2.wrong A NET.3
fewer NS ns1.fewer
ns1.fewer A NET.2
serial NS ns1.serial
serial NS ns2.serial
ns1.serial A NET.2
ns2.serial A NET.3
notcp NS ns1.notcp
notcp NS ns2.notcp
ns1.notcp A NET.2
ns2.notcp A NET.4
lame NS ns1.lame
lame NS ns2.lame
ns1.lame A NET.2
ns2.lame A NET.3
bogus NS ns1.bogus
bogus NS ns2.bogus
bogus DS 12345 13 2 0123456789012345678901234567890123456789012345678901234567890123
ns1.bogus A NET.2
ns2.bogus A NET.3
dead NS ns1.dead
dead NS ns2.dead
ns1.dead A NET.2
ns2.dead A NET.5
`

func startDelegationSite(t *testing.T) *delegationSite {
	s := &delegationSite{t: t, bin: binary(t, true), net: fmt.Sprintf("127.78.%d", os.Getpid()%250)}
	s.port = suite.FreePort(t)
	s.parent = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
	s.startNamed()
	for _, node := range []struct{ last, serial int }{{2, 7}, {3, 8}} {
		zones := map[string]string{"outside.yaml": outsideZone}
		for _, name := range []string{"good", "noglue", "stale", "wrong", "fewer", "bogus"} {
			zones[name+".yaml"] = s.zone(name, 3, 7)
		}
		zones["serial.yaml"] = s.zone("serial", 3, node.serial)
		zones["notcp.yaml"] = s.zone("notcp", 4, 7)
		zones["dead.yaml"] = s.zone("dead", 5, 7)
		if node.last == 2 {
			zones["lame.yaml"] = s.zone("lame", 3, 7)
		}
		corefile := fmt.Sprintf("example.org:%d {\n\tbind %s.%d\n\tfairlead {\n\t\tzones DIR/zones\n\t\tstate DIR/state\n\t}\n\terrors\n}\n", s.port, s.net, node.last)
		startServe(t, true, corefile, zones).awaitHealthy()
	}
	s.relay()
	return s
}

// startNamed runs BIND as the server of the parent zone.
func (s *delegationSite) startNamed() {
	named, err := exec.LookPath("named")
	if err != nil {
		if named, err = exec.LookPath("/usr/sbin/named"); err != nil {
			s.t.Skip("needs named: make test-deps")
		}
	}
	dir := s.t.TempDir()
	conf := fmt.Sprintf(`options {
	directory "%[1]s"; pid-file none; session-keyfile "%[1]s/session.key";
	listen-on port %[2]d { 127.0.0.1; }; listen-on-v6 { none; };
	recursion no; dnssec-validation no; notify no;
};
controls { };
zone "example.org" { type primary; file "example.org.zone"; check-integrity no; };
`, dir, s.port)
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "named.conf"), []byte(conf), 0o644))
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "example.org.zone"), []byte(strings.ReplaceAll(parentZone, "NET", s.net)), 0o644))
	start(s.t, &process{bin: named, dir: dir}, "-g", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	await(s.t, "named", func() bool {
		m, _, err := ask("udp", s.parent, "example.org.", dns.TypeSOA)
		return err == nil && m.Rcode == dns.RcodeSuccess
	})
}

// relay passes on UDP to the first node; over TCP nobody listens there.
func (s *delegationSite) relay() {
	in, err := net.ListenPacket("udp", net.JoinHostPort(s.net+".4", strconv.Itoa(s.port)))
	require.NoError(s.t, err)
	s.t.Cleanup(func() { in.Close() })
	go func() {
		for {
			query := make([]byte, dns.MaxMsgSize)
			n, from, err := in.ReadFrom(query)
			if err != nil {
				return
			}
			m := new(dns.Msg)
			if m.Unpack(query[:n]) != nil {
				continue
			}
			if got, err := dns.Exchange(m, net.JoinHostPort(s.net+".2", strconv.Itoa(s.port))); err == nil {
				if b, err := got.Pack(); err == nil {
					_, _ = in.WriteTo(b, from)
				}
			}
		}
	}()
}

// A delegationReport is what scripts read of -o json.
type delegationReport struct {
	Zone        string
	Result      string
	Nameservers []struct {
		Name, Address string
		Serial        *uint32
	}
	Checks []struct{ Check, Subject, Result, Seen, Remedy string }
}

// run checks the delegation of a zone, and returns the report and the exit code.
func (s *delegationSite) run(t *testing.T, zone string) (*delegationReport, int) {
	t.Helper()
	cmd := exec.Command(s.bin, "delegation", zone+".example.org", "--parent", s.parent, "--resolver", s.parent,
		"--port", strconv.Itoa(s.port), "--timeout", "1s", "-o", "json")
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
		require.Empty(t, string(exit.Stderr))
	}
	r := new(delegationReport)
	require.NoError(t, json.Unmarshal(out, r), string(out))
	return r, cmd.ProcessState.ExitCode()
}

// TestDelegation finds each fault of a delegation, and no other.
func TestDelegation(t *testing.T) {
	waits(t)
	s := startDelegationSite(t)
	for _, c := range []struct {
		zone string
		code int
		// wrong are the checks that are not ok: RESULT CHECK SUBJECT: SEEN => REMEDY; NET stands for the network.
		wrong []string
	}{
		{"good", 0, nil},
		{"outside", 0, nil},
		{"noglue", 1, []string{"error glue ns2.noglue.example.org: no address in the parent: nobody can find it => publish for ns2.noglue.example.org in the parent zone: A NET.3"}},
		{"stale", 1, []string{"error glue ns2.stale.example.org: the parent has NET.2, which the zone does not answer => " +
			"replace NET.2 for ns2.stale.example.org in the parent zone by what the zone has (NET.3), or add it to the nameserver's `addresses`"}},
		{"wrong", 1, []string{"error ns ns1.wrong.example.org NET.2: ", "error ns ns2.wrong.example.org NET.3: ", "error ns ns2.good.example.org NET.3: the parent names ns2.good.example.org too, the zone does not => " +
			"remove the NS record of ns2.good.example.org from the parent zone"}},
		{"fewer", 0, []string{"warning ns ns1.fewer.example.org NET.2: the zone names ns2.fewer.example.org too", "warning ns ns2.fewer.example.org NET.3: ",
			"warning servers fewer.example.org: nameservers in the parent: 1, addresses in all: 2"}},
		{"serial", 1, []string{"error serial serial.example.org: 7 on ns1.serial.example.org NET.2; 8 on ns2.serial.example.org NET.3 => give every node the same zone files"}},
		{"notcp", 1, []string{"error tcp ns2.notcp.example.org NET.4: connection refused => see that the node runs, and that firewalls let port"}},
		{"lame", 1, []string{"error authoritative ns2.lame.example.org NET.3: lame: answers REFUSED => serve lame.example.org there"}},
		{"bogus", 1, []string{"error ds ns1.bogus.example.org NET.2: the parent has a DS record, the zone no DNSKEY", "error ds ns2.bogus.example.org NET.3: " +
			"the parent has a DS record, the zone no DNSKEY: resolvers that validate answer SERVFAIL => remove the DS record of bogus.example.org from the parent zone"}},
		{"dead", 1, []string{"error udp ns2.dead.example.org NET.5: connection refused", "error tcp ns2.dead.example.org NET.5: connection refused"}},
		{"nowhere", 1, []string{"error parent PARENT: does not delegate the zone => publish NS records for nowhere.example.org in the parent zone"}},
	} {
		t.Run(c.zone, func(t *testing.T) {
			r, code := s.run(t, c.zone)
			var got []string
			for _, k := range r.Checks {
				if k.Result != "ok" {
					got = append(got, fmt.Sprintf("%s %s %s: %s => %s", k.Result, k.Check, k.Subject, k.Seen, k.Remedy))
				}
			}
			require.Len(t, got, len(c.wrong), "%s", strings.Join(got, "\n"))
			for _, want := range c.wrong {
				want = strings.NewReplacer("NET", s.net, "PARENT", s.parent).Replace(want)
				found := false
				for _, g := range got {
					found = found || strings.HasPrefix(g, want)
				}
				require.True(t, found, "want %s\ngot %s", want, strings.Join(got, "\n"))
			}
			require.Equal(t, c.code, code)
			if c.zone == "good" {
				require.Len(t, r.Nameservers, 2)
				for _, n := range r.Nameservers {
					require.NotNil(t, n.Serial)
					require.EqualValues(t, 7, *n.Serial)
				}
			}
		})
	}
	t.Run("for people", func(t *testing.T) {
		out, code := run(t, s.bin, "delegation", "bogus.example.org.", "--parent", s.parent, "--port", strconv.Itoa(s.port))
		require.Equal(t, 1, code)
		for _, want := range []string{
			"delegation of bogus.example.org, as " + s.parent + " has it: 2 errors, 0 warnings, ",
			"● ok ", "■ error ", "hint: remove the DS record of bogus.example.org from the parent zone",
		} {
			require.Contains(t, out, want)
		}
	})
}
