//go:build linux

package fairlead

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
	"github.com/fairlead-dns/fairlead/plugin/fastlane"
)

// lane is the state of the lane of a port of 127.0.0.1.
func laneOn(t testing.TB, address string) fastlane.State {
	t.Helper()
	for _, st := range lanes.States() {
		if st.Address == address {
			return st
		}
	}
	return fastlane.State{Reason: "nobody attached it"}
}

func TestLaneAnswers(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	require.Positive(t, laneOn(t, s.server()).Sockets, laneOn(t, s.server()).Reason)
	before := lanes.Counts()
	for range 100 {
		require.Equal(t, "192.0.2.1", s.www())
	}
	after := lanes.Counts()
	require.EqualValues(t, 100, after.Answered-before.Answered)
	require.Equal(t, before.Handed, after.Handed)
}

func TestLaneIsTurnedOffByName(t *testing.T) {
	for _, tt := range []struct{ name, block, why string }{
		{"log", "log", "the plugin log must see every query"},
		{"acl", "acl {\nallow net 127.0.0.0/8\n}", "the plugin acl must see every query"},
		{"rewrite", "rewrite name exact old.example.org www.example.org", "the plugin rewrite must see every query"},
		{"view", "view all {\nexpr true\n}", "the plugin view must see every query"},
		{"cache, nsid, bufsize, shed and prometheus", "cache\nnsid here\nbufsize 1400\nshed\nprometheus 127.0.0.1:0", ""},
		{"behind", "whoami", ""},
		{"two sockets of CoreDNS", "multisocket 2", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			require.NoError(t, s.start(s.corefile(tt.block, "")))
			eventually(t, "the hook", func() bool { return laneOn(t, s.server()).Address != "" })
			require.Equal(t, tt.why, laneOn(t, s.server()).Reason)
			require.Equal(t, tt.why == "", laneOn(t, s.server()).Sockets > 0)
			before := lanes.Counts().Answered
			for range 50 {
				require.Equal(t, "192.0.2.1", s.www())
			}
			if tt.why == "" {
				require.EqualValues(t, 50, lanes.Counts().Answered-before)
			} else {
				require.Equal(t, before, lanes.Counts().Answered)
			}
		})
	}
}

// TestLaneOutlivesReloads: no question is lost while the Corefile is read again and the lane comes and goes, and nothing is left behind.
func TestLaneOutlivesReloads(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.corefile("", "")))
	conn := s.dial("127.0.0.1")
	stop, lost := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for i := uint16(1); err == nil; i++ {
			select {
			case <-stop:
				lost <- nil
				return
			default:
			}
			_, err = exchange(conn, pack(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
		}
		lost <- err
	}()
	off := caddy.CaddyfileInput{Filepath: "Corefile", ServerTypeName: "dns", Contents: bytes.Replace(s.corefile("", "").Body(), []byte("fairlead {\n"), []byte("fairlead {\nfastlane off\n"), 1)}
	for i := range 8 {
		next := s.corefile("", "")
		if i%3 == 2 {
			next = off
		}
		require.NoError(t, s.restart(next))
		eventually(t, "the lane", func() bool { return laneOn(t, s.server()).Sockets > 0 == (i%3 != 2) })
	}
	close(stop)
	require.NoError(t, <-lost)
	s.stop()
	require.Equal(t, "nobody attached it", laneOn(t, s.server()).Reason)
}

// TestLaneAnswersFromTheAskedAddress: sockets for all addresses, of both families.
func TestLaneAnswersFromTheAskedAddress(t *testing.T) {
	s := newSite(t)
	c := s.corefile("", "").(caddy.CaddyfileInput)
	c.Contents = bytes.Replace(c.Contents, []byte("bind 127.0.0.1\n"), nil, 1)
	require.NoError(t, s.start(c))
	address := fmt.Sprintf("dns://:%d", s.port)
	require.Positive(t, laneOn(t, address).Sockets, laneOn(t, address).Reason)
	for _, ip := range []string{"127.0.0.1", "127.0.0.9", "127.1.2.3", "::1"} {
		t.Run(ip, func(t *testing.T) {
			before := lanes.Counts()
			// A connected socket hears nobody else.
			conn := s.dial(ip)
			_, err := exchange(conn, pack(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)))
			require.NoError(t, err)
			_, err = exchange(conn, pack(t, new(dns.Msg).SetQuestion("www.example.org.", dns.TypeDS)))
			require.NoError(t, err)
			after := lanes.Counts()
			require.EqualValues(t, 1, after.Answered-before.Answered)
			require.EqualValues(t, 1, after.Handed-before.Handed)
		})
	}
}

// TestLaneMetrics: the same questions give the same series on both paths, but for how long they took.
func TestLaneMetrics(t *testing.T) {
	s, other := newTwoPaths(t, "prometheus 127.0.0.1:0", "")
	lane, ordinary := s.dial("127.0.0.1"), dialPort(t, "127.0.0.1", other)
	for _, network := range []string{"udp", "tcp"} {
		// As the start of the site did on its own server.
		require.NotNil(t, (&site{t: t, port: other}).ask(network))
	}
	before := lanes.Counts().Answered
	for i, q := range []*dns.Msg{
		new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA), new(dns.Msg).SetQuestion("wwW.example.org.", dns.TypeAAAA),
		new(dns.Msg).SetQuestion("www.example.org.", dns.TypeHTTPS), new(dns.Msg).SetQuestion("example.org.", dns.TypeSOA),
		new(dns.Msg).SetQuestion("nope.example.org.", dns.TypeMX), new(dns.Msg).SetQuestion("www.example.org.", dns.TypeCAA),
		new(dns.Msg).SetQuestion("www.example.org.", dns.TypeDS), new(dns.Msg).SetQuestion("example.org.", dns.TypeNS),
		new(dns.Msg).SetQuestion("www.example.org.", 4711).SetEdns0(1232, true), new(dns.Msg).SetQuestion("example.net.", dns.TypeA),
	} {
		for range i + 1 {
			for _, c := range []net.Conn{lane, ordinary} {
				_, err := exchange(c, pack(t, q))
				require.NoError(t, err)
			}
		}
	}
	// All but DS and the name of nobody's zone.
	require.EqualValues(t, 55-7-10, lanes.Counts().Answered-before)
	got, want := dnsSeries(t, s.server()), dnsSeries(t, fmt.Sprintf("dns://127.0.0.1:%d", other))
	require.Equal(t, want, got)
	require.Contains(t, strings.Join(got, "\n"), `requests_total family=1 proto=udp server=S type=HTTPS view= zone=example.org. 3`)
	require.Equal(t, got, dnsSeries(t, s.server()), "a scrape counts nothing twice")
}

// dnsSeries are the series of coredns_dns_* of a server, without its name and without durations.
func dnsSeries(t *testing.T, server string) (out []string) {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "coredns_dns_") {
			continue
		}
		for _, m := range f.GetMetric() {
			line, ours := strings.TrimPrefix(f.GetName(), "coredns_dns_"), false
			for _, l := range m.Label {
				value := l.GetValue()
				if l.GetName() == "server" && value == server {
					value, ours = "S", true
				}
				line += " " + l.GetName() + "=" + value
			}
			if !ours {
				continue
			}
			switch h := m.GetHistogram(); {
			case h == nil:
				line += fmt.Sprint(" ", m.GetCounter().GetValue())
			case strings.Contains(f.GetName(), "duration"):
				line += fmt.Sprint(" ", h.GetSampleCount(), " native ", nativeCount(h))
			default:
				line += fmt.Sprint(" ", h.GetSampleCount(), h.GetSampleSum(), h.GetBucket(), h.GetPositiveSpan(), h.GetPositiveDelta())
			}
			out = append(out, line)
		}
	}
	slices.Sort(out)
	return out
}

// nativeCount is how many observations the native buckets have.
func nativeCount(h *dto.Histogram) (sum int64) {
	sum = int64(h.GetZeroCount())
	count, at := int64(0), 0
	for _, s := range h.PositiveSpan {
		for range s.GetLength() {
			count += h.PositiveDelta[at]
			sum += count
			at++
		}
	}
	return sum
}

// newTwoPaths is a site whose second server, on the port, takes the ordinary path. Both answer from the same snapshot: of zone, or
// of the usual one if it is empty.
func newTwoPaths(t testing.TB, block, zone string) (*site, int) {
	t.Helper()
	s, other := newSite(t), suite.FreePort(t)
	if zone != "" {
		require.NoError(t, os.WriteFile(s.path("a.yaml"), []byte(zone), 0o644))
	}
	ordinary := fmt.Sprintf("example.org:%d {\nbind 127.0.0.1\nfairlead {\nzones %s\nstate %s\nfastlane off\n}\nerrors\n%s\n}\n",
		other, filepath.Join(s.dir, "zones"), filepath.Join(s.dir, "state"), block)
	require.NoError(t, s.start(s.corefile(block, ordinary)))
	eventually(t, "both hooks", func() bool {
		return laneOn(t, s.server()).Sockets > 0 && laneOn(t, fmt.Sprintf("dns://127.0.0.1:%d", other)).Reason == "fastlane off"
	})
	return s, other
}

func (s *site) dial(ip string) net.Conn { return dialPort(s.t, ip, s.port) }

func dialPort(t testing.TB, ip string, port int) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", net.JoinHostPort(ip, fmt.Sprint(port)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

func pack(t testing.TB, m *dns.Msg) []byte {
	t.Helper()
	b, err := m.Pack()
	require.NoError(t, err)
	return b
}

// exchange sends a packet and waits for a reply.
func exchange(conn net.Conn, query []byte) ([]byte, error) {
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	b := make([]byte, dns.MaxMsgSize)
	n, err := conn.Read(b)
	return b[:n], err
}
