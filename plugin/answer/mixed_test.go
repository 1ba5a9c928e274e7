package answer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

const mixedZone = `zone: example.org
soa: {negative_ttl: 60s, ttl: 60s}
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
checks: {ready: {type: tcp, port: 80, interval: 2s, timeout: 1s}}
pools:
  own: {region: eu, check: ready, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}
  sorry: {region: eu, endpoints: [{name: s, target: sorry.example.net, az: eu-a}]}
services:
  www: {tiers: [{own: 1}, {sorry: 1}], ttl: {max: 30s, min: 2s}}
  plain: {tiers: [{own: 1}], ttl: {max: 30s, min: 2s}}
`

// newMixed serves mixedZone with the pool own up.
func newMixed(t *testing.T) *fixture {
	z, problems := config.Parse("z.yaml", []byte(mixedZone), config.ParseOptions{})
	require.NoError(t, problems.Err())
	require.Equal(t, config.Mixed, z.Services[0].Kind)
	f := &fixture{zone: z, compiler: NewCompiler("n1", base)}
	f.model = config.NewModel([]*config.Zone{z})
	f.snap = f.compiler.Compile(nil, viewOf(z, f.model, nil, base, "U", "U"))
	f.snap.MoveHorizons([]health.PoolHorizon{{Zone: 0, Pool: 0}})
	return f
}

// TestMixedKinds: the kinds follow each other, both are holdings, and denials at the name live no longer than its answers.
func TestMixedKinds(t *testing.T) {
	f := newMixed(t)
	at := base.Add(time.Minute)
	denied := func(name string, typ uint16) uint32 {
		m := f.ask(t, name, typ, at)
		require.Empty(t, m.Answer)
		require.Len(t, m.Ns, 1)
		require.IsType(t, new(dns.SOA), m.Ns[0])
		return m.Ns[0].Header().Ttl
	}
	m := f.ask(t, "www.example.org.", dns.TypeA, at)
	require.Len(t, m.Answer, 1)
	ttl := m.Answer[0].Header().Ttl
	require.EqualValues(t, 30, ttl)
	require.Equal(t, ttl, denied("www.example.org.", dns.TypeAAAA))
	require.Equal(t, ttl, denied("www.example.org.", dns.TypeCNAME))
	require.EqualValues(t, 60, denied("plain.example.org.", dns.TypeAAAA), "elsewhere as the file says")

	was := f.snap
	f.move(at, "D", "U")
	for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeMX, dns.TypeCNAME} {
		m := f.ask(t, "www.example.org.", typ, at)
		require.Len(t, m.Answer, 1)
		require.Equal(t, "sorry.example.net.", m.Answer[0].(*dns.CNAME).Target)
		require.EqualValues(t, 2, m.Answer[0].Header().Ttl, "short for a while after a change")
		require.Empty(t, m.Ns)
	}
	swap := f.snap.Since(was)
	require.Len(t, swap.Entered, 1)
	require.Len(t, swap.Left, 1)
	require.Equal(t, ledger.Holding{Owner: "www.example.org.", RData: netip.MustParseAddr("192.0.2.1").String()}, swap.Left[0].Holding)

	was = f.snap
	f.move(at.Add(time.Minute), "U", "U")
	swap = f.snap.Since(was)
	require.Len(t, swap.Left, 1)
	require.Equal(t, ledger.Holding{Owner: "www.example.org.", RData: "sorry.example.net."}, swap.Left[0].Holding)
	require.Equal(t, 1, swap.Left[0].Pool)
}
