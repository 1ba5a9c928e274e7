package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

// bigZone is a zone file with many services over pools of n endpoints.
func bigZone(services, pools, endpoints int) []byte {
	var b strings.Builder
	b.WriteString("zone: big.example.org\nnameservers: [{name: ns1.example.net}]\nregions:\n  eu: {azs: [eu-a, eu-b]}\n")
	b.WriteString("checks:\n  ready: {type: http, path: /readyz}\npools:\n")
	for p := range pools {
		fmt.Fprintf(&b, "  p%d:\n    region: eu\n    check: ready\n    endpoints:\n", p)
		for e := range endpoints {
			n := p*endpoints + e
			fmt.Fprintf(&b, "      - {name: e%d, addresses: [10.%d.%d.%d], az: %s}\n", e, n>>16&255, n>>8&255, n&255, []string{"eu-a", "eu-b"}[e%2])
		}
	}
	b.WriteString("services:\n")
	for s := range services {
		fmt.Fprintf(&b, "  s%d: {tiers: [{p%d: 1}], ttl: {max: 30s}}\n", s, s%pools)
	}
	return []byte(b.String())
}

func TestParseSpeed(t *testing.T) {
	suite.Large(t)
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, tt := range []struct {
		services, pools int
		// limit is far above what is needed: the test is about quadratic behaviour. The figures are those of BenchmarkParse.
		limit time.Duration
	}{{4_000, 4_000, 10 * time.Second}, {20_000, 200, 10 * time.Second}} {
		content := bigZone(tt.services, tt.pools, 4)
		start := suite.CPU(t)
		zone, problems := Parse("big.yaml", content, ParseOptions{})
		require.NotNil(t, zone, "%s", problems)
		took := suite.CPU(t) - start
		t.Logf("%d services, %d pools, %d octets: %s", tt.services, tt.pools, len(content), took)
		require.Less(t, took, tt.limit)
	}
}

func BenchmarkParse(b *testing.B) {
	for _, size := range [][2]int{{10_000, 10_000}, {100_000, 1000}} {
		content := bigZone(size[0], size[1], 4)
		b.Run(fmt.Sprintf("services=%d/pools=%d", size[0], size[1]), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(content)))
			for b.Loop() {
				if zone, problems := Parse("big.yaml", content, ParseOptions{}); zone == nil {
					b.Fatal(problems)
				}
			}
		})
	}
}

// TestHostileSpeed: files made to be slow are refused soon.
func TestHostileSpeed(t *testing.T) {
	suite.Large(t)
	many := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	for _, tt := range []struct{ name, text string }{
		{"brackets", strings.Repeat("[", 1<<20)},
		{"brackets in lines", strings.Repeat("[\n", 1<<20)},
		{"dashes", strings.Repeat("- ", 1<<16)},
		{"braces", strings.Repeat("{a: ", 1<<16)},
		{"one line", "zone: \"" + strings.Repeat("x", 1<<20)},
		{"unknown references", withPools + "services:\n" + many(20_000, "  s%d: {tiers: [{wbe: 1}]}\n")},
		{"unknown keys", head + many(20_000, "k%d: 1\n")},
		{"duplicate keys", head + strings.Repeat("ns_ttl: 1h\n", 20_000)},
		{"same record", head + "records:\n" + strings.Repeat("  - {name: a, type: CNAME, data: a}\n", 5_000)},
		{"wide aliases", withPools + "x: &a [" + strings.Repeat("x,", 20_000) + "]\n" + many(1000, "y%d: *a\n")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			start := suite.CPU(t)
			zone, problems := Parse("z.yaml", []byte(tt.text), ParseOptions{})
			took := suite.CPU(t) - start
			require.Nil(t, zone)
			require.True(t, problems.HasErrors())
			require.LessOrEqual(t, len(problems), 3*maxProblems+3)
			require.Less(t, took, 20*time.Second)
			t.Logf("%s: %d problems, the first: %s", took, len(problems), shorten(problems[0].Head()))
		})
	}
}
