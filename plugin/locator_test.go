package fairlead

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coredns/caddy"
	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/geo/geotest"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

// withNode is the usual Corefile with a node file of this text.
func (s *site) withNode(text string) caddy.Input {
	path := filepath.Join(s.dir, "node.yaml")
	require.NoError(s.t, os.WriteFile(path, []byte(text), 0o644))
	c := s.corefile("", "").(caddy.CaddyfileInput)
	c.Contents = []byte(strings.Replace(string(c.Contents), "fairlead {", "fairlead {\nnode "+path, 1))
	return c
}

// database writes a geo database in which 192.0.2.0/24 is in a country.
func (s *site) database(name, country string) string {
	path := filepath.Join(s.dir, name)
	geotest.Database{Networks: map[string]geotest.Network{"192.0.2.0/24": {Country: country}}}.Write(s.t, path)
	return path
}

func (s *site) country() string {
	l, _ := process.node.Terms()
	if l == nil {
		return "no database"
	}
	return l.Locate(netip.MustParseAddr("192.0.2.1")).Country
}

// TestGeoDatabases: they are read at the start and change with the Corefile; one that cannot be read fails the start or the
// reload, and what is in use stays.
func TestGeoDatabases(t *testing.T) {
	s := newSite(t)
	ie, us := s.database("ie.mmdb", "IE"), s.database("us.mmdb", "US")
	broken := filepath.Join(s.dir, "broken.mmdb")
	require.NoError(t, os.WriteFile(broken, []byte("hello"), 0o644))

	require.ErrorContains(t, s.start(s.withNode("geo: {databases: ["+ie+", "+broken+"]}")), "node.yaml: geo.databases: "+broken+": ")
	require.Nil(t, process.node)
	missing := filepath.Join(s.dir, "nothing.mmdb")
	require.ErrorContains(t, s.start(s.withNode("geo: {databases: ["+missing+"]}")), "node.yaml: geo.databases: "+missing+": no such file or directory")

	require.NoError(t, s.start(s.withNode("geo: {databases: ["+ie+"]}")))
	require.Equal(t, "IE", s.country())
	require.EqualValues(t, 1, total(t, "fairlead_geo_database_current"))
	require.ErrorContains(t, s.restart(s.withNode("geo: {databases: ["+broken+"]}")), "geo.databases: "+broken)
	require.Equal(t, "IE", s.country())
	require.NoError(t, s.restart(s.withNode("geo: {databases: ["+us+", "+ie+"]}")))
	require.Equal(t, "US", s.country(), "the first one is believed")
	require.EqualValues(t, 2, total(t, "fairlead_geo_database_current"))
	require.ErrorContains(t, s.restart(s.corefile("bogus", "")), "Unknown directive")
	require.Equal(t, "US", s.country())
	require.NoError(t, s.restart(s.corefile("", "")))
	require.Equal(t, "no database", s.country())
	require.Zero(t, total(t, "fairlead_geo_database_current"))
}

// TestZoneWithoutDatabase: a zone that needs a database is refused by a node without one, where it says so; its last good
// version runs on.
func TestZoneWithoutDatabase(t *testing.T) {
	s := newSite(t)
	path := s.database("ie.mmdb", "IE")
	text, err := os.ReadFile(s.path("a.yaml"))
	require.NoError(t, err)
	rule := strings.Replace(string(text), "  www: {tiers: [{web: 1}]}", "  www: {tiers: [{web: 1}], clients: [{match: {country: [IE]}, tiers: [{web: 1}]}]}", 1)
	require.NotEqual(t, string(text), rule)
	require.NoError(t, os.WriteFile(s.path("a.yaml"), []byte(rule), 0o644))

	require.ErrorContains(t, s.start(s.corefile("", "")), "a.yaml:9:47: error: services.www.clients[0].match.country: a rule by country needs a geo database, and the node has none")
	require.NoError(t, s.start(s.withNode("geo: {databases: ["+path+"]}")))
	require.Zero(t, total(t, "fairlead_config_file_broken"))
	// Without the database the file is broken, and what it said runs on; with it, all is well again.
	require.NoError(t, s.restart(s.corefile("", "")))
	require.EqualValues(t, 1, total(t, "fairlead_config_file_broken"))
	require.Equal(t, "192.0.2.1", s.www())
	require.NoError(t, s.restart(s.withNode("geo: {databases: ["+path+"]}")))
	require.Zero(t, total(t, "fairlead_config_file_broken"))
}

// TestLocator: a Place is handed on as it is.
func TestLocator(t *testing.T) {
	s := newSite(t)
	require.NoError(t, s.start(s.withNode("geo: {databases: ["+s.database("ie.mmdb", "IE")+"]}")))
	addr := netip.MustParseAddr("192.0.2.1")
	l, _ := process.node.Terms()
	require.Equal(t, &steer.Location{Country: "IE", Bits: 24}, l.Locate(addr))
	require.Zero(t, testing.AllocsPerRun(100, func() { l.Locate(addr) }))
}

const geoZone = `zone: example.org
nameservers: [{name: ns1.example.org, addresses: [192.0.2.53]}]
regions:
  eu: {location: [53.35, -6.26], azs: [eu-a]}
  us: {location: [39.04, -77.49], azs: [us-a]}
pools:
  eu: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  us: {region: us, endpoints: [{name: one, addresses: [192.0.2.2], az: us-a}]}
services:
  www: {tiers: [{us: 1}], ecs: true, clients: [{match: {country: [IE]}, tiers: [{eu: 1}]}]}
  near: {tiers: [{eu: 1, us: 1}], ecs: true, order: nearest}
  deaf: {tiers: [{us: 1}], clients: [{match: {country: [IE]}, tiers: [{eu: 1}]}]}
`

// TestGeoOverSockets: databases, client rules and client subnets from the file to the wire.
func TestGeoOverSockets(t *testing.T) {
	s := newSite(t)
	path := filepath.Join(s.dir, "city.mmdb")
	geotest.Database{Networks: map[string]geotest.Network{
		"192.0.2.0/25":  {Country: "IE", Point: []float64{53, -6}},
		"2001:db8::/40": {Country: "US", Point: []float64{40, -75}},
	}}.Write(t, path)
	require.NoError(t, os.WriteFile(s.path("a.yaml"), []byte(geoZone), 0o644))
	require.NoError(t, s.start(s.withNode("geo: {databases: ["+path+"]}")))
	for _, tt := range []struct {
		name, qname, option string
		want, echo          string
	}{
		{"a rule by country", "www", "0001 18 00 c00002", "192.0.2.1", "192.0.2.0/24/25"},
		{"no rule", "www", "0002 38 00 20010db8000100", "192.0.2.2", "2001:db8:1::/56/40"},
		{"nearest", "near", "0001 20 00 c0000201", "192.0.2.1", "192.0.2.1/32/25"},
		{"nearest over there", "near", "0002 38 00 20010db8000100", "192.0.2.2", "2001:db8:1::/56/40"},
		{"a mapped client", "www", "0002 78 00 00000000000000000000ffffc00002", "192.0.2.1", "192.0.2.0/120/121"},
		{"not opted in", "deaf", "0001 18 00 c00002", "192.0.2.2", "192.0.2.0/24/0"},
		{"says nothing", "www", "0001 00 00", "192.0.2.2", "0.0.0.0/0/0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := s.raw(t, tt.qname+".example.org.", tt.option)
			require.Len(t, m.Answer, 1)
			require.Equal(t, tt.want, m.Answer[0].(*dns.A).A.String())
			echo := m.IsEdns0().Option[0].(*dns.EDNS0_SUBNET)
			require.Equal(t, tt.echo, fmt.Sprintf("%s/%d/%d", echo.Address, echo.SourceNetmask, echo.SourceScope))
		})
	}
}
