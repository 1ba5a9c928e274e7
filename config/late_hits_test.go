package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Placeholders stand for the endpoint's own, and an endpoint's own counter goes before that of the pool.
func TestLateHits(t *testing.T) {
	z, problems := Parse("zone.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a, eu-b]}}
pools:
  web:
    region: eu
    late_hits: {prometheus: "https://prom.example.org/{az}", query: 'hits{instance="{address}:80"}'}
    endpoints:
      - {name: four, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a}
      - {name: six, addresses: ["2001:db8::2"], az: eu-b}
      - {name: own, addresses: [192.0.2.3], az: eu-b, late_hits: {json: "http://{address}:8080/{endpoint}", path: "$.{endpoint}[0]"}}
  names:
    region: eu
    late_hits: {json: "http://{address}/", path: $.n}
    endpoints: [{name: far, target: far.example.net, az: eu-a}]
  none: {region: eu, endpoints: [{name: a, addresses: [192.0.2.9], az: eu-a}]}
services: {www: {tiers: [{web: 1, none: 1}]}, cdn: {tiers: [{names: 1}]}}
`), ParseOptions{})
	require.NoError(t, problems.Err())
	var got []*HitCounter
	for _, p := range z.Pools {
		for _, e := range p.Endpoints {
			got = append(got, e.LateHits)
		}
	}
	require.Equal(t, []*HitCounter{
		{URL: "https://prom.example.org/eu-a", Query: `hits{instance="192.0.2.1:80"}`},
		{URL: "https://prom.example.org/eu-b", Query: `hits{instance="[2001:db8::2]:80"}`},
		{URL: "http://192.0.2.3:8080/own", Path: "$.own[0]"},
		{URL: "http://far.example.net/", Path: "$.n"},
		nil,
	}, got)
	require.Equal(t, []string{"prometheus", "json"}, []string{got[0].Kind(), got[2].Kind()})
}
