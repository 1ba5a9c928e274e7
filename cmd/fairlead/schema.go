package main

import (
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema zone|node|plan|crd",
		Short: "the JSON Schema of a zone, node or plan file, or the CRD of zones in Kubernetes",
		Long: `Schema prints the JSON Schema (draft 2020-12) of a zone, node or plan file, for editors that complete and check YAML.
References between parts of a file, sums and ranges of durations are beyond a schema: ` + "`fairlead check`" + ` checks those.

crd is the manifest of the kind Zone (fairlead.dev/v1alpha1), whose spec is a zone file; deploy/kubernetes/zones.yaml has it with the role of
the nodes that read it.

` + exit.LocalHelp,
		Example: `  fairlead schema crd | kubectl apply --server-side -f -
  fairlead schema zone > zone.schema.json
  # then, as the first line of a zone file:
  # yaml-language-server: $schema=zone.schema.json`,
		Args:      exit.Args(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		ValidArgs: []string{"zone", "node", "plan", "crd"},
		RunE: func(cmd *cobra.Command, args []string) error {
			text := config.Schema()
			switch args[0] {
			case "node":
				text = config.NodeSchema()
			case "plan":
				text = config.PlanSchema()
			case "crd":
				text = config.CRD()
			}
			_, err := cmd.OutOrStdout().Write(text)
			return err
		},
	}
}
