package steer

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

const fastestZone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {location: [53, -6], azs: [ea]}, us: {location: [39, -77], azs: [ua]}, ap: {location: [19, 73], azs: [aa]}}
pools:
  eu: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: ea}]}
  us: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: ua}]}
  ap: {region: ap, endpoints: [{name: a, addresses: [192.0.2.3], az: aa}]}
services:
  www: {order: fastest, latency: {table: rtt.txt, margin: 5ms, margin_percent: 10%, hold: 5m, max_age: 1h}, tiers: [{eu: 1, us: 1, ap: 1}]}
`

func fastestOf(t *testing.T, table string) *config.Zone {
	z, problems := config.Parse("z.yaml", []byte(fastestZone), config.ParseOptions{
		Geo: config.GeoPresent, ReadFile: func(string) ([]byte, error) { return []byte(table), nil },
	})
	require.NoError(t, problems.Err())
	return z
}

// chosen is the pool that a client gets at an instant; down are pools that are.
func chosen(z *config.Zone, client netip.Addr, locator Locator, now time.Time, down ...string) string {
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: now, Calm: true, Endpoints: make([]health.EndpointView, 1)}
		pv.Endpoints[0].State = health.Up
		for _, name := range down {
			if p.Name == name {
				pv.Endpoints[0].State = health.Down
			}
		}
		zv.Pools = append(zv.Pools, pv)
	}
	d := Decide(zv, z.Services[0], 0)
	class, _ := NewChooser(z, z.Services[0]).Choose(d, client, locator, now)
	var names []string
	for _, m := range d.Plans[class.Plan].Sets[V4] {
		names = append(names, z.Pools[m.Pool].Name)
	}
	return strings.Join(names, " ")
}

// TestFastest: the fastest region by measurement answers, whatever distance says; what is down is passed over for the next fastest; where nothing
// is known, or what is known is too old, distance decides, and without a place weights do.
func TestFastest(t *testing.T) {
	z := fastestOf(t, `at 2026-11-30T00:00:00Z
198.51.100.0/24 eu=90ms us=12ms ap=140ms
198.51.100.128/25 ap=8ms us=60ms
2001:db8::/32 eu=20ms ap=19.5ms
asn:64500 eu=70ms ap=30ms
country:DE us=5ms
`)
	at := time.Date(2026, 11, 30, 0, 30, 0, 0, time.UTC)
	dublin := &Location{Country: "IE", Latitude: 53, Longitude: -6, HasPoint: true, Bits: 20}
	addr := netip.MustParseAddr
	locator := mapLocator{}
	for text, loc := range map[string]*Location{
		"198.51.100.7": dublin, "198.51.100.200": dublin, "2001:db8::7": dublin, "192.0.2.77": dublin,
		"192.0.2.78": {ASN: 64500, Country: "DE", Latitude: 53, Longitude: -6, HasPoint: true}, "192.0.2.79": {Country: "DE"},
	} {
		locator[addr(text)] = loc
	}
	for _, tt := range []struct {
		name, client string
		now          time.Time
		down         []string
		want         string
	}{
		{"by measurement", "198.51.100.7", at, nil, "us"},
		{"the next fastest", "198.51.100.7", at, []string{"us"}, "eu"},
		{"the last", "198.51.100.7", at, []string{"us", "eu"}, "ap"},
		{"the longest prefix", "198.51.100.200", at, nil, "ap"},
		{"what was not measured is not known to be fast", "198.51.100.200", at, []string{"ap"}, "us"},
		{"nothing measured is left: distance", "198.51.100.200", at, []string{"ap", "us"}, "eu"},
		{"IPv6", "2001:db8::7", at, nil, "ap"},
		{"an AS before its country", "192.0.2.78", at, nil, "ap"},
		{"a country", "192.0.2.79", at, nil, "us"},
		{"unknown: distance", "192.0.2.77", at, nil, "eu"},
		{"unknown without a place: weights", "203.0.113.1", at, nil, "eu us ap"},
		{"at its greatest age", "198.51.100.7", at.Add(30 * time.Minute), nil, "us"},
		{"too old: distance", "198.51.100.7", at.Add(30*time.Minute + time.Second), nil, "eu"},
		{"too old without a place: weights", "192.0.2.79", at.Add(2 * time.Hour), nil, "eu us ap"},
	} {
		require.Equal(t, tt.want, chosen(z, addr(tt.client), locator, tt.now, tt.down...), tt.name)
	}
}

// TestFastestAhead: what a clock ahead wrote is not gone by before its instant, and from then on it is, without the log being read again.
func TestFastestAhead(t *testing.T) {
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	const table = `at 2026-11-30T00:00:00Z
198.51.100.0/24 eu=10ms us=90ms
at 2026-11-30T02:00:00Z
198.51.100.0/24 eu=90ms us=10ms
203.0.113.0/24 us=10ms
at 2026-11-30T00:30:00Z
198.51.100.0/24 eu=11ms us=90ms
`
	z, problems := config.Parse("z.yaml", []byte(fastestZone), config.ParseOptions{
		Geo: config.GeoPresent, Now: start.Add(time.Minute), ReadFile: func(string) ([]byte, error) { return []byte(table), nil },
	})
	require.NoError(t, problems.Err())
	known, only := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("203.0.113.7")
	for _, tt := range []struct {
		after            time.Duration
		want, wantOfOnly string
	}{
		{29 * time.Minute, "eu", "eu us ap"}, {90 * time.Minute, "eu", "eu us ap"}, {90*time.Minute + time.Second, "eu us ap", "eu us ap"},
		{2*time.Hour - config.AheadAllowed - time.Second, "eu us ap", "eu us ap"}, {2*time.Hour - config.AheadAllowed, "us", "us"}, {3 * time.Hour, "us", "us"},
	} {
		now := start.Add(tt.after)
		require.Equal(t, tt.want, chosen(z, known, nil, now), tt.after)
		require.Equal(t, tt.wantOfOnly, chosen(z, only, nil, now), tt.after)
	}
	c := NewChooser(z, z.Services[0])
	m := c.Measured(known, nil, start.Add(time.Hour))
	require.Equal(t, []any{true, start.Add(30 * time.Minute), start.Add(2 * time.Hour)}, []any{m.Fresh, m.Network.At, m.Ahead})
	m = c.Measured(only, nil, start.Add(time.Hour))
	require.Equal(t, []any{false, -1, start.Add(2 * time.Hour)}, []any{m.Fresh, m.Network.Region, m.Ahead})
	m = c.Measured(only, nil, start.Add(2*time.Hour))
	require.Equal(t, []any{true, 1, time.Time{}}, []any{m.Fresh, m.Network.Region, m.Ahead})
	require.Zero(t, c.Measured(netip.MustParseAddr("192.0.2.77"), nil, start))
}

// TestFastestHolds: three vantage regions, each with clients near to it by pushed tables, a table a minute for ten hours with jitter of a fifth:
// the nearest by measurement answers, and nothing moves. A way that really gets longer moves its clients once, and once back.
func TestFastestHolds(t *testing.T) {
	regions := []string{"eu", "us", "ap"}
	base := [3][3]float64{{20, 90, 150}, {95, 25, 190}, {140, 200, 30}}
	start := time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)
	r := rand.New(rand.NewPCG(1, 2))
	table, naive := new(strings.Builder), 0
	last := [4]int{-1, -1, -1, -1}
	const minutes = 600
	for minute := range minutes {
		fmt.Fprintf(table, "at %s\n", start.Add(time.Duration(minute)*time.Minute).Format(time.RFC3339))
		jitter := func(ms float64) float64 { return ms * (0.8 + 0.4*r.Float64()) }
		for vantage := range 4 {
			ms := [3]float64{40, 42, 150} // the fourth is as near to one as to another
			if vantage < 3 {
				ms = base[vantage]
			}
			if vantage == 1 && minute >= 200 && minute < 400 {
				ms[1] = 180 // its way to us is cut and leads round the world
			}
			best := 0
			fmt.Fprintf(table, "198.51.100.%d/32", vantage)
			for i, region := range regions {
				ms[i] = jitter(ms[i])
				if ms[i] < ms[best] {
					best = i
				}
				fmt.Fprintf(table, " %s=%.1fms", region, ms[i])
			}
			fmt.Fprintln(table)
			if last[vantage] >= 0 && last[vantage] != best {
				naive++
			}
			last[vantage] = best
		}
	}
	z := fastestOf(t, table.String())
	networks := z.Services[0].Latency.Networks
	now := start.Add(minutes * time.Minute)
	moves := 0
	for vantage, want := range []string{"eu", "us", "ap"} {
		require.Equal(t, want, chosen(z, netip.MustParseAddr(fmt.Sprintf("198.51.100.%d", vantage)), nil, now))
		moves += networks[vantage].Moves
	}
	require.Equal(t, 0, networks[0].Moves)
	require.Equal(t, 2, networks[1].Moves, "away, and back")
	require.Equal(t, 0, networks[2].Moves)
	t.Logf("moves: %d and %d of the one in the middle, without hysteresis %d", moves, networks[3].Moves, naive)
	require.LessOrEqual(t, networks[3].Moves, 2, "in the middle")
	require.Greater(t, naive, 100, "the jitter is worth the name")

	// The same file says the same, however much of it was seen before.
	again := fastestOf(t, table.String())
	require.Equal(t, networks, again.Services[0].Latency.Networks)
}

// TestTimings: services that go by one log share what is found in it.
func TestTimings(t *testing.T) {
	l, other := &config.Latency{Networks: []config.MeasuredNetwork{{ASN: 64500}}}, new(config.Latency)
	services := []*config.Service{{Nearest: true, Latency: l}, {Nearest: true, Latency: l}, {Nearest: true, Latency: other}, {Nearest: true}}
	timings, z := NewTimings(services...), new(config.Zone)
	var got []*fastest
	for _, svc := range services {
		got = append(got, timings.Chooser(z, svc).fastest)
	}
	require.NotNil(t, got[0])
	require.Same(t, got[0], got[1])
	require.NotSame(t, got[0], got[2])
	require.Nil(t, got[3])
}
