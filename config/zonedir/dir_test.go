package zonedir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
)

// A testDir is a Dir over a temporary directory with a clock that the test moves: one poll is 2 s.
type testDir struct {
	*Dir
	t           *testing.T
	path, state string
	clock       time.Time
}

func newTestDir(t *testing.T) *testDir {
	d := &testDir{t: t, path: t.TempDir(), state: t.TempDir(), clock: time.Now()}
	d.reopen(Options{State: d.state})
	return d
}

func (d *testDir) reopen(opts Options) {
	opts.Now = func() time.Time { return d.clock }
	d.Dir = Open(d.path, opts)
}

// write replaces a file by an atomic rename.
func (d *testDir) write(name, content string) {
	d.t.Helper()
	tmp := filepath.Join(d.path, ".tmp")
	require.NoError(d.t, os.WriteFile(tmp, []byte(content), 0o644))
	require.NoError(d.t, os.Rename(tmp, filepath.Join(d.path, name)))
}

func (d *testDir) load() config.Problems {
	d.t.Helper()
	_, problems, err := d.Load()
	require.NoError(d.t, err)
	return problems
}

// poll polls n times and tells whether the last one changed something.
func (d *testDir) poll(n int) bool {
	d.t.Helper()
	changed := false
	for range n {
		d.clock = d.clock.Add(2 * time.Second)
		var err error
		changed, err = d.Poll()
		require.NoError(d.t, err)
	}
	return changed
}

// running is each running zone with its services.
func (d *testDir) running() string {
	var out []string
	for _, z := range d.Zones() {
		var names []string
		for _, s := range z.Services {
			names = append(names, strings.TrimSuffix(s.Name, "."+z.Name))
		}
		out = append(out, z.Name+" "+strings.Join(names, ","))
	}
	return strings.Join(out, "; ")
}

// dirZone is a zone with a pool and the given services.
func dirZone(zone string, services ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "zone: %s\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\n", zone)
	b.WriteString("pools: {web: {region: eu, endpoints: [{name: a, addresses: [192.0.2.1], az: a}]}}\nservices:\n")
	for _, s := range services {
		fmt.Fprintf(&b, "  %s: {tiers: [{web: 1}]}\n", s)
	}
	return b.String()
}

func TestDirLoad(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "www"))
	d.write("b.yaml", "zone: b.example\nwhat: 1\n")
	d.write("c.txt", "not read")
	d.write(".hidden.yaml", "not: read")
	problems := d.load()
	assert.Equal(t, "a.example. www", d.running())
	assert.True(t, problems.HasErrors())
	assert.Contains(t, problems.String(), "b.yaml:2:1: error: what: unknown key")
	assert.Len(t, d.Files(), 2)
	assert.False(t, d.Files()[1].BrokenSince.IsZero())

	d.reopen(Options{})
	d.Dir.path = filepath.Join(d.path, "missing")
	_, _, err := d.Load()
	assert.ErrorContains(t, err, "zones directory")
}

// TestDirPoll: a change takes effect after two equal reads; what was half-written never does.
func TestDirPoll(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "www"))
	require.Empty(t, d.load())
	assert.False(t, d.poll(1))

	d.write("a.yaml", dirZone("a.example", "www", "api"))
	assert.False(t, d.poll(1))
	d.write("a.yaml", dirZone("a.example", "www", "api", "shop"))
	assert.False(t, d.poll(1))
	assert.Equal(t, "a.example. www", d.running())
	assert.True(t, d.poll(1))
	assert.Equal(t, "a.example. www,api,shop", d.running())
	before := d.Zones()[0]
	assert.False(t, d.poll(40))
	assert.Same(t, before, d.Zones()[0])

	// A file that breaks leaves its last good version, and the other zone alone; a new one is picked up.
	d.write("b.yaml", dirZone("b.example", "x"))
	d.write("a.yaml", "zone: a.example\n")
	assert.True(t, d.poll(2))
	assert.Equal(t, "a.example. www,api,shop; b.example. x", d.running())
	f := d.Files()[0]
	assert.True(t, f.LastGood)
	assert.Equal(t, d.clock, f.BrokenSince)
	assert.True(t, d.Problems().HasErrors())

	// Back to what runs: nothing changes but the state.
	d.write("a.yaml", dirZone("a.example", "www", "api", "shop"))
	assert.False(t, d.poll(2))
	assert.False(t, d.Files()[0].LastGood)
	assert.Empty(t, d.Problems())
}

func TestDirVanish(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "www"))
	d.load()
	require.NoError(t, os.Remove(filepath.Join(d.path, "a.yaml")))
	assert.False(t, d.poll(3))
	assert.Equal(t, "a.example. www", d.running())
	assert.Equal(t, filepath.Join(d.path, "a.yaml")+": warning: the file is gone; the zone a.example. runs on from its last good version until the next start\n",
		d.Problems().String())

	// Renamed: the new file takes over.
	d.write("b.yaml", dirZone("a.example", "www", "api"))
	assert.True(t, d.poll(2))
	assert.Equal(t, "a.example. www,api", d.running())
	assert.Len(t, d.Files(), 1)
	assert.Empty(t, d.Problems())

	// Gone and back with the same content.
	require.NoError(t, os.Remove(filepath.Join(d.path, "b.yaml")))
	d.poll(1)
	d.write("b.yaml", dirZone("a.example", "www", "api"))
	assert.False(t, d.poll(1))
	assert.Empty(t, d.Problems())
	assert.True(t, d.Files()[0].BrokenSince.IsZero())
}

func TestDirSameZone(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "first"))
	d.write("b.yaml", dirZone("A.example", "second"))
	problems := d.load()
	assert.Equal(t, "a.example. first", d.running())
	assert.Equal(t, fmt.Sprintf("%s:1:7: error: zone: the zone a.example. runs from %s", filepath.Join(d.path, "b.yaml"), filepath.Join(d.path, "a.yaml")), problems[0].Head())
	assert.False(t, d.poll(3))
	// When the first gives the zone up, the second takes over.
	require.NoError(t, os.Remove(filepath.Join(d.path, "a.yaml")))
	assert.True(t, d.poll(1))
	assert.Equal(t, "a.example. second", d.running())
}

func TestDirOrigins(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "www"))
	d.write("b.yaml", dirZone("notexample", "www"))
	d.reopen(Options{Origins: []string{"Example."}})
	problems := d.load()
	assert.Equal(t, "a.example. www", d.running())
	require.Len(t, problems, 1)
	assert.Contains(t, problems.String(), "b.yaml:1:7: error: zone: the zone notexample. is not at or below Example.")
}

// TestDirLastGood: a broken file at the start runs the version that was kept, with the files that it named.
func TestDirLastGood(t *testing.T) {
	d := newTestDir(t)
	good := "zonefile: db.a\n" + dirZone("a.example", "www")
	require.NoError(t, os.WriteFile(filepath.Join(d.path, "db.a"), []byte("old 60 IN A 192.0.2.9\n"), 0o644))
	d.write("a.yaml", good)
	require.Empty(t, d.load())
	hash := d.Zones()[0].Hash
	require.FileExists(t, keptPath(d.state, "a.yaml"))

	d.write("a.yaml", "zone: a.example\nservces: {}\n")
	require.NoError(t, os.Remove(filepath.Join(d.path, "db.a")))
	d.reopen(Options{State: d.state})
	problems := d.load()
	assert.False(t, problems.HasErrors())
	assert.Contains(t, problems.String(), "a.yaml: warning: the last good version of the zone a.example. runs instead")
	assert.Contains(t, problems.String(), "warning: servces: unknown key")
	assert.True(t, d.Problems().HasErrors())
	assert.Equal(t, hash, d.Zones()[0].Hash)
	assert.True(t, d.Files()[0].LastGood)

	// A broken copy counts as none.
	require.NoError(t, os.WriteFile(keptPath(d.state, "a.yaml"), []byte("{"), 0o600))
	d.reopen(Options{State: d.state})
	assert.True(t, d.load().HasErrors())
	assert.Empty(t, d.Zones())
}

func TestDirShrink(t *testing.T) {
	d := newTestDir(t)
	names := func(n int) (out []string) {
		for i := range n {
			out = append(out, fmt.Sprintf("n%02d", i))
		}
		return out
	}
	d.write("a.yaml", dirZone("a.example", names(40)...))
	d.load()
	// 30 % may go, more may not.
	d.write("a.yaml", dirZone("a.example", names(27)...))
	assert.False(t, d.poll(2))
	assert.Contains(t, d.Problems().String(), "a.yaml: error: this version drops 13 of 40 names, more than 30 % and at least 10\n  help: `allow_shrink: true`")
	d.write("a.yaml", dirZone("a.example", names(28)...))
	assert.True(t, d.poll(2))
	assert.Empty(t, d.Problems())

	// The same over a restart, against the version that was kept.
	d.write("a.yaml", dirZone("a.example", names(18)...))
	d.reopen(Options{State: d.state})
	assert.False(t, d.load().HasErrors())
	assert.Len(t, d.Zones()[0].Services, 28)
	d.reopen(Options{State: d.state, Force: true})
	assert.Empty(t, d.load())
	assert.Len(t, d.Zones()[0].Services, 18)
	d.write("a.yaml", "allow_shrink: true\n"+dirZone("a.example", "z"))
	d.reopen(Options{State: d.state})
	assert.Empty(t, d.load())
	// Fewer than ten are no shrink, whatever their share.
	for _, names := range [][]string{names(9), {"z"}} {
		d.write("a.yaml", dirZone("a.example", names...))
		assert.True(t, d.poll(2))
		assert.Empty(t, d.Problems())
	}
}

// TestShrinks: endpoints that others replace in their pool, or that are found elsewhere by their addresses, are not dropped.
func TestShrinks(t *testing.T) {
	// zone has pools with the endpoints of the given numbers, which are called by prefix and have addresses by number.
	zone := func(prefix string, pools map[string][]int) *config.Zone {
		var b strings.Builder
		b.WriteString("zone: a.example\nnameservers: [{name: ns1.example.net}]\nregions: {eu: {azs: [a]}}\npools:\n")
		for _, name := range slices.Sorted(maps.Keys(pools)) {
			fmt.Fprintf(&b, "  %s: {region: eu, endpoints: [", name)
			for _, n := range pools[name] {
				fmt.Fprintf(&b, "{name: %s%d, addresses: [192.0.2.%d], az: a}, ", prefix, n, n)
			}
			b.WriteString("]}\n")
		}
		b.WriteString("services: {www: {tiers: [{p: 1}]}}\n")
		z, problems := config.Parse("a.yaml", []byte(b.String()), config.ParseOptions{})
		require.NotNil(t, z, "%s", problems)
		return z
	}
	to := func(from, to int) (out []int) {
		for n := from; n < to; n++ {
			out = append(out, n)
		}
		return out
	}
	pools := func(p, q []int) map[string][]int { return map[string][]int{"p": p, "q": q} }
	old := zone("e", pools(to(0, 20), to(20, 30)))
	for _, tt := range []struct {
		name string
		next *config.Zone
		want string
	}{
		{"one out, one in, twenty times", zone("e", pools(to(100, 120), to(20, 30))), ""},
		{"nine of thirty", zone("e", pools(to(0, 11), to(20, 30))), ""},
		{"ten of thirty", zone("e", pools(to(0, 10), to(20, 30))), "drops 10 of 30 endpoints, more than 30 % and at least 10"},
		{"twelve out, two in", zone("e", pools(append(to(0, 8), 100, 101), to(20, 30))), "drops 10 of 30 endpoints, more than 30 % and at least 10"},
		{"those that are new in another pool replace nothing", zone("e", pools(to(0, 9), to(20, 41))), "drops 11 of 30 endpoints, more than 30 % and at least 10"},
		{"moved to another pool", zone("e", pools(to(0, 5), append(to(5, 20), to(20, 30)...))), ""},
		{"renamed", zone("f", pools(to(0, 20), to(20, 30))), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, config.Shrinks(old, tt.next))
			tt.next.AllowShrink = true
			require.Empty(t, config.Shrinks(old, tt.next))
		})
	}
	three := zone("e", map[string][]int{"p": to(0, 3)})
	require.Empty(t, config.Shrinks(three, zone("e", map[string][]int{"p": to(0, 1)})))
}

// TestDirIncluded: a change in a file that the zone file names counts like one in the zone file.
func TestDirIncluded(t *testing.T) {
	d := newTestDir(t)
	d.write("db.a", "old 60 IN A 192.0.2.9\n")
	d.write("a.yaml", "zonefile: db.a\n"+dirZone("a.example", "www"))
	require.Empty(t, d.load())
	d.write("db.a", "old 60 IN A 192.0.2.10\n")
	assert.False(t, d.poll(1))
	assert.True(t, d.poll(1))
	assert.Equal(t, []byte{192, 0, 2, 10}, d.Zones()[0].Records[0].RData[0])
}

// TestDirConfigMap: the symlinks of Kubernetes are followed, and swapping ..data is a change.
func TestDirConfigMap(t *testing.T) {
	d := newTestDir(t)
	put := func(version, content string) {
		dir := filepath.Join(d.path, version)
		require.NoError(t, os.Mkdir(dir, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(content), 0o644))
		require.NoError(t, os.Symlink(version, filepath.Join(d.path, "..data_tmp")))
		require.NoError(t, os.Rename(filepath.Join(d.path, "..data_tmp"), filepath.Join(d.path, "..data")))
	}
	put("..v1", dirZone("a.example", "www"))
	require.NoError(t, os.Symlink("..data/a.yaml", filepath.Join(d.path, "a.yaml")))
	require.Empty(t, d.load())
	put("..v2", dirZone("a.example", "www", "api"))
	d.poll(1)
	assert.True(t, d.poll(1))
	assert.Equal(t, "a.example. www,api", d.running())
}

// TestDirRefused: what is no regular file inside the directory is refused without being opened.
func TestDirRefused(t *testing.T) {
	d := newTestDir(t)
	outside := filepath.Join(t.TempDir(), "out.yaml")
	require.NoError(t, os.WriteFile(outside, []byte(dirZone("out.example", "www")), 0o644))
	require.NoError(t, os.Symlink(outside, filepath.Join(d.path, "abs.yaml")))
	require.NoError(t, os.Symlink("/dev/zero", filepath.Join(d.path, "dev.yaml")))
	require.NoError(t, os.Mkdir(filepath.Join(d.path, "dir.yaml"), 0o755))
	require.NoError(t, syscall.Mkfifo(filepath.Join(d.path, "fifo.yaml"), 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(d.path, "gone.yaml")))
	require.NoError(t, os.Truncate(mustCreate(t, filepath.Join(d.path, "huge.yaml")), config.MaxFileBytes+1))
	d.write("ok.yaml", dirZone("a.example", "www"))
	problems := d.load()
	assert.Equal(t, "a.example. www", d.running())
	want := []string{
		"abs.yaml: error: cannot be read: a symlink that leads out of the directory",
		"dev.yaml: error: cannot be read: a symlink that leads out of the directory",
		"dir.yaml: error: cannot be read: not a regular file but a directory",
		"fifo.yaml: error: cannot be read: not a regular file but a FIFO",
		"gone.yaml: error: cannot be read: no such file or directory",
		"huge.yaml: error: cannot be read: the file has 67108865 octets; at most 67108864 are read",
	}
	assert.Equal(t, strings.Join(want, "\n")+"\n", strings.ReplaceAll(problems.String(), d.path+"/", ""))
	assert.False(t, d.poll(2))
}

func mustCreate(t *testing.T, path string) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	return path
}

// TestDirKeepFails: a state that cannot be written is a warning, and leaves no temporary file.
func TestDirKeepFails(t *testing.T) {
	d := newTestDir(t)
	d.write("a.yaml", dirZone("a.example", "www"))
	// A directory in the place of the copy makes the rename fail.
	require.NoError(t, os.MkdirAll(filepath.Join(keptPath(d.state, "a.yaml"), "x"), 0o755))
	problems := d.load()
	assert.False(t, problems.HasErrors())
	assert.Contains(t, problems.String(), "warning: the last good version cannot be kept")
	assert.Equal(t, "a.example. www", d.running())
	left, err := filepath.Glob(filepath.Join(d.state, "zones", ".tmp-*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// TestDirQuiet: a settled file is not read at each poll, and a change that stat does not show is seen after restPolls.
func TestDirQuiet(t *testing.T) {
	d := newTestDir(t)
	path := filepath.Join(d.path, "a.yaml")
	old := time.Now().Add(-time.Hour)
	d.write("a.yaml", dirZone("a.example", "www"))
	require.NoError(t, os.Chtimes(path, old, old))
	d.load()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(strings.Replace(dirZone("a.example", "www"), "192.0.2.1", "192.0.2.7", 1))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Chtimes(path, old, old))
	for range restPolls + 1 {
		assert.False(t, d.poll(1))
	}
	assert.True(t, d.poll(1))
}

func TestParseFile(t *testing.T) {
	zone, problems := ParseFile("../testdata/zone.example.yaml", config.GeoPresent)
	require.NotNil(t, zone, "%s", problems)
	_, problems = ParseFile("testdata/nothing.yaml", config.GeoUnknown)
	assert.Equal(t, "testdata/nothing.yaml: error: cannot be read: no such file or directory\n", problems.String())
}

// TestBundleJSON: what keep writes piece by piece is what encoding/json would write, but for the escaping of HTML.
func TestBundleJSON(t *testing.T) {
	for _, b := range []bundle{
		{},
		{Name: "a.yaml", Path: "zones/a.yaml", Content: []byte("zone: example.org\n")},
		{Name: `b"é`, Content: []byte{0, 1}, Files: map[string][]byte{"y.pem": []byte("22"), "x.pem": []byte("1"), "empty": {}}},
	} {
		var got bytes.Buffer
		require.NoError(t, b.writeJSON(&got))
		var back bundle
		require.NoError(t, json.Unmarshal(got.Bytes(), &back), got.String())
		require.True(t, b.same(&back))
		require.Equal(t, []string{b.Name, b.Path}, []string{back.Name, back.Path})
	}
}
