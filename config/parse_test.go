package config

import (
	"io/fs"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestLadder(t *testing.T) {
	for _, tt := range []struct{ in, want uint32 }{{0, 1}, {1, 1}, {6, 6}, {7, 6}, {9, 8}, {59, 45}, {60, 60}, {3599, 1800}, {3600, 3600}, {1 << 31, 3600}} {
		assert.Equal(t, tt.want, Ladder(tt.in), "Ladder(%d)", tt.in)
	}
	for s := range uint32(4000) {
		require.Equal(t, Ladder(s) == s, IsRung(s), "%d", s)
	}
}

func TestParseDuration(t *testing.T) {
	for _, tt := range []struct {
		text string
		want time.Duration
		ok   bool
	}{
		{"5s", 5 * time.Second, true}, {"1h30m", 90 * time.Minute, true}, {"7d", 168 * time.Hour, true}, {"1d12h", 36 * time.Hour, true},
		{"1.5s", 1500 * time.Millisecond, true}, {"0s", 0, true}, {"", 0, false}, {"5", 0, false}, {"-5s", 0, false}, {"s", 0, false},
		{"1d2d", 0, false}, {"99999999999d", 0, false}, {"106751d", 0, false}, {"9999999h99999999999h", 0, false}, {"5 s", 0, false},
	} {
		got, ok := ParseDuration(tt.text)
		assert.Equal(t, tt.ok, ok, tt.text)
		assert.Equal(t, tt.want, got, tt.text)
	}
}

func TestWeightEdges(t *testing.T) {
	for _, tt := range []struct {
		weight string
		ok     bool
	}{{"1", true}, {"65535", true}, {"65536", false}, {"-1", false}, {"00", false}} {
		z, _ := Parse("z.yaml", []byte(withPools+"services: {www: {tiers: [{web: "+tt.weight+"}]}}\n"), ParseOptions{})
		assert.Equal(t, tt.ok, z != nil, tt.weight)
	}
}

// TestRecordData: relative names end in the zone, text is quoted, RDATA is sorted wire format.
func TestRecordData(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tt := range []struct{ name, record, want string }{
		{"relative", "type: MX, data: 10 mail", "\x00\x0a\x04mail\x04gslb\x07example\x03org\x00"},
		{"absolute", "type: MX, data: 10 mail.", "\x00\x0a\x04mail\x00"},
		{"text", `type: TXT, data: 'say "a;b" \ é'`, "\x0esay \"a;b\" \\ \xc3\xa9"},
		{"quoted text", `type: txt, data: '"a" "b"'`, "\x01a\x01b"},
		{"long text", "type: TXT, data: " + long, "\xff" + long[:255] + "\x2d" + long[255:]},
		{"sorted", "type: A, data: [192.0.2.2, 192.0.2.1, 192.0.2.2]", "\xc0\x00\x02\x01|\xc0\x00\x02\x02"},
		{"generic", `type: TYPE65400, data: '\# 2 abcd'`, "\xab\xcd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z.yaml", []byte(head+"records: [{name: a, "+tt.record+"}]\n"), ParseOptions{})
			require.NotNil(t, z, "%s", problems)
			var got []string
			for _, d := range z.Records[0].RData {
				got = append(got, string(d))
			}
			assert.Equal(t, tt.want, strings.Join(got, "|"))
		})
	}
}

func TestZoneFile(t *testing.T) {
	for _, tt := range []struct{ name, db, want string }{
		{"ignored", "$TTL 60\n@ SOA ns1.example.net. h.example.net. 1 2 3 4 5\n@ NS ns1.example.net.\na A 192.0.2.101\na A 192.0.2.102\n",
			"dir/db:3:1: warning: ignored: the NS records of the apex come from the key nameservers\n"},
		{"syntax", "$TTL 60\na A 192.0.2.101\nb A nonsense\n", "dir/db:3:12: error: bad data: bad A A: \"nonsense\"\n"},
		{"include", "$INCLUDE other\n", "dir/db:1:14: error: bad data: failed to open `other': the file \"other\" does not exist: \"other\"\n"},
		{"outside", "a 60 A 192.0.2.101\n\nb.example.com. 60 A 192.0.2.101\n", "dir/db:3:1: error: b.example.com. is outside the zone gslb.example.org.\n"},
		{"conflict", "www 60 A 192.0.2.101\n", "dir/db:1:1: warning: ignored: a service at line 10 of dir/z.yaml answers for www.gslb.example.org.\n"},
		{"delegation", "sub 60 NS ns.sub\nsub NS ns2.sub\nns2.sub 60 A 192.0.2.101\na.sub 60 TXT x\n*.b.sub 60 A 192.0.2.101\nc 60 DS 1 13 2 00\n",
			"dir/db:1:1: warning: the name server ns.sub.gslb.example.org. lies in the zone that it serves, and has no addresses here\n" +
				"dir/db:1:1: warning: 1 name is never answered: below a static NS record\n" +
				"dir/db:6:1: warning: DS records for c.gslb.example.org., which is not delegated: no NS records stand there\n"},
		{"below a DNAME", "d 60 DNAME example.net.\na.d 60 A 192.0.2.101\nb.a.d 60 TXT x\n", "dir/db:1:1: warning: 2 names are never answered: below a static DNAME record\n"},
		{"CNAME loop", "a 60 CNAME b\nb 60 CNAME a\n", "dir/db:2:1: warning: the CNAME target a.gslb.example.org. leads back to itself\n"},
		{"signed", "a 60 RRSIG A 13 3 60 20300101000000 20200101000000 1 gslb.example.org. AAAA\na 60 NSEC b A\n",
			"dir/db:1:1: warning: ignored: signatures and denials of the file (RRSIG and the like); the zone is signed here or not at all\n"},
		{"two SOAs", "@ SOA ns1.example.net. h.example.net. 1 2 3 4 5\n@ SOA ns1.example.net. h.example.net. 2 2 3 4 5\n", "dir/db:2:1: error: more than one SOA\n"},
		{"SOA below", "a SOA ns1.example.net. h.example.net. 1 2 3 4 5\n", "dir/db:1:1: error: a SOA below the apex, for a.gslb.example.org.\n"},
		{"two CNAMEs", "a 60 CNAME b\na 60 CNAME c\n", "dir/db:2:1: error: more than one CNAME for a.gslb.example.org.\n"},
		{"two TTLs", "a 60 A 192.0.2.101\na 30 A 192.0.2.102\n",
			"dir/db:2:1: warning: the records of one name and type have one TTL (RFC 2181 section 5.2); the least of 60 and 30 is used\n"},
		{"no data", "a 60 A\n", "dir/db:1:1: error: no A data\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := func(name string) ([]byte, error) {
				if name != "db" {
					return nil, fs.ErrNotExist
				}
				return []byte(tt.db), nil
			}
			z, problems := Parse("dir/z.yaml", []byte(withPools+"services: {www: {tiers: [{web: 1}]}}\nzonefile: db\n"), ParseOptions{ReadFile: read})
			var got strings.Builder
			for _, p := range problems {
				if p.Severity != Notice {
					got.WriteString(p.Head() + "\n")
					assert.NotZero(t, p.Caret)
				}
			}
			assert.Equal(t, tt.want, got.String())
			assert.Equal(t, !strings.Contains(tt.want, "error"), z != nil)
		})
	}
}

// TestSerial: either place, and stable for the same content.
func TestSerial(t *testing.T) {
	serial := func(extra string) uint32 {
		z, problems := Parse("z.yaml", []byte(head+extra), ParseOptions{})
		require.NotNil(t, z, "%s", problems)
		return z.SOA.Serial
	}
	assert.Equal(t, uint32(4294967295), serial("serial: 4294967295\n"))
	assert.Equal(t, uint32(0), serial("soa: {serial: 0}\n"))
	assert.Equal(t, serial(""), serial(""))
	assert.NotEqual(t, serial(""), serial("ns_ttl: 2h\n"))
}

// TestHashCoversFiles: a changed file changes the hash of a zone file that did not.
func TestHashCoversFiles(t *testing.T) {
	parse := func(db string) Hash {
		z, problems := Parse("z.yaml", []byte(head+"zonefile: db\n"), ParseOptions{ReadFile: func(string) ([]byte, error) { return []byte(db), nil }})
		require.NotNil(t, z, "%s", problems)
		return z.Hash
	}
	assert.NotEqual(t, parse("a 60 A 192.0.2.1\n"), parse("a 60 A 192.0.2.2\n"))
}

func TestNode(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte("name: n1\nregion: eu\naz: eu-a\nadmin: {socket: /run/f.sock}\nstate_max_age: 10m\nprobe: {max_in_flight: 5, allow: [169.254.1.0/24], exec: true, source: [192.0.2.1, \"2001:db8::1\"]}\nreferences: [\"192.0.2.9:443\"]\ncaches: {transit: 10s}\n"))
	require.NotNil(t, n, "%s", problems)
	assert.Empty(t, problems)
	addr := netip.MustParseAddr
	assert.Equal(t, &Node{
		Name: "n1", Region: "eu", AZ: "eu-a", Admin: Admin{Socket: "/run/f.sock"}, StateMaxAge: 10 * time.Minute,
		Probe: Probe{
			MaxInFlight: 5, Allow: []netip.Prefix{netip.MustParsePrefix("169.254.1.0/24")}, Exec: true,
			SourceV4: addr("192.0.2.1"), SourceV6: addr("2001:db8::1"),
		},
		References: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.9:443")},
		Caches:     Caches{Transit: 10 * time.Second, Clamp: time.Minute},
	}, n)
	for _, tt := range []struct{ yaml, want string }{
		{"nam: x\n", `:1:1: error: nam: unknown key "nam"`},
		{"metrics: {endpoints: -1}\n", ":1:22: error: metrics.endpoints: -1 is out of range, want 0 to 20000"},
		{"metrics: {endpoints: 20001}\n", ":1:22: error: metrics.endpoints: 20001 is out of range, want 0 to 20000"},
		{"caches: {transit: 999ms}\n", ":1:19: error: caches.transit: 999ms is out of range, want 1s to 1m"},
		{"caches: {clamp: 86401s}\n", ":1:17: error: caches.clamp: 86401s is out of range, want 1s to 1d"},
		{"az: a\n", ":1:5: error: az: an AZ without a region"},
		{"state_max_age: 5\n", ":1:16: error: state_max_age: want a duration, got the number 5"},
		{"probe: {max_in_flight: -1}\n", ":1:24: error: probe.max_in_flight: -1 is out of range, want 0 to 1000000"},
		{"references: [192.0.2.1]\n", `:1:14: error: references[0]: want an address with a port, as in 192.0.2.1:443, got "192.0.2.1"`},
		{"references: [\"0.0.0.0:53\"]\n", ":1:14: error: references[0]: 0.0.0.0:53 cannot be dialled"},
		{"probe: {source: [192.0.2.1, 192.0.2.2]}\n", ":1:29: error: probe.source: a second address of one family"},
		{"probe: {exec: yes}\n", `:1:15: error: probe.exec: want true or false, got "yes"`},
		{"name: a b\n", `:1:7: error: name: the character ' ' in the name "a b"`},
	} {
		n, problems := ParseNode("n", []byte(tt.yaml))
		assert.Nil(t, n)
		assert.Equal(t, "n"+tt.want, problems[0].Head())
	}
	n, problems = ParseNode("n", nil)
	assert.Empty(t, problems)
	assert.Equal(t, DefaultNode(), n)
	assert.Equal(t, time.Hour, n.StateMaxAge)
}

// FuzzParse: no panic; the same input gives the same problems and the same hash; what loads has no errors.
func FuzzParse(f *testing.F) {
	f.Add(exampleText(f))
	f.Add([]byte(withPools + "services: {www: {tiers: [{web: 1}]}}\n"))
	for _, s := range []string{"", "a: &a [*a]\n", "- a\n", "zone: [", "zone: *x", "? {a: b}\n: c\n", "services: {<<: *a}", "zone: a\x00", "\xff\xfe",
		head + "records: [{name: a, type: A, data: [x, 1.2.3.4]}]\n", head + "regions: {eu: [a]}\npools: {a: 1}\nchecks: {a: {any: [a]}}\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		parse := func() (*Zone, Problems) { return Parse("z.yaml", content, ParseOptions{ReadFile: readTestdata}) }
		z1, p1 := parse()
		z2, p2 := parse()
		require.Equal(t, p1, p2)
		require.Equal(t, z1 == nil, p1.HasErrors())
		if z1 != nil {
			require.Equal(t, z1, z2)
			var v any
			require.NoError(t, yaml.Unmarshal(content, &v))
		}
		_ = p1.String()
		ParseNode("n", content)
	})
}
