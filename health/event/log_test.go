package event

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := Open(Options{Node: "n1", Dir: dir})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		_, next, _, more := l.After(0, 10, Filter{})
		require.Zero(t, next)
		l.Add("endpoint.down", "example.org/web/one", "refused", map[string]any{"old": "up"})
		<-more
		l.Add("intent.created", "az eu-a", "drain", nil)
		events, next, missed, _ := l.After(0, 10, Filter{Types: []string{"endpoint.*"}})
		require.False(t, missed)
		require.Len(t, events, 1)
		require.Equal(t, uint64(2), next, "what is not meant is passed over")
		require.Len(t, l.Last(10, Filter{Subject: "eu-a"}), 1)
		require.Empty(t, l.Last(10, Filter{Types: []string{"endpoint"}}))
		time.Sleep(time.Second) // in a bubble
		cancel()
		require.NoError(t, <-done)
	})
	// A crash cuts off a line; numbers go on, far enough from those that were lost.
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_APPEND|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = f.WriteString(`{"seq":3,"ty`)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	l := Open(Options{Node: "n1", Dir: dir})
	require.Len(t, l.Last(10, Filter{}), 2)
	l.Add("config.taken_up", "zones", "", nil)
	require.Equal(t, uint64(gap+1), l.Seq())
	events, _, missed, _ := l.After(2, 10, Filter{})
	require.Len(t, events, 1)
	require.False(t, missed)
	l.write()
	again := Open(Options{Node: "n1", Dir: dir})
	require.Len(t, again.Last(10, Filter{}), 3, "what stands behind the line that was cut off is read")
}

// Who was away for too long is told so, and goes on with what is kept.
func TestRing(t *testing.T) {
	l := Open(Options{Node: "n1"})
	for i := range 3 * Kept {
		l.Add("endpoint.up", fmt.Sprint(i), "", nil)
	}
	events, next, missed, _ := l.After(5, 3, Filter{})
	require.True(t, missed)
	require.Len(t, events, 3)
	require.Equal(t, uint64(2*Kept+1), events[0].Seq)
	require.Equal(t, uint64(2*Kept+3), next)
	_, _, missed, _ = l.After(l.Seq()-1, 3, Filter{})
	require.False(t, missed)
	var none *Log
	none.Add("x", "", "", nil)
}

// What is too long to be read back, and what no JSON can say, costs nothing but itself.
func TestUnwritable(t *testing.T) {
	dir := t.TempDir()
	l := Open(Options{Node: "n1", Dir: dir})
	l.Add("a", "", "", map[string]any{"x": strings.Repeat("x", maxLine)})
	l.Add("b", "", "", map[string]any{"x": func() {}})
	l.Add("c", "", "", nil)
	l.write()
	require.InDelta(t, 2, testutil.ToFloat64(l.dropped), 0)
	again := Open(Options{Node: "n1", Dir: dir}).Last(10, Filter{})
	require.Len(t, again, 1)
	require.Equal(t, "c", again[0].Type)
}

// A number from a log that was lost does not hold back what the new one has.
func TestAfterANumberFromElsewhere(t *testing.T) {
	l := Open(Options{Node: "n1"})
	l.Add("endpoint.down", "a", "", nil)
	events, next, missed, _ := l.After(200_017, 10, Filter{})
	require.True(t, missed)
	require.Len(t, events, 1)
	require.Equal(t, uint64(1), next)
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"seq":1,"at":"2026-01-01T00:00:00Z","type":"endpoint.up"}` + "\n"))
	f.Add([]byte("{\n[]\nnull\n"))
	f.Add([]byte(`{"seq":18446744073709551615}` + "\n" + `{"seq":7}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o600))
		l := Open(Options{Node: "n1", Dir: dir})
		was := l.Seq()
		l.Add("endpoint.up", "", "", nil)
		require.Greater(t, l.Seq(), was)
		for _, e := range l.Last(Kept, Filter{}) {
			require.LessOrEqual(t, e.Seq, l.Seq())
		}
	})
}
