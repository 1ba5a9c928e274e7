package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const aliasHead = `zone: example.org
nameservers: [ns1.example.net]
checks: {ready: {type: tcp, port: 80}}
`

func TestServiceAlias(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(aliasHead+`records: [{name: "@", type: MX, data: 10 mail.example.net.}]
services:
  "@": {alias: Site.example.net}
  www: {alias: site.example.net, answers: 2}
  eu: {alias: {host: eu.example.net, check: ready, family: ipv4}}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	require.Empty(t, problems)
	require.Len(t, z.Pools, 2)
	assert.Equal(t, []Region{{Name: "external"}}, z.Regions)
	assert.Equal(t, []AZ{{Name: "external"}}, z.AZs)
	p := z.Pools[0]
	assert.Equal(t, "site.example.net", p.Name)
	assert.Equal(t, -1, p.Check)
	assert.Equal(t, []*Named{{Name: "alias", Host: "site.example.net.", Families: []Family{IPv4, IPv6}, Weight: 1}}, p.Named)
	assert.Equal(t, []int{0, 1}, p.Services)
	assert.Equal(t, 1, p.MinHealthy.N)
	assert.Equal(t, 0, z.Pools[1].Check)
	assert.Equal(t, []Family{IPv4}, z.Pools[1].Named[0].Families)
	for i, answers := range []int{0, 2, 0} {
		s := z.Services[i]
		assert.Equal(t, []Tier{{{Pool: min(1, i/2), Weight: 1}}}, s.Tiers)
		assert.Equal(t, Addresses, s.Kind)
		assert.Equal(t, answers, s.Answers)
	}

	z, problems = Parse("z.yaml", []byte(aliasHead+`regions: {eu: {azs: [eu-a]}}
services:
  www: {alias: {host: site.example.net, az: eu-a}}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	assert.Len(t, z.Regions, 1)
	assert.Equal(t, 0, z.Pools[0].Region)
}

func TestServiceAliasRejects(t *testing.T) {
	for _, tt := range []struct{ name, services, want string }{
		{"neither", "www: {ttl: {max: 30s}}", `z.yaml:7:8: error: services.www: the key "tiers" is missing`},
		{"both", "www: {alias: a.example.net, tiers: [{web: 1}]}", "z.yaml:7:16: error: services.www.alias: an alias and tiers"},
		{"itself", "www: {alias: www.example.org}", "services.www.alias: the alias leads back to itself"},
		{"address", "www: {alias: 192.0.2.1}", "services.www.alias: 192.0.2.1 is an address, no host name"},
		{"no host", "www: {alias: {check: ready}}", `services.www.alias: the key "host" is missing`},
		{"check", "www: {alias: {host: a.example.net, check: raedy}}", `did you mean "ready"?`},
		{"az", "www: {alias: {host: a.example.net, az: eu-b}}", `unknown AZ "eu-b"`},
		{"pool", "www: {alias: site.example.net}", `the pool of this alias has the name of the pool "site.example.net"`},
		{"other check", "www: {alias: a.example.net}\n  api: {alias: {host: a.example.net, check: ready}}", "another alias of a.example.net has another check, AZ or family"},
		{"own", "www: {alias: web.example.org}\n  api: {teirs: []}", "warning: services.www.alias: web.example.org lies in this zone"},
		{"misspelt", "www: {allias: a.example.net}", `did you mean "alias"?`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z.yaml", []byte(aliasHead+`regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}, site.example.net: {region: eu, endpoints: [{name: a, addresses: [192.0.2.2], az: eu-a}]}}
services:
  `+tt.services+"\n"), ParseOptions{})
			assert.Nil(t, z)
			assert.Contains(t, problems.String(), tt.want)
		})
	}
}
