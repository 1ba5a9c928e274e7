package config

import (
	"fmt"
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
		`zones.d/rtt:13: 2026-11-29T00:00:00Z is before the instant of earlier lines`,
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
