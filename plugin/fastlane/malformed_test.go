package fastlane

import (
	"encoding/hex"
	"net"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// wellFormedQueries are queries that are taken as they are.
func wellFormedQueries(t testing.TB) (out [][]byte) {
	t.Helper()
	for _, change := range []func(m *dns.Msg){
		func(*dns.Msg) {},
		func(m *dns.Msg) { m.SetEdns0(1232, true) },
		func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{
				&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 1, SourceNetmask: 20, Address: net.IPv4(198, 51, 96, 0).To4()},
				&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0102030405060708"}, &dns.EDNS0_NSID{Code: dns.EDNS0NSID},
			}
		},
		func(m *dns.Msg) {
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_SUBNET{Code: dns.EDNS0SUBNET, Family: 2, SourceNetmask: 48, Address: net.ParseIP("2001:db8:1::")}}
		},
		func(m *dns.Msg) { m.SetIxfr("example.org.", 7, "ns1.example.org.", "hostmaster.example.org.") },
		func(m *dns.Msg) {
			m.Extra = append(m.Extra, &dns.TSIG{Hdr: dns.RR_Header{Name: "k.", Rrtype: dns.TypeTSIG, Class: dns.ClassANY}, Algorithm: dns.HmacSHA256, MACSize: 2, MAC: "abcd", OrigId: m.Id})
		},
	} {
		m := new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)
		change(m)
		out = append(out, packed(t, m))
	}
	return out
}

func TestRefusable(t *testing.T) {
	for _, p := range wellFormedQueries(t) {
		require.Equal(t, p, Refusable(p))
		// One record more than there is, and an octet more than there should be.
		lies := append([]byte(nil), p...)
		lies[11]++
		for _, bad := range [][]byte{lies, append(append([]byte(nil), p...), 0)} {
			got := Refusable(bad)
			require.NotEqual(t, bad, got, "%x", bad)
			refused(t, bad, got)
		}
		for n := headerLen + 1; n < len(p); n++ {
			// What miekg's server refuses by itself is left to it.
			if got := Refusable(p[:n]); string(got) != string(p[:n]) {
				refused(t, p[:n], got)
			} else {
				require.Error(t, new(dns.Msg).Unpack(p[:n]), "%x", p[:n])
			}
		}
	}
	// Its rules for headers are miekg's own.
	for _, text := range []string{"", "abcd", "abcd81000001000000000000", "abcd28000001000000000000", "abcd00000002000000000000", "abcd00000000000000000000"} {
		b, err := hex.DecodeString(text)
		require.NoError(t, err)
		require.Equal(t, b, Refusable(b))
	}
}

// refused tells whether what stands for a malformed query is refused by miekg's server: as a header that has no question, or as a message
// whose client subnet has a scope.
func refused(t testing.TB, asked, got []byte) {
	t.Helper()
	require.Equal(t, asked[:2], got[:2], "the id")
	if len(got) == headerLen {
		require.Equal(t, make([]byte, 8), got[4:], "no counts")
		return
	}
	m := new(dns.Msg)
	require.NoError(t, m.Unpack(got), "%x for %x", got, asked)
	require.Len(t, m.Question, 1)
	require.EqualValues(t, 1, m.IsEdns0().Option[0].(*dns.EDNS0_SUBNET).SourceScope)
}

// FuzzRefusable: what is taken as it is has records where its header says, to the last octet; what is not is refused, and no packet is too much.
func FuzzRefusable(f *testing.F) {
	for _, p := range wellFormedQueries(f) {
		f.Add(p)
		f.Add(p[:len(p)-3])
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got := Refusable(p)
		if len(p) < headerLen || string(got) != string(p) {
			if len(p) >= headerLen {
				if len(got) > headerLen {
					// A question that miekg's server cannot read is refused by that.
					if new(dns.Msg).Unpack(got) != nil {
						return
					}
				}
				refused(t, p, got)
			}
			return
		}
		var q query
		if q.read(p) {
			require.NotEmpty(t, q.Name)
		}
	})
}
