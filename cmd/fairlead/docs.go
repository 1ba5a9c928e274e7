package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
)

func docsCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "docs KEY",
		Short: "what a key of a zone, node or plan file does: its range, default and an example",
		Long: `Docs prints the entries of a key. KEY is its name, as in hold, or more of its path, as in failback.hold or services.SERVICE.ttl;
names of your choice can be left out. A name that several keys have prints all of them. docs/zone-reference.md, docs/node-reference.md and
docs/plan-reference.md in the repository have all keys.

` + exit.LocalHelp,
		Example: `  fairlead docs failback
  fairlead docs ttl.max
  fairlead docs --file node gossip`,
		Args:              exit.Args(cobra.ExactArgs(1)),
		ValidArgsFunction: completeKeys,
	}
	cmd.Flags().StringVar(&file, "file", "", "zone, node or plan: keys of that file alone")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if file != "" && file != "zone" && file != "node" && file != "plan" {
			return exit.Usagef(cmd, "--file %s: want zone, node or plan", file)
		}
		found := keysNamed(args[0], file)
		if len(found) == 0 {
			return exit.WithHint(fmt.Errorf("no key %q", args[0]), "%s", meantKey(args[0]))
		}
		for i, d := range found {
			if i > 0 {
				fmt.Fprintln(cmd.OutOrStdout())
			}
			writeKey(cmd.OutOrStdout(), &d)
		}
		return nil
	}
	return cmd
}

// plainPath is a path without names of the user's choice and marks of lists.
func plainPath(path string) string {
	var keys []string
	for key := range strings.SplitSeq(strings.ReplaceAll(path, "[]", ""), ".") {
		if key != strings.ToUpper(key) {
			keys = append(keys, key)
		}
	}
	return strings.Join(keys, ".")
}

// keysNamed are the entries whose path is, or ends with, the one that is asked for.
func keysNamed(asked, file string) (found []config.KeyDoc) {
	asked = plainPath(strings.Trim(asked, ". "))
	for _, d := range config.KeyDocs() {
		path := plainPath(d.Path)
		if asked != "" && (file == "" || d.File == file) && (path == asked || strings.HasSuffix(path, "."+asked)) {
			found = append(found, d)
		}
	}
	return found
}

func meantKey(asked string) string {
	var names []string
	for _, d := range config.KeyDocs() {
		names = append(names, d.Name(), plainPath(d.Path))
	}
	if near := exit.Nearest(asked, names); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "`fairlead docs --help` says how keys are named"
}

func writeKey(w io.Writer, d *config.KeyDoc) {
	fmt.Fprintf(w, "%s (%s file)\n  %s\n", d.Path, d.File, d.Text)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-9s%s\n", what, text)
		}
	}
	line("value", d.Type)
	if d.Range != "" && !strings.Contains(d.Type, d.Range) {
		line("range", d.Range)
	}
	switch above := d.Above(); {
	case d.Required && above == "":
		line("default", "none: it is required")
	case d.Required:
		line("default", "none: it is required where "+above+" stands")
	default:
		line("default", d.Default)
	}
	line("keys", strings.Join(d.Holds, ", "))
	line("example", d.Example)
}

// completeKeys offers the names of keys.
func completeKeys(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, d := range config.KeyDocs() {
		names = append(names, plainPath(d.Path))
	}
	slices.Sort(names)
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}
