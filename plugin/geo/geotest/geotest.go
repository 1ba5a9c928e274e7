// Package geotest makes geo databases for tests. It is no part of the program.
package geotest

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/stretchr/testify/require"
)

// A Database is what a file holds.
type Database struct {
	// IPVersion is 4 or 6; 0 means 6, which holds IPv4 too. RecordSize is 24, 28 or 32; 0 means 28.
	IPVersion, RecordSize int
	// Built is the build time in seconds since 1970; 0 means now.
	Built int64
	// Networks are by prefix, as in 192.0.2.0/24. Longer prefixes are holes in shorter ones.
	Networks map[string]Network
}

// A Network is the record of one network; what is empty is not in the file.
type Network struct {
	Continent, Country, RegisteredCountry string
	// Subdivisions are without the country, as in CA.
	Subdivisions []string
	ASN          uint32
	// Point is latitude and longitude; nil for none.
	Point []float64
}

// Write replaces the file at path, as geoipupdate does.
func (d Database) Write(t testing.TB, path string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".next")
	require.NoError(t, os.WriteFile(next, d.Bytes(t), 0o644))
	require.NoError(t, os.Rename(next, path))
}

// Bytes is the file.
func (d Database) Bytes(t testing.TB) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Test-City", Description: map[string]string{"en": "for tests"}, BuildEpoch: d.Built,
		IPVersion: d.IPVersion, RecordSize: d.RecordSize, IncludeReservedNetworks: true, DisableIPv4Aliasing: true,
	})
	require.NoError(t, err)
	// Shorter ones first: what comes later replaces what was there.
	for bits := range 129 {
		for text, n := range d.Networks {
			_, network, err := net.ParseCIDR(text)
			require.NoError(t, err)
			if ones, _ := network.Mask.Size(); ones == bits {
				require.NoError(t, tree.Insert(network, n.record()))
			}
		}
	}
	var out bytes.Buffer
	_, err = tree.WriteTo(&out)
	require.NoError(t, err)
	return out.Bytes()
}

func (n Network) record() mmdbtype.Map {
	m := mmdbtype.Map{"city": mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String("nothing that we read")}}}
	code := func(key, name, value string) {
		if value != "" {
			m[mmdbtype.String(key)] = mmdbtype.Map{mmdbtype.String(name): mmdbtype.String(value)}
		}
	}
	code("continent", "code", n.Continent)
	code("country", "iso_code", n.Country)
	code("registered_country", "iso_code", n.RegisteredCountry)
	var subdivisions mmdbtype.Slice
	for _, s := range n.Subdivisions {
		subdivisions = append(subdivisions, mmdbtype.Map{"iso_code": mmdbtype.String(s)})
	}
	if subdivisions != nil {
		m["subdivisions"] = subdivisions
	}
	if n.ASN != 0 {
		m["autonomous_system_number"] = mmdbtype.Uint32(n.ASN)
	}
	if len(n.Point) == 2 {
		m["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(n.Point[0]), "longitude": mmdbtype.Float64(n.Point[1])}
	}
	return m
}
