package probe

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func dnsCheck(change func(*config.DNSCheck)) *config.Check {
	check := config.Check{Name: "name", Type: config.CheckDNS, Interval: 20 * time.Second, Timeout: 10 * time.Second,
		Fall: 3, Rise: 2, DNS: &config.DNSCheck{Name: "www.example.org.", QType: dns.TypeA}}
	if change != nil {
		change(check.DNS)
	}
	return sealed(check)
}

// dnsServer serves UDP and TCP on one port until the test ends.
func dnsServer(t *testing.T, handle dns.HandlerFunc) string {
	t.Helper()
	packets, l := bothOnOnePort(t)
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: handle}, {Listener: l, Handler: handle}} {
		up, done := make(chan struct{}), make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() { defer close(done); _ = s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = s.Shutdown(); <-done })
	}
	return l.Addr().String()
}

// bothOnOnePort tries ports until one is free for UDP and TCP.
func bothOnOnePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		if packets, err := net.ListenPacket("udp", l.Addr().String()); err == nil {
			return packets, l
		}
		l.Close()
	}
	t.Fatal("no port is free for both")
	return nil, nil
}

// zone answers with the records of text that have the question's type, or a CNAME.
func zone(t *testing.T, text string) dns.HandlerFunc {
	var all []dns.RR
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		rr, err := dns.NewRR(line)
		require.NoError(t, err)
		all = append(all, rr)
	}
	return func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		for _, rr := range all {
			if have := rr.Header().Rrtype; have == q.Question[0].Qtype || have == dns.TypeCNAME || q.Question[0].Qtype == dns.TypeANY {
				m.Answer = append(m.Answer, rr)
			}
		}
		if w.RemoteAddr().Network() == "udp" {
			m.Truncate(dns.MinMsgSize)
		}
		_ = w.WriteMsg(m)
	}
}

func TestDNS(t *testing.T) {
	records := zone(t, `
		www.example.org. 60 IN CNAME web.example.org.
		web.example.org. 60 IN A 192.0.2.1
		web.example.org. 60 IN A 192.0.2.2
		web.example.org. 60 IN AAAA 2001:db8::1
		web.example.org. 60 IN TXT "I am so ok" "and more"
		web.example.org. 60 IN MX 10 Mail.Example.ORG.`)
	with := func(code int) dns.HandlerFunc {
		return func(w dns.ResponseWriter, q *dns.Msg) { _ = w.WriteMsg(new(dns.Msg).SetRcode(q, code)) }
	}
	var big strings.Builder
	for i := range 100 {
		fmt.Fprintf(&big, "www.example.org. 60 IN A 192.0.2.%d\n", i+1)
	}
	want := func(qtype uint16, answer string) func(*config.DNSCheck) {
		return func(c *config.DNSCheck) { c.QType, c.Answer = qtype, answer }
	}
	for _, test := range []struct {
		name   string
		handle dns.HandlerFunc
		change func(*config.DNSCheck)
		kind   Kind
		text   string
	}{
		{"answers", records, nil, None, ""},
		{"has the address", records, want(dns.TypeA, "192.0.2.2"), None, ""},
		{"in another spelling", records, want(dns.TypeAAAA, "2001:DB8:0::0:1"), None, ""},
		{"names in any case", records, want(dns.TypeMX, "10 mail.example.org."), None, ""},
		{"text", records, want(dns.TypeTXT, `"I am so ok" "and more"`), None, ""},
		{"NODATA is an answer", zone(t, ""), nil, None, ""},
		{"the RCODE that is wanted", with(dns.RcodeNameError), func(c *config.DNSCheck) { c.RCode = dns.RcodeNameError }, None, ""},
		{"truncated, so over TCP", zone(t, big.String()), want(dns.TypeA, "192.0.2.99"), None, ""},

		{"no such name", with(dns.RcodeNameError), nil, RCode, "answer NXDOMAIN, want NOERROR"},
		{"server failure", with(dns.RcodeServerFailure), nil, RCode, "answer SERVFAIL, want NOERROR"},
		{"exists and should not", records, func(c *config.DNSCheck) { c.RCode = dns.RcodeNameError }, RCode,
			"answer NOERROR, want NXDOMAIN"},
		{"another address", records, want(dns.TypeA, "192.0.2.9"), NoRecord,
			"no A record 192.0.2.9 in the answer, got 192.0.2.1, 192.0.2.2"},
		{"another of many", zone(t, big.String()), want(dns.TypeA, "192.0.2.200"), NoRecord,
			"no A record 192.0.2.200 in the answer, got 192.0.2.1, 192.0.2.2, 192.0.2.3 and 97 more"},
		{"no record", zone(t, ""), want(dns.TypeA, "192.0.2.9"), NoRecord, "no A record 192.0.2.9 in the answer, got none"},
		{"an answer is wanted, and there is one", records, func(c *config.DNSCheck) { c.Answered = true }, None, ""},
		{"an answer is wanted, and there is none", zone(t, ""), func(c *config.DNSCheck) { c.Answered = true }, NoRecord, "no A record in the answer"},
		{"format error without the question", func(w dns.ResponseWriter, q *dns.Msg) {
			m := new(dns.Msg).SetRcodeFormatError(q)
			m.Question = nil
			_ = w.WriteMsg(m)
		}, nil, RCode, "answer FORMERR, want NOERROR"},
	} {
		for _, tcp := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/tcp=%v", test.name, tcp), func(t *testing.T) {
				t.Parallel()
				check := dnsCheck(func(c *config.DNSCheck) {
					c.TCP = tcp
					if test.change != nil {
						test.change(c)
					}
				})
				got := probeTimed(t, targetAt(t, check, dnsServer(t, test.handle)))
				assert.Equal(t, Reason{test.kind, test.text}, got.Reason)
				assert.Positive(t, got.Phases.FirstByte)
			})
		}
	}
}

// packetServer answers each datagram with what answer makes of the query.
func packetServer(t *testing.T, answer func(q *dns.Msg) [][]byte) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	servePackets(t, conn, answer)
	return conn.LocalAddr().String()
}

func servePackets(t *testing.T, conn net.PacketConn, answer func(q *dns.Msg) [][]byte) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		for b := make([]byte, 4096); ; {
			n, peer, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			q := new(dns.Msg)
			if q.Unpack(b[:n]) == nil {
				for _, a := range answer(q) {
					_, _ = conn.WriteTo(a, peer)
				}
			}
		}
	}()
	t.Cleanup(func() { conn.Close(); <-done })
}

// TestDNSForgeries: only the answer to our question, with our id, counts.
func TestDNSForgeries(t *testing.T) {
	pack := func(m *dns.Msg) []byte {
		b, err := m.Pack()
		require.NoError(t, err)
		return b
	}
	reply := func(q *dns.Msg, change func(*dns.Msg)) []byte {
		m := new(dns.Msg).SetReply(q)
		change(m)
		return pack(m)
	}
	good := func(q *dns.Msg) []byte { return reply(q, func(*dns.Msg) {}) }
	for _, test := range []struct {
		name, text string
		forge      func(q *dns.Msg) []byte
	}{
		{"another id", "has another id", func(q *dns.Msg) []byte { return reply(q, func(m *dns.Msg) { m.Id++ }) }},
		{"another name", "is to another question, evil.example.org. A", func(q *dns.Msg) []byte {
			return reply(q, func(m *dns.Msg) { m.Question[0].Name = "evil.example.org." })
		}},
		{"another type", "is to another question, www.example.org. AAAA", func(q *dns.Msg) []byte {
			return reply(q, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeAAAA })
		}},
		{"no question", "has 0 questions", func(q *dns.Msg) []byte { return reply(q, func(m *dns.Msg) { m.Question = nil }) }},
		{"no response", "is no response", pack},
		{"rubbish", "cannot be read", func(*dns.Msg) []byte { return []byte("rubbish") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := dnsCheck(nil)
			address := packetServer(t, func(q *dns.Msg) [][]byte { return [][]byte{test.forge(q), good(q)} })
			require.Equal(t, Reason{}, probeTimed(t, targetAt(t, check, address)).Reason, "the good answer after it counts")
			check = dnsCheck(nil)
			check.Timeout = 300 * time.Millisecond
			address = packetServer(t, func(q *dns.Msg) [][]byte { return [][]byte{test.forge(q)} })
			wantFailure(t, targetAt(t, check, address), Protocol, "no answer within 300ms, but one that "+test.text)
		})
	}
}

func TestDNSPeersThatMisbehave(t *testing.T) {
	overTCP := func(c *config.DNSCheck) { c.TCP = true }
	hurried := func(change func(*config.DNSCheck)) *config.Check {
		check := dnsCheck(change)
		check.Timeout = 500 * time.Millisecond
		return check
	}
	silent := packetServer(t, func(*dns.Msg) [][]byte { return nil })
	wantFailure(t, targetAt(t, hurried(nil), silent), NoAnswer, "no answer within 500ms")
	wantFailure(t, targetAt(t, hurried(overTCP), listen(t, hang)), NoAnswer, "no answer within 500ms")
	wantFailure(t, targetAt(t, hurried(overTCP), listen(t, trickling("\x01\x00"+strings.Repeat("y", 100)))), NoAnswer,
		"no answer within 500ms")
	wantFailure(t, targetAt(t, hurried(overTCP), listen(t, greeting("\xff\xff"))), Protocol,
		"an answer of 65535 octets, more than 16384")
	wantFailure(t, targetAt(t, dnsCheck(overTCP), listen(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 512)) })), Closed,
		"connection closed before the answer")
	wantFailure(t, targetAt(t, dnsCheck(overTCP), listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 512))
		_ = c.(*net.TCPConn).SetLinger(0)
	})), Closed, "connection reset before the answer")

	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.LocalAddr().String()
	l.Close()
	wantFailure(t, targetAt(t, dnsCheck(nil), address), Refused, "connection refused")

	// Truncated over UDP, and nothing over TCP: the whole probe still costs one timeout.
	packets, tcp := bothOnOnePort(t)
	defer tcp.Close()
	servePackets(t, packets, func(q *dns.Msg) [][]byte {
		m := new(dns.Msg).SetReply(q)
		m.Truncated = true
		b, _ := m.Pack()
		return [][]byte{b}
	})
	wantFailure(t, targetAt(t, hurried(nil), tcp.Addr().String()), NoAnswer, "no answer within 500ms")
}
