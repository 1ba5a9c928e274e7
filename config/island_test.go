package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestIsland: what is known, what is not, and where an island answers nothing.
func TestIsland(t *testing.T) {
	const zone = `zone: gslb.example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
pools:
  eu: {region: eu, stateful: true, endpoints: [{name: a, addresses: [192.0.2.1], az: a}]}
  us: {region: us, stateful: true, endpoints: [{name: b, addresses: [192.0.2.2], az: b}]}
  web: {region: us, endpoints: [{name: c, addresses: [192.0.2.3], az: b}]}
services:
  www: {`
	for _, tt := range []struct {
		name, service, want string
	}{
		{"none", "tiers: [{web: 1}]", ""},
		{"no data", "tiers: [{web: 1}], island: {region: own}", ""},
		{"one home", "tiers: [{eu: 1}, {web: 1}], island: {region: own}", ""},
		{"two that share", "tiers: [{eu: 1, us: 1}], island: {region: own}", ""},
		{"a standby with data", "tiers: [{eu: 1}, {us: 1}], island: {region: own}",
			`:9:36: notice: services.www.island: a node that is cut off answers SERVFAIL where "us" may take over from a pool that keeps data: it cannot know who has its turn`},
		{"cells that move", "tiers: [{web: 1}], island: {region: own}, cells: {shards: 2, home: {web: 0-1}, failover: {web: [us]}}",
			`:9:28: notice: services.www.island: a node that is cut off answers SERVFAIL where another pool may take the shards of "web": it cannot know who has its turn`},
		{"another region", "tiers: [{web: 1}], island: {region: us}", `:9:45: error: services.www.island.region: unknown value "us"`},
		{"no region", "tiers: [{web: 1}], island: {}", `:9:36: error: services.www.island: the key "region" is missing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("zone.yaml", []byte(zone+tt.service+"}\n"), ParseOptions{})
			if tt.want == "" {
				require.Empty(t, problems)
				require.Equal(t, tt.name != "none", z.Services[0].Island)
				return
			}
			require.Len(t, problems, 1)
			require.Contains(t, problems[0].String(), tt.want)
		})
	}
}
