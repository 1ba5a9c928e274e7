package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// geoZone needs a geo database in each way that there is; the lines count from 3.
const geoZone = head + `regions: {eu: {location: [53.35, -6.26], azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: eu-a}]}}
services:
  www:
    order: nearest
    clients:
      - {match: {cidr: [192.0.2.0/24]}, tiers: [{web: 1}]}
      - {match: {continent: [EU], country: [TR]}, tiers: [{web: 1}]}
      - {match: {subdivision: [US-CA], asn: [64500]}, tiers: [{web: 1}]}
    tiers: [{web: 1}]
`

// lines are the first lines of all problems but notices, without the file's name.
func lines(problems Problems) []string {
	out := []string{}
	for _, p := range problems {
		if p.Severity != Notice {
			first, _, _ := strings.Cut(p.String(), "\n")
			out = append(out, strings.TrimPrefix(first, "z.yaml"))
		}
	}
	return out
}

// TestGeoDatabase: what needs a database is an error at each key on a node without one, one warning for a node that is not
// known, nothing else.
func TestGeoDatabase(t *testing.T) {
	for _, tt := range []struct {
		name string
		geo  GeoDatabase
		good bool
		want []string
	}{
		{"unknown", GeoUnknown, true, []string{
			":10:18: warning: services.www.clients[1].match.continent: a rule by continent needs a geo database in the node file",
		}},
		{"none", GeoNone, false, []string{
			":7:5: error: services.www.order: order: nearest needs a geo database, and the node has none",
			":10:18: error: services.www.clients[1].match.continent: a rule by continent needs a geo database, and the node has none",
			":10:35: error: services.www.clients[1].match.country: a rule by country needs a geo database, and the node has none",
			":11:18: error: services.www.clients[2].match.subdivision: a rule by subdivision needs a geo database, and the node has none",
			":11:40: error: services.www.clients[2].match.asn: a rule by asn needs a geo database, and the node has none",
		}},
		{"present", GeoPresent, true, []string{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("z.yaml", []byte(geoZone), ParseOptions{Geo: tt.geo})
			assert.Equal(t, tt.good, z != nil)
			assert.Equal(t, tt.want, lines(problems))
		})
	}
	z, problems := Parse("z.yaml", []byte(withPools+"services:\n  www: {clients: [{match: {cidr: [192.0.2.0/24]}, tiers: [{web: 1}]}], tiers: [{web: 1}]}\n"), ParseOptions{Geo: GeoNone})
	require.NotNil(t, z, "CIDR needs no database: %s", problems)
}

func TestRejectClients(t *testing.T) {
	clients := func(rules ...string) string {
		return "services:\n  www:\n    tiers: [{web: 1}]\n    clients:\n      - {tiers: [{web: 1}], match: " + strings.Join(rules, "}\n      - {tiers: [{web: 1}], match: ") + "}\n"
	}
	noDatabase := func(key string) string {
		return ":14:37: warning: services.www.clients[0].match." + key + ": a rule by " + key + " needs a geo database in the node file"
	}
	runRejects(t, []rejectCase{
		{"country twice", withPools, clients("{country: [DE, FR]}", "{country: [IT, DE]}"), []string{noDatabase("country"),
			":15:51: error: services.www.clients[1].match.country[1]: duplicate country DE; it stands at line 14 already"}},
		{"country twice in a rule", withPools, clients("{country: [DE, DE]}"), []string{noDatabase("country"),
			":14:51: error: services.www.clients[0].match.country[1]: duplicate country DE; it stands at line 14 already"}},
		{"continent twice", withPools, clients("{continent: [EU]}", "{continent: [EU]}"), []string{noDatabase("continent"),
			":15:49: error: services.www.clients[1].match.continent[0]: duplicate continent EU; it stands at line 14 already"}},
		{"subdivision twice", withPools, clients("{subdivision: [US-CA]}", "{subdivision: [US-CA]}"), []string{noDatabase("subdivision"),
			":15:51: error: services.www.clients[1].match.subdivision[0]: duplicate subdivision US-CA; it stands at line 14 already"}},
		{"asn twice", withPools, clients("{asn: [64500]}", "{asn: [64501, 64500]}"), []string{noDatabase("asn"),
			":15:50: error: services.www.clients[1].match.asn[1]: duplicate asn 64500; it stands at line 14 already"}},
		{"prefix twice", withPools, clients("{cidr: [192.0.2.0/24]}", "{cidr: [192.0.2.0/24]}"), []string{
			":15:44: error: services.www.clients[1].match.cidr[0]: duplicate prefix 192.0.2.0/24; it stands at line 14 already"}},
		{"nearest without a location", withPools, "services:\n  www: {tiers: [{web: 1}, {web-us: 1}], order: nearest}\n", []string{
			":11:41: error: services.www.order: the region \"eu\" of the pool \"web\" has no location to be near to",
			":11:41: error: services.www.order: the region \"us\" of the pool \"web-us\" has no location to be near to",
			":11:41: warning: services.www.order: order: nearest needs a geo database in the node file"}},
		{"nearest with a bad location", head, strings.Replace(strings.TrimPrefix(geoZone, head), "53.35", "95", 1), []string{
			":3:27: error: regions.eu.location[0]: the latitude 95 is out of range, want -90 to 90",
			":10:18: warning: services.www.clients[1].match.continent: a rule by continent needs a geo database in the node file"}},
	})
}

func TestNodeGeo(t *testing.T) {
	n, problems := ParseNode("node.yaml", []byte("geo: {databases: [/usr/share/GeoIP/City.mmdb, geo/ASN.mmdb]}\n"))
	require.Empty(t, problems)
	assert.Equal(t, Geo{Databases: []string{"/usr/share/GeoIP/City.mmdb", "geo/ASN.mmdb"}}, n.Geo)
	assert.Equal(t, GeoPresent, n.GeoDatabase())
	assert.Equal(t, GeoNone, DefaultNode().GeoDatabase())
	for _, tt := range []struct{ name, yaml, want string }{
		{"no list", "geo: {}", ":1:6: error: geo: the key \"databases\" is missing"},
		{"empty list", "geo: {databases: []}", ":1:18: error: geo.databases: is empty; at least one entry is needed"},
		{"no list but a path", "geo: {databases: City.mmdb}", ":1:18: error: geo.databases: want a list, got one value"},
		{"unknown key", "geo: {database: [x]}", ":1:7: error: geo.database: unknown key \"database\""},
		{"one name twice", "geo: {databases: [a/x.mmdb, b/x.mmdb]}", ":1:29: error: geo.databases[1]: the file name \"x.mmdb\" stands at line 1 already"},
		{"too many", "geo: {databases: [a, b, c, d, e, f, g, h, i]}", ":1:18: error: geo.databases: 9 entries, want 1 to 8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n, problems := ParseNode("z.yaml", []byte(tt.yaml))
			assert.Nil(t, n)
			assert.Contains(t, lines(problems), tt.want)
		})
	}
	assert.NoError(t, compileSchema(t, NodeSchema()).Validate(asJSON(t, []byte("geo: {databases: [x]}"))))
	assert.Error(t, compileSchema(t, NodeSchema()).Validate(asJSON(t, []byte("geo: {databases: []}"))))
}
