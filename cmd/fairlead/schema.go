package main

import (
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/config"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema zone|node",
		Short: "the JSON Schema of a zone file or of the node file",
		Long: `Schema prints the JSON Schema (draft 2020-12) of a zone file or of the node file, for editors that complete and check YAML.
References between parts of a file, sums and ranges of durations are beyond a schema: ` + "`fairlead check`" + ` checks those.

` + localExits,
		Example: `  fairlead schema zone > zone.schema.json
  # then, as the first line of a zone file:
  # yaml-language-server: $schema=zone.schema.json`,
		Args:      usageArgs(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"zone", "node"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := config.Schema()
			if args[0] == "node" {
				text = config.NodeSchema()
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
