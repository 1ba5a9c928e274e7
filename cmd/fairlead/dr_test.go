package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDisasterRecovery: the zone files of docs/dr.md pass check, without a warning but for a geo database or what is about capacity, and the commands of its console blocks, which ask the file above
// them, print the lines that stand under them.
func TestDisasterRecovery(t *testing.T) {
	page, err := os.ReadFile("../../docs/dr.md")
	require.NoError(t, err)
	spaces := regexp.MustCompile(` +`)
	dir := t.TempDir()
	run := func(args ...string) string {
		var out strings.Builder
		root := rootCommand()
		root.SetArgs(args)
		root.SetOut(&out)
		_ = root.Execute() // an exit code that says that something is degraded
		return out.String()
	}
	zones, lines := 0, 0
	for _, m := range regexp.MustCompile("(?ms)^## ([^\n]*)$|^```(yaml|console)\n(.*?)^```$").FindAllStringSubmatch(string(page), -1) {
		switch m[2] {
		case "yaml":
			zones++
			file := filepath.Join(dir, "zone.yaml")
			require.NoError(t, os.WriteFile(file, []byte(m[3]), 0o600))
			out := run("check", file)
			require.Contains(t, out, "0 errors", m[3])
			for _, w := range regexp.MustCompile(`(?m)^.*warning: .*$`).FindAllString(out, -1) {
				require.Regexp(t, "needs a geo database in the node file|they would get 140 % of their capacity", w, m[3])
			}
		case "console":
			var line, out string
			for text := range strings.Lines(m[3]) {
				text = strings.TrimSpace(text)
				if command, ok := strings.CutPrefix(text, "$ fairlead "); ok {
					line = command
					out = spaces.ReplaceAllString(run(strings.Fields(strings.ReplaceAll(command, "zones.d", dir))...), " ")
					require.NotEmpty(t, out, line)
					continue
				}
				lines++
				require.Contains(t, out, spaces.ReplaceAllString(text, " "), "%s prints\n%s", line, out)
			}
		}
	}
	require.GreaterOrEqual(t, zones, 7)
	require.GreaterOrEqual(t, lines, 8)
}
