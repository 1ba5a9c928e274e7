// Package geomake makes geo databases in MaxMind's format of CSV files. It is pure, holds nothing, and refuses what package geo could not read
// back: codes of other forms, points off the earth, prefixes with host bits.
package geomake

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// maxNetworks bounds a database: a million networks take about 1 GB while they are sorted in.
const maxNetworks = 1_000_000

// A row is one network.
type row struct {
	network netip.Prefix
	record  mmdbtype.Map
}

var (
	continents  = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
	countryCode = regexp.MustCompile(`^[A-Z]{2}$`)
	subdivision = regexp.MustCompile(`^[A-Z0-9]{1,3}$`)
)

// FromCSV is a database of the networks in a CSV file, whose first line names the columns, and how many they are. name is what the database
// calls itself.
func FromCSV(in io.Reader, name string) ([]byte, int, error) {
	rows, err := read(in)
	if err != nil {
		return nil, 0, err
	}
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: name, Description: map[string]string{"en": "made by fairlead geo make"}, IPVersion: 6, RecordSize: 28,
		// Networks of one's own are the purpose.
		IncludeReservedNetworks: true, DisableIPv4Aliasing: true,
	})
	if err != nil {
		return nil, 0, err
	}
	// Shorter ones first: what comes later replaces what was there.
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.bits(), b.bits()) })
	for _, r := range rows {
		network := &net.IPNet{IP: r.network.Addr().AsSlice(), Mask: net.CIDRMask(r.network.Bits(), r.network.Addr().BitLen())}
		if err := tree.Insert(network, r.record); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", r.network, err)
		}
	}
	var out bytes.Buffer
	if _, err := tree.WriteTo(&out); err != nil {
		return nil, 0, err
	}
	return out.Bytes(), len(rows), nil
}

// bits is the length of the prefix in a tree that holds both families.
func (r row) bits() int {
	if r.network.Addr().Is4() {
		return r.network.Bits() + 96
	}
	return r.network.Bits()
}

func read(in io.Reader) ([]row, error) {
	c := csv.NewReader(in)
	c.TrimLeadingSpace, c.Comment = true, '#'
	head, err := c.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	known := []string{"network", "continent", "country", "subdivision", "asn", "latitude", "longitude"}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
		if !slices.Contains(known, head[i]) {
			return nil, fmt.Errorf("line 1: the column %q: want some of %s", head[i], strings.Join(known, ", "))
		}
	}
	if !slices.Contains(head, "network") {
		return nil, errors.New("line 1: the column network is missing")
	}
	var rows []row
	seen := make(map[netip.Prefix]int)
	for {
		fields, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		values := make(map[string]string, len(head))
		for i, name := range head {
			values[name] = strings.TrimSpace(fields[i])
		}
		r, err := newRow(values)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if other, dup := seen[r.network]; dup {
			return nil, fmt.Errorf("line %d: the network %s stands at line %d already", line, r.network, other)
		}
		seen[r.network] = line
		if rows = append(rows, r); len(rows) > maxNetworks {
			return nil, fmt.Errorf("more than %d networks", maxNetworks)
		}
	}
}

func newRow(v map[string]string) (row, error) {
	p, err := netip.ParsePrefix(v["network"])
	if err != nil || p.Addr().Is4In6() {
		return row{}, fmt.Errorf("want a prefix as in 192.0.2.0/24, got %q", v["network"])
	}
	if p.Masked() != p {
		return row{}, fmt.Errorf("%s has bits beyond its length; write %s", p, p.Masked())
	}
	r := row{network: p, record: mmdbtype.Map{}}
	country := strings.ToUpper(v["country"])
	code := strings.TrimPrefix(strings.ToUpper(v["subdivision"]), country+"-")
	switch {
	case v["continent"] != "" && !slices.Contains(continents, strings.ToUpper(v["continent"])):
		return row{}, fmt.Errorf("the continent %q: want one of %s", v["continent"], strings.Join(continents, ", "))
	case country != "" && !countryCode.MatchString(country):
		return row{}, fmt.Errorf("the country %q: want an ISO 3166-1 code as in DE", v["country"])
	case code != "" && (country == "" || !subdivision.MatchString(code)):
		return row{}, fmt.Errorf("the subdivision %q: want an ISO 3166-2 code as in US-CA, and the country", v["subdivision"])
	}
	if v["continent"] != "" {
		r.record["continent"] = mmdbtype.Map{"code": mmdbtype.String(strings.ToUpper(v["continent"]))}
	}
	if country != "" {
		r.record["country"] = mmdbtype.Map{"iso_code": mmdbtype.String(country)}
	}
	if code != "" {
		r.record["subdivisions"] = mmdbtype.Slice{mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
	}
	return r, r.numbers(v)
}

// numbers adds what is no code.
func (r row) numbers(v map[string]string) error {
	if text := v["asn"]; text != "" {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "AS"), 10, 32)
		if err != nil || n == 0 {
			return fmt.Errorf("the asn %q: want a number", text)
		}
		r.record["autonomous_system_number"] = mmdbtype.Uint32(n)
	}
	if v["latitude"] == "" && v["longitude"] == "" {
		return nil
	}
	lat, err1 := strconv.ParseFloat(v["latitude"], 64)
	long, err2 := strconv.ParseFloat(v["longitude"], 64)
	// Written so that NaN is none either.
	if err1 != nil || err2 != nil || !(lat >= -90 && lat <= 90) || !(long >= -180 && long <= 180) {
		return fmt.Errorf("latitude %q, longitude %q: want degrees, both", v["latitude"], v["longitude"])
	}
	r.record["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(lat), "longitude": mmdbtype.Float64(long)}
	return nil
}
