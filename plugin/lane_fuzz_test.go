//go:build linux

package fairlead

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/fastlane"
)

// lanePatience is how long an answer may take on a machine that has other things to do.
const lanePatience = 5 * time.Second

// A twin asks a lane and the ordinary path the same, octet by octet.
type twin struct {
	t              testing.TB
	lane, ordinary net.Conn
}

func newTwin(t testing.TB) *twin {
	t.Helper()
	var endpoints strings.Builder
	for i := range 60 {
		fmt.Fprintf(&endpoints, "      - {name: e%d, addresses: [198.51.100.%d], az: eu-a}\n", i, i+1)
	}
	s, other := newTwoPaths(t, "nsid here\nbufsize 1400", strings.Replace(laneZone, "ENDPOINTS\n", endpoints.String(), 1))
	return &twin{t, s.dial("127.0.0.1"), dialPort(t, "127.0.0.1", other)}
}

// laneZone has a bit of everything that can be answered; what takes turns has one member, so that both paths have the same turn.
const laneZone = `zone: example.org
soa: {mname: ns1.example.org, rname: hostmaster.example.org, negative_ttl: 10s}
serial: 7
nameservers:
  - {name: ns1.example.org, addresses: [192.0.2.53, "2001:db8::53"]}
records:
  - {name: "@", type: TXT, data: "hello", ttl: 1h}
  - {name: alias, type: CNAME, data: www.example.org., ttl: 5m}
  - {name: away, type: CNAME, data: www.example.net., ttl: 5m}
  - {name: a.b.deep, type: A, data: 192.0.2.12, ttl: 5m}
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  far: {region: us, endpoints: [{name: one, addresses: [192.0.2.9, "2001:db8::9"], az: us-a}]}
  large:
    region: eu
    endpoints:
ENDPOINTS
  edges: {region: eu, endpoints: [{name: one, target: edge.example.net, az: eu-a}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
  large: {tiers: [{large: 1}], ttl: {max: 30s, min: 2s}, answers: all}
  edge: {tiers: [{edges: 1}], ttl: {max: 30s, min: 2s}}
  mixed: {tiers: [{web: 1}, {edges: 1}], ttl: {max: 30s, min: 2s}, clients: [{match: {cidr: [198.51.100.0/24]}, tiers: [{edges: 1}]}], ecs: true, https: {}}
  near: {ecs: true, clients: [{match: {cidr: [198.51.100.0/24, "2001:db8:1::/48"]}, tiers: [{far: 1}]}], tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
  "*.apps": {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}}
`

// unanswered tells whether nobody answers a packet: it has no whole header, or is an answer itself.
func unanswered(packet []byte) bool { return len(packet) < 12 || packet[2]&0x80 != 0 }

// compare asks both and wants the same answer, or none of both.
func (w *twin) compare(packet []byte) {
	w.t.Helper()
	if unanswered(packet) {
		for _, c := range []net.Conn{w.lane, w.ordinary} {
			_, err := c.Write(packet)
			require.NoError(w.t, err)
		}
		packet = pack(w.t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))
	}
	if seen := packet[:min(len(packet), dns.MinMsgSize)]; !bytes.Equal(fastlane.Refusable(seen), seen) {
		// CoreDNS's own socket takes it for well-formed.
		got := int(w.ask(w.lane, packet)[3] & 0xf)
		if got == dns.RcodeRefused {
			// What is refused with EDNS is refused by the handler: a name that no block has gets no further than CoreDNS, on both paths.
			require.Equal(w.t, got, int(w.ask(w.ordinary, packet)[3]&0xf), "asked: %x", packet)
			return
		}
		require.Equal(w.t, dns.RcodeFormatError, got, "asked: %x", packet)
		return
	}
	got, want := w.ask(w.lane, packet), w.ask(w.ordinary, packet)
	if !bytes.Equal(got, want) {
		// A cookie has the time in it, which may have gone on in between.
		got, want = w.ask(w.lane, packet), w.ask(w.ordinary, packet)
	}
	require.Equal(w.t, want, got, "asked: %x", packet)
}

func (w *twin) ask(c net.Conn, packet []byte) []byte {
	w.t.Helper()
	_, err := c.Write(packet)
	require.NoError(w.t, err)
	require.NoError(w.t, c.SetReadDeadline(time.Now().Add(lanePatience)))
	b := make([]byte, dns.MaxMsgSize)
	n, err := c.Read(b)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.t.Fatalf("no answer on %v to %x", c.RemoteAddr(), packet)
	}
	require.NoError(w.t, err)
	return b[:n]
}

// laneSeeds are packets of every kind that the lane answers, and of some that it does not.
func laneSeeds(t testing.TB) (out [][]byte) {
	t.Helper()
	names := []string{"www.example.org.", "wWw.eXample.ORG.", "large.example.org.", "edge.example.org.", "mixed.example.org.", "near.example.org.", "x.y.apps.example.org.", "apps.example.org.",
		"alias.example.org.", "away.example.org.", "deep.example.org.", "example.org.", "nope.example.org.", "org.", ".", "example.net.", `a\.b\000c.example.org.`, "_explain.www.example.org."}
	types := []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeHTTPS, dns.TypeSRV, dns.TypeSOA, dns.TypeNS, dns.TypeTXT, dns.TypeANY, dns.TypeCNAME, dns.TypeDS, dns.TypeAXFR, dns.TypeOPT, 65280}
	for i, name := range names {
		for j, typ := range types {
			m := new(dns.Msg).SetQuestion(name, typ)
			m.Id = uint16(i*len(types) + j)
			switch (i + j) % 4 {
			case 1:
				m.SetEdns0(uint16(512+400*j), j%2 == 0)
			case 2:
				m.SetEdns0(1232, true)
				m.CheckingDisabled, m.AuthenticatedData = true, true
				subnet := &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: uint8(8 * (j % 5)), Address: net.IPv4(198, 51, 100, 0).To4().Mask(net.CIDRMask(8*(j%5), 32))}
				if j%3 == 0 {
					subnet = &dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 2, SourceNetmask: 48, Address: net.ParseIP("2001:db8:1::")}
				}
				m.IsEdns0().Option = append(m.IsEdns0().Option, subnet, &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"})
			case 3:
				m.SetEdns0(4096, false)
				m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_PADDING{Padding: make([]byte, j)})
			}
			out = append(out, pack(t, m))
		}
	}
	plain := pack(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA))
	for _, change := range []struct {
		at    int
		value byte
	}{{2, 0x80}, {2, 0x28}, {2, 0x10}, {2, 0x02}, {2, 0x04}, {3, 0x80}, {3, 0x40}, {3, 0x05}, {5, 0}, {5, 2}, {7, 1}, {9, 1}, {11, 1}, {11, 3}, {12, 64}, {12, 0xC0}, {12, 200}} {
		changed := append([]byte(nil), plain...)
		changed[change.at] = change.value
		out = append(out, changed)
	}
	for _, n := range []int{0, 1, 11, 12, 13, 20, len(plain) - 1} {
		out = append(out, plain[:n])
	}
	return append(out, append(append([]byte(nil), plain...), 0), append(append([]byte(nil), plain...), make([]byte, 600)...), longest(t))
}

// longest is a question for a name of 255 octets.
func longest(t testing.TB) []byte {
	t.Helper()
	name := ""
	for range 3 {
		name += fmt.Sprintf("%060d.", 0)
	}
	return pack(t, new(dns.Msg).SetQuestion(name+fmt.Sprintf("%055d.", 0)+"example.org.", dns.TypeA))
}

// mutated is a packet with a few octets changed, dropped or doubled, by the octets of how.
func mutated(packet, how []byte) []byte {
	out := append([]byte(nil), packet...)
	for len(how) >= 3 && len(out) > 0 {
		at := int(binary.BigEndian.Uint16(how)) % len(out)
		switch how[2] % 4 {
		case 0:
			out[at] ^= 1 << (how[2] >> 2 & 7)
		case 1:
			out[at] = how[2]
		case 2:
			out = append(out[:at], out[at+1:]...)
		case 3:
			out = append(out[:at+1], out[at:]...)
		}
		how = how[3:]
	}
	return out[:min(len(out), 1400)]
}

// FuzzLane holds the two paths together. Packets are random, or mutations of questions.
func FuzzLane(f *testing.F) {
	seeds := laneSeeds(f)
	for i, p := range seeds {
		f.Add(p, uint16(i), []byte(nil))
	}
	f.Add([]byte(nil), uint16(3), []byte{0, 30, 5, 0, 12, 9})
	w := newTwin(f)
	f.Fuzz(func(t *testing.T, packet []byte, seed uint16, how []byte) {
		w.t = t
		if len(packet) == 0 {
			packet = seeds[int(seed)%len(seeds)]
		}
		w.compare(mutated(packet, how))
	})
}

// TestLaneTakesWhatItShould: nothing that the lane is for goes the ordinary way unseen.
func TestLaneTakesWhatItShould(t *testing.T) {
	w := newTwin(t)
	for _, tt := range []struct {
		name   string
		m      *dns.Msg
		handed bool
	}{
		{"A", new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), false},
		{"AAAA without one", new(dns.Msg).SetQuestion("www.example.org.", dns.TypeAAAA), false},
		{"HTTPS", new(dns.Msg).SetQuestion("www.example.org.", dns.TypeHTTPS), false},
		{"SOA", new(dns.Msg).SetQuestion("example.org.", dns.TypeSOA), false},
		{"static", new(dns.Msg).SetQuestion("a.b.deep.example.org.", dns.TypeA), false},
		{"no such name", new(dns.Msg).SetQuestion("nope.example.org.", dns.TypeA), false},
		{"truncated", new(dns.Msg).SetQuestion("large.example.org.", dns.TypeA), false},
		{"EDNS", new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA).SetEdns0(1232, true), false},
		{"DS", new(dns.Msg).SetQuestion("www.example.org.", dns.TypeDS), true},
		{"not ours", new(dns.Msg).SetQuestion("example.net.", dns.TypeA), true},
		{"AXFR", new(dns.Msg).SetQuestion("example.org.", dns.TypeAXFR), true},
		{"NOTIFY", new(dns.Msg).SetNotify("example.org."), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := lanes.Counts()
			w.compare(pack(t, tt.m))
			got := lanes.Counts()
			require.Equal(t, tt.handed, got.Handed > before.Handed)
			require.EqualValues(t, 1, got.Answered-before.Answered+got.Handed-before.Handed)
		})
	}
}
