package secondary

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

const zoneText = `zone: example.org
serial: SERIAL
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
transfer: {view: VIEW}
regions: {eu: {azs: [a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: a}, {name: two, addresses: [192.0.2.2, "2001:db8::2"], az: a}]}
  edges: {region: eu, endpoints: [{name: light, target: light.example.net, az: a}, {name: heavy, target: heavy.example.net, az: a, weight: 9}]}
services:
  www: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, on_all_down: [192.0.2.9]}
  srv: {tiers: [{web: 1}], ttl: {max: 30s, min: 2s}, on_all_down: [192.0.2.9], srv: {port: 443}}
EDGE
records: [{name: txt, type: TXT, data: TEXT, ttl: 5m}]
`

// A site is a zone file that changes, and what is transferred of it.
type site struct {
	t        *testing.T
	dir      string
	current  *answer.Current
	compiler *answer.Compiler
	zones    *Zones
	shut     bool
	replace  []string
	drained  bool
	now      time.Time
}

func newSite(t *testing.T, view string) *site {
	s := &site{t: t, dir: t.TempDir(), now: time.Unix(1_800_000_000, 0)}
	edge := "  edge: {tiers: [{edges: 1}], ttl: {max: 30s, min: 2s}}"
	if view == "static" {
		edge = ""
	}
	s.replace = []string{"VIEW", view, "EDGE", edge, "TEXT", "hello", "SERIAL", "1"}
	s.open()
	return s
}

// open begins a process.
func (s *site) open() {
	s.current, s.compiler = new(answer.Current), answer.NewCompiler("n1", s.now)
	s.zones = Open(Options{Path: filepath.Join(s.dir, "serials.json"), Current: s.current, Compiler: s.compiler, Shut: func() bool { return s.shut }, Logger: slog.New(slog.DiscardHandler)})
	s.swap()
	s.zones.Look(s.now)
}

// swap serves the file as it is now.
func (s *site) swap() {
	s.t.Helper()
	z, problems := config.Parse("example.yaml", []byte(strings.NewReplacer(s.replace...).Replace(zoneText)), config.ParseOptions{})
	require.NoError(s.t, problems.Err())
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: s.now, Calm: true}
		for i := range p.Endpoints {
			pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: true, Since: s.now}, Drained: s.drained && i == 0})
		}
		zv.Pools = append(zv.Pools, pv)
	}
	v := &health.View{Generation: 1, At: s.now, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{zv}}
	s.current.Swap(s.compiler.Compile(nil, v))
}

// change serves another version after so long, and tells whether secondaries get another one.
func (s *site) change(after time.Duration, change func()) bool {
	change()
	s.now = s.now.Add(after)
	s.swap()
	return len(s.zones.Look(s.now)) > 0
}

// transfer is what there is for a serial, without TTLs.
func (s *site) transfer(serial uint32) (out []string) {
	s.t.Helper()
	rrs, err := s.zones.Transfer("example.org.", "", serial)
	require.NoError(s.t, err)
	for _, rr := range rrs {
		text := strings.Fields(rr.String())
		if soa, ok := rr.(*dns.SOA); ok {
			text = []string{text[0], text[1], text[2], "SOA", fmt.Sprint(soa.Serial)}
		}
		out = append(out, strings.Join(append(text[:1:1], text[3:]...), " "))
	}
	return out
}

func (s *site) serial() uint32 {
	rrs, err := s.zones.Transfer("example.org.", "", 0)
	require.NoError(s.t, err)
	return rrs[0].(*dns.SOA).Serial
}

// answered is the serial of an answer for the SOA.
func (s *site) answered() uint32 {
	q := &answer.Question{Name: []byte("\x07example\x03org\x00"), Type: dns.TypeSOA, Class: dns.ClassINET, Size: dns.MinMsgSize}
	b, _, ok := s.current.Load().AppendAt(nil, q, s.now)
	require.True(s.t, ok)
	m := new(dns.Msg)
	require.NoError(s.t, m.Unpack(b))
	return m.Answer[0].(*dns.SOA).Serial
}

func TestViews(t *testing.T) {
	common := []string{"example.org. NS ns1.example.org.", "ns1.example.org. A 192.0.2.53", `txt.example.org. TXT "hello"`}
	last := append([]string{
		"www.example.org. A 192.0.2.1", "www.example.org. A 192.0.2.2", "www.example.org. AAAA 2001:db8::2",
		"srv.example.org. A 192.0.2.1", "srv.example.org. A 192.0.2.2", "srv.example.org. AAAA 2001:db8::2",
		"srv.example.org. SRV 0 32768 443 one.web.example.org.", "srv.example.org. SRV 0 32768 443 two.web.example.org.",
		"one.web.example.org. A 192.0.2.1", "two.web.example.org. A 192.0.2.2", "two.web.example.org. AAAA 2001:db8::2",
		"edge.example.org. CNAME heavy.example.net.",
	}, common...)
	static := append([]string{"www.example.org. A 192.0.2.9", "srv.example.org. A 192.0.2.9",
		"one.web.example.org. A 192.0.2.1", "two.web.example.org. A 192.0.2.2", "two.web.example.org. AAAA 2001:db8::2"}, common...)
	for view, want := range map[string][]string{"last": last, "static": static} {
		t.Run(view, func(t *testing.T) {
			got := newSite(t, view).transfer(0)
			require.Equal(t, got[0], got[len(got)-1])
			for i, line := range got {
				if strings.Contains(line, " SRV ") {
					// The weights are steer's business.
					f := strings.Fields(line)
					f[3] = "32768"
					got[i] = strings.Join(f, " ")
				}
			}
			require.ElementsMatch(t, want, got[1:len(got)-1])
		})
	}
}

// TestSerialRises: by the clock, by one where the clock stands or went back, to that of the file, and never without a change.
func TestSerialRises(t *testing.T) {
	s := newSite(t, "last")
	first := s.serial()
	require.Equal(t, uint32(1_800_000_000), first)
	require.Equal(t, first, s.answered())
	require.False(t, s.change(time.Hour, func() {}), "the same view")
	require.Equal(t, first, s.serial())
	require.True(t, s.change(0, func() { s.drained = true }))
	require.Equal(t, first+3600, s.serial())
	require.True(t, s.change(0, func() { s.drained = false }))
	require.Equal(t, first+3601, s.serial(), "in the same second")
	require.True(t, s.change(-24*time.Hour, func() { s.drained = true }))
	require.Equal(t, first+3602, s.serial(), "the clock went back")
	require.Equal(t, s.serial(), s.answered())
	s.open()
	require.Equal(t, first+3602, s.serial(), "a restart changes nothing")
	require.Equal(t, s.serial(), s.answered())
	require.True(t, s.change(0, func() { s.replace[7] = "2026112901" }))
	require.Equal(t, uint32(2026112901), s.serial(), "that of the file is greater")
	require.False(t, s.change(0, func() { s.replace[7] = "7" }))
	require.True(t, s.change(0, func() { s.drained = false }))
	require.Equal(t, uint32(2026112902), s.serial(), "that of the file is less")
	require.NoError(t, os.Remove(filepath.Join(s.dir, "serials.json")))
	s.now = time.Unix(1_900_000_000, 0)
	s.open()
	require.Equal(t, uint32(1_900_000_000), s.serial(), "without the file by the clock")
}

// TestSerialNotWritten: what is not on disk is not given.
func TestSerialNotWritten(t *testing.T) {
	s := newSite(t, "last")
	first, before := s.serial(), s.transfer(0)
	require.NoError(t, os.RemoveAll(s.dir))
	require.NoError(t, os.WriteFile(s.dir, nil, 0o600))
	require.False(t, s.change(time.Second, func() { s.drained = true }))
	require.Equal(t, before, s.transfer(0))
	require.Equal(t, first, s.answered())
	require.NoError(t, os.Remove(s.dir))
	require.NoError(t, os.Mkdir(s.dir, 0o700))
	require.NotEmpty(t, s.zones.Look(s.now), "it is tried again")
	require.Equal(t, first+1, s.serial())
}

// TestIncremental: what somebody gets who has an earlier version, the latest one, a newer one, or one that nobody remembers.
func TestIncremental(t *testing.T) {
	s := newSite(t, "last")
	first := s.serial()
	s.change(time.Second, func() { s.replace[5] = "one" })
	s.change(time.Second, func() { s.replace[5] = "two" })
	soa := func(n uint32) string { return fmt.Sprintf("example.org. SOA %d", n) }
	require.Equal(t, []string{soa(first + 2)}, s.transfer(first+2))
	require.Equal(t, []string{soa(first + 2)}, s.transfer(first+99), "newer than ours")
	require.Equal(t, []string{soa(first + 2), soa(first + 1), `txt.example.org. TXT "one"`, soa(first + 2), `txt.example.org. TXT "two"`, soa(first + 2)}, s.transfer(first+1))
	require.Equal(t, []string{
		soa(first + 2), soa(first), `txt.example.org. TXT "hello"`, soa(first + 1), `txt.example.org. TXT "one"`,
		soa(first + 1), `txt.example.org. TXT "one"`, soa(first + 2), `txt.example.org. TXT "two"`, soa(first + 2),
	}, s.transfer(first))
	require.Equal(t, s.transfer(0), s.transfer(first-1), "all of it")
	for i := range maxSteps + 10 {
		require.True(t, s.change(time.Second, func() { s.replace[5] = fmt.Sprint("n", i) }))
	}
	require.Equal(t, s.transfer(0), s.transfer(first), "forgotten")
	require.Len(t, s.transfer(s.serial()-maxSteps), 2+4*maxSteps)
}

func TestRefused(t *testing.T) {
	s := newSite(t, "last")
	for _, zone := range []string{"example.net.", "www.example.org."} {
		_, err := s.zones.Transfer(zone, "", 0)
		require.ErrorIs(t, err, ErrUnknown)
	}
	_, err := s.zones.Transfer("example.org.", "elsewhere/", 0)
	require.ErrorIs(t, err, ErrUnknown, "another block's directory")
	s.shut = true
	_, err = s.zones.Transfer("example.org.", "", 0)
	require.ErrorIs(t, err, ErrShut)
}

// TestListeners: who is told of what.
func TestListeners(t *testing.T) {
	s := newSite(t, "last")
	told := make(chan string, 4)
	s.zones.Listen("a", "", func(zone string) error { told <- "a " + zone; return errors.New("no answer") })
	s.zones.Listen("b", "elsewhere/", func(zone string) error { told <- "b " + zone; return nil })
	s.zones.tell(s.zones.names())
	require.Equal(t, "a example.org.", <-told)
	s.zones.Listen("a", "", nil)
	s.zones.tell(s.zones.names())
	require.Empty(t, told)
}
