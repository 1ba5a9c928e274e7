package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/foreign"
)

func importCommand() *cobra.Command {
	var to string
	var force bool
	cmd := &cobra.Command{
		Use:   "import gdnsd|coredns-gslb|route53|pdns-lua FILE...",
		Short: "make zone files of another system's configuration, with a report of what could not be carried over",
		Long: `Import reads the configuration of another system and writes one zone file for each zone, below --to. What could not be carried over, or
not as it was, it prints with file and line. "fairlead check" passes on what it writes; read the report before you serve it.

  gdnsd         the file config, and the files of the directory zones, named as their zones; or the directory that has both,
                of which nothing else is read
  coredns-gslb  zone files in YAML, and the Corefile, health check profiles and location map if there are any
  route53       what "aws route53 list-resource-record-sets" and "list-health-checks" print as JSON
  pdns-lua      zone files with LUA records, as "pdnsutil list-zone" prints them

docs/migration.md says how each construct is carried over.

` + exit.LocalHelp,
		Example: `  fairlead import gdnsd /etc/gdnsd --to zones.d
  fairlead import route53 records.json checks.json --to zones.d`,
		Args: exit.Args(cobra.MinimumNArgs(2)),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 0 {
				return foreign.Systems(), cobra.ShellCompDirectiveNoFileComp
			}
			return nil, cobra.ShellCompDirectiveDefault
		},
	}
	cmd.Flags().StringVar(&to, "to", ".", "the directory for the zone files")
	cmd.Flags().BoolVar(&force, "force", false, "replace zone files that are there")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, err := foreignFiles(args[1:])
		if err != nil {
			return err
		}
		r, err := foreign.Import(args[0], files, readBounded)
		if err != nil {
			return usageOr(cmd, args[0], err)
		}
		return writeImport(cmd, r, to, force)
	}
	return cmd
}

// usageOr is err, as a mistake in the command line where the system is not known.
func usageOr(cmd *cobra.Command, system string, err error) error {
	for _, known := range foreign.Systems() {
		if known == system {
			return err
		}
	}
	if near := exit.Nearest(system, foreign.Systems()); near != "" {
		return exit.Usagef(cmd, "%s; did you mean %q?", err, near)
	}
	return exit.Usagef(cmd, "%s", err)
}

// foreignFiles reads the files; of a directory those in it.
func foreignFiles(paths []string) (files []foreign.File, err error) {
	for _, path := range paths {
		list := []string{path}
		if isDirectory(path) {
			if list, err = filesOf(path); err != nil {
				return nil, err
			}
		}
		for _, name := range list {
			content, err := readBounded(name)
			if err != nil {
				return nil, err
			}
			files = append(files, foreign.File{Name: name, Content: content})
		}
	}
	return files, nil
}

// filesOf are the files of a directory, but for those that begin with a dot. Where it has a directory zones, as that of gdnsd has, they are the files
// there and config beside it: logs and databases lie there too.
func filesOf(dir string) (out []string, err error) {
	zones := filepath.Join(dir, "zones")
	if isDirectory(zones) {
		if config := filepath.Join(dir, "config"); isFile(config) {
			out = append(out, config)
		}
		dir = zones
	}
	list, err := os.ReadDir(dir)
	for _, f := range list {
		if !f.IsDir() && !strings.HasPrefix(f.Name(), ".") {
			out = append(out, filepath.Join(dir, f.Name()))
		}
	}
	return out, err
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > config.MaxFileBytes {
		return nil, fmt.Errorf("%s has %d octets; at most %d are read", path, info.Size(), config.MaxFileBytes)
	}
	return os.ReadFile(path)
}

// writeImport writes the zone files, none if one of them is there, and prints the report.
func writeImport(cmd *cobra.Command, r *foreign.Result, to string, force bool) error {
	for _, z := range r.Zones {
		path := filepath.Join(to, z.Name+".yaml")
		if _, err := os.Stat(path); err == nil && !force {
			return exit.WithHint(fmt.Errorf("%s is there", path), "--force replaces it; --to DIR writes elsewhere")
		}
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	for _, z := range r.Zones {
		path := filepath.Join(to, z.Name+".yaml")
		if err := os.WriteFile(path, []byte(z.Text), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s: %s, %s\n", path, terminal.Count(z.Services, "service"), terminal.Count(z.Records, "record set"))
	}
	if len(r.Notes) == 0 {
		fmt.Fprintln(out, "everything was carried over")
		return nil
	}
	fmt.Fprintf(out, "\nnot carried over, or not as it was:\n")
	for _, n := range r.Notes {
		fmt.Fprintf(out, "  %s\n", n)
	}
	return nil
}
