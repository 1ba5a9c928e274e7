package config

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestVisible: a zone does not answer what a zone below it answers, and is another zone for it; what delegates stays.
func TestVisible(t *testing.T) {
	parse := func(text string) *Zone {
		z, problems := Parse("z.yaml", []byte(text), ParseOptions{})
		require.NotNil(t, z, problems.String())
		return z
	}
	upper := parse(`zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
pools:
  one: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  two: {region: eu, endpoints: [{name: e, addresses: [192.0.2.2], az: a}]}
services:
  www.in: {tiers: [{two: 1}], failback: {hold: 7s}}
  www: {tiers: [{one: 1}, {two: 1}], failback: {hold: 5s}}
  "*": {tiers: [{one: 1}]}
records:
  - {name: sub, type: NS, data: [ns.sub.example.org.]}
  - {name: ns.sub, type: A, data: [192.0.2.53]}
  - {name: txt.in, type: TXT, data: [gone]}
  - {name: win, type: TXT, data: [stays]}
`)
	lower := parse("zone: in.example.org\nnameservers: [{name: ns1.example.net}]\n")
	deep := parse("zone: x.in.example.org\nnameservers: [{name: ns1.example.net}]\n")
	delegated := parse("zone: sub.example.org\nnameservers: [{name: ns1.example.net}]\n")
	other := parse("zone: win.example.net\nnameservers: [{name: ns1.example.net}]\n")

	alone := []*Zone{upper, other}
	require.Equal(t, alone, Visible(alone))
	require.Same(t, upper, Visible(alone)[0])

	got := Visible([]*Zone{upper, lower, deep, delegated, other})
	z := got[0]
	require.Equal(t, []string{"in.example.org.", "sub.example.org."}, z.Nested)
	require.NotEqual(t, upper.Hash, z.Hash)
	require.Equal(t, z.Hash, Visible([]*Zone{upper, delegated, deep, lower})[0].Hash)
	require.Same(t, deep, got[2])
	require.Equal(t, []string{"x.in.example.org."}, got[1].Nested)
	var names []string
	for _, s := range z.Services {
		names = append(names, s.Name)
	}
	require.Equal(t, []string{"www.example.org.", "*.example.org."}, names)
	require.Equal(t, []int{0, 1}, z.Pools[0].Services)
	require.Equal(t, []int{0}, z.Pools[1].Services)
	require.Len(t, z.Pools[1].Failbacks, 1)
	require.Len(t, upper.Pools[1].Failbacks, 2, "the zone itself stays as it is")
	var records []string
	for _, r := range z.Records {
		records = append(records, r.Name+" "+dns.TypeToString[r.Type])
	}
	require.ElementsMatch(t, []string{"sub.example.org. NS", "ns.sub.example.org. A", "win.example.org. TXT"}, records)

	require.Empty(t, Moved(upper, z), "where something stood below, the wildcard answered nothing")
	fresh := parse("zone: fresh.example.org\nnameservers: [{name: ns1.example.net}]\n")
	moved := Moved(upper, Visible([]*Zone{upper, fresh})[0])
	require.Len(t, moved, 1)
	require.Equal(t, "answers of *.example.org at and below fresh.example.org", moved[0].What)
	require.Equal(t, "zone fresh.example.org answers there", moved[0].Why)
	require.Empty(t, Moved(z, z))
}
