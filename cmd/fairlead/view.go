package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

const (
	// watchInterval is how often --watch asks: as often as a state can change with the shortest sensible check interval.
	watchInterval = time.Second
	// The terminal's cursor goes home; the rest of the line, of the screen is cleared. Clearing it all at once would flicker.
	cursorHome, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
)

// watchHelp stands in the help text of the commands that have --watch.
const watchHelp = `With --watch a terminal is drawn anew every second, with what changed in reverse video; elsewhere a new document is printed at
each change (ages, counts, latencies and TTLs that move with every probe are none). Ctrl-C ends it.`

// A drawing is where a command writes for people.
type drawing struct {
	io.Writer
	style terminal.Style
	// wide asks for more columns.
	wide bool
}

// What a command has to show: doc for machines, write for people. end is what the command ends with.
type shown struct {
	doc   any
	write func(drawing)
	end   error
}

// A viewer shows what a node says in the format that was asked for, once or at each change.
type viewer struct {
	output string
	watch  bool
	server *access
}

// newViewer gives cmd the flags of a reading command.
func newViewer(cmd *cobra.Command) *viewer {
	v := &viewer{server: addServerFlag(cmd)}
	cmd.Flags().StringVarP(&v.output, "output", "o", "table", "table, wide, json or yaml")
	cmd.Flags().BoolVarP(&v.watch, "watch", "w", false, "ask again every second until Ctrl-C")
	return v
}

// run shows what fetch brings.
func (v *viewer) run(cmd *cobra.Command, fetch func(context.Context, *client) (shown, error)) error {
	if err := exit.Choice(cmd, "output", v.output, "table", "wide", "json", "yaml"); err != nil {
		return err
	}
	c, err := newClient(*v.server)
	if err != nil {
		return err
	}
	ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
	if v.watch {
		ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return v.follow(ctx, w, cmd.ErrOrStderr(), func() (shown, error) { return fetch(ctx, c) })
	}
	s, err := fetch(ctx, c)
	if err != nil {
		return err
	}
	if err := v.print(w, s, terminal.StyleFor(w)); err != nil {
		return err
	}
	return s.end
}

// print writes s whole.
func (v *viewer) print(w io.Writer, s shown, st terminal.Style) error {
	out := bufio.NewWriter(w)
	if err := v.encode(out, s, st); err != nil {
		return err
	}
	return out.Flush()
}

func (v *viewer) encode(w io.Writer, s shown, st terminal.Style) error {
	switch {
	case v.output == "json" && v.watch:
		// A line for each document.
		return json.NewEncoder(w).Encode(s.doc)
	case v.output == "yaml" && v.watch:
		// A document of its own (YAML 1.2 section 9.1).
		if _, err := io.WriteString(w, "---\n"); err != nil {
			return err
		}
		return terminal.WriteDocument(w, v.output, s.doc)
	case v.output == "json" || v.output == "yaml":
		return terminal.WriteDocument(w, v.output, s.doc)
	}
	s.write(drawing{Writer: w, style: st, wide: v.output == "wide"})
	return nil
}

// follow shows what fetch brings again and again until ctx ends. What goes wrong at first ends it; later it is said, and does
// not: a node may be started anew.
func (v *viewer) follow(ctx context.Context, w, stderr io.Writer, fetch func() (shown, error)) error {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	st, draws := terminal.StyleFor(w), terminal.IsTerminal(w) && v.output != "json" && v.output != "yaml"
	if draws {
		st.Screen = &terminal.Screen{}
	}
	last, said, first := "", "", true
	for {
		s, err := fetch()
		trouble := ""
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return err
		case err != nil:
			trouble = err.Error()
		}
		if trouble != "" && trouble != said {
			fmt.Fprintf(stderr, "error: %s; asked again every second\n", trouble)
		}
		said, first = trouble, false
		if err == nil {
			if last, err = v.next(w, s, st, draws, last); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// next draws s, or prints it when it is another document than the last one.
func (v *viewer) next(w io.Writer, s shown, st terminal.Style, draws bool, last string) (string, error) {
	if draws {
		return "", v.draw(w, s, st)
	}
	now, err := gist(s.doc)
	if err == nil && now != last {
		err = v.print(w, s, st)
	}
	return now, err
}

// draw fills the screen with s, and cuts off what does not fit: the top stays.
func (v *viewer) draw(w io.Writer, s shown, st terminal.Style) error {
	var text bytes.Buffer
	columns, rows := terminal.SizeOf(w)
	// The window may have been made larger meanwhile.
	st.Width, st.Height = columns, rows
	if err := v.encode(&text, s, st); err != nil {
		return err
	}
	st.Screen.Turn()
	lines := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
	if rows > 1 && len(lines) >= rows {
		more := fmt.Sprintf("and %s that this terminal has no room for", terminal.Count(len(lines)-rows+2, "line"))
		lines = append(lines[:rows-2], st.Paint(terminal.Grey, more))
	}
	for i := range lines {
		lines[i] = terminal.Cut(lines[i], columns)
	}
	_, err := io.WriteString(w, cursorHome+strings.Join(lines, clearLine+"\n")+clearLine+"\n"+clearBelow)
	return err
}

// moving are the keys whose values move with every probe and every round: alone they are no change.
var moving = map[string]bool{
	"at": true, "generation": true, "probed_at": true, "latency_seconds": true, "failures": true, "successes": true, "heard_at": true,
	"relayed_at": true, "seconds": true, "ttl_seconds": true, "forced_by": true, "headline": true, "text": true, "remaining_seconds": true,
}

// gist is a document without what moves by itself.
func gist(doc any) (string, error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return "", err
	}
	still(tree)
	text, err = json.Marshal(tree)
	return string(text), err
}

// still takes what moves out of a tree.
func still(tree any) {
	switch t := tree.(type) {
	case map[string]any:
		for key, v := range t {
			if moving[key] {
				delete(t, key)
			} else {
				still(v)
			}
		}
	case []any:
		for _, v := range t {
			still(v)
		}
	}
}
