package zonedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// head is a zone without anything in it.
const head = `zone: gslb.example.org
nameservers: [ns1.example.net]
`

// writeKey writes a key in the form of BIND below dir, with lines behind the private half.
func writeKey(t *testing.T, dir, zone string, flags uint16, lines string) (base string) {
	t.Helper()
	k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 60}, Flags: flags, Protocol: 3, Algorithm: dns.ECDSAP256SHA256}
	secret, err := k.Generate(256)
	require.NoError(t, err)
	base = filepath.Join(dir, config.KeyFileName(zone, k.Algorithm, k.KeyTag()))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, os.WriteFile(base+".key", []byte(k.String()+"\n"), 0o644))
	require.NoError(t, os.WriteFile(base+".private", []byte(k.PrivateKeyString(secret)+lines), 0o600))
	return base
}

func TestKeys(t *testing.T) {
	dir := t.TempDir()
	keys := filepath.Join(dir, "keys")
	file := filepath.Join(dir, "z.yaml")
	parse := func() (*config.Zone, string) {
		require.NoError(t, os.WriteFile(file, []byte(head+"dnssec: {keys: keys/, validity: 7d}\n"), 0o644))
		z, problems := ParseFile(file, config.GeoUnknown)
		return z, strings.ReplaceAll(problems.String(), dir, "")
	}
	z, problems := parse()
	require.Nil(t, z)
	assert.Contains(t, problems, "does not exist")
	writeKey(t, keys, "other.example.", 257, "")
	z, problems = parse()
	require.Nil(t, z)
	assert.Contains(t, problems, "no keys for gslb.example.org.")
	zsk := writeKey(t, keys, "gslb.example.org.", 256, "Publish: 20260101000000\nActivate: 20260102000000\nInactive: 20260201000000\nDelete: 20260201000001\n")
	z, problems = parse()
	require.Nil(t, z)
	assert.Contains(t, problems, "no key-signing key of the algorithm ECDSAP256SHA256")

	ksk := writeKey(t, keys, "gslb.example.org.", 257, "")
	z, problems = parse()
	require.NotNil(t, z, problems)
	require.Len(t, z.DNSSEC.Keys, 2)
	assert.Equal(t, 7*24*time.Hour, z.DNSSEC.Validity)
	assert.Contains(t, problems, "leaves while caches hold what it signed: Delete is to be 2026-02-01T01:00:05Z or later")
	hash := z.Hash
	for _, k := range z.DNSSEC.Keys {
		if k.KSK() {
			assert.Equal(t, "active", k.State(time.Unix(0, 0)))
			continue
		}
		at := func(text string) time.Time {
			v, err := time.Parse(time.RFC3339, text)
			require.NoError(t, err)
			return v
		}
		for instant, want := range map[string]string{"2025-12-31T23:59:59Z": "waiting", "2026-01-01T00:00:00Z": "published", "2026-01-02T00:00:00Z": "active",
			"2026-02-01T00:00:00Z": "retired", "2026-02-01T00:00:01Z": "removed"} {
			assert.Equal(t, want, k.State(at(instant)), instant)
		}
		assert.Equal(t, at("2026-01-01T01:00:05Z"), z.KnownAt(k))
	}

	// A key that comes is seen without an edit of the zone file, and none that stays away is asked for.
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer root.Close()
	reading := newGlance(root, "z.yaml", config.GeoUnknown).parse(file, time.Now().Add(time.Hour))
	require.True(t, reading.rests(root))
	writeKey(t, keys, "gslb.example.org.", 256, "")
	require.False(t, reading.rests(root))
	z, problems = parse()
	require.NotNil(t, z, problems)
	assert.Len(t, z.DNSSEC.Keys, 3)
	assert.NotEqual(t, hash, z.Hash)
	text := reading.text(file)
	assert.Len(t, text.Secret, 3, "private keys leave the node as hashes alone")

	// Halves that do not belong together.
	require.NoError(t, os.Rename(zsk+".private", ksk+".private"))
	z, problems = parse()
	require.Nil(t, z)
	assert.Contains(t, problems, "the private key is not that of the public one")
}
