package history

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var begin = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func values(points []Point) (list []string) {
	for _, p := range points {
		text := "?"
		if p.Known {
			text = fmt.Sprint(p.Value)
		}
		list = append(list, p.At.UTC().Format("02 15:04:05")+" "+text)
	}
	return list
}

func TestOnlyChangesAreKept(t *testing.T) {
	l := Open(Options{}, begin)
	for i, v := range []float64{1, 1, 2, 2, 1} {
		l.Add(begin.Add(time.Duration(i)*10*time.Second), map[string]float64{"state/a": v, "other": 5})
	}
	got := l.Series("state/", begin)
	require.Len(t, got, 1)
	require.Equal(t, []string{"01 12:00:00 1", "01 12:00:20 2", "01 12:00:40 1"}, values(got["state/a"]))
	require.Equal(t, []string{"01 12:00:20 2", "01 12:00:40 1"}, values(l.Series("state/", begin.Add(30*time.Second))["state/a"]), "what held then comes first")
	l.End(begin.Add(time.Minute), func(name string) bool { return name == "state/a" })
	require.Equal(t, "01 12:01:00 ?", values(l.Series("state/", begin)["state/a"])[3])
}

func TestRestart(t *testing.T) {
	dir := t.TempDir()
	l := Open(Options{Dir: dir}, begin)
	l.Add(begin, map[string]float64{"a": 1, "b": 7})
	l.Add(begin.Add(time.Minute), map[string]float64{"a": 2, "b": 7})
	require.NoError(t, l.Close())
	// A crash cut the last line off.
	path := filepath.Join(dir, "history-2026050112.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(`{"t":17778`)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	again := begin.Add(10 * time.Minute)
	l = Open(Options{Dir: dir}, again)
	l.Add(again, map[string]float64{"a": 2})
	require.Equal(t, []string{"01 12:00:00 1", "01 12:01:00 2", "01 12:01:00 ?", "01 12:10:00 2"}, values(l.Series("a", begin)["a"]), "nothing is known of the time between")
	require.NoError(t, l.Close())
}

func TestOldHoursGo(t *testing.T) {
	dir := t.TempDir()
	l := Open(Options{Dir: dir}, begin)
	for h := range 30 {
		l.Add(begin.Add(time.Duration(h)*time.Hour), map[string]float64{"a": float64(h), "still": 3})
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.LessOrEqual(t, len(files), 26)
	require.NoError(t, l.Close())
	// Each file stands for itself: what did not change is in those that are left.
	now := begin.Add(29 * time.Hour)
	l = Open(Options{Dir: dir}, now)
	require.NotEmpty(t, l.Series("still", now.Add(-time.Hour))["still"])
	oldest := l.Series("a", begin)["a"][0].At
	require.False(t, oldest.Before(now.Add(-Span-time.Hour)), "%v", oldest)
	require.NoError(t, l.Close())
}

func TestBounds(t *testing.T) {
	l := Open(Options{}, begin)
	for i := range 2 * maxPoints {
		l.Add(begin.Add(time.Duration(i)*time.Second), map[string]float64{"a": float64(i)})
	}
	require.Len(t, l.Series("a", begin)["a"], maxPoints)
	many := make(map[string]float64)
	for i := range MaxSeries + 10 {
		many[fmt.Sprintf("s/%06d", i)] = 1
	}
	l.Add(begin.Add(time.Hour), many)
	require.Len(t, l.series, MaxSeries)

	dir := t.TempDir()
	disk := Open(Options{Dir: dir}, begin)
	for i := range 18 {
		for name := range many {
			many[name] = float64(i)
		}
		disk.Add(begin.Add(time.Duration(i)*time.Second), many)
	}
	require.NoError(t, disk.Close())
	info, err := os.Stat(filepath.Join(dir, "history-2026050112.jsonl"))
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(maxFile))
}

func TestADirectoryThatCannotBeWritten(t *testing.T) {
	l := Open(Options{Dir: filepath.Join(t.TempDir(), "nowhere")}, begin)
	l.Add(begin, map[string]float64{"a": 1})
	require.Len(t, l.Series("a", begin), 1, "it is remembered all the same")
}
