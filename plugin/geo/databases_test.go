package geo

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/geo/geotest"
)

// inCountry is a database that says one thing of every address.
func inCountry(code string, built int64) geotest.Database {
	return geotest.Database{Built: built, Networks: map[string]geotest.Network{"192.0.2.0/24": {Country: code}, "2001:db8::/32": {Country: code}}}
}

var client = netip.MustParseAddr("192.0.2.1")

// TestReload: a changed file is in use when two looks saw it; a broken or missing one changes nothing and is told once.
func TestReload(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewPedanticRegistry()
	path := write(t, inCountry("IE", 1000))[0]
	d := use(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Registerer: reg}, path)
	good := inCountry("US", 2000).Bytes(t)
	// age makes each version have a time of its own, whatever the clock of the file system is.
	age := 0
	put := func(content []byte) {
		age++
		require.NoError(t, os.WriteFile(path, content, 0o644))
		at := time.Now().Add(time.Duration(age) * time.Minute)
		require.NoError(t, os.Chtimes(path, at, at))
	}
	for _, step := range []struct {
		name                     string
		do                       func()
		polls                    int
		country                  string
		built, current, failures int
		said                     string
	}{
		{"as it was", func() {}, 3, "IE", 1000, 1, 0, ""},
		{"a new one, seen once", func() { put(good) }, 1, "IE", 1000, 1, 0, ""},
		{"seen twice", func() {}, 1, "US", 2000, 1, 0, `level=INFO msg="geo database loaded"`},
		{"truncated", func() { put(good[:len(good)/2]) }, 5, "US", 2000, 0, 1, "level=ERROR"},
		{"another broken one", func() { put(good[1:]) }, 5, "US", 2000, 0, 2, "level=ERROR"},
		{"empty", func() { put(nil) }, 5, "US", 2000, 0, 3, "level=ERROR"},
		{"no database", func() { put([]byte("hello")) }, 5, "US", 2000, 0, 4, "level=ERROR"},
		{"gone", func() { require.NoError(t, os.Remove(path)) }, 5, "US", 2000, 0, 5, "no such file"},
		{"a directory", func() { require.NoError(t, os.Mkdir(path, 0o755)) }, 5, "US", 2000, 0, 6, "not a regular file"},
		{"back", func() { require.NoError(t, os.Remove(path)); put(inCountry("DE", 3000).Bytes(t)) }, 2, "DE", 3000, 1, 6, `level=INFO msg="geo database loaded"`},
		{"renamed over", func() { inCountry("FR", 4000).Write(t, path) }, 2, "FR", 4000, 1, 6, "level=INFO"},
		{"away", func() { require.NoError(t, os.Rename(path, path+".away")) }, 3, "FR", 4000, 0, 7, "level=ERROR"},
		{"the same one is back", func() { require.NoError(t, os.Rename(path+".away", path)) }, 3, "FR", 4000, 1, 7, `msg="geo database usable again"`},
	} {
		log.Reset()
		step.do()
		for range step.polls {
			d.poll()
		}
		require.Equal(t, step.country, d.Locate(client).Country, step.name)
		name := filepath.Base(path)
		require.EqualValues(t, step.built, testutil.ToFloat64(d.metrics.built.WithLabelValues(name)), step.name)
		require.EqualValues(t, step.current, testutil.ToFloat64(d.metrics.current.WithLabelValues(name)), step.name)
		require.EqualValues(t, step.failures, testutil.ToFloat64(d.metrics.reloadFailures.WithLabelValues(name)), step.name)
		if step.said == "" {
			require.Empty(t, log.String(), step.name)
		} else {
			require.Contains(t, log.String(), step.said, step.name)
			require.Equal(t, 1, strings.Count(log.String(), "\n"), "%s: %s", step.name, log.String())
		}
	}
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

// TestUnreadable: an error that is not the content's is gone without a new version.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root can read everything")
	}
	path := write(t, inCountry("IE", 1000))[0]
	d := use(t, Options{}, path)
	inCountry("US", 2000).Write(t, path)
	require.NoError(t, os.Chmod(path, 0))
	for range 5 {
		d.poll()
	}
	require.Equal(t, "IE", d.Locate(client).Country)
	require.NoError(t, os.Chmod(path, 0o644))
	d.poll()
	d.poll()
	require.Equal(t, "US", d.Locate(client).Country)
}

// TestUse: a new list of files replaces the old one, what has not changed is not read again, and nothing goes back to an
// older version.
func TestUse(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	paths := write(t, inCountry("IE", 1000), asn)
	d := use(t, Options{Registerer: reg}, paths...)
	old := d.set.Load()
	s, err := d.Read(paths[:1])
	require.NoError(t, err)
	require.Same(t, old.databases[0], s.databases[0])
	// Meanwhile the watch finds a newer version.
	inCountry("US", 2000).Write(t, paths[0])
	d.poll()
	d.poll()
	require.Equal(t, Place{Country: "US", ASN: 64500, Bits: 28}, *d.Locate(client))
	d.Use(s)
	require.Equal(t, Place{Country: "US", Bits: 24}, *d.Locate(client))
	n, err := testutil.GatherAndCount(reg, "fairlead_geo_database_current")
	require.NoError(t, err)
	require.Equal(t, 1, n)

	s, err = d.Read(nil)
	require.NoError(t, err)
	require.False(t, d.Empty())
	d.Use(s)
	require.True(t, d.Empty())
	require.Same(t, nowhere, d.Locate(client))
	d.poll()
}

func TestReadErrors(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
		return path
	}
	good := city.Bytes(t)
	pipe := filepath.Join(dir, "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	sparse := file("sparse", nil)
	require.NoError(t, os.Truncate(sparse, maxFile+1))
	many := make([]string, maxDatabases+1)
	for _, tt := range []struct {
		name  string
		paths []string
		want  string
	}{
		{"missing", []string{filepath.Join(dir, "nothing")}, "nothing: no such file"},
		{"directory", []string{dir}, "not a regular file"},
		{"pipe", []string{pipe}, "not a regular file"},
		{"text", []string{file("text", []byte("hello"))}, "text: "},
		{"empty", []string{file("empty", nil)}, "empty: "},
		{"too large", []string{sparse}, "at most 1073741824 are read"},
		{"knows nothing", []string{file("n", geotest.Database{Networks: map[string]geotest.Network{"192.0.2.0/24": {}}}.Bytes(t))}, `n: a database of type "Test-City" without`},
		{"no network", []string{file("e", geotest.Database{}.Bytes(t))}, "without continent"},
		{"one name twice", []string{file("a/x.mmdb", good), file("b/x.mmdb", good)}, "has the same name"},
		{"too many", many, "9 files, at most 8"},
		{"all are named", []string{filepath.Join(dir, "one"), filepath.Join(dir, "two")}, "two: no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, err := New(Options{})
			require.NoError(t, err)
			s, err := d.Read(tt.paths)
			require.Nil(t, s)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestReadersDuringReload: lookups go on while files are replaced, and each sees one version or the other.
func TestReadersDuringReload(t *testing.T) {
	path := write(t, inCountry("IE", 1))[0]
	d := use(t, Options{}, path)
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for ctx.Err() == nil {
				addr := netip.AddrFrom4([4]byte{192, 0, 2, byte(rnd.Uint32())})
				if p := d.Locate(addr); p.Country != "IE" && p.Country != "US" || p.Bits != 24 {
					t.Errorf("%s: %+v", addr, *p)
					return
				}
			}
		})
	}
	for i := range 30 {
		inCountry([]string{"US", "IE"}[i%2], int64(i)).Write(t, path)
		d.poll()
		d.poll()
		if s, err := d.Read([]string{path}); err != nil {
			t.Error(err)
		} else {
			d.Use(s)
		}
	}
	cancel()
	wg.Wait()
}

// TestRunEnds: the watch is bound to its context.
func TestRunEnds(t *testing.T) {
	d := use(t, Options{}, write(t, city)...)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, d.Run(ctx))
}

// FuzzDatabase: whatever a file holds, opening it and asking it neither panics nor takes long. The file is a good one with
// some octets changed, three per edit: two for the place, one for the change.
func FuzzDatabase(f *testing.F) {
	var good [][]byte
	for _, size := range []int{24, 28, 32} {
		db := city
		db.RecordSize = size
		good = append(good, db.Bytes(f))
	}
	good = append(good, asn.Bytes(f))
	for i := range good {
		f.Add(byte(i), []byte{})
		f.Add(byte(i), []byte{0, 7, 0xff})
		f.Add(byte(i), []byte{0, 200, 1, 3, 0, 0x80})
	}
	ready := newSet(nil).ready
	f.Fuzz(func(t *testing.T, which byte, edits []byte) {
		content := bytes.Clone(good[int(which)%len(good)])
		for ; len(edits) >= 3; edits = edits[3:] {
			content[int(binary.BigEndian.Uint16(edits))%len(content)] ^= edits[2]
		}
		r, err := open(content)
		if err != nil {
			return
		}
		clear(ready)
		s := &Set{databases: []*database{{reader: r}}, ready: ready}
		for _, a := range []string{"192.0.2.1", "192.0.2.200", "198.51.100.1", "2001:db8::1", "255.255.255.255", "::"} {
			addr := netip.MustParseAddr(a)
			if p, _ := s.locate(addr); p.Bits < 0 || p.Bits > addr.BitLen() {
				t.Fatalf("%s: %d bits", a, p.Bits)
			}
		}
	})
}

// TestGarbage: the same with more and larger changes, without a search.
func TestGarbage(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	good, opened := city.Bytes(t), 0
	for range 20_000 {
		content := bytes.Clone(good)
		for range 1 + rnd.IntN(4) {
			content[rnd.IntN(len(content))] = byte(rnd.Uint32())
		}
		if rnd.IntN(8) == 0 {
			content = content[:rnd.IntN(len(content))]
		}
		r, err := open(content)
		if err != nil {
			continue
		}
		opened++
		s := &Set{databases: []*database{{reader: r}}, ready: make([]atomic.Pointer[entry], places)}
		for range 20 {
			s.locate(netip.AddrFrom4([4]byte{192, 0, 2, byte(rnd.Uint32())}))
		}
	}
	require.Greater(t, opened, 1000, "some changes are harmless")
}
