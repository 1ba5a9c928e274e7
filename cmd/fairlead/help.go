package main

import (
	"cmp"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// helpWidth is how wide a page of help is at most: a terminal over ssh has 80 columns.
const helpWidth = 80

// foldHelp makes the pages of root and of all its commands fit helpWidth.
func foldHelp(root *cobra.Command) {
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) {
		text := strings.TrimRight(cmp.Or(cmd.Long, cmd.Short), "\n ") + "\n\n"
		if cmd.Runnable() || cmd.HasSubCommands() {
			text += cmd.UsageString()
		}
		_, _ = io.WriteString(cmd.OutOrStdout(), narrow(text, helpWidth))
	})
}

// firstColumns are the beginning of a row of a table: what is left of its last column, which is folded under itself.
var firstColumns = regexp.MustCompile(`^ +(?:-\S, --|--)?\S+(?: \S+)*? {2,}`)

// narrow folds lines of a page that are longer than width. Lines of a paragraph, and of a cell, go on from one to the next: those who wrote
// them broke them where they are longer than width. Commands of examples go on behind a backslash, as shells take them.
func narrow(text string, width int) string {
	var b strings.Builder
	lines := strings.Split(text, "\n")
	examples := false
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		if strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " ") {
			examples = line == "Examples:"
		}
		switch {
		case utf8.RuneCountInString(line) <= width:
			b.WriteString(line + "\n")
			continue
		case examples:
			foldExample(&b, line, width)
			continue
		}
		head := firstColumns.FindString(line)
		if head == "" {
			head = line[:len(line)-len(strings.TrimLeft(line, " "))]
		}
		text := line[len(head):]
		// What goes on with the same indentation belongs to it, as long as it was broken for its length.
		for last := line; i+1 < len(lines) && utf8.RuneCountInString(last) > width && goesOn(lines[i+1], len(head)); i++ {
			last = lines[i+1]
			text += " " + strings.TrimSpace(last)
		}
		for _, part := range terminal.Fold(text, width-len(head)) {
			b.WriteString(head + part + "\n")
			head = strings.Repeat(" ", len(head))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// goesOn tells whether a line has the indentation and is neither empty nor a row of a table.
func goesOn(line string, indent int) bool {
	text := strings.TrimLeft(line, " ")
	return text != "" && len(line)-len(text) == indent && (indent == 0 || firstColumns.FindString(line) == "")
}

// foldExample breaks a command before a flag or a pipe.
func foldExample(b *strings.Builder, line string, width int) {
	const end = ` \`
	for _, before := range []string{" --", " -o", " |"} {
		at := strings.LastIndex(line[:min(len(line), width-len(end)+1)], before)
		if utf8.RuneCountInString(line) <= width || at <= 0 {
			continue
		}
		b.WriteString(line[:at] + end + "\n")
		line = "     " + line[at:]
	}
	b.WriteString(line + "\n")
}
