package answer

import (
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// FuzzMasterAnswers: whatever a master file has that is taken, answers from it are messages, within their limits, about what was asked.
func FuzzMasterAnswers(f *testing.F) {
	for _, text := range []string{
		staticMaster,
		"www A 192.0.2.1\nc CNAME WWW\n*.w MX 10 c\nchild NS ns.child\nns.child A 192.0.2.2\nd DNAME child\nl CNAME l2\nl2 CNAME l\n",
		"a.b.c TXT x\n*.c DNAME a\n* NS x\nq NS q\nq A 192.0.2.1\nw.q TXT occluded\n",
	} {
		for _, name := range []string{"\x03www", "\x01x\x01w", "\x01x\x05child", "\x01y\x01d", "\x01l", ""} {
			f.Add(text, []byte(name), dns.TypeA, true)
		}
	}
	f.Fuzz(func(t *testing.T, master string, prefix []byte, qtype uint16, edns bool) {
		z, _ := config.Parse("z.yaml", []byte("zone: example.org\nnameservers: [ns1.example.net]\nzonefile: db\n"), config.ParseOptions{
			ReadFile: func(string) ([]byte, error) { return []byte(master), nil },
		})
		if z == nil {
			return
		}
		name := append(append([]byte(nil), prefix...), mustPackName("example.org.")...)
		if text, n, err := dns.UnpackDomainName(name, 0); err != nil || n != len(name) || !dns.IsSubDomain("example.org.", text) || len(name) > maxNameLen {
			return
		}
		s := NewCompiler("n1", base).Compile(nil, &health.View{At: base, Model: config.NewModel([]*config.Zone{z}), Zones: []*health.ZoneView{{Zone: z}}})
		for _, size := range []int{dns.MinMsgSize, 0} {
			q := &Question{Name: name, Type: qtype, Class: dns.ClassINET, EDNS: edns, Size: size}
			out, info, ok := s.AppendAt(nil, q, base)
			if !ok {
				// A DS question of the apex belongs to the zone around it.
				continue
			}
			m := new(dns.Msg)
			require.NoError(t, m.Unpack(out), "%x", out)
			require.Equal(t, info.RCode, m.Rcode)
			require.Len(t, m.Question, 1)
			require.True(t, size == 0 || len(out) <= size)
			require.Equal(t, edns, m.IsEdns0() != nil)
			if m.Rcode == dns.RcodeNameError || m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && m.Authoritative && !m.Truncated {
				require.Len(t, m.Ns, 1, "%s", m)
				require.IsType(t, new(dns.SOA), m.Ns[0])
			}
		}
	})
}
