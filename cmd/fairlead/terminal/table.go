package terminal

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A Table aligns columns by their widest cell, counted in characters. text/tabwriter would count colours too.
type Table struct {
	Header []string
	Rows   [][]string
	// colours holds the colour of the first cell of each row.
	colours []string
	// right marks the columns that are aligned to the right.
	right map[int]bool
	// name tells the table from others with the same header.
	name string
}

// NewTable makes a table with the names of its columns.
func NewTable(header ...string) *Table { return &Table{Header: header} }

// AlignRight aligns columns to the right, as is due to numbers.
func (t *Table) AlignRight(columns ...int) *Table {
	t.right = map[int]bool{}
	for _, c := range columns {
		t.right[c] = true
	}
	return t
}

// Add adds a row whose first cell has a colour.
func (t *Table) Add(colour string, cells ...string) {
	t.Rows = append(t.Rows, cells)
	t.colours = append(t.colours, colour)
}

// Cut leaves out all rows but the first n, and says how many those are.
func (t *Table) Cut(n int) (more int) {
	if more = len(t.Rows) - n; more <= 0 {
		return 0
	}
	t.Rows, t.colours = t.Rows[:n], t.colours[:n]
	return more
}

// Write prints the table with every line indented by indent; nothing if it has no rows. Where the terminal has no room for all of it, it is
// fitted.
func (t *Table) Write(w io.Writer, s Style, indent string) {
	if len(t.Rows) == 0 {
		return
	}
	l := t.layout(s.Width - len(indent))
	if strings.Join(t.Header, "") != "" {
		fmt.Fprintln(w, indent+t.line(t.Header, l, s, Grey, nil))
	}
	for i, row := range t.Rows {
		fmt.Fprintln(w, indent+t.line(row, l, s, t.colours[i], s.Screen.changes(t, row)))
		for _, more := range l.below(row) {
			fmt.Fprintln(w, indent+more)
		}
	}
}

// Named tells the table from others with the same header, for --watch.
func (t *Table) Named(name string) *Table {
	t.name = name
	return t
}

// line is one row; marked are the cells that changed.
func (t *Table) line(row []string, l layout, s Style, colour string, marked map[int]bool) string {
	var b strings.Builder
	for i, cell := range row {
		if l.widths[i] < 0 {
			continue
		}
		cell = l.cell(i, cell)
		pad := strings.Repeat(" ", l.widths[i]-utf8.RuneCountInString(cell))
		if t.right[i] {
			cell = pad + cell
		} else {
			cell += pad
		}
		if i == 0 {
			cell = s.Paint(colour, cell)
		} else {
			b.WriteString("  ")
		}
		if marked[i] {
			cell = "\x1b[" + changed + "m" + cell + "\x1b[0m"
		}
		b.WriteString(cell)
	}
	return strings.TrimRight(b.String(), " ")
}
