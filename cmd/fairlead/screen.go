package main

import (
	"regexp"
	"slices"
	"strings"
)

// A screen remembers the cells of the drawing before, so that the next one can mark those that are others. A nil screen marks
// nothing.
type screen struct {
	// before is the last drawing, now the one in the making; both by table, row and column.
	before, now map[string]string
}

// turn makes the drawing that is complete the one before.
func (s *screen) turn() { s.before, s.now = s.now, nil }

// identities are the headers of columns that tell one row from another: the first of them in a table does.
var identities = []string{"ENDPOINT", "POOL", "SERVICE", "ZONE", "ID", "NODE", "REGION", "AZ"}

// restless are those of columns that change by themselves.
var restless = []string{"SINCE", "IN A ROW", "LAST PROBE", "HEARD", "HEARD OF", "UNTIL", "LATENCY", "SEEN"}

// passing is a time that passes: "(2m10s)", "1.0s ago", "12s left".
var passing = regexp.MustCompile(`\([^()]*[0-9](ms|[smhd])[^()]*\)|[0-9][0-9.dhms]*( ago| left)`)

// changes are the columns of a row of t whose cells differ from those of the same row in the drawing before.
func (s *screen) changes(t *table, row []string) map[int]bool {
	if s == nil {
		return nil
	}
	if s.now == nil {
		s.now = make(map[string]string)
	}
	id := row[:min(len(row), 2)]
	if i := slices.IndexFunc(t.header, func(word string) bool { return slices.Contains(identities, word) }); i >= 0 {
		id = row[i : i+1]
	}
	key := strings.Join(append([]string{t.name, strings.Join(t.header, " ")}, id...), "\x00")
	var marked map[int]bool
	for i, cell := range row {
		if slices.Contains(restless, t.header[i]) {
			continue
		}
		at := key + "\x00" + string(rune('0'+i))
		cell = passing.ReplaceAllString(cell, "")
		s.now[at] = cell
		if s.before == nil {
			continue
		}
		if was, there := s.before[at]; !there || was != cell {
			if marked == nil {
				marked = make(map[int]bool)
			}
			marked[i] = true
		}
	}
	return marked
}

// mark is text, marked if it is another than under the same key in the drawing before.
func (s style) mark(key, text string) string {
	if s.screen == nil {
		return text
	}
	if s.screen.now == nil {
		s.screen.now = make(map[string]string)
	}
	s.screen.now[key] = text
	if s.screen.before == nil || s.screen.before[key] == text {
		return text
	}
	return "\x1b[" + changed + "m" + text + "\x1b[0m"
}
