package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestWhyBelow: where there is no room a sentence stands on lines of its own.
func TestWhyBelow(t *testing.T) {
	table := NewTable("STATE", "ENDPOINT", "LAST PROBE", "WHY")
	table.Add("", "down", "example.org/eu/a", "1.0s ago, took 12ms", "connection refused by 192.0.2.1:443, as everybody says")
	var b bytes.Buffer
	table.Write(&b, Style{Width: 40}, "  ")
	require.Equal(t, `  STATE  ENDPOINT
  down   example.org/eu/a
      connection refused by
      192.0.2.1:443, as everybody says
`, strings.ReplaceAll(b.String(), " \n", "\n"))
	b.Reset()
	table.Write(&b, Style{}, "")
	require.Equal(t, 2, strings.Count(b.String(), "\n"), "without a terminal everything stands in its row")
}

func TestFold(t *testing.T) {
	require.Equal(t, []string{"a bc", "def", "ghijk", "l"}, Fold("a bc def ghijkl", 5))
	require.Equal(t, []string{"a bc def"}, Fold("a bc def", 0))
	require.Equal(t, []string{""}, Fold("", 5))
}

func TestCut(t *testing.T) {
	require.Equal(t, "\x1b[31m■ do\x1b[0m", Cut("\x1b[31m■ down\x1b[0m here", 4))
	require.Equal(t, "abc", Cut("abc", 3))
	require.Equal(t, "abc", Cut("abc", 0))
}
