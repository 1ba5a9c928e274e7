package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Severity says what a Problem does to the file.
type Severity uint8

// The severities. A file with an Error is not loaded; a Warning is probably a mistake; a Notice is a fact to know.
const (
	Error Severity = iota
	Warning
	Notice
)

var severityNames = [...]string{Error: "error", Warning: "warning", Notice: "notice"}

// String is the word for the severity, as in messages and JSON.
func (s Severity) String() string {
	if int(s) < len(severityNames) {
		return severityNames[s]
	}
	return fmt.Sprintf("severity(%d)", uint8(s))
}

// MarshalText is String.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Severity) UnmarshalText(b []byte) error {
	for i, n := range severityNames {
		if n == string(b) {
			*s = Severity(i)
			return nil
		}
	}
	return fmt.Errorf("severity %q: want error, warning or notice", b)
}

// A Problem is one thing to say about a file. It is a value.
type Problem struct {
	File string `json:"file"`
	// Line and Col count from 1, Col in characters; both are 0 where the problem concerns the file as a whole.
	Line     int      `json:"line,omitempty"`
	Col      int      `json:"col,omitempty"`
	Severity Severity `json:"severity"`
	// Path is where in the YAML tree, as in services.www.ttl.min or services.www.tiers[0].web-eu.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
	// Help says what to write instead; may be empty.
	Help string `json:"help,omitempty"`
	// SourceLine is the line, or what is around Col of a long one. Caret is the column in SourceLine, from 1; 0 means none.
	SourceLine string `json:"source_line,omitempty"`
	Caret      int    `json:"caret,omitempty"`
}

// String is the problem as a compiler prints it: `file:line:col: error: path: message`, the source line with a caret
// below it, and a help line. There is no line break at the end.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Head())
	if p.Caret > 0 {
		b.WriteString("\n" + p.SourceLine + "\n" + caretLine(p.SourceLine, p.Caret))
	}
	if p.Help != "" {
		b.WriteString("\n  help: " + p.Help)
	}
	return b.String()
}

// Head is the first line of String: where, how bad and what.
func (p Problem) Head() string {
	var b strings.Builder
	b.WriteString(Printable(p.File))
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", p.Line, p.Col)
	}
	b.WriteString(": " + p.Severity.String() + ": ")
	if p.Path != "" {
		b.WriteString(Printable(p.Path) + ": ")
	}
	b.WriteString(Printable(p.Message))
	return b.String()
}

// caretLine keeps the tabs of line, so that the caret stands under its character whatever the tab width.
func caretLine(line string, caret int) string {
	var b strings.Builder
	col := 1
	for _, r := range line {
		if col == caret {
			break
		}
		if r != '\t' {
			r = ' '
		}
		b.WriteRune(r)
		col++
	}
	b.WriteByte('^')
	return b.String()
}

// Problems are all problems of one or more files.
type Problems []Problem

// HasErrors tells whether one of them is an Error.
func (ps Problems) HasErrors() bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == Error })
}

// Count is how many have severity s.
func (ps Problems) Count(s Severity) int {
	n := 0
	for _, p := range ps {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// Err joins the errors among them; nil when there are none.
func (ps Problems) Err() error {
	var errs []error
	for _, p := range ps {
		if p.Severity == Error {
			errs = append(errs, errors.New(p.String()))
		}
	}
	return errors.Join(errs...)
}

// String is all of them, each ended by a line break.
func (ps Problems) String() string {
	var b strings.Builder
	for _, p := range ps {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

// maxProblems bounds how many problems of one severity one file can have: a file of 64 MiB can hold a million mistakes,
// and nobody reads more than the first few.
const maxProblems = 1000

// tidy sorts by place, drops repetitions (an alias visits its anchor again) and bounds the number.
func (ps Problems) tidy() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Severity, b.Severity))
	})
	ps = slices.CompactFunc(ps, func(a, b Problem) bool {
		return a.File == b.File && a.Line == b.Line && a.Col == b.Col && a.Severity == b.Severity && a.Message == b.Message
	})
	var out Problems
	var more [len(severityNames)]int
	for _, p := range ps {
		if more[p.Severity]++; more[p.Severity] <= maxProblems {
			out = append(out, p)
		}
	}
	for s, n := range more {
		if n > maxProblems {
			out = append(out, Problem{File: ps[0].File, Severity: Severity(s),
				Message: fmt.Sprintf("%d more of this severity are not shown", n-maxProblems)})
		}
	}
	return out
}
