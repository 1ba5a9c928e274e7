package answer

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestGiveOnce: what is given of a plan is made once, whoever asks how often, and goes into the next snapshot with a plan that does not change.
func TestGiveOnce(t *testing.T) {
	z, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools:
  one: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1, "2001:db8::1"], az: eu-a, weight: 3}, {name: b, addresses: [192.0.2.2], az: eu-a}]}
  two: {region: eu, endpoints: [{name: a, addresses: [192.0.2.9], az: eu-a}]}
services:
  www: {tiers: [{one: 1}], ttl: {max: 30s, min: 2s}}
  api: {tiers: [{two: 1}], ttl: {max: 30s, min: 2s}}
`), config.ParseOptions{})
	require.NoError(t, problems.Err())
	model, compiler := config.NewModel([]*config.Zone{z}), NewCompiler("n1", base)
	view := viewOf(z, model, nil, base, "UU", "U")
	snap := compiler.Compile(nil, view)
	give := func(s *Snapshot, name string) Given {
		g, ok := s.Give(question(name, dns.TypeA), base)
		require.True(t, ok)
		return g
	}
	first := give(snap, "www.example.org.")
	require.Len(t, first.Sets, 2)
	require.Equal(t, []GivenMember{{Data: "192.0.2.1", Address: first.Sets[0].Members[0].Address, Weight: 3}, {Data: "192.0.2.2", Address: first.Sets[0].Members[1].Address, Weight: 1, Endpoint: 1}}, first.Sets[0].Members)
	again := give(snap, "www.example.org.")
	require.Equal(t, first.Hash, again.Hash)
	require.Same(t, &first.Sets[0], &again.Sets[0])
	q := question("www.example.org.", dns.TypeA)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { snap.Give(q, base) }), 2.0)

	next := compiler.Compile(snap, viewOf(z, model, view, base, "UU", "D"))
	stays := give(next, "www.example.org.")
	require.Same(t, &first.Sets[0], &stays.Sets[0])
	next = compiler.Compile(next, viewOf(z, model, view, base, "DU", "U"))
	changed := give(next, "www.example.org.")
	require.Len(t, changed.Sets, 1)
	require.NotEqual(t, first.Hash, changed.Hash)
}
