package terminal

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// leastCell is how narrow a cell is made at most.
	leastCell = 12
	// leastText is how much room a column of text needs to be wrapped in its place.
	leastText = 24
	// BelowIndent is how far what stands on lines of its own is indented.
	BelowIndent = 4
)

// explaining are headers of last columns that hold sentences: where there is no room they stand on lines of their own. Those of tables without
// headers are wrapped.
var explaining = []string{"WHY", "NOTE", "REASON", "TROUBLE", "WHO AND WHY", "WHY NOT DELIVERED"}

// expendable are headers of columns that are left out where there is no room, what helps least first.
var expendable = []string{
	"LAST PROBE", "IN A ROW", "VERSION", "LATENCY", "PLAN", "DELIVERED", "MADE", "#", "SEEN", "CHECK", "CONFIG", "HEARD OF", "TYPES", "REGION", "FROM",
	"IN CACHES", "RTO", "ADDRESS", "OUTCOME", "AZ",
}

// A layout is how wide the columns of a table are: -1 for those that are left out or stand on lines of their own.
type layout struct {
	widths []int
	// text is the column that stands below its row, or hangs in its place; -1 for none. hang is how far it is indented, room what there is.
	text, hang, room int
}

// layout fits the table into room columns; room <= 0 is as much as it needs.
func (t *Table) layout(room int) layout {
	l := layout{widths: make([]int, len(t.Header)), text: -1, room: room}
	for _, row := range append([][]string{t.Header}, t.Rows...) {
		for i, cell := range row {
			l.widths[i] = max(l.widths[i], utf8.RuneCountInString(cell))
		}
	}
	last := len(t.Header) - 1
	if room <= 0 || l.total() <= room || last < 1 {
		return l
	}
	headed := strings.Join(t.Header, "") != ""
	if headed && (t.Header[last] == "" || slices.Contains(explaining, t.Header[last])) {
		l.text, l.hang, l.widths[last] = last, BelowIndent, -1
	}
	for _, word := range expendable {
		if i := slices.Index(t.Header, word); i > 0 && l.widths[i] >= 0 && l.total() > room {
			l.widths[i] = -1
		}
	}
	if over := l.total() - room; over > 0 && !headed && l.widths[last]-over >= leastText {
		l.text, l.widths[last] = last, l.widths[last]-over
		l.hang = l.total() - l.widths[last]
	}
	for over := l.total() - room; over > 0; over = l.total() - room {
		widest := slices.Index(l.widths, slices.Max(l.widths))
		if l.widths[widest] <= leastCell {
			break
		}
		l.widths[widest] = max(leastCell, l.widths[widest]-over)
	}
	return l
}

// total is how wide a row is.
func (l *layout) total() (sum int) {
	for _, w := range l.widths {
		if w >= 0 {
			sum += w + 2
		}
	}
	return max(0, sum-2)
}

// cell is a cell as far as there is room: of names the end tells more than the beginning.
func (l *layout) cell(i int, text string) string {
	if l.text == i {
		return Fold(text, l.widths[i])[0]
	}
	if r := []rune(text); len(r) > l.widths[i] {
		return "…" + string(r[len(r)-l.widths[i]+1:])
	}
	return text
}

// below are the lines below a row.
func (l *layout) below(row []string) []string {
	if l.text < 0 || row[l.text] == "" || row[l.text] == "-" {
		return nil
	}
	lines := Fold(row[l.text], l.room-l.hang)
	if l.widths[l.text] >= 0 {
		lines = lines[1:]
	}
	for i := range lines {
		lines[i] = strings.Repeat(" ", l.hang) + lines[i]
	}
	return lines
}

// Fold breaks text into lines of width characters, between words where it can; width <= 0 is one line.
func Fold(text string, width int) (lines []string) {
	if width <= 0 {
		return []string{text}
	}
	line := ""
	for _, word := range strings.Split(text, " ") {
		for utf8.RuneCountInString(word) > width {
			r := []rune(word)
			if line != "" {
				lines, line = append(lines, line), ""
			}
			lines, word = append(lines, string(r[:width])), string(r[width:])
		}
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// Say prints a sentence, on as many lines as the terminal that w is needs for it.
func Say(w io.Writer, format string, args ...any) {
	for i, line := range Fold(fmt.Sprintf(format, args...), ColumnsLeft(w, BelowIndent/2)) {
		if i > 0 {
			line = strings.Repeat(" ", BelowIndent/2) + line
		}
		fmt.Fprintln(w, line)
	}
}

// Cut is a line of a terminal as far as width characters; escape sequences take no room and are kept.
func Cut(line string, width int) string {
	if width <= 0 {
		return line
	}
	var b strings.Builder
	n, escape := 0, false
	for _, r := range line {
		switch {
		case escape:
			escape = r < '@' || r > '~' || r == '['
		case r == '\x1b':
			escape = true
		default:
			if n++; n > width {
				continue
			}
		}
		b.WriteRune(r)
	}
	return b.String()
}
