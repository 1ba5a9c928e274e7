package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
)

// TestNarrow: no line of a status is wider than the terminal, at any sensible width, and what is wrong stays on top.
func TestNarrow(t *testing.T) {
	for _, width := range []int{60, 80, 100, 120, 200} {
		var b bytes.Buffer
		report{status: nightStatus(), style: terminal.Style{Width: width}}.write(&b)
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
