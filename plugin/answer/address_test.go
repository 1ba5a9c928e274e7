package answer

import (
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// TestDeadAddress: what is dead is in no record of any type: not in A or AAAA, not in a hint of HTTPS, not at the host name to which SRV
// leads; and it comes back with the next view.
func TestDeadAddress(t *testing.T) {
	f := newFixture("UU", "UU")
	z := f.zone
	z.Services[3].HTTPS, z.Services[3].SRV = &config.HTTPS{Priority: 1}, &config.SRV{Port: 443}
	z.Hosts = []config.Host{{Name: "e0.p2.example.org.", Pool: 1, Endpoint: 0, TTL: z.Services[3].TTL}, {Name: "e1.p2.example.org.", Pool: 1, Endpoint: 1, TTL: z.Services[3].TTL}}
	whole := viewOf(z, f.model, nil, base, "UU", "UU")
	f.snap = f.compiler.Compile(nil, whole)
	healthy := f.snap

	// The IPv4 address of e0 is dead, and so is the IPv6 address of e1.
	down, up := health.Verdict{State: health.Down, Left: base}, health.Verdict{State: health.Up}
	pool := *whole.Zones[0].Pools[1]
	pool.Endpoints = []health.EndpointView{{Verdict: up, Each: &health.Each{down, up}}, {Verdict: up, Each: &health.Each{up, down}}}
	zv := *whole.Zones[0]
	zv.Pools = []*health.PoolView{zv.Pools[0], &pool}
	hurt := &health.View{Generation: 2, At: base, Model: f.model, Zones: []*health.ZoneView{&zv}}
	require.False(t, whole.Zones[0].Pools[1].SameSteering(&pool, nil))
	hurtSnap := f.compiler.Compile(healthy, hurt)
	healed := f.compiler.Compile(hurtSnap, whole)

	for _, tt := range []struct {
		name  string
		qtype uint16
		want  []string
		hurt  []string
	}{
		{"all.example.org.", dns.TypeA, []string{"192.0.2.20", "192.0.2.21"}, []string{"192.0.2.21"}},
		{"all.example.org.", dns.TypeAAAA, []string{"2001:db8::20", "2001:db8::21"}, []string{"2001:db8::20"}},
		{"all.example.org.", dns.TypeHTTPS, []string{"192.0.2.20 2001:db8::20", "192.0.2.21 2001:db8::21"}, []string{"192.0.2.21", "2001:db8::20"}},
		{"e0.p2.example.org.", dns.TypeA, []string{"192.0.2.20"}, nil},
		{"e0.p2.example.org.", dns.TypeAAAA, []string{"2001:db8::20"}, []string{"2001:db8::20"}},
		{"e1.p2.example.org.", dns.TypeAAAA, []string{"2001:db8::21"}, nil},
	} {
		t.Run(tt.name+" "+dns.TypeToString[tt.qtype], func(t *testing.T) {
			for snap, want := range map[*Snapshot][]string{healthy: tt.want, hurtSnap: tt.hurt, healed: tt.want} {
				f.snap = snap
				require.ElementsMatch(t, want, dataOf(f.ask(t, tt.name, tt.qtype, base.Add(time.Second))))
			}
		})
	}
}

// dataOf are the addresses that the answers carry, those of one record in one word.
func dataOf(m *dns.Msg) (all []string) {
	for _, rr := range m.Answer {
		switch rr := rr.(type) {
		case *dns.A:
			all = append(all, rr.A.String())
		case *dns.AAAA:
			all = append(all, rr.AAAA.String())
		case *dns.HTTPS:
			var hints []byte
			for _, v := range rr.Value {
				switch v := v.(type) {
				case *dns.SVCBIPv4Hint:
					hints = netip.MustParseAddr(v.Hint[0].String()).AppendTo(hints)
				case *dns.SVCBIPv6Hint:
					if len(hints) > 0 {
						hints = append(hints, ' ')
					}
					hints = netip.MustParseAddr(v.Hint[0].String()).AppendTo(hints)
				}
			}
			all = append(all, string(hints))
		}
	}
	return all
}
