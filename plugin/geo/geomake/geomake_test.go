package geomake

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/geo"
)

// TestReadBack: package geo finds in the file what the CSV says, the longest prefix first.
func TestReadBack(t *testing.T) {
	db, n, err := FromCSV(strings.NewReader(`network,continent,country,subdivision,asn,latitude,longitude
# a comment
10.1.0.0/16,EU,DE,,AS64500,50.1,8.7
10.1.2.0/24,eu,at,,,,
10.2.0.0/16,NA,US,US-CA,64501,37.4,-122
2001:db8::/32,AS,JP,13,,,
`), "Office")
	require.NoError(t, err)
	require.Equal(t, 4, n)
	path := filepath.Join(t.TempDir(), "office.mmdb")
	require.NoError(t, os.WriteFile(path, db, 0o600))
	d, err := geo.New(geo.Options{})
	require.NoError(t, err)
	set, err := d.Read([]string{path})
	require.NoError(t, err)
	d.Use(set)
	for _, tt := range []struct {
		addr string
		want geo.Place
	}{
		{"10.1.9.9", geo.Place{Continent: "EU", Country: "DE", ASN: 64500, Latitude: 50.1, Longitude: 8.7, HasPoint: true}},
		{"10.1.2.3", geo.Place{Continent: "EU", Country: "AT"}},
		{"10.2.0.1", geo.Place{Continent: "NA", Country: "US", Subdivisions: []string{"US-CA"}, ASN: 64501, Latitude: 37.4, Longitude: -122, HasPoint: true}},
		{"2001:db8::1", geo.Place{Continent: "AS", Country: "JP", Subdivisions: []string{"JP-13"}}},
		{"192.0.2.1", geo.Place{}},
	} {
		got := *d.Locate(netip.MustParseAddr(tt.addr))
		got.Bits = 0
		assert.Equal(t, tt.want, got, tt.addr)
	}
}

// TestRefused: every mistake is named with its line.
func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                         "the file is empty",
		"net\n":                                    `line 1: the column "net"`,
		"country\n":                                "line 1: the column network is missing",
		"network\n10.0.0.1/8\n":                    "line 2: 10.0.0.1/8 has bits beyond its length; write 10.0.0.0/8",
		"network\nx\n":                             "line 2: want a prefix",
		"network\n10.0.0.0/8\n10.0.0.0/8\n":        "line 3: the network 10.0.0.0/8 stands at line 2 already",
		"network,country\n10.0.0.0/8,Germany\n":    `line 2: the country "Germany"`,
		"network,continent\n10.0.0.0/8,XX\n":       `line 2: the continent "XX"`,
		"network,subdivision\n10.0.0.0/8,CA\n":     `line 2: the subdivision "CA"`,
		"network,asn\n10.0.0.0/8,0\n":              `line 2: the asn "0"`,
		"network,latitude\n10.0.0.0/8,10\n":        `line 2: latitude "10", longitude ""`,
		"network,latitude,longitude\n1::/16,NaN,1": `line 2: latitude "NaN"`,
	} {
		_, _, err := FromCSV(strings.NewReader(text), "x")
		require.ErrorContains(t, err, want, text)
	}
}
