package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
)

// exitWords begin the last paragraph of every help text.
var exitWords = regexp.MustCompile(`\n\nExit codes(: |, )`)

func manCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "write the manual pages of all commands",
		Long: `Man writes a manual page for each command into DIR, which is made if it is missing: fairlead.1, fairlead-drain.1 and so on. They say
what --help says. Their date is today's, or that of the environment variable SOURCE_DATE_EPOCH.

` + exit.LocalHelp,
		Example: `  fairlead man /usr/local/share/man/man1
  man -l /usr/local/share/man/man1/fairlead-drain.1`,
		Args: exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := rootCommand()
			forManual(root)
			header := &doc.GenManHeader{Title: "FAIRLEAD", Section: "1", Source: "fairlead " + programVersion(), Manual: "Fairlead"}
			if err := doc.GenManTree(root, header, args[0]); err != nil {
				return fmt.Errorf("manual pages: %w", err)
			}
			return nil
		},
	}
}

// forManual makes the texts of cmd, and of all below it, the Markdown that cobra's manual pages are made from, with a section
// for the exit codes.
func forManual(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	long := cmd.Long
	if at := exitWords.FindStringIndex(long); at != nil {
		// What comes first is a code, or words on all of them.
		codes := strings.TrimPrefix(strings.TrimPrefix(long[at[0]:], "\n\nExit codes"), ": ")
		codes = strings.TrimPrefix(codes, ", ")
		cmd.Long = markdown(long[:at[0]]) + "\n\n# EXIT STATUS\n" + markdown(strings.ToUpper(codes[:1])+codes[1:])
	} else {
		cmd.Long = markdown(long)
	}
	cmd.Short = escapeMarkdown(cmd.Short)
	escape := func(f *pflag.Flag) { f.Usage = escapeMarkdown(f.Usage) }
	cmd.LocalNonPersistentFlags().VisitAll(escape)
	cmd.PersistentFlags().VisitAll(escape)
	for _, sub := range cmd.Commands() {
		forManual(sub)
	}
}

// markdown makes plain text Markdown that reads the same: what is indented stays in its lines.
func markdown(text string) string {
	blocks := strings.Split(text, "\n\n")
	for i, b := range blocks {
		if strings.HasPrefix(b, "  ") {
			blocks[i] = "```\n" + b + "\n```"
		} else {
			blocks[i] = escapeMarkdown(b)
		}
	}
	return strings.Join(blocks, "\n\n")
}

// escapeMarkdown takes the meaning from what Markdown would read, but in `code`.
func escapeMarkdown(text string) string {
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `<`, `\<`, `[`, `\[`, `#`, `\#`).Replace(parts[i])
	}
	return strings.Join(parts, "`")
}
