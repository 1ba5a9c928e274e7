package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
)

// masterSeeds are master files with a bit of everything.
var masterSeeds = []string{
	"@ SOA ns1 hostmaster 1 7200 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\nwww 300 IN A 192.0.2.1\n*.w MX 10 Mail\n",
	"$TTL 2h\n$ORIGIN sub\n$GENERATE 1-3/2 h-${0,3,d} A 192.0.2.$\na\\.b 60 TXT \"x;y\" z\n0/25.2 CNAME 0.2\n\\065\\032b TYPE65400 \\# 2 abcd\n",
	"child NS ns.child\nns.child AAAA 2001:db8::1\nchild DS 12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\nd DNAME www\n",
	"_sip._tcp SRV 0 0 5060 www\nwww HTTPS 1 . alpn=h2 ipv4hint=192.0.2.1\nwww CAA 0 issue \"ca.example.net\"\nwww NAPTR 1 2 \"s\" \"SIP+D2U\" \"\" _sip._udp\n",
	"$INCLUDE other\nx ( TXT\n a b ) ; comment\n\n@ 1w2d TXT \"\\200\"\n",
}

// FuzzMaster: no master file is too much for the reader, and what it takes is the same when it is printed and read again.
func FuzzMaster(f *testing.F) {
	for _, s := range masterSeeds {
		f.Add(s)
	}
	parse := func(master string) (*Zone, Problems) {
		return Parse("z.yaml", []byte("zone: example.org\nzonefile: db\nnameservers: [ns1.example.net]\n"), ParseOptions{ReadFile: func(name string) ([]byte, error) {
			if name == "other" {
				return []byte("included A 192.0.2.7\n"), nil
			}
			return []byte(master), nil
		}})
	}
	f.Fuzz(func(t *testing.T, master string) {
		z, problems := parse(master)
		if z == nil {
			require.NotEmpty(t, problems, "no zone, and nothing said")
			return
		}
		var b strings.Builder
		for _, r := range z.Records {
			for _, data := range r.RData {
				var wire [dns.MaxMsgSize + 300]byte
				n, err := dns.PackDomainName(r.Name, wire[:], 0, nil, false)
				require.NoError(t, err)
				n += copy(wire[n:], []byte{byte(r.Type >> 8), byte(r.Type), 0, 1, byte(r.TTL >> 24), byte(r.TTL >> 16), byte(r.TTL >> 8), byte(r.TTL), byte(len(data) >> 8), byte(len(data))})
				n += copy(wire[n:], data)
				rr, _, err := dns.UnpackRR(wire[:n], 0)
				require.NoError(t, err, "%s %d %x", r.Name, r.Type, data)
				// The form for types that nobody knows is the same for all (RFC 3597 section 5).
				unknown := new(dns.RFC3597)
				require.NoError(t, unknown.ToRFC3597(rr))
				text := unknown.String()
				fmt.Fprintln(&b, r.Name, r.TTL, text[strings.Index(text, "\tCLASS1\t")+len("\tCLASS1\t"):])
			}
		}
		again, problems := parse(b.String())
		require.NotNil(t, again, "%s\n%s", problems, b.String())
		require.ElementsMatch(t, z.Records, again.Records, b.String())
	})
}
