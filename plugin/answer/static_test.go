package answer

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
)

// staticMaster is a zone with everything that can stand between a question and its answer.
var staticMaster = `$TTL 300
@ 7200 SOA ns1 hostmaster 7 7200 3600 1209600 60
@ NS ns1
@ NS ns.example.net.
ns1 A 192.0.2.53
ns1 AAAA 2001:db8::53

child NS ns1.child
child NS ns1
child NS ns1.other
child NS ns.example.net.
child DS 12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
ns1.child A 192.0.2.60
ns1.child AAAA 2001:db8::60
txt.child TXT occluded
*.child A 192.0.2.61
other NS ns1.other
ns1.other A 192.0.2.62

d DNAME target.example.net.
d TXT beside
in DNAME sub
sub A 192.0.2.70
a.sub A 192.0.2.71
long DNAME ` + longLabel + `.` + longLabel + `.` + longLabel + `
ring DNAME ring
x.d A 192.0.2.9

one CNAME two
two CNAME three
three A 192.0.2.80
loop CNAME loop2
loop2 CNAME loop
toin CNAME a.in
tochild CNAME www.child
toservice CNAME www
nowhere CNAME nope
*.wild A 192.0.2.90
*.wild MX 10 Mail.wild
a.b.wild TXT x
*.wc CNAME y.wc
*.wd.wild CNAME a.in
a.*.inner TXT inner
0/26.2 PTR host
x\.y TXT dot
_dmarc TXT "v=DMARC1"
generic TYPE65400 \# 2 abcd
mx MX 10 ns1
srv SRV 1 2 3 ns1
`

var longLabel = strings.Repeat("l", 63)

// staticFixture serves example.org from staticMaster, with a service www over it, and grand.example.org, which is nested.
func staticFixture(t testing.TB) *Snapshot {
	t.Helper()
	return compileText(t, `zone: example.org
zonefile: db
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}}
services: {www: {tiers: [{web: 1}], ttl: {max: 30s}}}
delegations: {grand: {nameservers: [ns.example.net], ds: ["1 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]}}
`, `zone: grand.example.org
nameservers: [ns.example.net]
`)
}

// compileText compiles zone files whose endpoints need no check; "db" is staticMaster.
func compileText(t testing.TB, files ...string) *Snapshot {
	t.Helper()
	v := &health.View{At: base}
	var zones []*config.Zone
	for i, text := range files {
		z, problems := config.Parse(fmt.Sprintf("z%d.yaml", i), []byte(text), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
			if name != "db" {
				return nil, fs.ErrNotExist
			}
			return []byte(staticMaster), nil
		}})
		require.NotNil(t, z, "%s", problems)
		zones = append(zones, z)
		zv := &health.ZoneView{Zone: z}
		for _, p := range z.Pools {
			pv := &health.PoolView{At: base, Calm: true}
			for range p.Endpoints {
				pv.Endpoints = append(pv.Endpoints, health.EndpointView{Verdict: health.Verdict{State: health.Up, Unmonitored: true, Since: base}})
			}
			zv.Pools = append(zv.Pools, pv)
		}
		v.Zones = append(v.Zones, zv)
	}
	v.Model = config.NewModel(zones)
	return NewCompiler("n1", base).Compile(nil, v)
}

// wholeText is a whole reply: flags and RCODE, then the records of each section behind its sign: none for answers, "?" for
// authority, "+" for additional.
func wholeText(m *dns.Msg) string {
	var b strings.Builder
	for _, f := range []struct {
		set  bool
		name string
	}{{m.Authoritative, "aa "}, {m.Truncated, "tc "}, {m.AuthenticatedData, "ad "}} {
		if f.set {
			b.WriteString(f.name)
		}
	}
	b.WriteString(dns.RcodeToString[m.Rcode])
	for _, s := range []struct {
		sign string
		rrs  []dns.RR
	}{{"", m.Answer}, {"? ", m.Ns}, {"+ ", m.Extra}} {
		for _, rr := range s.rrs {
			b.WriteString("\n" + s.sign + strings.ReplaceAll(strings.Join(strings.Fields(rr.String()), " "), " IN ", " "))
		}
	}
	return strings.ReplaceAll(b.String(), longLabel, "L")
}

const staticSOA = "\n? example.org. 60 SOA ns1.example.org. hostmaster.example.org. 7 7200 3600 1209600 60"

// staticCases are questions and whole replies, by RFC.
var staticCases = []struct{ rfc, name, qtype, want string }{
	// Delegations.
	{"1034 4.3.2", "child.example.org.", "A", "NOERROR" + childReferral},
	{"1034 4.3.2", "a.b.child.example.org.", "TXT", "NOERROR" + childReferral},
	{"1034 4.3.2 occluded", "txt.child.example.org.", "TXT", "NOERROR" + childReferral},
	{"1034 4.3.2 glue is not ours", "ns1.child.example.org.", "A", "NOERROR" + childReferral},
	{"1034 4.3.2", "child.example.org.", "NS", "NOERROR" + childReferral},
	{"8482 at a cut", "child.example.org.", "ANY", "NOERROR" + childReferral},
	{"4035 3.1.4.1", "child.example.org.", "DS", "aa NOERROR\nchild.example.org. 300 DS 12345 13 2 E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
	{"4035 3.1.4.1 no DS", "other.example.org.", "DS", "aa NOERROR" + staticSOA},
	{"4035 3.1.4.1 below", "a.child.example.org.", "DS", "NOERROR" + childReferral},
	{"4035 3.1.4.1 nested", "grand.example.org.", "DS", "aa NOERROR\ngrand.example.org. 3600 DS 1 13 2 E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"},
	{"nested", "grand.example.org.", "NS", "aa NOERROR\ngrand.example.org. 3600 NS ns.example.net."},
	{"DS of the apex", "example.org.", "DS", "aa NOERROR" + staticSOA},
	// DNAME.
	{"6672 3.2", "a.d.example.org.", "A", "aa NOERROR\nd.example.org. 300 DNAME target.example.net.\na.d.example.org. 300 CNAME a.target.example.net."},
	{"6672 3.2 the owner", "d.example.org.", "A", "aa NOERROR" + staticSOA},
	{"6672 3.2 the owner", "d.example.org.", "DNAME", "aa NOERROR\nd.example.org. 300 DNAME target.example.net."},
	{"6672 2.4 beside", "d.example.org.", "TXT", "aa NOERROR\nd.example.org. 300 TXT \"beside\""},
	{"6672 2.4 occluded", "x.d.example.org.", "A", "aa NOERROR\nd.example.org. 300 DNAME target.example.net.\nx.d.example.org. 300 CNAME x.target.example.net."},
	{"6672 3.2 chained", "a.in.example.org.", "A",
		"aa NOERROR\nin.example.org. 300 DNAME sub.example.org.\na.in.example.org. 300 CNAME a.sub.example.org.\na.sub.example.org. 300 A 192.0.2.71"},
	{"6672 3.2 chained to nothing", "b.in.example.org.", "A",
		"aa NXDOMAIN\nin.example.org. 300 DNAME sub.example.org.\nb.in.example.org. 300 CNAME b.sub.example.org." + staticSOA},
	{"6672 3.2 CNAME asked for", "a.in.example.org.", "CNAME", "aa NOERROR\nin.example.org. 300 DNAME sub.example.org.\na.in.example.org. 300 CNAME a.sub.example.org."},
	{"6672 2.2 too long", strings.Repeat("x", 60) + ".long.example.org.", "A", "aa YXDOMAIN\nlong.example.org. 300 DNAME L.L.L.example.org."},
	{"6672 ring", "a.ring.example.org.", "A", "aa NOERROR\nring.example.org. 300 DNAME ring.example.org.\na.ring.example.org. 300 CNAME a.ring.example.org."},
	// CNAME chains.
	{"1034 3.6.2", "one.example.org.", "A", "aa NOERROR\none.example.org. 300 CNAME two.example.org.\ntwo.example.org. 300 CNAME three.example.org.\nthree.example.org. 300 A 192.0.2.80"},
	{"1034 3.6.2 no data", "one.example.org.", "TXT", "aa NOERROR\none.example.org. 300 CNAME two.example.org.\ntwo.example.org. 300 CNAME three.example.org." + staticSOA},
	{"2308 2.1", "nowhere.example.org.", "A", "aa NXDOMAIN\nnowhere.example.org. 300 CNAME nope.example.org." + staticSOA},
	{"1034 loop", "loop.example.org.", "A", "aa NOERROR\nloop.example.org. 300 CNAME loop2.example.org.\nloop2.example.org. 300 CNAME loop.example.org."},
	{"chain into a DNAME", "toin.example.org.", "A", "aa NOERROR\ntoin.example.org. 300 CNAME a.in.example.org.\nin.example.org. 300 DNAME sub.example.org.\n" +
		"a.in.example.org. 300 CNAME a.sub.example.org.\na.sub.example.org. 300 A 192.0.2.71"},
	{"chain into a delegation", "tochild.example.org.", "A", "aa NOERROR\ntochild.example.org. 300 CNAME www.child.example.org." + childReferral},
	{"chain into a service", "toservice.example.org.", "A", "aa NOERROR\ntoservice.example.org. 300 CNAME www.example.org.\nwww.example.org. 30 A 192.0.2.1"},
	// Wildcards.
	{"4592", "X.wild.example.org.", "A", "aa NOERROR\nX.wild.example.org. 300 A 192.0.2.90"},
	{"4592", "x.y.wild.example.org.", "MX", "aa NOERROR\nx.y.wild.example.org. 300 MX 10 Mail.wild.example.org."},
	{"4592 no data", "x.wild.example.org.", "TXT", "aa NOERROR" + staticSOA},
	{"4592 2.2.2 blocked", "x.b.wild.example.org.", "A", "aa NXDOMAIN" + staticSOA},
	{"4592 empty non-terminal", "b.wild.example.org.", "A", "aa NOERROR" + staticSOA},
	{"4592 asked for", "*.wild.example.org.", "A", "aa NOERROR\n*.wild.example.org. 300 A 192.0.2.90"},
	{"4592 loop", "x.wc.example.org.", "A", "aa NOERROR\nx.wc.example.org. 300 CNAME y.wc.example.org.\ny.wc.example.org. 300 CNAME y.wc.example.org."},
	{"4592 inner", "a.*.inner.example.org.", "TXT", `aa NOERROR` + "\n" + `a.*.inner.example.org. 300 TXT "inner"`},
	{"4592 2.1.3 inner is no wildcard", "a.x.inner.example.org.", "TXT", "aa NOERROR" + staticSOA},
	{"4592 empty wildcard", "x.inner.example.org.", "TXT", "aa NOERROR" + staticSOA},
	{"wildcard below a delegation", "q.child.example.org.", "A", "NOERROR" + childReferral},
	{"wildcard into a DNAME", "q.wd.wild.example.org.", "A", "aa NOERROR\nq.wd.wild.example.org. 300 CNAME a.in.example.org.\nin.example.org. 300 DNAME sub.example.org.\n" +
		"a.in.example.org. 300 CNAME a.sub.example.org.\na.sub.example.org. 300 A 192.0.2.71"},
	// Names and types.
	{"2317", "0/26.2.example.org.", "PTR", "aa NOERROR\n0/26.2.example.org. 300 PTR host.example.org."},
	{"4343", `x\.Y.example.org.`, "TXT", "aa NOERROR\n" + `x\.Y.example.org. 300 TXT "dot"`},
	{"4343", `x.y.example.org.`, "TXT", "aa NXDOMAIN" + staticSOA},
	{"8552", "_dmarc.example.org.", "TXT", "aa NOERROR\n" + `_dmarc.example.org. 300 TXT "v=DMARC1"`},
	{"3597", "generic.example.org.", "TYPE65400", `aa NOERROR` + "\n" + `generic.example.org. 300 CLASS1 TYPE65400 \# 2 abcd`},
	{"1035 SOA", "example.org.", "SOA", "aa NOERROR\nexample.org. 7200 SOA ns1.example.org. hostmaster.example.org. 7 7200 3600 1209600 60"},
	{"1034 apex NS", "example.org.", "NS", "aa NOERROR\nexample.org. 300 NS ns1.example.org.\nexample.org. 300 NS ns.example.net.\n" +
		"+ ns1.example.org. 300 A 192.0.2.53\n+ ns1.example.org. 300 AAAA 2001:db8::53"},
}

const childReferral = `
? child.example.org. 300 NS ns.example.net.
? child.example.org. 300 NS ns1.child.example.org.
? child.example.org. 300 NS ns1.other.example.org.
? child.example.org. 300 NS ns1.example.org.
+ ns1.child.example.org. 300 A 192.0.2.60
+ ns1.child.example.org. 300 AAAA 2001:db8::60
+ ns1.other.example.org. 300 A 192.0.2.62
+ ns1.example.org. 300 A 192.0.2.53
+ ns1.example.org. 300 AAAA 2001:db8::53`

func typeOf(text string) uint16 {
	if t, ok := dns.StringToType[text]; ok {
		return t
	}
	var t uint16
	fmt.Sscanf(text, "TYPE%d", &t)
	return t
}

func TestStaticReplies(t *testing.T) {
	s := staticFixture(t)
	for _, tt := range staticCases {
		t.Run(tt.rfc+" "+tt.name+" "+tt.qtype, func(t *testing.T) {
			q := question(tt.name, typeOf(tt.qtype))
			q.Size = 0
			b, _, ok := s.AppendAt(nil, q, base)
			require.True(t, ok)
			m := new(dns.Msg)
			require.NoError(t, m.Unpack(b))
			require.Equal(t, tt.want, wholeText(m))
			require.Equal(t, dns.CountLabel(tt.name), dns.CountLabel(m.Question[0].Name))
			// Behind other octets the offsets are the same.
			c, _, _ := s.AppendAt([]byte("prefix"), q, base)
			require.Equal(t, b, c[len("prefix"):])
		})
	}
}

// TestGlueAndSizes: glue goes before TC is set, unless it lies in the zone that is delegated (RFC 9471).
func TestGlueAndSizes(t *testing.T) {
	var text strings.Builder
	text.WriteString("zone: example.org\nnameservers:\n")
	for i := range 5 {
		fmt.Fprintf(&text, "  - {name: ns%d.example.org, addresses: [192.0.2.%d, \"2001:db8::%d\"]}\n", i, i+1, i+1)
	}
	text.WriteString("delegations:\n  near:\n    nameservers:\n")
	for i := range 13 {
		fmt.Fprintf(&text, "      - {name: a-name-server-%d.near.example.org, addresses: [192.0.2.%d, \"2001:db8::%d\"]}\n", i, i+1, i+1)
	}
	text.WriteString("  far: {nameservers: [ns0.example.org, ns1.example.org, ns2.example.org, ns3.example.org, ns4.example.org")
	for i := range 10 {
		fmt.Fprintf(&text, ", a-name-server-%d.near.example.org", i)
	}
	text.WriteString("]}\n")
	s := compileText(t, text.String())
	for _, tt := range []struct {
		name           string
		qtype          uint16
		size           int
		tc             bool
		ns, additional int
	}{
		{"example.org.", dns.TypeNS, 512, false, 5, 10},
		{"www.far.example.org.", dns.TypeA, 512, false, 15, 3},
		{"www.far.example.org.", dns.TypeA, 1232, false, 15, 30},
		{"www.near.example.org.", dns.TypeA, 512, true, 0, 0},
		{"www.near.example.org.", dns.TypeA, 1232, false, 13, 26},
	} {
		t.Run(fmt.Sprint(tt.name, tt.size), func(t *testing.T) {
			q := question(tt.name, tt.qtype)
			q.Size, q.EDNS = tt.size, tt.size > 512
			b, info, _ := s.AppendAt(nil, q, base)
			m := new(dns.Msg)
			require.NoError(t, m.Unpack(b))
			if q.EDNS {
				tt.additional++
			}
			require.LessOrEqual(t, len(b), tt.size)
			require.Equal(t, tt.tc, m.Truncated)
			require.Equal(t, tt.ns, len(m.Ns)+len(m.Answer))
			require.Equal(t, tt.additional, len(m.Extra))
			require.Equal(t, map[bool]Outcome{true: Truncated, false: info.Outcome}[tt.tc], info.Outcome)
		})
	}
}

// TestCompression: a reply has no name twice, and packs no larger than with miekg's compression.
func TestCompression(t *testing.T) {
	s := staticFixture(t)
	for _, tt := range staticCases {
		q := question(tt.name, typeOf(tt.qtype))
		q.Size = 0
		b, _, _ := s.AppendAt(nil, q, base)
		m := new(dns.Msg)
		require.NoError(t, m.Unpack(b))
		m.Compress = true
		packed, err := m.Pack()
		require.NoError(t, err)
		require.LessOrEqual(t, len(b), len(packed), "%s %s", tt.name, tt.qtype)
	}
}

func TestLookBeyondBarriers(t *testing.T) {
	s := staticFixture(t)
	for name, want := range map[string]Kind{"a.child.example.org.": DelegatedName, "a.d.example.org.": RedirectedName, "d.example.org.": StaticName} {
		look, ok := s.Look(question(name, dns.TypeA), base)
		require.True(t, ok)
		require.Equal(t, want, look.Kind, name)
	}
	look, _ := s.Look(question("child.example.org.", dns.TypeDS), base)
	require.Equal(t, StaticName, look.Kind)
}
