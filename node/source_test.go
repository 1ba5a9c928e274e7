package node

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health/event"
)

// quiet is a log that nobody reads.
var quiet = slog.New(slog.DiscardHandler)

// writeZone writes a zone file with one service at address 192.0.2.n.
func writeZone(t *testing.T, path, zone string, n int) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, fmt.Appendf(nil, `zone: %s
nameservers: [{name: ns1.example.com}]
regions: {eu: {azs: [eu-a]}}
pools: {web: {region: eu, endpoints: [{name: one, addresses: [192.0.2.%d], az: eu-a}]}}
services: {www: {tiers: [{web: 1}]}}
`, zone, n), 0o644))
}

// pollTwice sees a change as often as it must be seen.
func pollTwice(s *source) *config.Model {
	if m, _ := s.Poll(); m != nil {
		return m
	}
	m, _ := s.Poll()
	return m
}

func names(m *config.Model) (out []string) {
	for _, z := range m.Zones {
		out = append(out, z.Name)
	}
	return out
}

func TestSourceJoinsDirectories(t *testing.T) {
	root := t.TempDir()
	one, two, state := filepath.Join(root, "one"), filepath.Join(root, "two"), filepath.Join(root, "state")
	writeZone(t, filepath.Join(one, "z.yaml"), "b.example", 1)
	writeZone(t, filepath.Join(two, "z.yaml"), "a.example", 2)
	dirs := func() []*zoneDir { return []*zoneDir{{path: one, shown: one}, {path: two, shown: two}} }
	loaded, err := (&loader{state: state, logger: quiet}).start(dirs())
	require.NoError(t, err)
	s := newSource(quiet, loaded, nil, nil, nil, nil)
	require.Equal(t, []string{"a.example.", "b.example."}, names(s.model), "sorted over directories")
	require.Nil(t, pollTwice(s), "nothing changed")

	writeZone(t, filepath.Join(two, "z.yaml"), "a.example", 3)
	m := pollTwice(s)
	require.NotNil(t, m)
	require.Equal(t, "192.0.2.3", m.Zones[0].Pools[0].Endpoints[0].V4.String())

	// The same zone in a second directory is refused while it runs from the first, and shown.
	writeZone(t, filepath.Join(one, "y.yaml"), "a.example", 4)
	require.Nil(t, pollTwice(s))
	var refused int
	for _, f := range s.status() {
		if f.Path == filepath.Join(one, "y.yaml") {
			require.NotNil(t, f.BrokenSince)
			require.Contains(t, f.Problems[len(f.Problems)-1], "the zone a.example. runs from "+filepath.Join(two, "z.yaml"))
			refused++
		}
	}
	require.Equal(t, 1, refused)
	_, err = (&loader{state: state, logger: quiet}).reload(dirs(), nil)
	require.ErrorContains(t, err, "the zone a.example. runs from", "at a reload it is an error: the Corefile in force goes on")

	// Directories that go on keep their watch; the model that they make is the one that runs.
	kept, err := (&loader{state: state, logger: quiet}).reload([]*zoneDir{{path: two, shown: two}}, s.watched())
	require.NoError(t, err)
	require.Same(t, loaded[1], kept[0])
	m = s.replace(kept)
	require.Equal(t, []string{"a.example."}, names(m))
	require.Nil(t, s.replace(kept))
}

func TestSourceKeepsZonesThatDidNotChange(t *testing.T) {
	root := t.TempDir()
	dir, state := filepath.Join(root, "zones"), filepath.Join(root, "state")
	writeZone(t, filepath.Join(dir, "a.yaml"), "a.example", 1)
	load := func() []*zoneDir {
		d, err := (&loader{state: state, logger: quiet}).start([]*zoneDir{{path: dir, shown: dir}})
		require.NoError(t, err)
		return d
	}
	s := newSource(quiet, load(), nil, nil, nil, nil)
	require.Nil(t, s.replace(load()), "another watch read the same files")
}

func TestSourceWithoutItsDirectory(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "zones")
	writeZone(t, filepath.Join(dir, "a.yaml"), "a.example", 1)
	d, err := (&loader{state: filepath.Join(root, "state"), logger: quiet}).start([]*zoneDir{{path: dir, shown: dir}})
	require.NoError(t, err)
	s := newSource(quiet, d, nil, nil, nil, nil)
	require.NoError(t, os.Rename(dir, dir+".away"))
	require.Nil(t, pollTwice(s), "all goes on")
	require.Contains(t, s.status()[0].Problems[0], "no such file")
	require.NoError(t, os.Rename(dir+".away", dir))
	require.Nil(t, pollTwice(s))
	require.Len(t, s.status(), 1)
	require.Nil(t, s.status()[0].BrokenSince)
}

// TestSourceEvents: who is told by a webhook learns of a file that is refused, and when it runs again.
func TestSourceEvents(t *testing.T) {
	root := t.TempDir()
	one, two := filepath.Join(root, "one"), filepath.Join(root, "two")
	a, b := filepath.Join(one, "a.yaml"), filepath.Join(two, "b.yaml")
	writeZone(t, a, "a.example", 1)
	writeZone(t, b, "b.example", 1)
	dirs, err := (&loader{state: filepath.Join(root, "state"), logger: quiet}).start([]*zoneDir{{path: one, shown: one}, {path: two, shown: two}})
	require.NoError(t, err)
	log := event.Open(event.Options{Node: "n1"})
	s := newSource(quiet, dirs, nil, log, nil, nil)
	// told are the events since the last call, with their texts.
	var seq uint64
	told := func() (out []string) {
		pollTwice(s)
		pollTwice(s)
		events, next, _, _ := log.After(seq, event.Kept, event.Filter{})
		for _, e := range events {
			out = append(out, e.Type+" "+e.Subject+": "+e.Text)
		}
		seq = next
		return out
	}
	require.Empty(t, told())

	require.NoError(t, os.WriteFile(a, []byte("zone: a.example\nregionz: {}\n"), 0o644))
	got := told()
	require.Len(t, got, 1, "once: %s", got)
	require.Regexp(t, `^config\.broken `+a+`: \d+:\d+: error: .*`, got[0])
	require.NotContains(t, got[0], "\n")
	require.Empty(t, told())
	writeZone(t, a, "a.example", 1)
	require.Equal(t, []string{"config.mended " + a + ": "}, told(), "also when the content is the one that runs")

	require.NoError(t, os.Rename(one, one+".away"))
	require.Contains(t, told()[0], "config.broken "+one+": ")
	require.NoError(t, os.Rename(one+".away", one))
	require.Equal(t, []string{"config.mended " + one + ": "}, told())

	// A zone that another file serves, until that is taken away.
	c := filepath.Join(one, "c.yaml")
	writeZone(t, c, "b.example", 2)
	got = told()
	require.Equal(t, []string{"config.broken " + c + ": the zone b.example. runs from " + b}, got)
	require.Equal(t, b, s.model.Zones[1].File)
	require.NoError(t, os.Remove(b))
	require.Equal(t, []string{"config.mended " + c + ": "}, told())
	require.Equal(t, c, s.model.Zones[1].File)
	writeZone(t, b, "b.example", 3)
	require.Len(t, told(), 1)
	require.NoError(t, os.Remove(b))
	require.Equal(t, []string{"config.mended " + b + ": "}, told(), "the one that was refused is no trouble once it is away")
	require.Equal(t, c, s.model.Zones[1].File)

	// The last file of a zone: it runs on.
	require.NoError(t, os.Remove(c))
	got = told()
	require.Len(t, got, 1)
	require.Contains(t, got[0], "config.broken "+c)
	require.Contains(t, got[0], "the file is gone")
	require.Len(t, s.model.Zones, 2)
}

// TestSourceAtStart: of two directories, or two files, for one zone the one that served before goes on over a restart; what is broken
// or not there stops nothing else, and is picked up later.
func TestSourceAtStart(t *testing.T) {
	root := t.TempDir()
	one, two, state := filepath.Join(root, "one"), filepath.Join(root, "two"), filepath.Join(root, "state")
	require.NoError(t, os.MkdirAll(state, 0o755))
	start := func() *source {
		served := loadServed(state, quiet)
		dirs, err := (&loader{state: state, served: served.files, logger: quiet}).start([]*zoneDir{{path: one, shown: one}, {path: two, shown: two}})
		require.NoError(t, err)
		return newSource(quiet, dirs, served, nil, nil, nil)
	}
	served := func(s *source) (out []string) {
		for _, z := range s.model.Zones {
			out = append(out, z.Name+" "+strings.TrimPrefix(z.File, root))
		}
		return out
	}
	require.NoError(t, os.MkdirAll(one, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(one, "z.yml"), nil, 0o644))
	s := start()
	require.EqualError(t, s.empty(), fmt.Sprintf("no zone is served: %s has no *.yaml, but %q; zones directory: open %s: no such file or directory", one, "z.yml", two))

	require.Empty(t, *s.bare.Load(), "said by empty")
	s.dirs[1].origins = []string{"a.example.", "b.example."}
	writeZone(t, filepath.Join(two, "m.yaml"), "a.example", 1)
	require.NotNil(t, pollTwice(s), "the directory is there by now")
	require.NoError(t, s.empty())
	require.Equal(t, []string{"a.example. /two/m.yaml"}, served(s))
	require.Equal(t, []string{"b.example."}, *s.bare.Load())

	// Files that would come first by their names.
	writeZone(t, filepath.Join(one, "a.yaml"), "a.example", 2)
	writeZone(t, filepath.Join(two, "a.yaml"), "a.example", 3)
	require.NoError(t, os.WriteFile(filepath.Join(one, "b.yaml"), []byte("zone: b.example\nregionz: {}\n"), 0o644))
	for range 2 {
		s = start()
		require.Equal(t, []string{"a.example. /two/m.yaml"}, served(s))
		broken := map[string]string{}
		for _, f := range s.status() {
			if f.BrokenSince != nil {
				broken[strings.TrimPrefix(f.Path, root)] = strings.Join(f.Problems, "\n")
			}
		}
		require.Len(t, broken, 3)
		require.Contains(t, broken["/one/a.yaml"], "the zone a.example. runs from "+filepath.Join(two, "m.yaml"))
		require.Contains(t, broken["/two/a.yaml"], "the zone a.example. runs from "+filepath.Join(two, "m.yaml"))
		require.Contains(t, broken["/one/b.yaml"], "regionz")
	}
	// It breaks while nobody runs: its last good version does.
	require.NoError(t, os.WriteFile(filepath.Join(two, "m.yaml"), []byte("zone: a.example\nregionz: {}\n"), 0o644))
	s = start()
	require.Equal(t, []string{"a.example. /two/m.yaml"}, served(s))
	require.Equal(t, "192.0.2.1", s.model.Zones[0].Pools[0].Endpoints[0].V4.String())
	// What is remembered is damaged: the first file is taken, and it is not the end.
	require.NoError(t, os.WriteFile(filepath.Join(state, servedName), []byte("{"), 0o600))
	s = start()
	require.Equal(t, []string{"a.example. /one/a.yaml"}, served(s))
	require.NoError(t, os.Remove(filepath.Join(two, "m.yaml")))
	require.NoError(t, os.Remove(filepath.Join(two, "a.yaml")))
	require.Equal(t, []string{"a.example. /one/a.yaml"}, served(start()))

	// Nothing at all can be served.
	require.NoError(t, os.Remove(filepath.Join(one, "a.yaml")))
	_, err := (&loader{state: state, logger: quiet}).start([]*zoneDir{{path: one, shown: one}, {path: two, shown: two}})
	require.ErrorContains(t, err, "regionz")
}
