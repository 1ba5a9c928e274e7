package config

import (
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseShards(t *testing.T) {
	for _, tt := range []struct{ text, want, problem string }{
		{"7", "7", ""},
		{"0-100, 900-1007", "0-100,900-1007", ""},
		{"900-1007,0-100", "0-100,900-1007", ""},
		{"0-4,5,6-9", "0-9", ""},
		{"65535", "65535", ""},
		{"65536", "", "the range 65536 is not within 0 to 65535"},
		{"5-3", "", "the range 5-3 runs backwards"},
		{"0-5,5-9", "", `the shard 5 stands twice in "0-5,5-9"`},
		{"", "", `want a range as in 0-65535, got ""`},
		{"1,,2", "", `want a range as in 0-65535, got ""`},
		{"-1", "", `want a range as in 0-65535, got "-1"`},
	} {
		t.Run(tt.text, func(t *testing.T) {
			s, err := ParseShards(tt.text)
			if tt.problem != "" {
				require.EqualError(t, err, tt.problem)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, s.String())
			again := ShardsWhere(maxShards, s.Has)
			require.Equal(t, s, again, "Has and Where are inverse")
			require.Equal(t, s.Last(), again.Last())
			count := 0
			for shard := range maxShards {
				if s.Has(shard) {
					count++
				}
			}
			require.Equal(t, count, s.Count())
		})
	}
}

const cellsHead = `zone: example.org
nameservers: [{name: ns1.example.net}]
regions: {eu: {azs: [a]}, us: {azs: [b]}}
pools:
  eu: {region: eu, endpoints: [{name: e, addresses: [192.0.2.1], az: a}]}
  us: {region: us, endpoints: [{name: u, addresses: [192.0.2.2], az: b}]}
  new: {region: us, fence: true, endpoints: [{name: n, addresses: [192.0.2.3], az: b}]}
services:
`

// TestCellRanges: several ranges for a pool, one as a scalar, and a pool that has none yet.
func TestCellRanges(t *testing.T) {
	z, problems := Parse("z.yaml", []byte(cellsHead+"  ord: {tiers: [{eu: 1}], cells: {shards: 20, home: {us: [5-9, 15], eu: [16-19, 0-4, 10-14], new: []}}}\n"), ParseOptions{})
	require.NoError(t, problems.Err())
	c := z.Services[0].Cells
	require.Equal(t, []int{0, 1}, c.Homes())
	require.Equal(t, []int{2}, c.Empty)
	require.ElementsMatch(t, []int{0, 1, 2}, z.Services[0].Pools)
	want := ""
	for shard := range c.Shards {
		want += z.Pools[c.HomeOf(shard)].Name + " "
	}
	require.Equal(t, "eu eu eu eu eu us us us us us eu eu eu eu eu us eu eu eu eu ", want)
	require.Equal(t, "5-9,15", c.ShardsAt(1).String())
}

func TestCellRangesRefused(t *testing.T) {
	for _, tt := range []struct{ name, home, want string }{
		{"twice in one pool", "{eu: [0-9, 5-6], us: 10-19}", "z.yaml:9:54: error: services.ord.cells.home.eu: two homes for the shards 5-6"},
		{"out of range", "{eu: [0-9, 20], us: 10-19}", "z.yaml:9:64: error: services.ord.cells.home.eu: the shards 20 are not within 0-19"},
		{"a hole", "{eu: [0-3, 5-9], us: 10-19}", "z.yaml:9:54: error: services.ord.cells.home.eu: no home for the shard 4"},
		{"none at all", "{eu: [], us: []}", "z.yaml:9:53: error: services.ord.cells.home: no home for the shards 0-19"},
		{"words", "{eu: [0 to 3], us: 4-19}", "z.yaml:9:59: error: services.ord.cells.home.eu[0]: want a range as in 0-65535, got \"0 to 3\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, problems := Parse("z.yaml", []byte(cellsHead+"  ord: {tiers: [{eu: 1}], cells: {shards: 20, home: "+tt.home+"}}\n"), ParseOptions{})
			require.Len(t, problems, 1, problems.String())
			require.Equal(t, tt.want, fmt.Sprintf("%s:%d:%d: error: %s: %s", problems[0].File, problems[0].Line, problems[0].Col, problems[0].Path, problems[0].Message))
		})
	}
}

// TestCellMap: labels get the shard that the map says, others their number or hash; bad lines are named by file and line.
func TestCellMap(t *testing.T) {
	parse := func(text string) (*Zone, Problems) {
		return Parse("zones.d/z.yaml", []byte(cellsHead+"  ord: {tiers: [{eu: 1}], cells: {shards: 20, home: {eu: 0-9, us: 10-19}, map: maps/tenants}}\n"),
			ParseOptions{ReadFile: func(name string) ([]byte, error) {
				if name != "maps/tenants" || text == "" {
					return nil, fs.ErrNotExist
				}
				return []byte(text), nil
			}})
	}
	z, problems := parse("# tenants\nAcme 12\n\nbig-one\t3 # moved in May\n7 7\n008 8\n")
	require.NoError(t, problems.Err())
	c := z.Services[0].Cells
	require.Equal(t, map[string]int{"acme": 12, "big-one": 3, "7": 7, "008": 8}, c.Map)
	require.Equal(t, 12, c.Shard([]byte("acme")))
	require.Equal(t, 7, c.Shard([]byte("7")))
	for label, want := range map[string]string{"acme": ByMap, "7": ByMap, "6": ByNumber, "006": ByNumber, "19": ByNumber, "20": ByHash, "020": ByHash, "other": ByHash, "6a": ByHash} {
		shard, by := c.Find([]byte(label))
		require.Equal(t, []any{want, c.Shard([]byte(label))}, []any{by, shard}, label)
	}
	require.Equal(t, (&Cells{Shards: 20}).Shard([]byte("other")), c.Shard([]byte("other")))
	other, problems := parse("acme 13\n")
	require.NoError(t, problems.Err())
	require.NotEqual(t, z.FileHash, other.FileHash, "the map is a part of the file")

	_, problems = parse("a 1\na.b 2\nb\nc 20\nd x\na 3\n4 5\n004 5\n")
	var got []string
	for _, p := range problems {
		got = append(got, fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message))
	}
	require.Equal(t, []string{
		`zones.d/maps/tenants:2: "a.b" is no label of a name`,
		`zones.d/maps/tenants:3: want LABEL SHARD, got 1 words`,
		`zones.d/maps/tenants:4: the shard 20 is not within 0-19`,
		`zones.d/maps/tenants:5: want a shard as a number, got "x"`,
		`zones.d/maps/tenants:6: "a" stands in line 1 too`,
		`zones.d/maps/tenants:7: the label 4 is the shard of that number, and cannot be another one`,
		`zones.d/maps/tenants:8: the label 004 is the shard of that number, and cannot be another one`,
	}, got)
	_, problems = parse("")
	require.ErrorContains(t, problems.Err(), `the file "maps/tenants" does not exist`)
}

// TestMovedLabels: a map that gives labels another shard moves them where that has another home.
func TestMovedLabels(t *testing.T) {
	parse := func(shards int, text string) *Zone {
		z, problems := Parse("z.yaml", fmt.Appendf(nil, cellsHead+"  ord: {tiers: [{eu: 1}], cells: {shards: %d, home: {eu: 0-9, us: 10-%d}, map: m}}\n", shards, shards-1),
			ParseOptions{ReadFile: func(string) ([]byte, error) { return []byte(text), nil }})
		require.NoError(t, problems.Err())
		return z
	}
	for _, tt := range []struct {
		name   string
		shards int
		text   string
		want   []string
	}{
		{"the same", 20, "acme 1\nb 2\n", nil},
		{"another shard with the same home", 20, "acme 3\nb 2\n", nil},
		{"another home", 20, "acme 13\nb 2\n", []string{"labels acme"}},
		{"more shards", 21, "acme 1\nb 2\n", []string{"labels that are hashed, among 21 shards instead of 20"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range Moved(parse(20, "acme 1\nb 2\n"), parse(tt.shards, tt.text)) {
				got = append(got, m.What)
			}
			require.Equal(t, tt.want, got)
		})
	}
}
