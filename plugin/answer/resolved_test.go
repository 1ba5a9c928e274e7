package answer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// TestResolvedTTL: no answer outlives the records that its addresses are of, in any snapshot; once they have ended it is the floor.
func TestResolvedTTL(t *testing.T) {
	z, problems := config.Parse("z.yaml", []byte(`zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {azs: [eu-a]}}
pools:
  far: {region: eu, endpoints: [{name: lb, host: lb.example.net, az: eu-a}]}
  own: {region: eu, endpoints: [{name: a, addresses: [192.0.2.9], az: eu-a}]}
services:
  www: {tiers: [{far: 1}, {own: 1}], ttl: {max: 30s, min: 2s}}
  plain: {tiers: [{own: 1}], ttl: {max: 30s, min: 2s}}
`), config.ParseOptions{})
	require.NoError(t, problems.Err())
	z = z.With(map[int][]config.Member{0: {{Name: "lb.192-0-2-1", Of: "lb", Addr: netip.MustParseAddr("192.0.2.1"), Weight: 1}}})
	f := &fixture{zone: z, compiler: NewCompiler("n1", base), model: config.NewModel([]*config.Zone{z})}
	f.snap = f.compiler.Compile(nil, viewOf(z, f.model, nil, base, "U", "U"))
	now := base.Add(time.Hour)
	ttl := func(name string) uint32 {
		m := f.ask(t, name, dns.TypeA, now)
		require.Len(t, m.Answer, 1)
		return m.Answer[0].Header().Ttl
	}
	require.EqualValues(t, 2, ttl("www.example.org."), "nobody has said")
	require.EqualValues(t, 30, ttl("plain.example.org."))
	f.compiler.SetExpiry("example.org.", "far", now.Add(60*time.Second))
	require.EqualValues(t, 30, ttl("www.example.org."))
	for _, step := range []struct {
		after time.Duration
		want  uint32
	}{{31 * time.Second, 20}, {20 * time.Second, 8}, {7500 * time.Millisecond, 2}, {time.Hour, 2}} {
		now = now.Add(step.after)
		require.Equal(t, step.want, ttl("www.example.org."), step.after)
	}
	look, ok := f.snap.Look(question("www.example.org.", dns.TypeA), now)
	require.True(t, ok)
	require.Equal(t, TTLResolved, look.TTLReason)
	require.Equal(t, 0, look.TTLPool)
	f.compiler.SetExpiry("example.org.", "far", now.Add(10*time.Second))
	differs := f.zone.With(map[int][]config.Member{0: {{Name: "lb.192-0-2-2", Of: "lb", Addr: netip.MustParseAddr("192.0.2.2"), Weight: 1}}})
	elsewhere := NewCompiler("n2", base).Compile(nil, viewOf(differs, config.NewModel([]*config.Zone{differs}), nil, base, "UU", "U"))
	require.Equal(t, f.snap.PlanHash(), elsewhere.PlanHash(), "what another node resolves is its own affair")
	require.NotZero(t, f.snap.PlanHash())
	other := f.compiler.Compile(nil, viewOf(z, f.model, nil, now, "U", "U"))
	f.snap = other
	require.EqualValues(t, 10, ttl("www.example.org."), "in other snapshots too")
}
