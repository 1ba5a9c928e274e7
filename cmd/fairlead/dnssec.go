package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/dnssec"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// zoneKeysDocument is what dnssec status shows to machines.
type zoneKeysDocument struct {
	Zones []*api.ZoneKeys `json:"zones"`
}

func dnssecStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status ZONE...|FILE...",
		Short: "what the keys of zones do, what is to be done next, and from when on it is safe",
		Long: `Status asks a node about zones that it answers: it prints their keys with roles, states and next changes, and below what a person has to
do: in the parent zone, and for a key that is to follow or to leave. Each step is

  safe now        every honest cache has forgotten what speaks against it
  safe from T on  caches hold that until T
  not yet         a node answers against it, as one that lacks the files of a key
  unknown         a node has not said: it is not heard, or was declared stopped, or is of an older version

by what every node of the cluster answered, not by the times in key files: the last DNSKEY RRset without a key, the last answer without
signatures when a zone is signed for the first time, the last signature of a key that ceases; with the TTLs that they carried, and how late
a resolver may still accept an answer. What other name servers answered for the zone before these is taken to have had its present TTLs.
How long the parent's DS records live, the parent says.

Of a FILE, an argument with a slash, or that ends in .yaml or .yml, it prints what the key files say alone, and asks nobody: then it does
not say when a step is safe.

` + watchHelp + `

` + serverHelp + `

` + exit.ReadHelp,
		Example: `  fairlead dnssec status example.org
  fairlead dnssec status example.org -o json | jq '.zones[].steps[] | select(.safe != "now")'
  fairlead dnssec status /etc/fairlead/zones.d/example.org.yaml`,
		Args: exit.Args(cobra.MinimumNArgs(1)),
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files := 0
		for _, a := range args {
			if isZoneFile(a) {
				files++
			}
		}
		switch {
		case files == len(args) && (v.watch || v.output != "table"):
			return exit.Usagef(cmd, "--watch and --output are for zones, which a node is asked about")
		case files == len(args):
			return dnssec.FileStatus(cmd.OutOrStdout(), args)
		case files > 0:
			return exit.Usagef(cmd, "either zones or files")
		}
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			doc := &zoneKeysDocument{}
			for _, name := range args {
				z, err := c.ZoneKeys(ctx, name)
				if err != nil {
					return shown{}, err
				}
				doc.Zones = append(doc.Zones, z)
			}
			return shown{doc: doc, write: func(d drawing) {
				for i, z := range doc.Zones {
					if i > 0 {
						fmt.Fprintln(d)
					}
					dnssec.WriteStatus(d, d.style, z)
				}
			}}, nil
		})
	}
	return cmd
}

// isZoneFile tells whether an argument means a zone file, and not a zone.
func isZoneFile(arg string) bool {
	if ext := filepath.Ext(arg); strings.ContainsRune(arg, filepath.Separator) || ext == ".yaml" || ext == ".yml" {
		return true
	}
	info, err := os.Stat(arg)
	return err == nil && info.Mode().IsRegular()
}
