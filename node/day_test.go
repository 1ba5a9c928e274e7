package node

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func TestRounded(t *testing.T) {
	for _, tt := range []struct{ in, want float64 }{{0, 0}, {0.28333, 0.28}, {0.0008123, 0.00081}, {1, 1}, {0.996, 1}, {123, 120}} {
		require.InDelta(t, tt.want, rounded(tt.in), 1e-12, "%v", tt.in)
	}
}

// TestPoolsOf: what a service answered is looked for in its own pools alone, however many others there are.
func TestPoolsOf(t *testing.T) {
	zone, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [a]}}
pools:
  one: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  two: {region: eu, endpoints: [{name: e, addresses: [192.0.2.2], az: a}]}
  three: {region: eu, endpoints: [{name: e, addresses: [192.0.2.3], az: a}]}
services:
  first: {tiers: [{one: 1}, {two: 1}]}
  second: {tiers: [{two: 1}]}
  third: {tiers: [{three: 1}]}
`), config.ParseOptions{})
	require.NotNil(t, zone, "%s", problems)
	var names []string
	for i, pools := range poolsOf(zone, 2) {
		for _, p := range pools {
			names = append(names, zone.Services[i].Name+" "+p.Name)
		}
	}
	require.ElementsMatch(t, []string{"first.example.org. one", "first.example.org. two", "second.example.org. two"}, names)
}
