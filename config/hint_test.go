package config

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// headsOf are the first lines of problems, without the file.
func headsOf(problems Problems) (heads []string) {
	for _, p := range problems {
		p.File = ""
		heads = append(heads, p.Head())
	}
	return heads
}

// TestHints: what is probably not meant, where it stands, and nothing where it is.
func TestHints(t *testing.T) {
	const zone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
pools:
  one:
    region: eu
    endpoints:
      - {name: e, addresses: [192.0.2.1, "2001:db8::1"], az: a}
      - {name: f, addresses: [192.0.2.2], az: a, weight: %d}
  two:
    region: eu
    endpoints:
      - {name: g, addresses: [%s], az: a}
services:
  www: {tiers: [{one: 1, two: %d}]}
`
	for _, tt := range []struct {
		name   string
		weight int
		second string
		share  int
		want   []string
	}{
		{"nothing", 1, "192.0.2.3", 1, nil},
		{"an endpoint as a reserve", 0, "192.0.2.3", 1, []string{":9:58: notice: pools.one.endpoints[1].weight: " + noReserve}},
		{"a pool as a reserve", 1, "192.0.2.3", 0, []string{":15:31: notice: services.www.tiers[0].two: " + noReserve}},
		{"an address in two pools", 1, "192.0.2.1", 1, []string{`:13:9: warning: pools.two.endpoints[0]: the address 192.0.2.1 is in the pool "one" too`}},
		{"two of them", 1, `192.0.2.2, "2001:db8::1"`, 1, []string{`:13:9: warning: pools.two.endpoints[0]: 2 addresses are in the pool "one" too, the first is 192.0.2.2`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			z, problems := Parse("", fmt.Appendf(nil, zone, tt.weight, tt.second, tt.share), ParseOptions{})
			require.NotNil(t, z, problems.String())
			require.Equal(t, tt.want, headsOf(problems))
		})
	}
}

// TestNested: a zone below another hides the names that the upper one has there, wherever they come from; what a delegation needs is no such
// name.
func TestNested(t *testing.T) {
	dir := t.TempDir()
	parse := func(name, body string) *Zone {
		path := filepath.Join(dir, name+".yaml")
		text := "nameservers: [{name: ns1.example.net}]\nzone: " + name + "\nregions: {eu: {azs: [a]}}\n" +
			"pools: {web: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}}\n" + body
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		z, problems := Parse(path, []byte(text), ParseOptions{})
		require.NotNil(t, z, problems.String())
		return z
	}
	lower := parse("sub.example.org", "services: {www: {tiers: [{web: 1}]}}\n")
	for _, tt := range []struct{ name, body, want string }{
		{"nothing", "services: {www: {tiers: [{web: 1}]}, xsub: {tiers: [{web: 1}]}}\n", ""},
		{"a service", "services: {www.sub: {tiers: [{web: 1}]}}\n", "www.sub.example.org."},
		{"the apex and a wildcard", "services: {sub: {tiers: [{web: 1}]}, '*.sub': {tiers: [{web: 1}]}}\n", "*.sub.example.org., sub.example.org."},
		{"records", "services: {www: {tiers: [{web: 1}]}}\nrecords: [{name: a.sub, type: TXT, data: x}]\n", "a.sub.example.org."},
		{"a delegation", "services: {www: {tiers: [{web: 1}]}}\ndelegations: {sub: {nameservers: [{name: ns.sub.example.org, addresses: [192.0.2.53]}]}}\n", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			upper := parse("example.org", tt.body)
			problems := Nested([]*Zone{upper, lower, parse("example.com", "services: {www: {tiers: [{web: 1}]}}\n")})
			if tt.want == "" {
				require.Empty(t, problems)
				return
			}
			require.Equal(t, []string{":2:7: warning: zone: this zone hides names of the zone example.org (" + upper.File + "): " + tt.want}, headsOf(problems))
			require.Equal(t, lower.File, problems[0].File)
		})
	}
}

// TestTargetsInTheZone: an endpoint that is a name of the zone without addresses is told, where it stands; not one that a wildcard, another CNAME, a
// delegation or a DNAME may answer.
func TestTargetsInTheZone(t *testing.T) {
	const zone = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}}
delegations: {sub: {nameservers: [{name: ns.example.net}]}}
records:
  - {name: text.deep, type: TXT, data: '"x"'}
  - {name: there, type: A, data: 192.0.2.1}
  - {name: "*.wild", type: A, data: 192.0.2.1}
  - {name: moved, type: DNAME, data: example.net.}
  - {name: alias, type: CNAME, data: away.example.net.}
  - {name: gone, type: CNAME, data: elsewhere.example.net.}
pools: {p: {region: eu, endpoints: [{name: e, target: %s.example.org, az: a}]}}
services: {www: {tiers: [{p: 1}]}}
`
	const none = "nothing in this zone has addresses under the target %s.example.org.: clients get none"
	for _, tt := range []struct {
		target string
		warned bool
	}{
		{"there", false}, {"x.wild", false}, {"x.y.wild", false}, {"x.sub", false}, {"sub", false}, {"x.moved", false}, {"alias", false}, {"gone", false},
		{"nowhere", true}, {"text.deep", true}, {"deep", true}, {"wild", true}, {"x.there", true}, {"moved", true},
	} {
		t.Run(tt.target, func(t *testing.T) {
			z, problems := Parse("", fmt.Appendf(nil, zone, tt.target), ParseOptions{})
			require.NotNil(t, z, problems.String())
			var want []string
			if tt.warned {
				want = []string{":12:55: warning: pools.p.endpoints[0].target: " + fmt.Sprintf(none, tt.target)}
			}
			require.Equal(t, want, headsOf(problems))
		})
	}
}
