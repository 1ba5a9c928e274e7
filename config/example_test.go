package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the golden files")

// readTestdata is ReadFile for the files that the example names.
func readTestdata(name string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", name)) }

func exampleText(t testing.TB) []byte {
	t.Helper()
	content, err := os.ReadFile("testdata/zone.example.yaml")
	require.NoError(t, err)
	return content
}

func parseExample(t testing.TB) (*Zone, Problems) {
	t.Helper()
	return Parse("zone.example.yaml", exampleText(t), ParseOptions{ReadFile: readTestdata, Geo: GeoPresent})
}

// TestExampleGolden: the example has every key, so its problems are all Notices, and the golden file is the list of what
// is not in effect yet.
func TestExampleGolden(t *testing.T) {
	zone, problems := parseExample(t)
	require.NotNil(t, zone, "%s", problems)
	assert.Equal(t, len(problems), problems.Count(Notice))
	golden := "testdata/zone.example.problems"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(problems.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), problems.String())
}

func TestExampleModel(t *testing.T) {
	z, problems := parseExample(t)
	require.NotNil(t, z, "%s", problems)
	assert.Equal(t, "gslb.example.org.", z.Name)
	assert.Equal(t, SOA{MName: "ns1.gslb.example.org.", RName: "hostmaster.example.org.", Serial: SerialOf(z.Hash), SerialMade: true, NegativeTTL: 10,
		Refresh: 7200, Retry: 3600, Expire: 1209600, TTL: 10}, z.SOA)
	assert.Equal(t, []string{"ns1.gslb.example.org.", "ns2.gslb.example.org."}, []string{z.NameServers[0].Name, z.NameServers[1].Name})
	assert.Equal(t, []Record{
		{Name: "gslb.example.org.", Type: 16, TTL: 3600, RData: [][]byte{[]byte("\x0bv=spf1 -all")}},
		{Name: "static.gslb.example.org.", Type: 1, TTL: 300, RData: [][]byte{{192, 0, 2, 10}, {192, 0, 2, 11}}},
		{Name: "lab.gslb.example.org.", Type: 2, TTL: 3600, RData: [][]byte{[]byte("\x02ns\x07example\x03net\x00"), []byte("\x03ns1\x03lab\x04gslb\x07example\x03org\x00")}},
		{Name: "ns1.lab.gslb.example.org.", Type: 1, TTL: 3600, RData: [][]byte{{192, 0, 2, 77}}},
		{Name: "lab.gslb.example.org.", Type: 43, TTL: 3600, RData: [][]byte{z.Records[4].RData[0]}},
	}, z.Records)

	ready := z.Checks[0]
	assert.Equal(t, uint16(443), ready.Port)
	assert.Equal(t, &HTTPCheck{Method: "GET", Path: "/readyz", Host: "www.gslb.example.org", Headers: []Header{{"X-Canary", "dr"}},
		Status: []StatusRange{{200, 299}}, Body: "ok"}, ready.HTTP)
	assert.NotEmpty(t, ready.TLS.CA)
	assert.Equal(t, &Flap{Transitions: 6, Window: 5 * time.Minute, Hold: 5 * time.Minute}, ready.Flap)
	site := z.Checks[slices.IndexFunc(z.Checks, func(c *Check) bool { return c.Name == "site" })]
	assert.Equal(t, OpAny, site.Composite.Op)
	assert.Len(t, site.Composite.Of, 2)

	web := z.Pools[0]
	assert.Equal(t, []AZWeight{{0, 40}, {1, 60}, {2, 0}}, web.AZWeights)
	assert.True(t, web.Explicit)
	assert.Equal(t, 80, web.MaxShare)
	assert.Equal(t, netip.MustParseAddr("2001:db8:1::10"), web.Endpoints[0].V6)
	assert.Equal(t, netip.MustParseAddr("203.0.113.10"), web.Endpoints[0].ProbeAddr)
	assert.Equal(t, uint16(8443), web.Endpoints[2].ProbePort)
	assert.Equal(t, []Failback{
		{Hold: 5 * time.Minute, Ramp: []int{10, 30, 60, 100}, Step: time.Minute}, {Hold: 30 * time.Second},
	}, web.Failbacks)
	assert.Equal(t, []int{0, 1, 2, 3, 4, 5, 6}, web.Services)

	www := z.Services[0]
	assert.Equal(t, "www.gslb.example.org.", www.Name)
	assert.Equal(t, []Tier{{{0, 70}, {1, 30}}, {{3, 1}}}, www.Tiers)
	assert.Equal(t, TTL{Mode: Ceiling, Min: 5, Max: 30}, www.TTL)
	assert.Equal(t, Failback{Mode: FailbackAuto, Hold: 5 * time.Minute, Ramp: []int{10, 30, 60, 100}, Step: time.Minute}, www.Failback)
	assert.Equal(t, Limits{MaxRemoval: 34, PanicBelow: 30}, www.Health)
	assert.Equal(t, 100, z.Services[1].Standby.Trickle)
	assert.Equal(t, NoData, z.Services[2].OnAllDown.Policy)
	assert.Equal(t, &Cells{Shards: 1024, Home: []CellRange{{0, 0, 511}, {1, 512, 1023}}, Failover: map[int][]int{0: {1}, 1: {0}}}, z.Services[5].Cells)
	assert.Equal(t, "_shop._tcp.gslb.example.org.", z.Services[6].Name)
	assert.Equal(t, Targets, z.Services[7].Kind)
}

// TestDefaults: a service needs only its tiers.
func TestDefaults(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(withPools+"services:\n  \"@\": {tiers: [{web: 1}]}\n  \"*.apps\": {tiers: [{web: 1}]}\n"), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	s := z.Services[0]
	assert.Equal(t, &Service{
		Name: "gslb.example.org.", Tiers: []Tier{{{0, 1}}}, Answers: 1, TTL: TTL{Min: 2, Max: 30}, Failback: Failback{Hold: 30 * time.Second},
		Health: Limits{MaxRemoval: 34}, Pools: []int{0}, Line: 11,
	}, s)
	assert.Equal(t, "*.apps.gslb.example.org.", z.Services[1].Name)
	c := z.Checks[0]
	c.Digest = Hash{}
	assert.Equal(t, &Check{
		Name: "ready", Type: CheckHTTP, Port: 80, Interval: 2 * time.Second, Timeout: time.Second, Fall: 3, Rise: 2,
		HTTP: &HTTPCheck{Method: "GET", Path: "/", Status: []StatusRange{{200, 299}}},
	}, c)
	assert.Equal(t, uint32(3600), z.NSTTL)
	assert.Equal(t, "hostmaster.gslb.example.org.", z.SOA.RName)
	assert.Equal(t, "ns1.example.net.", z.SOA.MName)
	assert.Equal(t, uint32(10), z.SOA.NegativeTTL)
}

// TestDigest: the digest covers what is dialled, not the name.
func TestDigest(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(head+`checks:
  a: {type: http}
  b: {type: http, port: 80, quorum: 2}
  c: {type: http, port: 81}
  d: {type: http, fall: 2}
  e: {any: [a, c]}
  f: {any: [b, c]}
`), ParseOptions{})
	require.NotNil(t, z, "%s", problems)
	d := func(i int) Hash { return z.Checks[i].Digest }
	assert.Equal(t, d(0), d(1))
	assert.NotEqual(t, d(0), d(2))
	assert.NotEqual(t, d(0), d(3))
	assert.Equal(t, d(4), d(5))
}

func compileSchema(t *testing.T, text []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("zone.json", doc))
	schema, err := c.Compile("zone.json")
	require.NoError(t, err)
	return schema
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	out, err := json.Marshal(v)
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	require.NoError(t, err)
	return doc
}

// TestSchema: the example fits, and files that Parse refuses for their shape do not.
func TestSchema(t *testing.T) {
	schema := compileSchema(t, Schema())
	assert.NoError(t, schema.Validate(asJSON(t, exampleText(t))))
	for _, tt := range []struct{ name, yaml string }{
		{"unknown key", head + "servces: {}\n"},
		{"fraction", withPools + "services: {www: {tiers: [{web: 1.5}]}}\n"},
		{"number for a duration", head + "ns_ttl: 30\n"},
		{"missing nameservers", "zone: example.org\n"},
	} {
		t.Run(tt.name, func(t *testing.T) { assert.Error(t, schema.Validate(asJSON(t, []byte(tt.yaml)))) })
	}
	compileSchema(t, NodeSchema())
	assert.NoError(t, compileSchema(t, PlanSchema()).Validate(asJSON(t, PlanExample)))
}

// TestSchemaKeys: the schema has each key of the shape, and no other, at each level.
func TestSchemaKeys(t *testing.T) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(Schema(), &doc))
	var walk func(path string, sh *shape, schema map[string]any)
	walk = func(path string, sh *shape, schema map[string]any) {
		switch {
		case sh.either != nil:
			for i, s := range sh.either {
				walk(path, s, schema["anyOf"].([]any)[i].(map[string]any))
			}
		case sh.list != nil:
			walk(path+"[]", sh.list, schema["items"].(map[string]any))
		case sh.dict != nil:
			walk(path+".*", sh.dict, schema["additionalProperties"].(map[string]any))
		case sh.object != nil:
			assert.Equal(t, false, schema["additionalProperties"], path)
			properties := schema["properties"].(map[string]any)
			assert.Len(t, properties, len(sh.keyNames()), path)
			for _, k := range sh.object {
				if k.refused == "" && assert.Contains(t, properties, k.name, path) {
					walk(path+"."+k.name, k.shape, properties[k.name].(map[string]any))
				}
			}
		}
	}
	walk("", zoneShape(), doc)
}

// TestCheckKeys: every key of checks belongs to some type.
func TestCheckKeys(t *testing.T) {
	for _, name := range checkShape().keyNames() {
		taken := false
		for typ := range checkKeys {
			taken = taken || typ.Takes(name)
		}
		assert.True(t, taken, name)
	}
}
