package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// configExits ends the help text of commands about zone files.
const configExits = `Exit codes: 0 done, 1 the node cannot be reached or knows no such file, 2 wrong usage, 3 a file is broken, 5 in conflict with what is.`

func reloadCommand() *cobra.Command {
	req := api.ReloadRequest{Actor: actor()}
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "look at the zone files now, and say what came of each",
		Long: `Reload has the node look at its zone files now, and not within the two seconds that it takes anyway, and read them whatever their
times and sizes say. For each file it prints whether a new version was taken up; what is broken in it, while its last good version
runs on; or that nothing changed. It is for this node alone: others have files of their own.

A version that drops more than 30 % of the names or endpoints, and at least 10, is refused; --force lets it pass once, as ` + "`allow_shrink: true`" + ` in the file does.

` + serverHelp + "\n\n" + configExits,
		Example: `  fairlead reload
  fairlead reload --force --reason "half of the services moved, CHG-1234"`,
		Args: exit.Args(cobra.NoArgs),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the log")
	cmd.Flags().BoolVar(&req.Force, "force", false, "let versions pass that drop more than 30 % of the names or endpoints, and at least 10")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		var result api.ReloadResult
		if err := ordered(into(&result)(c.Reload(exit.OrBackground(cmd.Context()), req))); err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		if err := output.print(w, &result); err != nil {
			return err
		}
		return writeReload(output.text(w), &result)
	}
	return cmd
}

// writeReload prints a line for each file, and the problems of those that are broken.
func writeReload(w io.Writer, result *api.ReloadResult) error {
	broken := false
	for _, f := range result.Files {
		what := map[string]string{
			api.ReloadTakenUp: "taken up", api.ReloadUnchanged: "unchanged", api.ReloadBroken: "broken", api.ReloadRolledBack: "rolled back",
		}[f.Outcome]
		switch {
		case f.Outcome != api.ReloadBroken:
			what += ", " + f.Hash + " is in force"
		case f.Hash == "":
			what, broken = what+", nothing of it is served", true
		default:
			what, broken = what+", the last good version "+f.Hash+" runs on", true
		}
		fmt.Fprintf(w, "%s: %s\n", f.Path, what)
		for _, p := range f.Problems {
			fmt.Fprintln(w, "    "+strings.ReplaceAll(strings.TrimRight(p, "\n"), "\n", "\n    "))
		}
	}
	writeLeftByConfig(w, terminal.StyleFor(w), &result.LeftByConfig)
	if !result.Served {
		fmt.Fprintln(w, "the new configuration is not in force yet; see `fairlead status`")
	}
	if broken {
		return exit.Silent(exit.Degraded)
	}
	return nil
}

// maxLeftRows is how many of what left are printed; -o json has more.
const maxLeftRows = 20

// writeLeftByConfig prints what left the answers by a configuration, and until when caches hold it.
func writeLeftByConfig(w io.Writer, st terminal.Style, l *api.LeftByConfig) {
	for _, zone := range l.Unsigned {
		fmt.Fprintf(w, "%s: zone %s is answered without signatures now: validators refuse it for as long as the parent, or a cache, has its DS\n",
			st.Paint(terminal.Red, "warning"), terminal.Display(zone))
	}
	if len(l.Left) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s left the answers of this node; caches may go on with what they hold:\n", terminal.Count(len(l.Left)+l.More, "record"))
	now, t := time.Now(), terminal.NewTable("NAME", "ADDRESS", "EXPIRES", "WHY")
	for _, one := range l.Left[:min(len(l.Left), maxLeftRows)] {
		expires := "unknown"
		if one.ExpiresAt != nil {
			if expires = "expired"; one.ExpiresAt.After(now) {
				expires = terminal.Clock(*one.ExpiresAt, now)
			}
		}
		t.Add("", terminal.Display(one.Name), strings.TrimSuffix(one.Data, "."), expires, one.Why)
	}
	t.Write(w, st, "  ")
	if more := len(l.Left) + l.More - maxLeftRows; more > 0 {
		fmt.Fprintf(w, "  and %d more\n", more)
	}
	fmt.Fprintln(w, "The bound over all nodes: `fairlead staleness`.")
}

func configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "the zone files of a node and the versions that are kept of them; rollback and forward",
		Long: `Config lists the zone files of the node: the version in force, those that are kept, and what is wrong. Below it are rollback and
forward.

` + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead config
  fairlead config rollback gslb.yaml --reason "INC-7"`,
		Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Config, func(d drawing, c *api.Config) { writeConfig(d, c, d.style) })
	cmd.AddCommand(
		fileCommand("rollback FILE", "have a zone file run in the version before the present one",
			`Rollback has FILE run in the version that was in force before the present one; two versions are kept. That lasts until the content
of the file changes, or until `+"`fairlead config forward FILE`"+`, and over restarts; status shows it, and by whom. It is for this
node alone: repeat it on the others with --server, or have whatever writes the files write the older one.

FILE is the path that status shows, or the name of the file.`, `  fairlead config rollback gslb.yaml --reason "INC-7"`, (*adminapi.Client).Rollback),
		fileCommand("forward FILE", "end a rollback", "Forward ends a rollback: the file runs as it is on disk, if it can.\n\nFILE is the path that status shows, or the name of the file.",
			`  fairlead config forward gslb.yaml`, (*adminapi.Client).Forward),
	)
	return cmd
}

// fileCommand is an order about one file.
func fileCommand(use, short, long, example string, give func(*adminapi.Client, context.Context, api.RollbackRequest) (*api.Config, error)) *cobra.Command {
	req := api.RollbackRequest{Actor: actor()}
	cmd := &cobra.Command{Use: use, Short: short, Long: long + "\n\n" + serverHelp + "\n\n" + configExits, Example: example, Args: exit.Args(cobra.ExactArgs(1))}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; shown to everybody who looks at the status")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		req.File = args[0]
		var result api.Config
		if err := ordered(into(&result)(give(c.Client, exit.OrBackground(cmd.Context()), req))); err != nil {
			return suggestOf(err, args[0], func() []string {
				have, err := c.Config(exit.OrBackground(cmd.Context()))
				if err != nil {
					return nil
				}
				return terminal.Each(have.Files, func(f api.ConfigFile) string { return filepath.Base(f.Path) })
			})
		}
		w := cmd.OutOrStdout()
		writeConfig(output.text(w), &result, terminal.StyleFor(w))
		writeLeftByConfig(output.text(w), terminal.StyleFor(w), &result.LeftByConfig)
		return output.print(w, &result)
	}
	return cmd
}

func writeConfig(w io.Writer, c *api.Config, st terminal.Style) {
	now := time.Now()
	t := terminal.NewTable("STATE", "FILE", "IN FORCE", "KEPT", "WHY")
	for _, f := range c.Files {
		m, why := terminal.MarkOf(health.Up, "in use"), ""
		switch {
		case f.Hash == "":
			m, why = terminal.MarkOf(health.Down, "not served"), "nothing of it is served"
		case fileBroken(f.File):
			m, why = terminal.MarkOf(health.Down, "last good"), "the file on disk has problems: see `fairlead status`"
		case f.RolledBack != nil:
			m, why = terminal.MarkOf(health.Suspect, "rolled back"), rolledBack(f.RolledBack, now)
		}
		var kept []string
		for _, v := range f.Kept {
			kept = append(kept, v.Hash)
		}
		t.Add(m.Colour, m.Text(), f.Path, f.Hash, strings.Join(kept, " "), why)
	}
	t.Write(w, st, "")
}

// rolledBack says by whom, since when and why.
func rolledBack(r *api.Rollback, now time.Time) string {
	return terminal.JoinWords(": ", fmt.Sprintf("by %s at %s", r.Actor, terminal.Clock(r.At, now)), r.Reason)
}
