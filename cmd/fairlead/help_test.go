package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// Every page of help fits a terminal of 80 columns.
func TestHelpFits(t *testing.T) {
	pages := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		var b bytes.Buffer
		cmd.SetOut(&b)
		require.NoError(t, cmd.Help())
		for line := range strings.SplitSeq(b.String(), "\n") {
			require.LessOrEqual(t, utf8.RuneCountInString(line), helpWidth, "%s: %s", cmd.CommandPath(), line)
		}
		require.Contains(t, b.String(), "\n\n", cmd.CommandPath())
		pages++
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(rootCommand())
	require.Greater(t, pages, 40)
}

func TestNarrowPage(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"short lines stay", "one\ntwo\n", "one\ntwo\n"},
		{"a paragraph goes on", "one two three four five six\nseven\n", "one two three four\nfive six seven\n"},
		{"a short line ends it", "one two three four\nseven\n", "one two three four\nseven\n"},
		{"a row of a table", "  x   one two three four five\n  y   six\n", "  x   one two three\n      four five\n  y   six\n"},
		{"a flag", "  -o, --out   one two three\n", "  -o, --out   one\n              two\n              three\n"},
		{"a cell that was broken", "  x   one two three four five\n      six\n", "  x   one two three\n      four five six\n"},
		{"an example", "Examples:\n  a b --long value --c\n", "Examples:\n  a b \\\n      --long value --c\n"},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, narrow(tt.in, 20)) })
	}
}
