package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var updatePage = flag.Bool("update-commands", false, "write docs/commands.md")

// TestCommandsPage: docs/commands.md has every command, under the headings of the help text.
func TestCommandsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Commands\n\nMade by `go test ./cmd/fairlead -run TestCommandsPage -update-commands`. `fairlead COMMAND --help` has flags, exit codes and examples, and\n" +
		"`fairlead man DIR` writes manual pages. How commands find a node, and log in: `fairlead connecting --help`.\n")
	root := rootCommand()
	rows := func(group string) {
		for _, cmd := range root.Commands() {
			if cmd.GroupID != group || cmd.Hidden || cmd.Name() == "help" {
				continue
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll("fairlead "+cmd.Use, "|", `\|`), strings.ReplaceAll(cmd.Short, "|", `\|`))
			for _, sub := range cmd.Commands() {
				if !sub.Hidden {
					fmt.Fprintf(&b, "| `%s` | %s |\n", strings.ReplaceAll(cmd.CommandPath()+" "+sub.Use, "|", `\|`), strings.ReplaceAll(sub.Short, "|", `\|`))
				}
			}
		}
	}
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n## %s\n\n| command | what it does |\n|---|---|\n", strings.TrimSuffix(g.Title, ":"))
		rows(g.ID)
	}
	b.WriteString("\n## Besides\n\n| command | what it does |\n|---|---|\n")
	rows("")
	const path = "../../docs/commands.md"
	if *updatePage {
		require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(have), "go test ./cmd/fairlead -run TestCommandsPage -update-commands")
}

// TestDocCommands: every command line in a block of the documents is one that the program accepts.
func TestDocCommands(t *testing.T) {
	block := regexp.MustCompile(`(?m)^(?:    +|)(?:\$ |sudo |\./|bin/)?fairlead [a-z].*$`)
	fence := regexp.MustCompile("(?ms)^(?:```|~~~) ?[a-z-]*\n(.*?)^(?:```|~~~)$")
	seen := 0
	for _, pattern := range []string{"../../docs/*.md", "../../README.md", "../../plugin/README.md"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, path := range files {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var lines []string
			for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
				lines = append(lines, block.FindAllString(m[1], -1)...)
			}
			for _, line := range block.FindAllString(fence.ReplaceAllString(string(text), ""), -1) {
				// Not in a block it is prose.
				if strings.HasPrefix(line, "    ") {
					lines = append(lines, line)
				}
			}
			for _, line := range lines {
				args := exampleArgs(docLine(line))
				if args == nil {
					continue
				}
				seen++
				t.Run(filepath.Base(path)+" "+strings.TrimSpace(line), func(t *testing.T) {
					found, rest, err := rootCommand().Find(longFlags(args))
					require.NoError(t, err)
					require.NoError(t, found.ParseFlags(rest))
					require.NoError(t, found.ValidateArgs(found.Flags().Args()))
				})
			}
		}
	}
	require.Greater(t, seen, 60)
}

// docLine is a line without what stands for something else in it: brackets, choices and dots.
func docLine(line string) string {
	line, _, _ = strings.Cut(line, "  #")
	line = regexp.MustCompile(`\[[A-Z|.]+\]|\[SERVICE\]|<\([^)]*\)`).ReplaceAllString(line, "x")
	line = regexp.MustCompile(`\b([a-z]+)\|[a-z|]+\b`).ReplaceAllString(line, "$1")
	return strings.TrimSuffix(strings.NewReplacer("...", "", " &", "", "…", "x").Replace(line), ">")
}

// TestReadmeZones: the examples of the manuals pass check without a warning.
func TestReadmeZones(t *testing.T) {
	fence := regexp.MustCompile("(?ms)^(?:```|~~~) ?yaml\n(zone: .*?)^(?:```|~~~)$")
	seen := 0
	for _, path := range []string{"../../README.md", "../../plugin/README.md", "../../docs/migration.md"} {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			seen++
			file := filepath.Join(t.TempDir(), "zone.yaml")
			require.NoError(t, os.WriteFile(file, []byte(m[1]), 0o600))
			var out strings.Builder
			root := rootCommand()
			root.SetArgs([]string{"check", file})
			root.SetOut(&out)
			require.NoError(t, root.Execute(), "%s: %s", path, out.String())
			require.Contains(t, out.String(), "0 errors, 0 warnings", "%s: %s", path, out.String())
		}
	}
	require.Equal(t, 3, seen)
}
