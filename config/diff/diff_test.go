package diff

import (
	"fmt"
	"github.com/fairlead-dns/fairlead/config"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/integration/suite"
)

func exampleZone(t *testing.T, edits ...string) *config.Zone {
	t.Helper()
	text, err := os.ReadFile("../testdata/zone.example.yaml")
	require.NoError(t, err)
	changed := strings.NewReplacer(edits...).Replace(string(text))
	if len(edits) > 0 {
		require.NotEqual(t, string(text), changed, "the edit finds nothing")
	}
	z, problems := config.Parse("zone.example.yaml", []byte(changed), config.ParseOptions{ReadFile: func(name string) ([]byte, error) {
		return os.ReadFile("../testdata/" + name)
	}})
	require.NoError(t, problems.Err())
	return z
}

const diffText = `zone: a.example
nameservers: [{name: ns1.example.net}]
records: [{name: mail, type: A, data: 192.0.2.10, ttl: 5m}]
regions: {eu: {azs: [eu-a, eu-b]}}
checks: {ready: {type: http, path: /ready, interval: 2s, timeout: 1s}}
pools:
  web: {region: eu, check: ready, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}]}
  spare: {region: eu, endpoints: [{name: one, addresses: [192.0.2.3], az: eu-a}]}
services:
  www: {tiers: [{web: 1}, {spare: 1}], ttl: {min: 2s, max: 30s}}
`

func parseZone(t *testing.T, text string) *config.Zone {
	t.Helper()
	z, problems := config.Parse("a.yaml", []byte(text), config.ParseOptions{})
	require.NoError(t, problems.Err())
	return z
}

func TestZones(t *testing.T) {
	for _, tt := range []struct {
		name, old, new string
		want           []Change
	}{
		{name: "a comment", old: "regions:", new: "# a comment\nregions:"},
		{name: "a default that is spelt out", old: "az: eu-a}, ", new: "az: eu-a, weight: 1}, "},
		{name: "order of pools and endpoints", old: "{name: one, addresses: [192.0.2.1], az: eu-a}, {name: two, addresses: [192.0.2.2], az: eu-b}",
			new: "{name: two, addresses: [192.0.2.2], az: eu-b}, {name: one, addresses: [192.0.2.1], az: eu-a}"},
		{name: "a weight", old: "az: eu-b}", new: "az: eu-b, weight: 0}", want: []Change{{Object: "endpoint web/two", Key: "weight", Old: "1", New: "0"}}},
		{name: "a weight in a tier", old: "{web: 1}", new: "{web: 3, spare: 1}", want: []Change{
			{Object: "service www.a.example", Key: "tiers.1.spare", New: "1"}, {Object: "service www.a.example", Key: "tiers.1.web", Old: "1", New: "3"}}},
		{name: "a TTL", old: "max: 30s", new: "max: 60s, mode: horizon", want: []Change{
			{Object: "service www.a.example", Key: "ttl.max", Old: "30", New: "60"}, {Object: "service www.a.example", Key: "ttl.mode", Old: "ceiling", New: "horizon"}}},
		{name: "an AZ", old: "addresses: [192.0.2.1], az: eu-a", new: "addresses: [192.0.2.1], az: eu-b", want: []Change{
			{Object: "endpoint web/one", Key: "az", Old: "eu-a", New: "eu-b"}}},
		{name: "a check", old: "path: /ready, interval: 2s", new: "path: /live, interval: 3s", want: []Change{
			{Object: "check ready", Key: "interval", Old: "2s", New: "3s"}, {Object: "check ready", Key: "path", Old: "/ready", New: "/live"}}},
		{name: "a check that a pool no longer has", old: "check: ready, ", want: []Change{{Object: "pool web", Key: "check", Old: "ready", New: "none"}}},
		{name: "an endpoint more", old: "az: eu-b}]", new: "az: eu-b}, {name: three, addresses: [192.0.2.4], az: eu-b}]", want: []Change{{Object: "endpoint web/three", Added: true}}},
		{name: "a record", old: "data: 192.0.2.10", new: "data: [192.0.2.10, 192.0.2.11]", want: []Change{
			{Object: "record mail.a.example A", Key: "data", Old: "192.0.2.10", New: "192.0.2.10, 192.0.2.11"}}},
		{name: "a record gone", old: "records: [{name: mail, type: A, data: 192.0.2.10, ttl: 5m}]\n", want: []Change{{Object: "record mail.a.example A", Removed: true}}},
		{name: "a service more", old: "services:\n", new: "services:\n  api: {tiers: [{web: 1}]}\n", want: []Change{{Object: "service api.a.example", Added: true}}},
		{name: "az_weights", old: "check: ready, ", new: "check: ready, az_weights: {eu-a: 3, eu-b: 1}, ", want: []Change{
			{Object: "pool web", Key: "az_weights.eu-a", New: "3"}, {Object: "pool web", Key: "az_weights.eu-b", New: "1"}, {Object: "pool web", Key: "explicit", Old: "false", New: "true"}}},
		{name: "a serial", old: "zone: a.example\n", new: "zone: a.example\nserial: 9\n", want: []Change{{Object: "zone", Key: "soa.serial", Old: "-", New: "9"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, diffText, tt.old)
			a, b := parseZone(t, diffText), parseZone(t, strings.Replace(diffText, tt.old, tt.new, 1))
			got := Zones(a, b)
			for i := range got {
				if got[i].Key == "soa.serial" {
					got[i].Old = "-"
				}
			}
			require.Equal(t, tt.want, got)
			// The way back has the same objects, the other way round.
			back := Zones(b, a)
			require.Len(t, back, len(got))
			for i := range back {
				require.Equal(t, got[i].Object+got[i].Key, back[i].Object+back[i].Key)
				require.Equal(t, got[i].Added, back[i].Removed)
			}
		})
	}
}

// TestMeasured: networks that change places are a difference, measurements that choose the same region are none.
func TestMeasured(t *testing.T) {
	parse := func(log string) *config.Zone {
		z, problems := config.Parse("a.yaml", []byte(`zone: a.example
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [eu-a]}, us: {azs: [us-a]}}
pools:
  web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.1], az: eu-a}]}
  far: {region: us, endpoints: [{name: one, addresses: [192.0.2.2], az: us-a}]}
services: {www: {tiers: [{web: 1, far: 1}], order: fastest, latency: {table: rtt.txt}}}
`), config.ParseOptions{ReadFile: func(string) ([]byte, error) { return []byte("at 2026-11-30T00:00:00Z\n" + log), nil }})
		require.NoError(t, problems.Err())
		return z
	}
	was := parse("198.51.100.0/24 eu=10ms us=90ms\n203.0.113.0/24 eu=90ms us=10ms\n")
	require.Empty(t, Zones(was, parse("203.0.113.0/24 eu=91ms us=12ms\n198.51.100.0/24 eu=11ms us=93ms\n")))
	var keys []string
	for _, c := range Zones(was, parse("198.51.100.0/24 eu=90ms us=10ms\n203.0.113.0/24 eu=10ms us=90ms\n")) {
		keys = append(keys, c.Object+" "+c.Key)
		require.Regexp(t, `^1 networks, sha256 [0-9a-f]{12}$`, c.New)
	}
	require.Equal(t, []string{"service www.a.example latency.measured.eu", "service www.a.example latency.measured.us"}, keys)
	ahead := *was.Services[0].Latency
	ahead.Networks = append(slices.Clone(ahead.Networks), config.MeasuredNetwork{ASN: 64500, Region: -1, Later: make([]config.MeasuredNetwork, 1)})
	now := *was
	now.Services = []*config.Service{new(*was.Services[0])}
	now.Services[0].Latency = &ahead
	require.Empty(t, Zones(was, &now), "what does not count yet")
}

// TestDiffSeesAll changes every field of a zone that has every key, one after the other: each is a difference.
func TestDiffSeesAll(t *testing.T) {
	suite.Large(t)
	z, whole := exampleZone(t), exampleZone(t)
	require.Empty(t, Zones(z, whole))
	var blind []string
	tried := 0
	eachLeaf(reflect.ValueOf(z).Elem(), "", func(path string, v reflect.Value) {
		if slices.ContainsFunc(unseen, func(field string) bool { return strings.HasSuffix(path, field) || strings.Contains(path, field+"[") }) {
			return
		}
		was := reflect.ValueOf(v.Interface())
		if !mutate(v) {
			return
		}
		tried++
		if len(Zones(whole, z)) == 0 {
			blind = append(blind, path)
		}
		v.Set(was)
	})
	require.Empty(t, blind)
	require.Greater(t, tried, 300)
	require.Empty(t, Zones(whole, z), "all was put back")
}

// unseen follow from other fields.
var unseen = []string{
	".Zone.Name", ".File", ".Hash", ".Hosts", ".Serial", ".SerialMade", ".Digest", ".Services", ".Failbacks", ".Places", ".Line", ".Service.Pools", ".Latency.Measured", ".Latency.Latest", ".Latency.Ahead",
	// Without N, ByCheck and HasLag these say nothing.
	".Quorum.Percent", ".Gate.Check", ".Pool.Lag", ".Failover.While",
	// Where the pool has no az_weights an AZ weighs the sum of its endpoints.
	".AZWeights",
}

// eachLeaf calls f for every value without parts below v.
func eachLeaf(v reflect.Value, path string, f func(string, reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			eachLeaf(v.Elem(), path, f)
		}
	case reflect.Struct:
		if v.NumField() == 0 || !v.Field(0).CanSet() {
			return
		}
		for i := range v.NumField() {
			eachLeaf(v.Field(i), path+"."+v.Type().Name()+"."+v.Type().Field(i).Name, f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			eachLeaf(v.Index(i), fmt.Sprintf("%s[%d]", path, i), f)
		}
	default:
		f(path, v)
	}
}

// mutate makes v another value that is still one for the walk; false if it cannot.
func mutate(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(!v.Bool())
	case reflect.String:
		v.SetString(v.String() + "x")
	case reflect.Int, reflect.Int64:
		// Indices stay within what there is.
		if v.Int() > 0 {
			v.SetInt(v.Int() - 1)
		} else {
			v.SetInt(v.Int() + 1)
		}
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		if v.Uint() > 0 {
			v.SetUint(v.Uint() - 1)
		} else {
			v.SetUint(1)
		}
	case reflect.Float64:
		v.SetFloat(v.Float() + 1)
	default:
		return false
	}
	return true
}
