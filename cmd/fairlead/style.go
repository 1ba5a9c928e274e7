package main

import (
	"io"
	"os"

	"github.com/fairlead-dns/fairlead/health"
)

// A style paints words on a terminal. The zero style paints nothing: colour only ever repeats what shape and word say.
type style struct{ colour bool }

// styleFor paints when w is a terminal that can and NO_COLOR (no-color.org) is not set.
func styleFor(w io.Writer) style {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return style{}
	}
	f, ok := w.(*os.File)
	if !ok {
		return style{}
	}
	info, err := f.Stat()
	return style{colour: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

// The ANSI colours that are used, each legible on light and dark backgrounds.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	grey   = "90"
	bold   = "1"
)

var stateColours = map[health.State]string{
	health.Up: green, health.Suspect: yellow, health.Down: red, health.Drained: blue, health.Unknown: grey,
}

func (s style) paint(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// A mark is a state as it is shown: shape, word and colour.
type mark struct{ shape, word, colour string }

func (m mark) text() string { return m.shape + " " + m.word }

// markOf is how a state is shown; word replaces the state's own word unless it is empty.
func markOf(s health.State, word string) mark {
	if word == "" {
		word = s.String()
	}
	return mark{s.Shape(), word, stateColours[s]}
}

// parseState reads a state from the API; what this version does not know is unknown.
func parseState(text string) health.State {
	var s health.State
	if s.UnmarshalText([]byte(text)) != nil {
		return health.Unknown
	}
	return s
}
