package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNamedEndpoints(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(fromHead+`    az_weights: {eu-a: 1, eu-b: 2}
    endpoints:
      - {name: lb, host: LB.Example.net, az: eu-a, weight: 3, family: ipv6, probe: {port: 8443}}
      - {name: own, addresses: [192.0.2.1], az: eu-b}
    settle: 1m
services: {www: {also: [az], tiers: [{web: 1}]}}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	require.Empty(t, problems)
	p := z.Pools[0]
	assert.Equal(t, []*Named{{Name: "lb", Host: "lb.example.net.", Families: []Family{IPv6}, Weight: 3, ProbePort: 8443}}, p.Named)
	require.Len(t, p.Endpoints, 1)
	assert.Equal(t, Addresses, p.Kind())
	assert.Len(t, z.Services[0].Places, 2)
	assert.Equal(t, "host lb.example.net., az eu-a, weight 3, IPv6, probe.port 8443", p.Named[0].Describe(z))
}

func TestNamedRejects(t *testing.T) {
	for _, tt := range []struct{ name, endpoints, want string }{
		{"addresses", "[{name: a, host: a.example.net, addresses: [192.0.2.1], az: eu-a}]", "pools.web.endpoints[0].addresses: an endpoint has addresses, a target or a host, one of them"},
		{"target", "[{name: a, host: a.example.net, target: b.example.net, az: eu-a}]", "endpoints[0].target: an endpoint has addresses, a target or a host, one of them"},
		{"none", "[{name: a, az: eu-a}]", "an endpoint needs addresses, a target or a host"},
		{"one probe", "[{name: a, host: a.example.net, az: eu-a, probe: {address: 192.0.2.1}}]", "endpoints[0].probe.address: one probe.address for the addresses of a host"},
		{"family", "[{name: a, addresses: [192.0.2.1], family: ipv4, az: eu-a}]", "endpoints[0].family: a family without `host`"},
		{"region", "[{name: a, host: a.example.net, az: us-a}]", `endpoints[0].az: the AZ "us-a" is in the region "us", the pool in "eu"`},
		{"twice", "[{name: a, host: a.example.net, az: eu-a}, {name: a, addresses: [192.0.2.1], az: eu-a}]", `endpoints[1].name: duplicate endpoint "a"`},
		{"mixed", "[{name: a, host: a.example.net, az: eu-a}, {name: b, target: b.example.net, az: eu-a}]", "mixed answer kinds"},
		{"address", "[{name: a, host: 192.0.2.1, az: eu-a}]", "endpoints[0].host"},
		{"own", "[{name: a, host: www.example.org, az: eu-a}]\n    rejion: eu", "warning: pools.web.endpoints[0].host: www.example.org lies in this zone"},
		{"weights", "[{name: a, host: a.example.net, az: eu-a}, {name: b, addresses: [192.0.2.1], az: eu-b}]\n    az_weights: {eu-b: 1}", `pools.web.az_weights: the weight of the AZ "eu-a" is missing`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z.yaml", []byte(fromHead+"    endpoints: "+tt.endpoints+"\n"), ParseOptions{})
			assert.Nil(t, z)
			assert.Contains(t, problems.String(), tt.want)
		})
	}
}

func TestResolvers(t *testing.T) {
	n, problems := ParseNode("n.yaml", []byte("resolvers: [192.0.2.1, \"192.0.2.2:5353\", \"2001:db8::53\", \"[2001:db8::54]:54\"]\n"))
	require.NotNil(t, n, "%s", problems)
	var got []string
	for _, r := range n.Resolvers {
		got = append(got, r.String())
	}
	assert.Equal(t, []string{"192.0.2.1:53", "192.0.2.2:5353", "[2001:db8::53]:53", "[2001:db8::54]:54"}, got)
	for text, want := range map[string]string{
		"[]": "resolvers", "[resolver.example.net]": `n.yaml:1:13: error: resolvers[0]: want an address, or an address and a port`, "[0.0.0.0]": "0.0.0.0 cannot be asked", `["192.0.2.1:0"]`: "cannot be asked",
	} {
		n, problems := ParseNode("n.yaml", []byte("resolvers: "+text+"\n"))
		assert.Nil(t, n)
		assert.Contains(t, problems.String(), want)
	}
}
