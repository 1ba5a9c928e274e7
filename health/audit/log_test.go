package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// opened is a log in dir.
func opened(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := New(Options{Dir: dir, Node: "n1"})
	require.NoError(t, err)
	require.NoError(t, l.Open())
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// filled is a directory whose log has n entries, in segments of two entries each.
func filled(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	l := opened(t, dir)
	l.segmentOctets = 400
	for i := range n {
		require.NoError(t, l.Append(Entry{Actor: "ada", Action: "drain", Object: fmt.Sprintf("az eu-%d", i), Outcome: OutcomeOK}))
	}
	require.NoError(t, l.Close())
	return dir
}

// contents are the files of dir.
func contents(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := make(map[string][]byte)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		require.NoError(t, err)
		all[f.Name()] = b
	}
	return all
}

// with is a copy of files, one of them replaced; nil removes it.
func with(t *testing.T, files map[string][]byte, name string, b []byte) string {
	t.Helper()
	dir := t.TempDir()
	for n, content := range files {
		if n == name {
			content = b
		}
		if content != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, n), content, 0o600))
		}
	}
	return dir
}

func TestAppend(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	s, err := Verify(dir)
	require.NoError(t, err)
	require.Zero(t, s.Entries)
	var g sync.WaitGroup
	for i := range 20 {
		g.Go(func() {
			require.NoError(t, l.Append(Entry{
				Actor: "ada", From: "unix uid=0", Action: "drain", Object: fmt.Sprint(i), Reason: "a < b & c", Outcome: OutcomeOK, After: json.RawMessage(`{"id": "x"}`),
			}))
		})
	}
	g.Wait()
	s, err = Verify(dir)
	require.NoError(t, err)
	require.Equal(t, []any{uint64(20), uint64(1), uint64(20), 1}, []any{s.Entries, s.First.Seq, s.Last.Seq, s.Segments})
	require.Equal(t, []string{"n1", "ada", "unix uid=0", "a < b & c", `{"id":"x"}`, ""},
		[]string{s.Last.Node, s.Last.Actor, s.Last.From, s.Last.Reason, string(s.Last.After), string(s.Last.Before)})
	require.NotZero(t, s.Last.At)
	require.Equal(t, noHash, s.First.Prev)
	info, err := os.Stat(segmentPath(dir, 1))
	require.NoError(t, err)
	require.Equal(t, Stats{Entries: 20, Octets: info.Size()}, l.Stats())
}

// TestRestart: the log goes on where it was, however it ended, and across segments.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	for i := range 9 {
		l := opened(t, dir)
		l.segmentOctets = 400
		require.Nil(t, l.Broken())
		require.NoError(t, l.Reserve())
		require.NoError(t, l.Append(Entry{Action: "drain", Outcome: OutcomeOK}))
		if i%2 == 0 {
			require.NoError(t, l.Close())
		}
	}
	s, err := Verify(dir)
	require.NoError(t, err)
	require.EqualValues(t, 9, s.Entries)
	require.Greater(t, s.Segments, 3)
	l := opened(t, dir)
	var octets int64
	for name, b := range contents(t, dir) {
		if name != headName {
			octets += int64(len(b))
		}
	}
	require.Equal(t, Stats{Entries: 9, Octets: octets}, l.Stats())
}

func TestLongTexts(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	for _, text := range []string{strings.Repeat("x", 100_000), strings.Repeat("\x01", 5000), strings.Repeat("é", 5000), "\xff\xfe \u2028", strings.Repeat("\xff", 9000)} {
		long, err := json.Marshal(text)
		require.NoError(t, err)
		require.NoError(t, l.Append(Entry{
			Node: text, Actor: text, From: text, Action: text, Object: text, Reason: text, Outcome: text, Before: long, After: []byte("no JSON"),
		}))
	}
	_, err := Verify(dir)
	require.NoError(t, err)
	all, err := Read(dir, 0, 100)
	require.NoError(t, err)
	require.Len(t, all, 5)
	require.Contains(t, all[0].Reason, "x… (98976 octets cut)")
	require.Contains(t, string(all[0].Before), `{"cut":true,"octets":100002,"sha256":"`)
	require.Contains(t, string(all[0].After), `"octets":7`)
	var lines []byte
	for _, e := range all {
		line, err := e.Line()
		require.NoError(t, err)
		require.LessOrEqual(t, len(line), MaxLine)
		lines = append(lines, line...)
	}
	require.Equal(t, string(contents(t, dir)["audit-000001.jsonl"]), string(lines))
	e := Entry{Reason: strings.Repeat("r", 1000), Actor: strings.Repeat("a", 1000)}
	_, err = e.encode()
	require.NoError(t, err)
	require.Len(t, e.Reason, 1000, "what the API takes is kept whole")
}

// brokenFile fails where it is told to.
type brokenFile struct {
	file
	write, sync, truncate, reserved error
	// part is how much of a failing write is written all the same.
	part int
}

func (f *brokenFile) WriteAt(b []byte, at int64) (int, error) {
	if f.write == nil {
		return f.file.WriteAt(b, at)
	}
	n, _ := f.file.WriteAt(b[:min(f.part, len(b))], at)
	return n, f.write
}

func (f *brokenFile) Sync() error {
	if f.sync != nil {
		return f.sync
	}
	return f.file.Sync()
}

func (f *brokenFile) Truncate(size int64) error {
	if f.truncate != nil {
		return f.truncate
	}
	return f.file.Truncate(size)
}

func (f *brokenFile) reserve(at, octets int64) error {
	if f.reserved != nil {
		return f.reserved
	}
	return f.file.reserve(at, octets)
}

// TestFailingFile: an error leaves no half line, and the log goes on when the disk is well again.
func TestFailingFile(t *testing.T) {
	full := syscall.ENOSPC
	for name, f := range map[string]brokenFile{
		"full at once":                     {write: full},
		"full in the line":                 {write: full, part: 20},
		"full after the line":              {write: full, part: MaxLine},
		"not on disk":                      {sync: syscall.EIO},
		"half a line stays":                {write: full, part: 20, truncate: syscall.EIO},
		"a line stays that was not synced": {sync: syscall.EIO, truncate: syscall.EIO},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := opened(t, dir)
			require.NoError(t, l.Append(Entry{Action: "one"}))
			b := f
			b.file = l.file
			l.file = &b
			err := l.Append(Entry{Action: "two"})
			require.ErrorContains(t, err, "audit log: ")
			require.EqualValues(t, 1, l.Stats().Failures)
			if f.truncate == nil && f.sync == nil {
				s, err := Verify(dir)
				require.NoError(t, err)
				require.EqualValues(t, 1, s.Entries, "nothing is left of it")
			}
			b.write, b.sync, b.truncate = nil, nil, nil
			require.NoError(t, l.Append(Entry{Action: "three"}))
			require.NoError(t, l.Append(Entry{Action: "four"}))
			s, err := Verify(dir)
			require.NoError(t, err)
			want := uint64(3)
			if f.truncate != nil {
				// The line itself, or the entry that says that it was torn.
				want = 4
			}
			require.Equal(t, want, s.Entries)
			require.Nil(t, l.Broken())
		})
	}
}

func TestReserveRefused(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	require.NoError(t, l.Reserve())
	l.file = &brokenFile{file: l.file, reserved: syscall.ENOSPC}
	require.ErrorIs(t, l.Reserve(), syscall.ENOSPC)
	require.NoError(t, l.Append(Entry{Action: "all the same"}))
	l.segmentOctets = 1
	l.openFile = func(string, int) (file, error) { return nil, syscall.EROFS }
	require.ErrorIs(t, l.Reserve(), syscall.EROFS, "the next segment cannot be made")
	require.ErrorIs(t, l.Append(Entry{}), syscall.EROFS)
	l.openFile = openSegment
	require.NoError(t, l.Append(Entry{}))
	s, err := Verify(dir)
	require.NoError(t, err)
	require.Equal(t, []any{uint64(2), 2}, []any{s.Entries, s.Segments})
}

// TestFullDisk fills a real file system of 64 kB.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := mountSmall(dir); err != nil {
		t.Skipf("no tmpfs here: %v", err)
	}
	t.Cleanup(func() { _ = unmount(dir) })
	l := opened(t, dir)
	reason := strings.Repeat("r", 1000)
	kept := uint64(0)
	for {
		err := l.Reserve()
		if err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
		require.NoError(t, l.Append(Entry{Action: "drain", Reason: reason}), "what was reserved is there")
		kept++
		require.Less(t, kept, uint64(100))
	}
	for l.Append(Entry{Action: "drain", Reason: reason}) == nil {
		kept++
	}
	s, err := Verify(dir)
	require.NoError(t, err, "no half line")
	require.Equal(t, kept, s.Entries)
	again := opened(t, dir)
	require.Nil(t, again.Broken(), "a start on a full disk")
	require.ErrorIs(t, again.Append(Entry{Action: "drain", Reason: reason}), syscall.ENOSPC)
}

// TestReservedActions: a caller cannot make the log look broken.
func TestReservedActions(t *testing.T) {
	dir := t.TempDir()
	l := opened(t, dir)
	require.NoError(t, l.Append(Entry{Action: ActionBroken}))
	s, err := Verify(dir)
	require.NoError(t, err)
	require.Equal(t, "not audit-broken", s.Last.Action)
}

func TestNoDirectory(t *testing.T) {
	_, err := New(Options{})
	require.Error(t, err)
	dir := filepath.Join(t.TempDir(), "later")
	l, err := New(Options{Dir: dir})
	require.NoError(t, err)
	require.ErrorIs(t, l.Open(), fs.ErrNotExist)
	require.ErrorIs(t, l.Reserve(), fs.ErrNotExist)
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, l.Append(Entry{Action: "drain"}), "the next call tries again")
	require.NoError(t, l.Close())
	_, err = Verify(t.TempDir())
	require.True(t, errors.Is(err, fs.ErrNotExist))
	_, err = Read(t.TempDir(), 0, 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
