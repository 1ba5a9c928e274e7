package node

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func TestReportDir(t *testing.T) {
	dir := t.TempDir()
	var got []api.ReportRequest
	var logged bytes.Buffer
	d := &reportDir{
		path: dir, logger: slog.New(slog.NewTextHandler(&logged, nil)),
		report: func(r api.ReportRequest) error {
			if r.Endpoint == "z/p/none" {
				return errors.New("no such endpoint")
			}
			got = append(got, r)
			return nil
		},
		lease: func(string) time.Duration { return 30 * time.Second },
	}
	now := time.Now()
	write := func(name, text string, age time.Duration) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chtimes(path, now.Add(-age), now.Add(-age)))
	}
	look := func() []api.ReportRequest {
		got = nil
		d.look(now)
		return got
	}
	require.Empty(t, look(), "an empty directory")
	write("one.json", `{"endpoint":"z/p/one","state":"up","weight":40}`, 10*time.Second)
	first := look()
	require.Len(t, first, 1)
	require.Equal(t, "z/p/one", first[0].Endpoint)
	require.Equal(t, 40, *first[0].Weight)
	require.InDelta(t, 20, first[0].LeaseSeconds, 0.01, "the lease runs from when the file was written")
	require.Empty(t, look(), "the same version counts once")
	write("one.json", `{"endpoint":"z/p/one","state":"down"}`, 0)
	require.Len(t, look(), 1, "a new version")
	require.Empty(t, logged.String())

	for name, text := range map[string]string{
		"broken.json": `{`, "unknown.json": `{"endpoint":"z/p/one","stat":"up"}`, "two.json": `{} {}`, "nobody.json": `{"endpoint":"z/p/none","state":"up"}`,
	} {
		write(name, text, 0)
		require.Empty(t, look())
		require.Contains(t, logged.String(), name)
		logged.Reset()
		look()
		require.Empty(t, logged.String(), "said once")
	}
	write("late.json", `{"endpoint":"z/p/one","state":"up"}`, 31*time.Second)
	require.Empty(t, look())
	require.Contains(t, logged.String(), "its lease ended")
	write(".hidden.json", `{"endpoint":"z/p/one","state":"up"}`, 0)
	write("notes.txt", `x`, 0)
	require.Empty(t, look())
}
