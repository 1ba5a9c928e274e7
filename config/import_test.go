package config

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parseImport parses a zone file that imports "db/zone".
func parseImport(t *testing.T, yaml string, files map[string]string) (*Zone, Problems) {
	t.Helper()
	return Parse("z.yaml", []byte(yaml), ParseOptions{ReadFile: func(name string) ([]byte, error) {
		if text, ok := files[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}})
}

// texts are the static records as zone files have them.
func texts(z *Zone) []string {
	var out []string
	for _, r := range z.Records {
		out = append(out, strings.TrimSuffix(r.Name, z.Name)+" "+r.Text())
	}
	return out
}

// TestImportWhole: the apex comes from the file, and files include others below the directory.
func TestImportWhole(t *testing.T) {
	files := map[string]string{
		"db/zone": `$TTL 2h
@ IN SOA ns1 Host\.Master ( 2026010203 ; serial
	1h 15m 1w 5m )
	NS ns1
	3600 NS NS2.example.net.
ns1 A 192.0.2.53
    AAAA 2001:db8::53
$INCLUDE part/sub sub
$GENERATE 1-3/2 h-${0,3,d} A 192.0.2.$
a\.b 60 TXT "x;y" z
0/25.2 CNAME 0.2
a.*.w TXT inner
\065\032b TYPE65400 \# 0
`,
		"db/part/sub":  "x 30 A 192.0.2.1\n$INCLUDE more\n@ 30 MX 10 x\n",
		"db/part/more": "y 30 A 192.0.2.2\n",
	}
	z, problems := parseImport(t, "zone: example.org\nzonefile: db/zone\n", files)
	require.NotNil(t, z, "%s", problems)
	assert.Equal(t, SOA{MName: "ns1.example.org.", RName: `host\.master.example.org.`, Serial: 2026010203, Refresh: 3600, Retry: 900, Expire: 604800, NegativeTTL: 300, TTL: 7200}, z.SOA)
	assert.Equal(t, []NameServer{{Name: "ns1.example.org.", Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}},
		{Name: "ns2.example.net."}}, z.NameServers)
	assert.Equal(t, uint32(3600), z.NSTTL)
	assert.Equal(t, []string{
		"ns1. 192.0.2.53", "ns1. 2001:db8::53", "x.sub. 192.0.2.1", "y.sub. 192.0.2.2", "sub. 10 x.sub.example.org.",
		"h-001. 192.0.2.1", "h-003. 192.0.2.3", `a\.b. "x;y" "z"`, "0/25.2. 0.2.example.org.", `a.*.w. "inner"`, `a\ b. \# 0 `,
	}, texts(z))
	assert.NotContains(t, problems.String(), "warning")

	z, problems = parseImport(t, "zone: example.org\nserial: 5\nsoa: {refresh: 2h, ttl: 1m, negative_ttl: 7s}\nzonefile: db/zone\n", files)
	require.NotNil(t, z, "%s", problems)
	assert.Equal(t, SOA{MName: "ns1.example.org.", RName: `host\.master.example.org.`, Serial: 5, Refresh: 7200, Retry: 900, Expire: 604800, NegativeTTL: 7, TTL: 60}, z.SOA)
}

// TestImportPlaces: what is wrong with an included file is said of that file.
func TestImportPlaces(t *testing.T) {
	for _, tt := range []struct{ name, outer, inner, want string }{
		{"record", "a 1 A 192.0.2.1\n$INCLUDE inner\n", "\nb.example.com. 1 A 192.0.2.1\n", "inner:2:1: error: b.example.com. is outside the zone example.org."},
		{"syntax", "$INCLUDE inner\n", "\n\nb 1 A x\n", "inner:3:7: error: bad data: bad A A: \"x\""},
		{"after", "$INCLUDE inner\nb.example.com. 1 A 192.0.2.1\n", "b 1 A 192.0.2.1\n", "db:2:1: error: b.example.com. is outside the zone example.org."},
		{"itself", "$INCLUDE db\n", "", "db:1:11: error: bad data: too deeply nested $INCLUDE: \"db\""},
		{"outside", "$INCLUDE ../../etc/passwd\n", "", "db:1:25: error: bad data: failed to open `../../etc/passwd': the file \"../../etc/passwd\" is not below the zone file's directory: \"../../etc/passwd\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := parseImport(t, "zone: example.org\nnameservers: [ns.example.net]\nzonefile: db\n", map[string]string{"db": tt.outer, "inner": tt.inner})
			require.Nil(t, z)
			require.Len(t, problems, 1)
			assert.Equal(t, tt.want, problems[0].Head())
			assert.NotZero(t, problems[0].Caret)
		})
	}
}

// TestDelegations: the key stands for records, together with those that are written out.
func TestDelegations(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(`zone: example.org
nameservers: [ns1.example.net, {name: ns2.example.org}]
delegations:
  child:
    nameservers: [ns9.example.net, {name: ns1.child.example.org, addresses: [192.0.2.7, "2001:db8::7"]}]
    ds: ["12345 13 2 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]
    ttl: 10m
records:
  - {name: ns2, type: A, data: 192.0.2.8}
  - {name: ns2, type: A, data: 192.0.2.6}
  - {name: child, type: NS, data: ns8.example.net., ttl: 10m}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	assert.Empty(t, problems)
	assert.ElementsMatch(t, []string{
		"ns2. 192.0.2.6, 192.0.2.8", "child. ns1.child.example.org., ns8.example.net., ns9.example.net.", "ns1.child. 192.0.2.7", "ns1.child. 2001:db8::7",
		"child. 12345 13 2 E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
	}, texts(z))
	assert.Equal(t, []netip.Addr{netip.MustParseAddr("192.0.2.6"), netip.MustParseAddr("192.0.2.8")}, z.NameServers[1].Addresses)
}

func TestOwnerNames(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"A", "a.example.org."}, {"@", "example.org."}, {"a.B.", "a.b."}, {`a\.b`, `a\.b.example.org.`}, {`\097\046b`, `a\.b.example.org.`},
		{`\065`, "a.example.org."}, {"*.x.*", "*.x.*.example.org."}, {"0/26", "0/26.example.org."}, {"_tcp", "_tcp.example.org."},
		{"Bücher", "xn--bcher-kva.example.org."}, {"a b", `a\ b.example.org.`}, {`a\`, ""}, {"a..b", ""}, {strings.Repeat("x", 64), ""}, {"xn--\u00fc", ""},
	} {
		got, err := parseOwnerName(tt.text, "example.org.")
		assert.Equal(t, tt.want, got, tt.text)
		assert.Equal(t, tt.want == "", err != nil, tt.text)
	}
	assert.Equal(t, "bücher.example.org.", Unicode("xn--bcher-kva.example.org."))
	assert.Empty(t, Unicode("example.org."))
	assert.True(t, Within(`a\\.example.org.`, "example.org."))
	assert.False(t, Within(`a\.example.org.`, "example.org."))
}

// TestUnicodeNames: names in other scripts are accepted wherever names are.
func TestUnicodeNames(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(strings.Replace(withPools, "gslb.example.org", "bücher.example", 1)+`services: {straße: {tiers: [{web: 1}]}}
records: [{name: ελ, type: CNAME, data: bücher.example.net.}, {name: m, type: MX, data: 10 bücher}]
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	assert.Equal(t, "xn--bcher-kva.example.", z.Name)
	assert.Equal(t, "xn--strae-oqa.xn--bcher-kva.example.", z.Services[0].Name)
	assert.Equal(t, []string{"xn--qxam. xn--bcher-kva.example.net.", "m. 10 xn--bcher-kva.xn--bcher-kva.example."}, texts(z))
}

// TestSameTwice: a CNAME or DNAME that stands several times is one.
func TestSameTwice(t *testing.T) {
	z, problems := parseImport(t, "zone: example.org\nnameservers: [ns1.example.net]\nzonefile: db\n", map[string]string{"db": "a CNAME b\na CNAME b\nd DNAME e\nd DNAME e\nd DNAME e\n"})
	require.NotNil(t, z, "%s", problems)
	assert.Equal(t, []string{"a. b.example.org.", "d. e.example.org."}, texts(z))
}
