package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/geo/geomake"
)

func geoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "geo",
		Short: "make a small geo database",
		Long: `Geo makes geo databases, in MaxMind's format, for networks of your own and to try rules by place.

` + exit.LocalHelp,
		Example: `  fairlead geo make office.mmdb --csv office.csv`,
		Args:    exit.Meant,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(geoMakeCommand())
	return cmd
}

func geoMakeCommand() *cobra.Command {
	var csv string
	cmd := &cobra.Command{
		Use:   "make FILE --csv FILE",
		Short: "make a geo database of a CSV file, in MaxMind's format",
		Long: `Make writes a geo database that the key geo.databases of the node file can name: for networks of your own, which no database knows, and
to try client rules and "order: nearest".

The first line of the CSV file names its columns, in any order: network is required; continent, country, subdivision, asn, latitude and longitude
are not. What is empty is not known. A longer prefix goes before a shorter one.

  network,continent,country,subdivision,asn,latitude,longitude
  10.1.0.0/16,EU,DE,,64500,50.1,8.7
  10.2.0.0/16,NA,US,CA,,37.4,-122.0

` + exit.LocalHelp,
		Example: `  fairlead geo make office.mmdb --csv office.csv`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	cmd.Flags().StringVar(&csv, "csv", "", "the CSV file; - reads standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		in := cmd.InOrStdin()
		if csv == "" {
			return exit.Usagef(cmd, "--csv is missing")
		}
		if csv != "-" {
			f, err := os.Open(csv)
			if err != nil {
				return err
			}
			defer f.Close()
			in = f
		}
		db, n, err := geomake.FromCSV(in, strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0])))
		if err != nil {
			return fmt.Errorf("%s: %w", csv, err)
		}
		// A node that watches the file never sees half of it.
		next := filepath.Join(filepath.Dir(args[0]), "."+filepath.Base(args[0])+".next")
		if err := os.WriteFile(next, db, 0o644); err != nil {
			return err
		}
		if err := os.Rename(next, args[0]); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], terminal.Count(n, "network"))
		return nil
	}
	return cmd
}
