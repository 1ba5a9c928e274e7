package geo

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/geo/geotest"
	"github.com/fairlead-dns/fairlead/plugin/steer"
)

var city = geotest.Database{Built: 1_700_000_000, Networks: map[string]geotest.Network{
	"192.0.2.0/24":    {Continent: "eu", Country: "ie", Subdivisions: []string{"L", "D"}, Point: []float64{53.35, -6.26}},
	"192.0.2.128/25":  {Continent: "NA", Country: "US", Subdivisions: []string{"CA"}, Point: []float64{0, 0}},
	"198.51.100.0/24": {RegisteredCountry: "DE"},
	"203.0.113.0/24":  {Point: []float64{91, 0}},
	"2001:db8::/32":   {Continent: "AS", Country: "JP"},
}}

var asn = geotest.Database{IPVersion: 4, RecordSize: 24, Networks: map[string]geotest.Network{
	"192.0.2.0/28":    {ASN: 64500},
	"192.0.0.0/16":    {ASN: 64501},
	"198.51.100.0/26": {ASN: 4_200_000_000, Country: "FR", Subdivisions: []string{"75"}},
}}

// write makes files of the databases and returns their paths.
func write(t testing.TB, databases ...geotest.Database) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, db := range databases {
		path := filepath.Join(dir, fmt.Sprintf("%d.mmdb", i))
		db.Write(t, path)
		paths = append(paths, path)
	}
	return paths
}

func use(t testing.TB, opts Options, paths ...string) *Databases {
	t.Helper()
	d, err := New(opts)
	require.NoError(t, err)
	s, err := d.Read(paths)
	require.NoError(t, err)
	d.Use(s)
	return d
}

func TestLocate(t *testing.T) {
	both := use(t, Options{}, write(t, city, asn)...)
	v4 := use(t, Options{}, write(t, asn)...)
	dublin := Place{Continent: "EU", Country: "IE", Subdivisions: []string{"IE-L", "IE-D"}, Latitude: 53.35, Longitude: -6.26, HasPoint: true}
	with := func(p Place, asn uint32, bits int) Place {
		p.ASN, p.Bits = asn, bits
		return p
	}
	for _, tt := range []struct {
		name, addr string
		from       *Databases
		want       Place
	}{
		{"both know it, the ASN longer", "192.0.2.1", both, with(dublin, 64500, 28)},
		{"the city longer", "192.0.2.200", both, Place{Continent: "NA", Country: "US", Subdivisions: []string{"US-CA"}, HasPoint: true, ASN: 64501, Bits: 25}},
		{"holes divide the network", "192.0.2.100", both, with(dublin, 64501, 26)},
		{"mapped", "::ffff:192.0.2.1", both, with(dublin, 64500, 96+28)},
		{"mapped, not found", "::ffff:128.0.0.1", v4, Place{Bits: 96 + 2}},
		{"registered, and the first one is believed", "198.51.100.1", both, Place{Country: "DE", ASN: 4_200_000_000, Bits: 26}},
		{"no such latitude", "203.0.113.7", both, Place{Bits: 24}},
		{"IPv6 asked of IPv4 too", "2001:db8::1", both, Place{Continent: "AS", Country: "JP", Bits: 32}},
		{"IPv6 with a zone", "2001:db8::1%eth0", both, Place{Continent: "AS", Country: "JP", Bits: 32}},
		{"IPv6 asked of IPv4 alone", "2001:db8::1", v4, Place{}},
		{"not found", "128.0.0.1", both, Place{Bits: 2}},
		{"not found, IPv4 alone", "128.0.0.1", v4, Place{Bits: 2}},
		{"not found, IPv6", "8000::1", both, Place{Bits: 1}},
		{"subdivision of another country", "198.51.100.200", both, Place{Country: "DE", Bits: 25}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 {
				require.Equal(t, tt.want, *tt.from.Locate(netip.MustParseAddr(tt.addr)))
			}
		})
	}
	require.Same(t, nowhere, both.Locate(netip.Addr{}))
}

// TestRecordSizes: the tree is walked as the reader does, in each of the three formats.
func TestRecordSizes(t *testing.T) {
	for _, size := range []int{24, 28, 32} {
		for _, version := range []int{4, 6} {
			db := geotest.Database{RecordSize: size, IPVersion: version, Networks: map[string]geotest.Network{}}
			for i := range 256 {
				db.Networks[fmt.Sprintf("10.%d.%d.0/24", i, 255-i)] = geotest.Network{ASN: uint32(i + 1)}
			}
			d := use(t, Options{}, write(t, db)...)
			for i := range 256 {
				p := d.Locate(netip.AddrFrom4([4]byte{10, byte(i), byte(255 - i), 9}))
				require.Equal(t, Place{ASN: uint32(i + 1), Bits: 24}, *p)
			}
		}
	}
}

// TestBitsHold: Bits is the longest prefix on which the whole Place holds, and holds for all of it. Checked against
// every address of a small range.
func TestBitsHold(t *testing.T) {
	d := use(t, Options{}, write(t, city, asn)...)
	at := func(i int) Place { return *d.Locate(netip.AddrFrom4([4]byte{192, 0, byte(2 + i>>8), byte(i)})) }
	for i := range 512 {
		p := at(i)
		for j := range 512 {
			if i>>(32-p.Bits) == j>>(32-p.Bits) {
				require.Equal(t, p, at(j), "%d %d", i, j)
			}
		}
	}
}

// TestBitsOfAnEmptyHalf: in a tree without any IPv4, all of IPv4 is one network of nothing.
func TestBitsOfAnEmptyHalf(t *testing.T) {
	d := use(t, Options{}, write(t, geotest.Database{Networks: map[string]geotest.Network{"2001:db8::/32": {Country: "JP"}}})...)
	require.Equal(t, Place{}, *d.Locate(netip.MustParseAddr("192.0.2.1")))
	require.Equal(t, Place{Bits: 1}, *d.Locate(netip.MustParseAddr("8000::1")))
}

// TestConverts: plugin converts one to the other without a copy.
func TestConverts(t *testing.T) {
	p := &Place{Country: "IE", Bits: 24}
	require.Equal(t, &steer.Location{Country: "IE", Bits: 24}, (*steer.Location)(p))
	require.True(t, reflect.TypeFor[Place]().ConvertibleTo(reflect.TypeFor[steer.Location]()))
}

func TestLocateDoesNotAllocate(t *testing.T) {
	d := use(t, Options{}, write(t, city, asn)...)
	none, err := New(Options{})
	require.NoError(t, err)
	addrs := []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.200"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("128.0.0.1"), netip.MustParseAddr("8000::1"), {},
	}
	var sum int
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, a := range addrs {
			sum += d.Locate(a).Bits + none.Locate(a).Bits
		}
	}))
}

// TestSlots: Places whose hashes meet replace each other, and nothing else.
func TestSlots(t *testing.T) {
	db := geotest.Database{Networks: map[string]geotest.Network{}}
	for i := range 4096 {
		db.Networks[fmt.Sprintf("10.%d.%d.0/24", i>>4, i&15)] = geotest.Network{ASN: uint32(i + 1)}
	}
	d := use(t, Options{}, write(t, db)...)
	s := d.set.Load()
	s.ready = make([]atomic.Pointer[entry], places)
	for range 2 {
		for i := range 4096 {
			require.EqualValues(t, i+1, d.Locate(netip.AddrFrom4([4]byte{10, byte(i >> 4), byte(i & 15), 1})).ASN)
		}
	}
	used := 0
	for i := range s.ready {
		if s.ready[i].Load() != nil {
			used++
		}
	}
	// 4096 keys thrown at 16384 slots fill 3,624 of them on average.
	require.Greater(t, used, 3300, "the hash does not spread")
}

func BenchmarkLocate(b *testing.B) {
	d := use(b, Options{}, write(b, city, asn)...)
	addr := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			d.Locate(addr)
		}
	})
}
