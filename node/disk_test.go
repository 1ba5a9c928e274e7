package node

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health/event"
)

// TestDiskTrial: a directory that cannot be written is said once, and so is the end of it.
func TestDiskTrial(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	require.NoError(t, os.Mkdir(dir, 0o700))
	var logged bytes.Buffer
	events := event.Open(event.Options{})
	d := newDiskTrial(dir, func() string { return "n1" }, events, slog.New(slog.NewTextHandler(&logged, nil)), prometheus.NewRegistry())
	now := time.Now()
	d.look(now)
	require.Nil(t, d.trouble.Load())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, os.Remove(dir))
	d.look(now.Add(time.Second))
	d.look(now.Add(2 * time.Second))
	u := d.trouble.Load()
	require.Equal(t, now.Add(time.Second), u.Since)
	require.ErrorContains(t, d.try(), u.Reason)
	require.Zero(t, testutil.ToFloat64(d.writes))
	require.NoError(t, os.Mkdir(dir, 0o700))
	d.look(now.Add(3 * time.Second))
	require.Nil(t, d.trouble.Load())
	require.Equal(t, 1.0, testutil.ToFloat64(d.writes))
	require.Equal(t, 2, bytes.Count(logged.Bytes(), []byte("\n")))
}
