package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/health"
)

// TestNarrow: no line of a status is wider than the terminal, at any sensible width, and what is wrong stays on top.
func TestNarrow(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120, 200} {
		var b bytes.Buffer
		report{status: nightStatus(), style: style{width: width}}.write(&b)
		lines := strings.Split(b.String(), "\n")
		require.True(t, strings.HasPrefix(lines[0], health.Down.Shape()+" nothing of zones.d/new.yaml is served"), lines[0])
		for _, line := range lines {
			require.LessOrEqual(t, utf8.RuneCountInString(line), width, "%d: %q", width, line)
		}
		for _, word := range []string{"web-eu/web-1a", "connection refused", "timeout after 1s before the first byte"} {
			require.Contains(t, strings.Join(strings.Fields(b.String()), " "), word)
		}
		require.Equal(t, width < 100, !strings.Contains(b.String(), "LAST PROBE"), "%d", width)
	}
}

// TestWhyBelow: where there is no room a sentence stands on lines of its own.
func TestWhyBelow(t *testing.T) {
	table := newTable("STATE", "ENDPOINT", "LAST PROBE", "WHY")
	table.add("", "down", "example.org/eu/a", "1.0s ago, took 12ms", "connection refused by 192.0.2.1:443, as everybody says")
	var b bytes.Buffer
	table.write(&b, style{width: 40}, "  ")
	require.Equal(t, `  STATE  ENDPOINT
  down   example.org/eu/a
      connection refused by
      192.0.2.1:443, as everybody says
`, strings.ReplaceAll(b.String(), " \n", "\n"))
	b.Reset()
	table.write(&b, style{}, "")
	require.Equal(t, 2, strings.Count(b.String(), "\n"), "without a terminal everything stands in its row")
}

func TestFold(t *testing.T) {
	require.Equal(t, []string{"a bc", "def", "ghijk", "l"}, fold("a bc def ghijkl", 5))
	require.Equal(t, []string{"a bc def"}, fold("a bc def", 0))
	require.Equal(t, []string{""}, fold("", 5))
}

func TestCut(t *testing.T) {
	require.Equal(t, "\x1b[31m■ do\x1b[0m", cut("\x1b[31m■ down\x1b[0m here", 4))
	require.Equal(t, "abc", cut("abc", 3))
	require.Equal(t, "abc", cut("abc", 0))
}
