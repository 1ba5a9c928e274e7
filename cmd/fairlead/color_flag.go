package main

import (
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

// addColorFlag gives every command below root the flag --color, which goes before NO_COLOR.
func addColorFlag(root *cobra.Command) {
	when := root.PersistentFlags().String("color", "auto", "auto, always or never; auto is a terminal, unless NO_COLOR is set")
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := exit.Choice(cmd, "color", *when, "auto", "always", "never"); err != nil {
			return err
		}
		if *when != "auto" {
			cmd.SetOut(terminal.Painted(cmd.OutOrStdout(), *when == "always"))
		}
		return nil
	}
}
