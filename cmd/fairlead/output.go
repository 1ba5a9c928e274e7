package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// An outputFlag is how what came of an order is printed.
type outputFlag struct{ format string }

// addOutputFlag gives cmd the flag of the commands that give orders.
func addOutputFlag(cmd *cobra.Command) *outputFlag {
	f := new(outputFlag)
	cmd.Flags().StringVarP(&f.format, "output", "o", "table", "table, json or yaml: what the node answered")
	return f
}

func (f *outputFlag) check(cmd *cobra.Command) error {
	return exit.Choice(cmd, "output", f.format, "table", "json", "yaml")
}

// machine tells whether a document is wanted, and no text.
func (f *outputFlag) machine() bool { return f.format == "json" || f.format == "yaml" }

// text is where text for people goes: nowhere when a document is wanted.
func (f *outputFlag) text(w io.Writer) io.Writer {
	if f.machine() {
		return io.Discard
	}
	return w
}

// print prints a document if one is wanted.
func (f *outputFlag) print(w io.Writer, doc any) error {
	if !f.machine() {
		return nil
	}
	return terminal.WriteDocument(w, f.format, doc)
}
