package config

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func abuseZone(t *testing.T, more string) (*Zone, Problems) {
	t.Helper()
	var endpoints strings.Builder
	for i := range 40 {
		fmt.Fprintf(&endpoints, "      - {name: e%d, addresses: [192.0.2.%d], az: a}\n", i, i+1)
	}
	return Parse("z.yaml", []byte("zone: example.org\nnameservers: [ns1.example.net]\nregions: {eu: {azs: [a]}}\npools:\n  web:\n    region: eu\n    endpoints:\n"+
		endpoints.String()+"services:\n  one: {tiers: [{web: 1}]}\n  all: {tiers: [{web: 1}], answers: all}\n  some: {tiers: [{web: 1}], answers: 29}\n"+more), ParseOptions{})
}

func TestRRLDefaults(t *testing.T) {
	z, problems := abuseZone(t, "rrl: {responses_per_second: 10}\ncookies: {amplification: 0}\n")
	require.Empty(t, problems)
	require.Equal(t, &RRL{PerSecond: 10, Slip: 2, V4: 24, V6: 56}, z.RRL)
	require.Zero(t, z.Amplification)
	z, _ = abuseZone(t, "rrl: {responses_per_second: 10, slip: 0, v4: 32, v6: 64, exempt: [192.0.2.0/24]}\n")
	require.Equal(t, &RRL{PerSecond: 10, V4: 32, V6: 64, Exempt: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, z.RRL)
	require.Equal(t, 3, z.Amplification)
	require.True(t, z.RRL.Exempts(netip.MustParseAddr("192.0.2.9")))
	require.False(t, z.RRL.Exempts(netip.MustParseAddr("192.0.3.9")))
	z, _ = abuseZone(t, "")
	require.Nil(t, z.RRL)
}

// TestAmplified: the answers that are too long for the default are named, and no others: 29 addresses fit what every client takes.
func TestAmplified(t *testing.T) {
	_, problems := abuseZone(t, "")
	require.Len(t, problems, 1)
	require.Equal(t, "services.all", problems[0].Path)
	require.Contains(t, problems[0].Message, "40 IPv4 addresses in one answer are 673 octets, more than 512 and than 3 times the query")
	_, problems = abuseZone(t, "cookies: {amplification: 21}\n")
	require.Empty(t, problems)
}
