package config

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMoved: the cells that have another home, and the name that leaves a wildcard; nothing where the addresses stay.
func TestMoved(t *testing.T) {
	parse := func(home, more string) *Zone {
		z, problems := Parse("", fmt.Appendf(nil, `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
pools:
  eu: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  us: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: b}]}
  same: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: b}, {name: v, addresses: [192.0.2.3], az: b}]}
services:
  ord: {cells: {shards: 100, home: {%s}}, tiers: [{eu: 1, us: 1, same: 1}]}
  "*.apps": {tiers: [{eu: 1}]}
  a.old.apps: {tiers: [{eu: 1}]}
%s`, home, more), ParseOptions{})
		require.NotNil(t, z, problems.String())
		return z
	}
	const before = "eu: 0-49, us: 50-98, same: 99-99"
	for _, tt := range []struct {
		name, home, more string
		want             []string
	}{
		{"the same", before, "", nil},
		{"some cells", "eu: 0-19, us: 20-98, same: 99-99", "", []string{"ord.example.org. cells 20-49 from eu to us: they have another home"}},
		{"one cell", "eu: 0-48, us: 49-98, same: 99-99", "", []string{"ord.example.org. cells 49 from eu to us: they have another home"}},
		{"all of two", "us: 0-49, eu: 50-98, same: 99-99", "", []string{"ord.example.org. cells 0-49 from eu to us: they have another home", "ord.example.org. cells 50-98 from us to eu: they have another home"}},
		{"ranges", "eu: [0-9, 12-49], us: [50-98, 10-11], same: 99", "", []string{"ord.example.org. cells 10-11 from eu to us: they have another home"}},
		{"from a pool that has more", "eu: 0-49, us: 50-99, same: []", "", []string{"ord.example.org. cells 99 from same to us: they have another home"}},
		{"to a pool with the same address", "eu: 0-49, us: 50-50, same: 51-99", "", nil},
		{"a name of the wildcard", before, "  x.apps: {tiers: [{us: 1}]}\n", []string{"x.apps.example.org. answers of *.apps.example.org at and below x.apps.example.org: the name has a service of its own"}},
		{"a name below it", before, "  x.y.apps: {tiers: [{us: 1}]}\n", []string{"*.apps.example.org. answers of *.apps.example.org at and below y.apps.example.org: x.y.apps.example.org stands in the file"}},
		{"a static record", before, "records: [{name: x.apps, type: TXT, data: x}]\n", []string{"*.apps.example.org. answers of *.apps.example.org at and below x.apps.example.org: x.apps.example.org stands in the file"}},
		{"one below a name", before, "records: [{name: a.x.apps, type: TXT, data: x}]\n", []string{"*.apps.example.org. answers of *.apps.example.org at and below x.apps.example.org: a.x.apps.example.org stands in the file"}},
		{"a DNAME", before, "records: [{name: x.apps, type: DNAME, data: example.net.}]\n", []string{"*.apps.example.org. answers of *.apps.example.org at and below x.apps.example.org: x.apps.example.org stands in the file"}},
		{"a delegation", before, "delegations: {x.apps: {nameservers: [ns.example.net]}}\n", []string{"*.apps.example.org. answers of *.apps.example.org at and below x.apps.example.org: x.apps.example.org stands in the file"}},
		{"below a name that stood there", before, "records: [{name: b.old.apps, type: TXT, data: x}]\n", nil},
		{"a name that nobody answered", before, "  x: {tiers: [{us: 1}]}\n", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range Moved(parse(before, ""), parse(tt.home, tt.more)) {
				got = append(got, m.Service+" "+m.What+": "+m.Why)
			}
			require.Equal(t, tt.want, got)
		})
	}
}
