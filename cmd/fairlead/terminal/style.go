package terminal

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/fairlead-dns/fairlead/health"
)

// A Style paints words on a terminal. The zero style paints nothing: colour only ever repeats what shape and word say.
type Style struct {
	Colour bool
	// screen marks the cells that --watch has seen change; nil without it.
	Screen *Screen
	// width is how many columns the terminal has, height how many lines; 0 where there is none.
	Width, Height int
}

// StyleFor paints when --color says so, or when w is a terminal that can and NO_COLOR (no-color.org) is not set.
func StyleFor(w io.Writer) Style {
	columns, rows := SizeOf(w)
	if p, ok := w.(painter); ok {
		return Style{Colour: p.colour, Width: columns, Height: rows}
	}
	return Style{Colour: os.Getenv("NO_COLOR") == "" && IsTerminal(w), Width: columns, Height: rows}
}

// ColumnsLeft is how many columns the terminal that w is has beside an indentation; 0 if w is none.
func ColumnsLeft(w io.Writer, indent int) int {
	columns, _ := SizeOf(w)
	return max(0, columns-indent)
}

// SizeOf is how large the terminal is that w is; zero if it is none, or does not say.
func SizeOf(w io.Writer) (columns, rows int) {
	if p, ok := w.(painter); ok {
		w = p.Writer
	}
	f, ok := w.(*os.File)
	if !ok {
		return 0, 0
	}
	columns, rows, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0, 0
	}
	return columns, rows
}

// IsTerminal tells whether w is a terminal that can move its cursor.
func IsTerminal(w any) bool {
	if p, ok := w.(painter); ok {
		w = p.Writer
	}
	f, ok := w.(*os.File)
	return ok && os.Getenv("TERM") != "dumb" && term.IsTerminal(int(f.Fd()))
}

// A painter is a writer for which --color has decided.
type painter struct {
	io.Writer
	colour bool
}

// Painted is w with colours, or without, whatever it is.
func Painted(w io.Writer, colour bool) io.Writer { return painter{w, colour} }

// The ANSI colours that are used, each legible on light and dark backgrounds.
const (
	Red    = "31"
	Green  = "32"
	Yellow = "33"
	Blue   = "34"
	Grey   = "90"
	Bold   = "1"
	// changed is reverse video: it is no colour, and is told apart without any.
	changed = "7"
)

// StateColours are the colours of states.
var StateColours = map[health.State]string{
	health.Up: Green, health.Suspect: Yellow, health.Down: Red, health.Drained: Blue, health.Unknown: Grey,
}

// Paint is text in a colour, if s has any.
func (s Style) Paint(colour, text string) string {
	if !s.Colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// A Mark is a state as it is shown: shape, word and colour.
type Mark struct{ Shape, Word, Colour string }

// Text is shape and word.
func (m Mark) Text() string { return m.Shape + " " + m.Word }

// MarkOf is how a state is shown; word replaces the state's own word unless it is empty.
func MarkOf(s health.State, word string) Mark {
	if word == "" {
		word = s.String()
	}
	return Mark{s.Shape(), word, StateColours[s]}
}

// ParseState reads a state from the API; what this version does not know is unknown.
func ParseState(text string) health.State {
	var s health.State
	if s.UnmarshalText([]byte(text)) != nil {
		return health.Unknown
	}
	return s
}
