package config

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const latencyHead = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
pools:
  eu: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  us: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: b}]}
services:
  www: {tiers: [{eu: 1, us: 1}], order: fastest, latency: {table: rtt, %s}}
`

func parseLatency(keys, table string) (*Zone, Problems) {
	return Parse("zones.d/z.yaml", fmt.Appendf(nil, latencyHead, keys), ParseOptions{ReadFile: func(string) ([]byte, error) { return []byte(table), nil }})
}

// TestLatencyMargins: another region is chosen at both margins and after the hold, and not a step before.
func TestLatencyMargins(t *testing.T) {
	for _, tt := range []struct {
		name, table string
		region      string
		moves       int
	}{
		{"the first measurement decides", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=50ms us=49ms\n", "us", 0},
		{"of equal ones the first", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 us=50ms eu=50ms\n", "eu", 0},
		{"faster by the margins, and for long enough", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=40ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=100ms us=90ms\nat 2026-11-30T00:06:00Z\n192.0.2.0/24 eu=100ms us=90ms\n", "us", 1},
		{"not for long enough", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=40ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=100ms us=90ms\nat 2026-11-30T00:05:59Z\n192.0.2.0/24 eu=100ms us=90ms\n", "eu", 0},
		{"not in all of them", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=40ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=100ms us=90ms\nat 2026-11-30T00:04:00Z\n192.0.2.0/24 eu=95ms us=90ms\nat 2026-11-30T00:06:00Z\n192.0.2.0/24 eu=100ms us=90ms\n", "eu", 0},
		{"below the relative margin", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=40ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=100ms us=90.1ms\nat 2026-11-30T00:59:00Z\n192.0.2.0/24 eu=100ms us=90.1ms\n", "eu", 0},
		{"below the absolute margin", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=10ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=10ms us=5.1ms\nat 2026-11-30T00:59:00Z\n192.0.2.0/24 eu=10ms us=5.1ms\n", "eu", 0},
		{"at the absolute margin", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=10ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 eu=10ms us=5ms\nat 2026-11-30T00:59:00Z\n192.0.2.0/24 eu=10ms us=5ms\n", "us", 1},
		{"nothing is known of the chosen one", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=10ms us=90ms\nat 2026-11-30T00:01:00Z\n192.0.2.0/24 us=90ms\n", "us", 1},
		{"nothing was for too long", "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=10ms us=90ms\nat 2026-11-30T01:00:01Z\n192.0.2.0/24 eu=10ms us=9ms\n", "us", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := parseLatency("max_age: 1h", tt.table)
			require.NoError(t, problems.Err())
			l := z.Services[0].Latency
			require.Len(t, l.Networks, 1)
			require.Equal(t, tt.region, z.Regions[l.Networks[0].Region].Name)
			require.Equal(t, tt.moves, l.Networks[0].Moves)
		})
	}
}

func TestLatencyKeys(t *testing.T) {
	const table = "at 2026-11-30T00:00:00Z\n192.0.2.0/24 eu=40ms\n"
	z, problems := parseLatency("", table)
	require.NoError(t, problems.Err())
	l := z.Services[0].Latency
	require.Equal(t, []any{5 * time.Millisecond, 10, 5 * time.Minute, time.Hour}, []any{l.Margin, l.Percent, l.Hold, l.MaxAge})
	for keys, ok := range map[string]bool{
		"margin: 0ms": true, "margin: 1s": true, "margin: 1001ms": false, "margin_percent: 0%": true, "margin_percent: 90%": true, "margin_percent: 91%": false,
		"hold: 0s": true, "hold: 24h": true, "hold: 25h": false, "max_age: 1s": true, "max_age: 999ms": false, "max_age: 30d": true, "max_age: 31d": false,
	} {
		_, problems := parseLatency(keys, table)
		require.Equal(t, ok, problems.Err() == nil, "%s: %s", keys, problems.String())
	}
}

// TestLatencyMistakes: bad lines are named by file and line.
func TestLatencyMistakes(t *testing.T) {
	_, problems := parseLatency("", `192.0.2.0/24 eu=1ms
at yesterday
at 2026-11-30T00:00:00Z
192.0.2.1/24 eu=1ms
192.0.2.0/24 mars=1ms
192.0.2.0/24 eu=1
192.0.2.0/24 eu=0ms
192.0.2.0/24 eu=11s
192.0.2.0/24 eu=1ms eu=2ms
192.0.2.0/24
asn:0 eu=1ms
country:de eu=1ms
at 2026-11-29T00:00:00Z
::ffff:192.0.2.0/120 eu=1ms
`)
	var got []string
	for _, p := range problems {
		if p.Severity == Error {
			got = append(got, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message))
		}
	}
	const prefix = `: want a prefix as in 192.0.2.0/24, country:DE, continent:EU or asn:64500`
	const way = `: want REGION=TIME with a time up to 10s, as in eu-west=12.5ms`
	require.Equal(t, []string{
		`zones.d/rtt:1: a measurement before the first ` + "`at INSTANT`",
		`zones.d/rtt:2: "yesterday" is no instant as in 2026-11-30T00:00:00Z`,
		`zones.d/rtt:4: "192.0.2.1/24"` + prefix,
		`zones.d/rtt:5: unknown region "mars"`,
		`zones.d/rtt:6: "eu=1"` + way,
		`zones.d/rtt:7: "eu=0ms"` + way,
		`zones.d/rtt:8: "eu=11s"` + way,
		`zones.d/rtt:9: the region "eu" stands twice in the line`,
		`zones.d/rtt:10: a network without a region`,
		`zones.d/rtt:11: "0" is no number of an autonomous system`,
		`zones.d/rtt:12: "de" is no code of a country, as in EU`,
		`zones.d/rtt:14: "::ffff:192.0.2.0/120"` + prefix,
	}, got)
	for text, want := range map[string]string{
		"order: fastest": "order: fastest without a table of measurements", "latency: {table: rtt}": "latency without order: fastest",
		"order: nearest, latency: {table: rtt}": "latency without order: fastest",
	} {
		_, problems := Parse("z.yaml", []byte(cellsHead+"  www: {tiers: [{eu: 1}], "+text+"}\n"), ParseOptions{ReadFile: func(string) ([]byte, error) { return nil, nil }})
		require.ErrorContains(t, problems.Err(), want)
	}
}

// TestSharedFiles: services that go by the same file in the same way share what it says, and what is wrong with it is said once.
func TestSharedFiles(t *testing.T) {
	parse := func(table, labels string) (*Zone, Problems) {
		return Parse("zones.d/z.yaml", []byte(fmt.Sprintf(latencyHead, "margin: 5ms")+`  api: {tiers: [{eu: 1, us: 1}], order: fastest, latency: {table: rtt}}
  far: {tiers: [{eu: 1, us: 1}], order: fastest, latency: {table: rtt, margin: 9ms}}
  one: {tiers: [{eu: 1}], cells: {shards: 4, home: {eu: 0-3}, map: labels}}
  two: {tiers: [{eu: 1}], cells: {shards: 4, home: {eu: 0-3}, map: ./labels}}
  six: {tiers: [{eu: 1}], cells: {shards: 6, home: {eu: 0-5}, map: labels}}
`), ParseOptions{ReadFile: func(name string) ([]byte, error) {
			return []byte(map[string]string{"rtt": table, "labels": labels}[name]), nil
		}})
	}
	z, problems := parse("at 2026-11-30T00:00:00Z\n192.0.2.0/24 us=40ms\n", "acme 3\n")
	require.NoError(t, problems.Err())
	named := make(map[string]*Service)
	for _, s := range z.Services {
		named[strings.TrimSuffix(s.Name, ".example.org.")] = s
	}
	require.Same(t, named["www"].Latency, named["api"].Latency)
	require.NotSame(t, named["www"].Latency, named["far"].Latency)
	require.Equal(t, []bool{false, true}, named["far"].Latency.Measured)
	require.Equal(t, reflect.ValueOf(named["one"].Cells.Map).Pointer(), reflect.ValueOf(named["two"].Cells.Map).Pointer())
	require.NotEqual(t, reflect.ValueOf(named["one"].Cells.Map).Pointer(), reflect.ValueOf(named["six"].Cells.Map).Pointer())
	require.Equal(t, 3, named["six"].Cells.Map["acme"])
	_, problems = parse("192.0.2.0/24 us=40ms\n", "acme 3\n")
	require.Len(t, problems, 1, "%s", problems)
}

// TestAhead: measurements that are dated ahead of the clock that reads the log count once their instant has come, hide nothing before it, and are
// warned of by their line. A log that goes back is read in the order of its instants, so that nothing breaks once that instant is over.
func TestAhead(t *testing.T) {
	const table = `at 2026-11-30T00:00:00Z
192.0.2.0/24 eu=10ms us=90ms
at 2026-11-30T01:00:00Z
192.0.2.0/24 eu=90ms us=10ms
198.51.100.0/24 us=1ms
at 2026-11-30T00:00:01Z
192.0.2.0/24 eu=11ms us=90ms
`
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	read := func(now time.Time) (*Latency, []string) {
		z, problems := Parse("zones.d/z.yaml", fmt.Appendf(nil, latencyHead, "max_age: 25s"), ParseOptions{
			Now: now, ReadFile: func(string) ([]byte, error) { return []byte(table), nil },
		})
		require.NoError(t, problems.Err())
		var said []string
		for _, p := range problems {
			if p.Severity == Warning && strings.HasSuffix(p.File, "rtt") {
				said = append(said, fmt.Sprintf("%d: %s", p.Line, p.Message))
			}
		}
		return z.Services[0].Latency, said
	}
	// Just so much ahead that it does not count, and a second later that it does.
	counts := start.Add(time.Hour - AheadAllowed)
	l, said := read(start.Add(10 * time.Second))
	require.Equal(t, []string{"3: 2026-11-30T01:00:00Z is 59m50s ahead of this machine's clock: its measurements do not count before"}, said)
	require.Equal(t, []bool{true, true}, l.Measured)
	known := l.Networks[0].AsOf(counts.Add(-time.Second))
	require.Equal(t, []any{0, start.Add(time.Second), 11 * time.Millisecond}, []any{known.Region, known.At, known.RTT[0]})
	require.Equal(t, start.Add(time.Hour), l.Networks[0].Ahead(counts.Add(-time.Second)))
	require.Nil(t, l.Networks[1].AsOf(counts.Add(-time.Second)))
	latest, ahead := l.AsOf(counts.Add(-time.Second))
	require.Equal(t, []any{start.Add(time.Second), 1}, []any{latest, len(ahead)})

	known = l.Networks[0].AsOf(counts)
	require.Equal(t, []any{1, start.Add(time.Hour), 1}, []any{known.Region, known.Since, known.Moves}, "nothing was known for longer than max_age")
	require.Zero(t, l.Networks[0].Ahead(counts))
	require.Equal(t, 1, l.Networks[1].AsOf(counts).Region)
	latest, ahead = l.AsOf(counts)
	require.Equal(t, []any{start.Add(time.Hour), 0}, []any{latest, len(ahead)})

	for _, now := range []time.Time{counts, {}} {
		_, said = read(now)
		require.Equal(t, []string{"6: 2026-11-30T00:00:01Z is before the instant of earlier lines: measurements count in the order of their instants"}, said)
	}
}

// TestLatencyFollowsFromTheLog: what is chosen at an instant follows from the log alone, whenever it was read, and in whatever order it was written.
func TestLatencyFollowsFromTheLog(t *testing.T) {
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var text strings.Builder
		for range 30 {
			fmt.Fprintf(&text, "at %s\n", start.Add(time.Duration(r.IntN(600))*time.Second).Format(time.RFC3339))
			for network := range 3 {
				if r.IntN(2) == 0 {
					fmt.Fprintf(&text, "192.0.2.%d/32 eu=%dms us=%dms\n", network, 1+r.IntN(40), 1+r.IntN(40))
				}
			}
		}
		read := func(now time.Time) map[string]*MeasuredNetwork {
			z, problems := Parse("z.yaml", fmt.Appendf(nil, latencyHead, "hold: 30s, max_age: 2m"), ParseOptions{
				Now: now, ReadFile: func(string) ([]byte, error) { return []byte(text.String()), nil },
			})
			require.NoError(t, problems.Err())
			all := make(map[string]*MeasuredNetwork)
			for i := range z.Services[0].Latency.Networks {
				n := &z.Services[0].Latency.Networks[i]
				all[n.Name()] = n
			}
			return all
		}
		early := start.Add(time.Duration(r.IntN(300)) * time.Second)
		at := early.Add(time.Duration(r.IntN(400)) * time.Second)
		first, second := read(early), read(at)
		for name, n := range second {
			want, got := n.AsOf(at), first[name].AsOf(at)
			require.Equal(t, want == nil, got == nil, name)
			if want != nil {
				a, b := *want, *got
				a.Later, b.Later = nil, nil
				require.Equal(t, a, b, "%s\nread at %s, asked at %s", text.String(), early, at)
			}
		}
	}
}
