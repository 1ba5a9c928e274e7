package main

import (
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-dns/fairlead/health"
)

// A style paints words on a terminal. The zero style paints nothing: colour only ever repeats what shape and word say.
type style struct {
	colour bool
	// screen marks the cells that --watch has seen change; nil without it.
	screen *screen
	// width is how many columns the terminal has, height how many lines; 0 where there is none.
	width, height int
}

// styleFor paints when --color says so, or when w is a terminal that can and NO_COLOR (no-color.org) is not set.
func styleFor(w io.Writer) style {
	columns, rows := sizeOf(w)
	if p, ok := w.(painter); ok {
		return style{colour: p.colour, width: columns, height: rows}
	}
	return style{colour: os.Getenv("NO_COLOR") == "" && isTerminal(w), width: columns, height: rows}
}

// columnsLeft is how many columns the terminal that w is has beside an indentation; 0 if w is none.
func columnsLeft(w io.Writer, indent int) int {
	columns, _ := sizeOf(w)
	return max(0, columns-indent)
}

// sizeOf is how large the terminal is that w is; zero if it is none, or does not say.
func sizeOf(w io.Writer) (columns, rows int) {
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

// isTerminal tells whether w is a terminal that can move its cursor.
func isTerminal(w any) bool {
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

// addColorFlag gives every command below root the flag --color, which goes before NO_COLOR.
func addColorFlag(root *cobra.Command) {
	when := root.PersistentFlags().String("color", "auto", "auto, always or never; auto is a terminal, unless NO_COLOR is set")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := choice(cmd, "color", *when, "auto", "always", "never"); err != nil {
			return err
		}
		if *when != "auto" {
			cmd.SetOut(painter{cmd.OutOrStdout(), *when == "always"})
		}
		return nil
	}
}

// The ANSI colours that are used, each legible on light and dark backgrounds.
const (
	red    = "31"
	green  = "32"
	yellow = "33"
	blue   = "34"
	grey   = "90"
	bold   = "1"
	// changed is reverse video: it is no colour, and is told apart without any.
	changed = "7"
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
