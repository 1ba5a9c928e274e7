package ui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func shownDiff(lines []diffLine) string {
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s\n", l.Sign, l.Text)
	}
	return b.String()
}

func TestDiff(t *testing.T) {
	split := func(s string) []string { return strings.Split(s, " ") }
	for _, tt := range []struct{ name, old, new, want string }{
		{"the same", "a b c", "a b c", ""},
		{"one line", "a b c d e f g h i", "a b c d X f g h i", " b\n c\n d\n-e\n+X\n f\n g\n h\n"},
		{"put in and taken out", "a b c", "b c d", "-a\n b\n c\n+d\n"},
		{"far apart", "1 2 3 4 5 6 7 8 9 10 11", "X 2 3 4 5 6 7 8 9 10 Y", "-1\n+X\n 2\n 3\n 4\n…\n 8\n 9\n 10\n-11\n+Y\n"},
		{"all of it", "a", "b", "-a\n+b\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines, cut := diffOf(split(tt.old), split(tt.new))
			require.Equal(t, tt.want, shownDiff(lines))
			require.False(t, cut)
		})
	}
	long := make([]string, 3*maxShown)
	lines, cut := diffOf(nil, long)
	require.Len(t, lines, maxShown)
	require.True(t, cut)
}

// TestScript: whatever two texts are, the script holds both, each in its order, and numbers their lines.
func TestScript(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		text := func() []string {
			out := make([]string, r.IntN(12))
			for i := range out {
				out[i] = string(rune('a' + r.IntN(4)))
			}
			return out
		}
		old, new := text(), text()
		var first, second []string
		for _, l := range script(old, new) {
			if l.Sign != "+" {
				first = append(first, l.Text)
				require.Equal(t, len(first), l.Old)
			}
			if l.Sign != "-" {
				second = append(second, l.Text)
				require.Equal(t, len(second), l.New)
			}
		}
		require.Equal(t, old, append([]string{}, first...))
		require.Equal(t, new, append([]string{}, second...))
	}
}
