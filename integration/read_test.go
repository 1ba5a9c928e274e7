package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReading: what get, describe and diff show of the real binary, before and after a drain and a new file.
func TestReading(t *testing.T) {
	waits(t)
	p := startServe(t, true, corefile, map[string]string{"storm.yaml": orderZone})
	p.awaitHealthy()
	say := func(want int, args ...string) string {
		t.Helper()
		out, code := run(t, p.bin, append(args, "--server", "unix:"+p.socket)...)
		require.Equal(t, want, code, out)
		return out
	}
	require.Contains(t, say(0, "get", "endpoints"), "● up   storm.example.org/web/one")
	require.Contains(t, say(0, "get", "zones", "-o", "wide"), "3 of 3")
	require.Contains(t, say(0, "get", "regions"), "eu-a, eu-b")
	say(0, "drain", "az", "eu-a", "--service", "api.storm.example.org", "--reason", "CHG-1")
	out := say(0, "describe", "service", "api")
	require.Contains(t, out, "192.0.2.2")
	require.NotContains(t, out, "192.0.2.1")
	require.Regexp(t, `drain az eu-a for api\.storm\.example\.org`, out)
	require.Contains(t, out, "CHG-1")
	require.Regexp(t, `50% +www\.storm\.example\.org +A`, say(0, "describe", "az", "eu-a"))
	require.Contains(t, say(0, "describe", "endpoint", "two"), "endpoint storm.example.org/web/two: ● up")
	require.Contains(t, say(0, "describe", "pool", "cold"), "fairlead ready storm.example.org/cold")
	say(1, "describe", "pool", "mars")

	zones := filepath.Join(p.dir, "zones")
	require.Contains(t, say(0, "diff", zones), "is what node")
	// A broken file: the text of what runs is kept, and a third version is compared with it.
	p.writeZone("storm.yaml", "zone: storm.example.org\nwhat: 1\n")
	await(t, "the last good version", func() bool {
		out, _ := run(t, p.bin, "status", "--server", "unix:"+p.socket)
		return strings.Contains(out, "last good")
	})
	say(2, "diff", zones)
	other := t.TempDir()
	next := filepath.Join(other, "storm.yaml")
	p.replace(next, strings.Replace(orderZone, "api: {tiers: [{web: 1}], answers: all, ttl: {max: 5s", "api: {tiers: [{web: 1}], answers: all, ttl: {max: 4s", 1))
	out = say(1, "diff", next)
	require.Regexp(t, `ttl\.max +5 -> 4`, out)
	require.Contains(t, out, "1 name changes")
}
