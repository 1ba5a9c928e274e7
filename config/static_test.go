package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStaticRecordsOfEndpoints: a static record that has an endpoint's address is said, for health, drains and bounds pass it by.
func TestStaticRecordsOfEndpoints(t *testing.T) {
	const zone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a}]}, far: {region: eu, endpoints: [{name: two, target: edge.example.net, az: eu-a}]}}
services: {www: {tiers: [{web: 1}]}, cdn: {tiers: [{far: 1}]}}
records: [RECORD]
`
	for record, want := range map[string]string{
		`{name: old, type: A, data: [192.0.2.9, 192.0.2.1]}`:                         ":6:18: warning: records[0].name: 192.0.2.1 is of the endpoint web/one",
		`{name: old, type: AAAA, data: "2001:db8::1"}`:                               ":6:18: warning: records[0].name: 2001:db8::1 is of the endpoint web/one",
		`{name: old, type: HTTPS, data: "1 . alpn=h2 ipv4hint=192.0.2.9,192.0.2.1"}`: "192.0.2.1 is of the endpoint web/one",
		`{name: old, type: SVCB, data: "1 . ipv6hint=2001:db8::1"}`:                  "2001:db8::1 is of the endpoint web/one",
		`{name: old, type: CNAME, data: Edge.example.net.}`:                          "edge.example.net. is of the endpoint far/two",
		`{name: _x._tcp.old, type: SRV, data: "1 1 25 edge.example.net."}`:           "edge.example.net. is of the endpoint far/two",
		`{name: old, type: A, data: 192.0.2.9}`:                                      "",
		`{name: old, type: CNAME, data: www.example.org.}`:                           "",
	} {
		_, problems := Parse("z.yaml", []byte(strings.Replace(zone, "RECORD", record, 1)), ParseOptions{})
		require.NoError(t, problems.Err())
		if want == "" {
			require.Empty(t, problems.String(), record)
		} else {
			require.Contains(t, problems.String(), want, record)
		}
	}
}
