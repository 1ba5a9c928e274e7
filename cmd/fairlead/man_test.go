package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// walkCommands calls f for every command that has help of ours.
func walkCommands(cmd *cobra.Command, f func(*cobra.Command)) {
	if cmd.IsAdditionalHelpTopicCommand() {
		// A page of help is no command.
		return
	}
	f(cmd)
	for _, sub := range cmd.Commands() {
		walkCommands(sub, f)
	}
}

// Every command says at length what it does, with examples and its exit codes, and calls flags as the others do.
func TestHelp(t *testing.T) {
	letters := map[string]string{"output": "o", "watch": "w", "yes": "y", "verbose": "v"}
	walkCommands(rootCommand(), func(cmd *cobra.Command) {
		t.Run(cmd.CommandPath(), func(t *testing.T) {
			require.NotEmpty(t, cmd.Short)
			require.NotEqual(t, cmd.Short, cmd.Long)
			require.Regexp(t, exitWords, cmd.Long)
			require.NotEmpty(t, cmd.Example)
			for long, short := range letters {
				if f := cmd.Flags().Lookup(long); f != nil {
					require.Equal(t, short, f.Shorthand, long)
				}
			}
		})
	})
}

// Every example is a command line that is accepted.
func TestExamples(t *testing.T) {
	walkCommands(rootCommand(), func(cmd *cobra.Command) {
		own := false
		for line := range strings.Lines(cmd.Example) {
			args := exampleArgs(line)
			if args == nil {
				continue
			}
			t.Run(strings.TrimSpace(line), func(t *testing.T) {
				found, rest, err := rootCommand().Find(longFlags(args))
				require.NoError(t, err)
				own = own || strings.HasPrefix(found.CommandPath(), cmd.CommandPath())
				require.NoError(t, found.ParseFlags(rest))
				require.NoError(t, found.ValidateArgs(found.Flags().Args()))
				require.NoError(t, found.ValidateRequiredFlags())
			})
		}
		require.True(t, own, "%s has no example of itself", cmd.CommandPath())
	})
}

// exampleArgs are the words after fairlead in a shell command; nil if it is another program's.
func exampleArgs(line string) []string {
	_, text, ok := strings.Cut(line, "fairlead ")
	if !ok || strings.HasPrefix(strings.TrimSpace(line), "#") || strings.Contains(line, "man -l") {
		return nil
	}
	var args []string
	for i, part := range strings.Split(strings.TrimSpace(text), `"`) {
		if i%2 == 1 {
			args = append(args, part)
			continue
		}
		for word := range strings.FieldsSeq(part) {
			end := strings.TrimSuffix(word, ")")
			if word == ">" || word == "|" || word == "#" {
				return args
			}
			if args = append(args, end); end != word {
				return args
			}
		}
	}
	return args
}

// Every command has a manual page that a manual page's reader has nothing to say against.
func TestMan(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1800000000")
	dir := filepath.Join(t.TempDir(), "man1")
	require.Zero(t, run([]string{"man", dir}, os.Stderr))
	want := 0
	var pages []string
	walkCommands(rootCommand(), func(cmd *cobra.Command) {
		want++
		page := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		pages = append(pages, page)
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "OPTIONS", "EXAMPLE"} {
			require.Contains(t, string(text), "\n.SH "+section+"\n", page)
		}
	})
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, want)

	for name, args := range map[string][]string{"groff": {"-k", "-Tutf8", "-man", "-ww", "-z"}, "mandoc": {"-T", "lint", "-W", "error"}} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				t.Skipf("needs %s", name)
			}
			for _, page := range pages {
				out, err := exec.Command(name, append(args, page)...).CombinedOutput()
				require.NoError(t, err, "%s: %s", page, out)
				require.Empty(t, string(out), page)
			}
		})
	}
}

// The manual page reads as the help does.
func TestMarkdown(t *testing.T) {
	for text, want := range map[string]string{
		"a *b* `fairlead <x>` never_empty": "a \\*b\\* `fairlead <x>` never\\_empty",
		"one\n\n  x  y\n  z\n\ntwo":        "one\n\n```\n  x  y\n  z\n```\n\ntwo",
	} {
		require.Equal(t, want, markdown(text))
	}
}
