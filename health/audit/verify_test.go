package audit

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// wantBroken wants a *ChainError of Verify.
func wantBroken(t *testing.T, dir, what string) *ChainError {
	t.Helper()
	_, err := verify(dir)
	broken, ok := errors.AsType[*ChainError](err)
	require.True(t, ok, "%s: not found: %v", what, err)
	require.NotEmpty(t, broken.File, what)
	require.Positive(t, broken.Line, what)
	return broken
}

func TestEveryOctetChanged(t *testing.T) {
	files := contents(t, filled(t, 3))
	require.Len(t, files, 3, "two segments and a head")
	dir := with(t, files, "", nil)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for i, c := range files[name] {
			for _, to := range []byte{c ^ 1, c ^ 0x20, '\n', 0, '0'} {
				if to == c {
					continue
				}
				b := slices.Clone(files[name])
				b[i] = to
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
				wantBroken(t, dir, fmt.Sprintf("%s, octet %d, %q to %q", name, i, c, to))
			}
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), files[name], 0o600))
	}
	_, err := Verify(dir)
	require.NoError(t, err)
}

func TestLinesAndFiles(t *testing.T) {
	files := contents(t, filled(t, 7))
	require.Len(t, files, 5, "four segments and a head")
	lines := func(name string) [][]byte {
		return bytes.SplitAfter(bytes.TrimSuffix(files[name], nil), []byte("\n"))[:bytes.Count(files[name], []byte("\n"))]
	}
	changed := func(what, name string, b []byte) {
		t.Run(what+" of "+name, func(t *testing.T) {
			dir := with(t, files, name, b)
			wantBroken(t, dir, what)
			// The node starts all the same, and the break stays found, also after the next start.
			for range 2 {
				l := opened(t, dir)
				require.NoError(t, l.Append(Entry{Action: "drain"}))
				require.NoError(t, l.Close())
				wantBroken(t, dir, what+", gone on")
			}
		})
	}
	for name := range files {
		changed("removal", name, nil)
		changed("emptying", name, []byte{})
		if name != "audit-000004.jsonl" {
			// There, it is what a crash leaves.
			changed("an octet more at the end", name, append(slices.Clone(files[name]), 'x'))
		}
		changed("an octet more at the start", name, append([]byte{' '}, files[name]...))
		if name == headName {
			continue
		}
		for i := range lines(name) {
			changed(fmt.Sprintf("line %d removed", i+1), name, bytes.Join(slices.Delete(lines(name), i, i+1), nil))
			changed(fmt.Sprintf("line %d doubled", i+1), name, bytes.Join(slices.Insert(lines(name), i, lines(name)[i]), nil))
		}
		if l := lines(name); len(l) > 1 {
			l[0], l[1] = l[1], l[0]
			changed("order", name, bytes.Join(l, nil))
		}
	}
}

// TestOneSegmentPerBreak: starting again and again does not make a break greater.
func TestOneSegmentPerBreak(t *testing.T) {
	files := contents(t, filled(t, 4))
	name := "audit-000002.jsonl"
	dir := with(t, files, name, bytes.Replace(files[name], []byte("eu-3"), []byte("eu-9"), 1))
	for i := range 3 {
		l := opened(t, dir)
		require.NotNil(t, l.Broken())
		require.Contains(t, l.Broken().Error(), name+":2: changed")
		require.True(t, l.Stats().Broken)
		require.NoError(t, l.Append(Entry{Action: "drain", Object: fmt.Sprint(i)}))
		require.NoError(t, l.Close())
	}
	all, err := segments(dir)
	require.NoError(t, err)
	require.Len(t, all, 3)
	broken := wantBroken(t, dir, "")
	require.Equal(t, []any{filepath.Join(dir, name), 2}, []any{broken.File, broken.Line})
	got, err := Read(dir, 4, 10)
	require.NoError(t, err, "what comes after the break can be read")
	require.Equal(t, ActionBroken, got[0].Action)
	require.Len(t, got, 4)
}

// TestTorn: the process dies anywhere in the last line.
func TestTorn(t *testing.T) {
	files := contents(t, filled(t, 4))
	name := "audit-000002.jsonl"
	line := bytes.Index(files[name], []byte("\n")) + 1
	e, why := decode(files[name][:line-1])
	require.Empty(t, why)
	before := link{e.Seq, e.Hash}
	for at := line + 1; at < len(files[name]); at++ {
		dir := with(t, files, name, files[name][:at])
		// The head moves after the line is on disk.
		require.NoError(t, makeHead(dir, before))
		require.True(t, wantBroken(t, dir, "torn").torn)
		l := opened(t, dir)
		require.Nil(t, l.Broken(), "octet %d", at)
		require.NoError(t, l.Append(Entry{Action: "drain"}))
		s, err := Verify(dir)
		require.NoError(t, err, "octet %d", at)
		require.EqualValues(t, 5, s.Entries)
		torn, err := os.ReadFile(filepath.Join(dir, tornName+"1"))
		require.NoError(t, err)
		require.Equal(t, string(files[name][line:at]), string(torn))
		got, err := Read(dir, 3, 1)
		require.NoError(t, err)
		require.Equal(t, []string{ActionTorn, tornName + "1"}, []string{got[0].Action, got[0].Object})
		require.NoError(t, l.Close())
	}
}

// TestTornButKnown: a line whose end is gone after it was acknowledged is no crash.
func TestTornButKnown(t *testing.T) {
	files := contents(t, filled(t, 2))
	name := "audit-000001.jsonl"
	dir := with(t, files, name, files[name][:len(files[name])-5])
	l := opened(t, dir)
	require.ErrorContains(t, l.Broken(), "cut off: the last entry is 1, and audit.head knows 2")
}

func TestRead(t *testing.T) {
	dir := filled(t, 9)
	for _, tt := range []struct {
		after       uint64
		limit       int
		first, last uint64
	}{{0, 100, 1, 9}, {0, 2, 1, 2}, {3, 3, 4, 6}, {8, 5, 9, 9}} {
		got, err := Read(dir, tt.after, tt.limit)
		require.NoError(t, err)
		require.Equal(t, []uint64{tt.first, tt.last}, []uint64{got[0].Seq, got[len(got)-1].Seq})
	}
	for _, after := range []uint64{9, 10, 1 << 63} {
		got, err := Read(dir, after, 5)
		require.NoError(t, err)
		require.Empty(t, got)
	}
	for limit, first := range map[int]uint64{1: 9, 4: 6, 100: 1} {
		got, err := Last(dir, limit)
		require.NoError(t, err)
		require.Equal(t, []uint64{first, 9}, []uint64{got[0].Seq, got[len(got)-1].Seq})
	}
	empty := t.TempDir()
	opened(t, empty)
	got, err := Last(empty, 5)
	require.NoError(t, err)
	require.Empty(t, got)
}

func FuzzDecode(f *testing.F) {
	e := Entry{Seq: 1, Prev: noHash, Action: "drain"}
	line, err := e.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line[:len(line)-1])
	f.Add([]byte(`,"hash":"` + noHash + `"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		before := slices.Clone(line)
		e, why := decode(line)
		if !bytes.Equal(before, line) {
			t.Fatal("decode changed its input")
		}
		if why == "" && len(e.Hash) != hashLen {
			t.Fatalf("no hash in %q", line)
		}
	})
}
