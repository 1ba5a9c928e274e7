package terminal

import (
	"regexp"
	"slices"
	"strings"
)

// A Screen remembers the cells of the drawing before, so that the next one can mark those that are others. A nil screen marks
// nothing.
type Screen struct {
	// before is the last drawing, now the one in the making; both by table, row and column.
	before, now map[string]string
}

// Turn makes the drawing that is complete the one before.
func (s *Screen) Turn() { s.before, s.now = s.now, nil }

// identities are the headers of columns that tell one row from another: the first of them in a table does.
var identities = []string{"ENDPOINT", "POOL", "SERVICE", "ZONE", "ID", "NODE", "REGION", "AZ"}

// restless are those of columns that change by themselves.
var restless = []string{"SINCE", "IN A ROW", "LAST PROBE", "HEARD", "HEARD OF", "UNTIL", "LATENCY", "SEEN"}

// passing is a time that passes: "(2m10s)", "1.0s ago", "12s left".
var passing = regexp.MustCompile(`\([^()]*[0-9](ms|[smhd])[^()]*\)|[0-9][0-9.dhms]*( ago| left)`)

// changes are the columns of a row of t whose cells differ from those of the same row in the drawing before.
func (s *Screen) changes(t *Table, row []string) map[int]bool {
	if s == nil {
		return nil
	}
	if s.now == nil {
		s.now = make(map[string]string)
	}
	id := row[:min(len(row), 2)]
	if i := slices.IndexFunc(t.Header, func(word string) bool { return slices.Contains(identities, word) }); i >= 0 {
		id = row[i : i+1]
	}
	key := strings.Join(append([]string{t.name, strings.Join(t.Header, " ")}, id...), "\x00")
	var marked map[int]bool
	for i, cell := range row {
		if slices.Contains(restless, t.Header[i]) {
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

// Mark is text, marked if it is another than under the same key in the drawing before.
func (s Style) Mark(key, text string) string {
	if s.Screen == nil {
		return text
	}
	if s.Screen.now == nil {
		s.Screen.now = make(map[string]string)
	}
	s.Screen.now[key] = text
	if s.Screen.before == nil || s.Screen.before[key] == text {
		return text
	}
	return "\x1b[" + changed + "m" + text + "\x1b[0m"
}
