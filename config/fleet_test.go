package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const fleetHead = `zone: gslb.example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
`

// fleetText is a zone with a check of type fleet that has these keys, and a pool with these endpoints.
func fleetText(keys, endpoints string) string {
	return fleetHead + fmt.Sprintf(`checks: {b: {type: fleet, %s}}
pools: {b: {region: eu, check: b, endpoints: [%s]}}
services: {www: {tiers: [{b: 1}]}}
`, keys, endpoints)
}

// TestFleetCheck: what a check of type fleet has, and what it refuses.
func TestFleetCheck(t *testing.T) {
	const key = `keys: ["11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]`
	const target = "{name: b, target: www.b.example.net, az: a}"
	const url = "urls: [https://b1.example.net:8443]"
	z, problems := Parse("zone.yaml", []byte(fleetText(url+", "+key+", bound: 60s, headers: {Authorization: Bearer t}", target)), ParseOptions{})
	require.Empty(t, problems)
	c := z.Checks[0]
	require.Equal(t, []string{"https://b1.example.net:8443"}, c.Fleet.URLs)
	require.Len(t, c.Fleet.Keys, 1)
	require.Equal(t, time.Minute, c.Fleet.Bound)
	require.Equal(t, []Header{{"Authorization", "Bearer t"}}, c.Fleet.Headers)
	require.NotNil(t, c.TLS)

	many := func(n int) string {
		return "urls: [" + strings.Join(strings.Split(strings.Repeat("https://b.example.net ", n), " ")[:n], ", ") + "]"
	}
	for _, tt := range []struct{ name, keys, endpoints, want string }{
		{"least bound", url + ", " + key + ", bound: 1s", target, ""},
		{"less", url + ", " + key + ", bound: 999ms", target, "999ms is out of range, want 1s to 1d"},
		{"greatest bound", url + ", " + key + ", bound: 24h", target, ""},
		{"more", url + ", " + key + ", bound: 24h1s", target, "is out of range, want 1s to 1d"},
		{"as many as can be", many(16) + ", " + key + ", bound: 1m", target, ""},
		{"one more", many(17) + ", " + key + ", bound: 1m", target, "17"},
		{"no URL", key + ", bound: 1m", target, "a fleet check needs urls"},
		{"no key", url + ", bound: 1m", target, "a fleet check needs keys"},
		{"no bound", url + ", " + key, target, "a fleet check needs bound"},
		{"in clear", "urls: [http://b.example.net], " + key + ", bound: 1m", target, "want a URL as in https://b1.example.net:8443"},
		{"a path", "urls: [https://b.example.net/x], " + key + ", bound: 1m", target, "want a URL as in https://b1.example.net:8443"},
		{"no key at all", url + ", keys: [abc], bound: 1m", target, "abc"},
		{"an address", url + ", " + key + ", bound: 1m", "{name: b, addresses: [192.0.2.1], az: a}", `the check "b" is of type fleet, and endpoint 1 has no target`},
		{"another key", url + ", " + key + ", bound: 1m, path: /x", target, `the key "path" does not apply to a fleet check`},
		{"dialled elsewhere", url + ", " + key + ", bound: 1m, address: 192.0.2.1", target, `the key "address" does not apply to a fleet check`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Parse("zone.yaml", []byte(fleetText(tt.keys, tt.endpoints)), ParseOptions{})
			if tt.want == "" {
				require.Empty(t, problems)
				return
			}
			require.ErrorContains(t, problems.Err(), tt.want)
		})
	}
}
