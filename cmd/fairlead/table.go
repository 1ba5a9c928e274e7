package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// A table aligns columns by their widest cell, counted in characters. text/tabwriter would count colours too.
type table struct {
	header []string
	rows   [][]string
	// colours holds the colour of the first cell of each row.
	colours []string
	// right marks the columns that are aligned to the right.
	right map[int]bool
	// name tells the table from others with the same header.
	name string
}

func newTable(header ...string) *table { return &table{header: header} }

// alignRight aligns columns to the right, as is due to numbers.
func (t *table) alignRight(columns ...int) *table {
	t.right = map[int]bool{}
	for _, c := range columns {
		t.right[c] = true
	}
	return t
}

func (t *table) add(colour string, cells ...string) {
	t.rows = append(t.rows, cells)
	t.colours = append(t.colours, colour)
}

// cut leaves out all rows but the first n, and says how many those are.
func (t *table) cut(n int) (more int) {
	if more = len(t.rows) - n; more <= 0 {
		return 0
	}
	t.rows, t.colours = t.rows[:n], t.colours[:n]
	return more
}

// write prints the table with every line indented by indent; nothing if it has no rows. Where the terminal has no room for all of it, it is
// fitted.
func (t *table) write(w io.Writer, s style, indent string) {
	if len(t.rows) == 0 {
		return
	}
	l := t.layout(s.width - len(indent))
	if strings.Join(t.header, "") != "" {
		fmt.Fprintln(w, indent+t.line(t.header, l, s, grey, nil))
	}
	for i, row := range t.rows {
		fmt.Fprintln(w, indent+t.line(row, l, s, t.colours[i], s.screen.changes(t, row)))
		for _, more := range l.below(row) {
			fmt.Fprintln(w, indent+more)
		}
	}
}

// named tells the table from others with the same header, for --watch.
func (t *table) named(name string) *table {
	t.name = name
	return t
}

// line is one row; marked are the cells that changed.
func (t *table) line(row []string, l layout, s style, colour string, marked map[int]bool) string {
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
			cell = s.paint(colour, cell)
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
