package answer

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// TestECSOption: the octets are those that miekg/dns packs, and size tells their number.
func TestECSOption(t *testing.T) {
	for _, text := range []string{"0.0.0.0/0", "192.0.2.0/24", "192.0.2.128/25", "192.0.2.1/32", "::/0", "2001:db8::/32", "2001:db8::1/128"} {
		p := netip.MustParsePrefix(text)
		e := ECS{Present: true, Family: 1, Prefix: p}
		if p.Addr().Is6() {
			e.Family = 2
		}
		opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT}, Option: []dns.EDNS0{&dns.EDNS0_SUBNET{
			Code: dns.EDNS0SUBNET, Family: e.Family, SourceNetmask: uint8(p.Bits()), SourceScope: 17, Address: p.Addr().AsSlice(),
		}}}
		want := make([]byte, 100)
		n, err := dns.PackRR(opt, want, 0, nil, false)
		require.NoError(t, err)
		got := e.append(nil, 17)
		require.Equal(t, want[optFixed:n], got, text)
		require.Len(t, got, e.size())
	}
	require.Empty(t, new(ECS).append(nil, 0))
	require.Zero(t, new(ECS).size())
}

func TestECSDoesNotAllocate(t *testing.T) {
	f := newFixture("UU", "UU")
	q := question("www.example.org.", dns.TypeA)
	q.EDNS, q.Size = true, 1232
	q.ECS = ECS{Present: true, Family: 2, Prefix: netip.MustParsePrefix("2001:db8::/56")}
	buf := make([]byte, 0, 512)
	require.Zero(t, testing.AllocsPerRun(1000, func() { f.snap.AppendAt(buf, q, base) }))
}
