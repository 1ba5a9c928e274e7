package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

func TestCompareZones(t *testing.T) {
	const base = `zone: a.example
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
  spare: {region: eu, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
services:
  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}
  far: {tiers: [{spare: 1}], ttl: {min: 2s, max: 30s}, clients: [{match: {cidr: [192.0.2.0/24]}, tiers: [{web: 1}]}]}
`
	parse := func(text string) *config.Zone {
		z, problems := config.Parse("a.yaml", []byte(text), config.ParseOptions{})
		require.NoError(t, problems.Err())
		return z
	}
	a := parse(base)
	for _, tt := range []struct{ name, old, new, want string }{
		{"nothing", "regions:", "# more words\nregions:", ""},
		{"a spare that is not answered in peace, for www", "192.0.2.3", "192.0.2.4", "far.a.example."},
		{"a weight", "az: eu-b}", "az: eu-b, weight: 3}", "www.a.example. far.a.example./rule 1"},
		{"a name of an endpoint", "name: two", "name: zwei", ""},
		{"another order", "{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}",
			"{name: two, addresses: [192.0.2.2], az: eu-b}, {name: one, addresses: [192.0.2.1], az: eu-a}", ""},
		{"a TTL", "{spare: 1}], ttl: {min: 2s, max: 30s}}", "{spare: 1}], ttl: {min: 2s, max: 60s}}", "www.a.example."},
		{"a name less", "  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}\n", "", "-www.a.example."},
		{"a name more", "services:\n", "services:\n  api: {tiers: [{web: 1}]}\n", "+api.a.example."},
		{"a rule less", ", clients: [{match: {cidr: [192.0.2.0/24]}, tiers: [{web: 1}]}]", "", "far.a.example./rule 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, base, tt.old)
			var got []string
			for _, c := range CompareZones(a, parse(strings.Replace(base, tt.old, tt.new, 1)), time.Now()) {
				name := c.Name
				if c.Class != "" {
					name += "/" + c.Class
				}
				switch {
				case c.Before == nil:
					name = "+" + name
				case c.After == nil:
					name = "-" + name
				}
				got = append(got, name)
			}
			require.Equal(t, tt.want, strings.Join(got, " "))
		})
	}
	require.Len(t, CompareZones(nil, a, time.Now()), 3)
	require.Len(t, CompareZones(a, nil, time.Now()), 3)
}
