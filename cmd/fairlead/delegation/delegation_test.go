package delegation

import (
	"bytes"
	"crypto"
	"flag"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

var rewrite = flag.Bool("update", false, "rewrite the golden files")

// zoneServer answers from records over UDP, with AA, until the test ends.
func zoneServer(t *testing.T, records ...string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	var rrs []dns.RR
	for _, text := range records {
		rr, err := dns.NewRR(text)
		require.NoError(t, err)
		rrs = append(rrs, rr)
	}
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		m.Authoritative = true
		for _, rr := range rrs {
			switch h := rr.Header(); {
			case h.Name == q.Question[0].Name && h.Rrtype == q.Question[0].Qtype:
				m.Answer = append(m.Answer, rr)
			case h.Rrtype == dns.TypeSOA:
				m.Ns = append(m.Ns, rr)
			}
		}
		_ = w.WriteMsg(m)
	})
	started := make(chan struct{})
	s := &dns.Server{PacketConn: conn, Handler: handler, NotifyStartedFunc: func() { close(started) }}
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-started
	t.Cleanup(func() {
		require.NoError(t, s.Shutdown())
		require.NoError(t, <-done)
	})
	return conn.LocalAddr().String()
}

func newDelegation(zone, resolver string) *delegation {
	return &delegation{zone: zone, querier: &querier{timeout: time.Second, port: dnsPort, resolvers: []string{resolver}, slots: make(chan struct{}, maxDNSInFlight)}}
}

// The parent is the zone that has the SOA above, which may be several labels up.
func TestFindParent(t *testing.T) {
	resolver := zoneServer(t,
		"example.org. 60 IN SOA ns1.example.org. h.example.org. 1 2 3 4 5",
		"example.org. 60 IN NS ns1.example.org.",
		"example.org. 60 IN NS ns2.example.org.",
		"ns1.example.org. 60 IN A 192.0.2.1",
		"ns2.example.org. 60 IN A 192.0.2.2",
		"ns2.example.org. 60 IN AAAA 2001:db8::2")
	for _, zone := range []string{"gslb.example.org.", "a.b.gslb.example.org."} {
		t.Run(zone, func(t *testing.T) {
			d := newDelegation(zone, resolver)
			require.NoError(t, d.findParent(t.Context()))
			require.Equal(t, "example.org.", d.parent)
			require.Equal(t, []string{"192.0.2.1:53", "192.0.2.2:53", "[2001:db8::2]:53"}, d.parentServers)
		})
	}
	require.ErrorContains(t, newDelegation("example.net.", resolver).findParent(t.Context()), "no SOA at or above net")
}

// keyed is a reply with a DNSKEY and a signature over it that is valid between two times.
func keyed(t *testing.T, from, to time.Time) (reply, *dns.DS) {
	t.Helper()
	key := &dns.DNSKEY{Hdr: dns.RR_Header{Name: "gslb.example.org.", Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60}, Flags: 257, Protocol: 3, Algorithm: dns.ED25519}
	private, err := key.Generate(256)
	require.NoError(t, err)
	sig := &dns.RRSIG{Algorithm: dns.ED25519, KeyTag: key.KeyTag(), SignerName: key.Hdr.Name, Inception: uint32(from.Unix()), Expiration: uint32(to.Unix())}
	require.NoError(t, sig.Sign(private.(crypto.Signer), []dns.RR{key}))
	m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true}, Answer: []dns.RR{key, sig}}
	return reply{msg: m}, key.ToDS(dns.SHA256)
}

// A chain from the parent to the zone's keys is whole, or says where it breaks.
func TestDelegationSecure(t *testing.T) {
	now := time.Now()
	good, ds := keyed(t, now.Add(-time.Hour), now.Add(time.Hour))
	old, oldDS := keyed(t, now.Add(-2*time.Hour), now.Add(-time.Hour))
	none := reply{msg: &dns.Msg{MsgHdr: dns.MsgHdr{Authoritative: true}}}
	for _, c := range []struct {
		name   string
		keys   reply
		ds     []*dns.DS
		result string
		seen   string
	}{
		{"unsigned", none, nil, resultOK, "unsigned, and no DS record in the parent"},
		{"signed", good, []*dns.DS{ds}, resultOK, "a DS record of the parent fits a DNSKEY, which signs the zone's keys"},
		{"rollover", good, []*dns.DS{oldDS, ds}, resultOK, "a DS record of the parent fits a DNSKEY, which signs the zone's keys"},
		{"island", good, nil, resultWarning, "signed, but no DS record in the parent: nobody validates it"},
		{"bogus", none, []*dns.DS{ds}, resultError, "the parent has a DS record, the zone no DNSKEY: resolvers that validate answer SERVFAIL"},
		{"other key", good, []*dns.DS{oldDS}, resultError, "no DS record of the parent fits a DNSKEY of the zone: resolvers that validate answer SERVFAIL"},
		{"expired", old, []*dns.DS{oldDS}, resultError, "no valid signature over the DNSKEYs by a key that the parent's DS names"},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := &judgement{delegation: newDelegation("gslb.example.org.", "")}
			j.secureServer(&nameserver{name: "ns1.gslb.example.org.", addr: netip.MustParseAddr("192.0.2.1"), key: c.keys}, c.ds)
			require.Len(t, j.checks, 1)
			require.Equal(t, c.result, j.checks[0].Result)
			require.Equal(t, c.seen, j.checks[0].Seen)
		})
	}
}

// A fault of this machine is no fault of the delegation, and what is no fault of others is told from what is.
func TestDelegationServer(t *testing.T) {
	none := reply{err: &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ENETUNREACH)}}
	soa, err := dns.NewRR("gslb.example.org. 60 IN SOA ns1.gslb.example.org. h.example.org. 7 2 3 4 5")
	require.NoError(t, err)
	with := func(rcode int, change func(*dns.Msg)) reply {
		m := &dns.Msg{MsgHdr: dns.MsgHdr{Response: true, Authoritative: true, Rcode: rcode}, Answer: []dns.RR{soa}}
		m.SetEdns0(ednsSize, false)
		change(m)
		return reply{msg: m}
	}
	good := func() *nameserver {
		same := func(*dns.Msg) {}
		return &nameserver{name: "ns1.gslb.example.org.", addr: netip.MustParseAddr("192.0.2.1"), soa: with(0, same), soaTCP: with(0, same),
			small: with(0, same), badvers: with(dns.RcodeBadVers, same), foreign: with(dns.RcodeRefused, same)}
	}
	for _, c := range []struct {
		name   string
		change func(*nameserver)
		want   []string
	}{
		{"good", func(*nameserver) {}, nil},
		{"no route", func(n *nameserver) { n.soa, n.soaTCP = none, none }, []string{"warning udp: not asked: this machine has no route to it"}},
		{"no AA", func(n *nameserver) { n.soa.msg.Authoritative = false }, []string{"error authoritative: lame: the reply has no AA"}},
		{"no OPT", func(n *nameserver) { n.small.msg.Extra = nil }, []string{"error edns: the reply to a query with EDNS has no OPT record"}},
		{"too large", func(n *nameserver) { n.small.size = 1430 }, []string{"error edns: 1430 octets where 512 were asked for"}},
		{"ignores the version", func(n *nameserver) { n.badvers.msg.Rcode = 0 }, []string{"warning edns: EDNS version 1 is answered with NOERROR, not with BADVERS"}},
		{"open resolver", func(n *nameserver) { n.foreign.msg.Rcode, n.foreign.msg.RecursionAvailable = dns.RcodeNameError, true },
			[]string{"warning refused: it resolves names of others: an open resolver"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, j := good(), &judgement{delegation: newDelegation("gslb.example.org.", "")}
			c.change(n)
			j.server(n)
			var got []string
			for _, k := range j.checks {
				if k.Result != resultOK {
					got = append(got, k.Result+" "+k.Check+": "+k.Seen)
				}
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestDelegationText(t *testing.T) {
	serial := uint32(7)
	r := &delegationReport{
		Zone: "gslb.example.org", Parent: "example.org", ParentServers: []string{"192.0.2.1:53"}, Result: resultError,
		Nameservers: []delegationServer{{Name: "ns1.gslb.example.org", Address: "192.0.2.53", Serial: &serial}},
		Checks: []delegationCheck{
			{Check: "parent", Subject: "192.0.2.1:53", Result: resultOK, Seen: "delegates to ns1.gslb.example.org"},
			{Check: "glue", Subject: "ns1.gslb.example.org", Result: resultError, Seen: "no address in the parent: nobody can find it",
				Remedy: "publish for ns1.gslb.example.org in example.org: A 192.0.2.53"},
			{Check: "servers", Subject: "gslb.example.org", Result: resultWarning, Seen: "nameservers in the parent: 1, addresses in all: 1",
				Remedy: "delegate the zone to two nodes at least, in networks that do not fail together"},
		},
	}
	for name, s := range map[string]terminal.Style{"text": {}, "colour": {Colour: true}} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			r.write(&b, s)
			golden := "testdata/" + name + ".txt"
			if *rewrite {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), b.String())
		})
	}
}

func TestDNSServer(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1": "192.0.2.1:53", "192.0.2.1:5300": "192.0.2.1:5300", "2001:db8::1": "[2001:db8::1]:53", "[2001:db8::1]": "[2001:db8::1]:53",
		"[2001:db8::1]:5300": "[2001:db8::1]:5300", "ns1.example.org": "", "192.0.2.1:0": "", "": "",
	} {
		got, err := dnsServer(text)
		require.Equal(t, want, got, text)
		require.Equal(t, want == "", err != nil, text)
	}
}
