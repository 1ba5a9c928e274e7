package foreign

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

var update = flag.Bool("update", false, "write the golden files")

// inputs are the files of a system below testdata, by names without it.
func inputs(t *testing.T, system string) (files []File) {
	t.Helper()
	root := filepath.Join("testdata", system)
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".golden") {
			return err
		}
		content, err := os.ReadFile(path)
		name, relErr := filepath.Rel(root, path)
		files = append(files, File{filepath.ToSlash(name), content})
		require.NoError(t, relErr)
		return err
	}))
	return files
}

// TestGolden: each system's configuration gives the zone and the report that lie beside it, and the zone has no problem.
func TestGolden(t *testing.T) {
	for _, system := range Systems() {
		t.Run(system, func(t *testing.T) {
			r, err := Import(system, inputs(t, system), nil)
			require.NoError(t, err)
			var b strings.Builder
			for _, z := range r.Zones {
				b.WriteString(z.Text)
				_, problems := config.Parse(z.Name, []byte(z.Text), config.ParseOptions{Geo: config.GeoPresent})
				for _, p := range problems {
					assert.NotEqual(t, config.Error, p.Severity, "%s", problems)
				}
			}
			b.WriteString("\n# not carried over, or not as it was\n")
			for _, n := range r.Notes {
				b.WriteString("# " + n.String() + "\n")
			}
			golden := filepath.Join("testdata", system, "zone.golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), b.String())
		})
	}
}

// TestRoundTrip: what is read again from the zone that was made has the services, tiers, weights and checks of the input.
func TestRoundTrip(t *testing.T) {
	model := func(system string) *config.Zone {
		r, err := Import(system, inputs(t, system), nil)
		require.NoError(t, err)
		z, problems := config.Parse("z", []byte(r.Zones[0].Text), config.ParseOptions{Geo: config.GeoPresent})
		require.NotNil(t, z, "%s", problems)
		return z
	}
	service := func(z *config.Zone, name string) *config.Service {
		for _, s := range z.Services {
			if s.Name == name+"."+z.Name {
				return s
			}
		}
		t.Fatalf("no service %s in %s", name, z.Name)
		return nil
	}
	pool := func(z *config.Zone, s *config.Service, tier int) *config.Pool { return z.Pools[s.Tiers[tier][0].Pool] }

	g := model("gdnsd")
	four := service(g, "four")
	assert.Equal(t, 0, four.Answers, "all of them")
	assert.Equal(t, 30, four.Health.PanicBelow)
	assert.Len(t, pool(g, four, 0).Endpoints, 3)
	check := g.Checks[pool(g, four, 0).Check]
	assert.Equal(t, config.CheckTCP, check.Type)
	assert.Equal(t, [3]int{8080, 2, 2}, [3]int{int(check.Port), check.Fall, check.Rise})
	split := service(g, "split")
	assert.Equal(t, []int{3, 1}, []int{pool(g, split, 0).Endpoints[0].Weight, pool(g, split, 0).Endpoints[1].Weight})
	assert.Len(t, service(g, "prod").Tiers, 2)
	assert.Len(t, service(g, "prod-second").Tiers, 1)
	assert.Len(t, service(g, "pair").Tiers, 2)
	assert.True(t, service(g, "close").Nearest)
	assert.Len(t, service(g, "site").Clients, 6)
	assert.Equal(t, config.Targets, service(g, "names").Kind)

	c := model("coredns-gslb")
	assert.Len(t, service(c, "app").Tiers, 2)
	assert.Equal(t, 30, int(service(c, "app").TTL.Max))
	assert.Equal(t, config.Fixed, service(c, "geo").OnAllDown.Policy)
	assert.Len(t, service(c, "geo").Clients, 5)
	assert.Equal(t, 0, pool(c, service(c, "weighted"), 0).Endpoints[2].Weight)
	assert.NotNil(t, service(c, "hash").Sticky)

	r := model("route53")
	assert.Equal(t, config.Tier{{Pool: service(r, "split").Tiers[0][0].Pool, Weight: 90}, {Pool: service(r, "split").Tiers[0][1].Pool, Weight: 10}}, service(r, "split").Tiers[0])
	assert.True(t, pool(r, service(r, "split"), 0).Endpoints[0].Dual())
	assert.Len(t, service(r, "db").Tiers, 2)
	assert.True(t, service(r, "near").Nearest)
	assert.Len(t, service(r, "geo").Clients, 2)
	assert.Equal(t, 8, service(r, "many").Answers)

	p := model("pdns-lua")
	assert.Len(t, service(p, "url").Tiers, 2)
	assert.True(t, pool(p, service(p, "port"), 0).Endpoints[0].Dual())
	assert.Equal(t, 15, pool(p, service(p, "wrnd"), 0).Endpoints[0].Weight)
	assert.Equal(t, 2, service(p, "sample").Answers)
	assert.Len(t, service(p, "view").Clients, 1)
}

// TestBroken: what is no configuration of the system is an error with its place, and never a panic.
func TestBroken(t *testing.T) {
	for _, tt := range []struct{ name, system, file, text, want string }{
		{"unknown system", "bind", "x", "", `"bind": want one of gdnsd, coredns-gslb, route53, pdns-lua`},
		{"vscf", "gdnsd", "config", "a => {", "config:1: a hash that does not end"},
		{"no zone", "gdnsd", "config", "", "no zone files"},
		{"parentheses", "gdnsd", "example.org", "@ SOA ( a", "parentheses that do not match"},
		{"quote", "pdns-lua", "example.org", "@ SOA a b 1 1 1 1 1\nx LUA A \"abc", "a quote that does not end"},
		{"yaml", "coredns-gslb", "z.yml", "records: [", "z.yml: "},
		{"no SOA", "route53", "r.json", `{"ResourceRecordSets": [{"Name": "a.", "Type": "A"}]}`, "no SOA record"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Import(tt.system, []File{{tt.file, []byte(tt.text)}}, nil)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestInclude follows files that others name.
func TestInclude(t *testing.T) {
	files := map[string]string{"/etc/gdnsd/more": "lb => 192.0.2.7", "/etc/gdnsd/zones/inc": "www 60 DYNA multifo!x\n$ORIGIN sub.@Z\na A 192.0.2.8\n"}
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, os.ErrNotExist
	}
	r, err := Import("gdnsd", []File{
		{"/etc/gdnsd/config", []byte("plugins => { multifo => { x => { $include{more} } } }")},
		{"/etc/gdnsd/zones/example.org", []byte("@ 60 SOA ns1 h 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.53\n$INCLUDE inc\n")},
	}, read)
	require.NoError(t, err)
	assert.Contains(t, r.Zones[0].Text, "{name: lb, addresses: [192.0.2.7], az: main}")
	assert.Contains(t, r.Zones[0].Text, "name: a.sub, type: A")
}

func FuzzImport(f *testing.F) {
	for i, system := range Systems() {
		files, err := filepath.Glob(filepath.Join("testdata", system, "*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range files {
			if text, err := os.ReadFile(path); err == nil {
				f.Add(i, string(text))
			}
		}
	}
	f.Fuzz(func(_ *testing.T, i int, text string) {
		if i < 0 || i >= len(Systems()) {
			return
		}
		system := Systems()[i]
		// Every error is fine, but no panic: both names make each system read it.
		for _, name := range []string{"config", "example.org"} {
			_, _ = Import(system, []File{{name, []byte(text)}, {"example.net", []byte("@ SOA a. b. 1 1 1 1 1\n")}}, nil)
		}
	})
}
