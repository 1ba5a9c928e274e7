package answer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

const allocZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions: {eu: {location: [50, 8], azs: [eu-a, eu-b]}, us: {location: [39, -77], azs: [us-a]}}
pools:
  eu:
    region: eu
    az_weights: {eu-a: 40, eu-b: 60}
    endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}, {name: b, addresses: [192.0.2.2], az: eu-b}]
  us: {region: us, endpoints: [{name: a, addresses: [192.0.2.11], az: us-a}]}
services:
  www: {tiers: [{eu: 70, us: 30}]}
  rules: {clients: [{match: {cidr: [198.51.100.0/24]}, tiers: [{us: 1}]}, {match: {country: [DE]}, tiers: [{eu: 1}]}], tiers: [{eu: 1}], ecs: true}
  near: {order: nearest, tiers: [{eu: 1, us: 1}], ecs: true}
  stay: {sticky: {v4: 24}, tiers: [{eu: 1, us: 1}], ecs: true}
  orders: {cells: {shards: 64, home: {eu: 0-31, us: 32-63}}, tiers: [{eu: 1}]}
  web: {https: {alpn: [h2]}, srv: {port: 443}, tiers: [{eu: 1, us: 1}]}
`

type onePlace struct{ at *steer.Location }

func (p onePlace) Locate(netip.Addr) *steer.Location { return p.at }

// policyQuestions are questions to every policy, all with a client subnet.
func policyQuestions(t testing.TB) (*Snapshot, map[string]*Question) {
	z, problems := config.Parse("zone.yaml", []byte(allocZone), config.ParseOptions{Geo: config.GeoPresent})
	require.NoError(t, problems.Err())
	zv := &health.ZoneView{Zone: z}
	for _, p := range z.Pools {
		pv := &health.PoolView{At: base, Calm: true, Endpoints: make([]health.EndpointView, len(p.Endpoints))}
		for i := range pv.Endpoints {
			pv.Endpoints[i].State = health.Up
		}
		zv.Pools = append(zv.Pools, pv)
	}
	snap := NewCompiler("n1", base).Compile(nil, &health.View{At: base, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{zv}})
	questions := make(map[string]*Question)
	for name, typ := range map[string]uint16{
		"www": dns.TypeA, "rules": dns.TypeA, "near": dns.TypeA, "stay": dns.TypeA, "7.orders": dns.TypeA, "acme.orders": dns.TypeA, "web": dns.TypeHTTPS,
	} {
		questions[name] = &Question{
			Name: mustPackName(name + ".example.org."), Type: typ, Class: classIN, EDNS: true, Size: 1232,
			Client: netip.MustParseAddr("203.0.113.9"), ECS: ECS{Present: true, Family: 1, Prefix: netip.MustParsePrefix("198.51.101.0/24")},
			Locator: onePlace{&steer.Location{Country: "DE", HasPoint: true, Latitude: 52, Longitude: 13, Bits: 24}},
		}
	}
	return snap, questions
}

// TestAppendAllocatesNothing: whatever the policy, a query costs no garbage.
func TestAppendAllocatesNothing(t *testing.T) {
	snap, questions := policyQuestions(t)
	buf := make([]byte, 0, 1500)
	for name, q := range questions {
		require.Zero(t, testing.AllocsPerRun(200, func() {
			out, info, ok := snap.AppendAt(buf, q, base)
			if !ok || info.Outcome != Answered || len(out) == 0 {
				t.Fatalf("%s: %v", name, info)
			}
		}), name)
	}
}

func BenchmarkAppendPolicies(b *testing.B) {
	snap, questions := policyQuestions(b)
	buf := make([]byte, 0, 1500)
	for _, name := range []string{"www", "rules", "near", "stay", "7.orders", "acme.orders", "web"} {
		q := questions[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			now := base.Add(time.Second)
			for b.Loop() {
				snap.AppendAt(buf, q, now)
			}
		})
	}
}

// FuzzAppendPolicies asks anything of every policy: no panic, and a reply that unpacks and fits.
func FuzzAppendPolicies(f *testing.F) {
	snap, questions := policyQuestions(f)
	for _, q := range questions {
		f.Add(q.Name, q.Type, uint16(1232), []byte{198, 51, 101, 0}, uint8(24))
	}
	f.Add(mustPackName("a.b.orders.example.org."), uint16(dns.TypeA), uint16(512), []byte{}, uint8(0))
	f.Add(mustPackName("a.eu.example.org."), uint16(dns.TypeAAAA), uint16(0), []byte{1}, uint8(128))
	f.Fuzz(func(t *testing.T, name []byte, typ, size uint16, address []byte, bits uint8) {
		if _, end, err := dns.UnpackDomainName(name, 0); err != nil || end != len(name) || len(name) > maxNameLen {
			return
		}
		q := &Question{Name: name, Type: typ, Class: classIN, EDNS: size > 0, Size: int(size), Locator: onePlace{&steer.Location{HasPoint: true}}}
		if addr, ok := netip.AddrFromSlice(address); ok {
			q.Client = addr
			if p, err := addr.Prefix(int(bits)); err == nil {
				q.ECS = ECS{Present: true, Family: 1, Prefix: p}
				if addr.Is6() {
					q.ECS.Family = 2
				}
			}
		}
		out, _, ok := snap.AppendAt(nil, q, base)
		if !ok {
			return
		}
		require.LessOrEqual(t, len(out), q.limit())
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(out))
		_, ok = snap.Look(q, base)
		require.True(t, ok)
	})
}
