package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

const tokenHelp = `A token is a login over TCP (admin.listen in the node file), on every node of the
cluster. Only a role of admin may do this; the unix socket has it.`

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "make, list and revoke the tokens by which others use the admin API over TCP",
		Long:  tokenHelp + "\n\n" + exit.LocalHelp,
		Example: `  fairlead token create --name deploy --role operator --for 30d
  fairlead token list
  fairlead token revoke deploy --reason "leaked in a log"`,
		Args: exit.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(tokenCreateCommand(), tokenListCommand(), tokenRevokeCommand())
	return cmd
}

func tokenCreateCommand() *cobra.Command {
	var req api.TokenRequest
	var life string
	cmd := &cobra.Command{
		Use:   "create --name NAME --role viewer|operator|admin",
		Short: "make a token and print it, this once",
		Long: `Create prints the new token alone on standard output, to go into a file of mode 0600; nobody can print it again. Its name stands in
the audit log with everything that is done with it.

viewer reads, operator changes what is answered as well, admin changes who may what and the members of the cluster as well.

` + tokenHelp + "\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  (umask 077; fairlead token create --name deploy --role operator --for 30d > deploy.token)`,
		Args:    exit.Args(cobra.NoArgs),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Name, "name", "", "what it is called, as a person or a program is; required")
	cmd.Flags().StringVar(&req.Role, "role", "", "viewer, operator or admin; required")
	cmd.Flags().StringVar(&life, "for", "90d", "how long it is good, as 12h or 30d, or forever")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why; kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if req.Name == "" {
			return exit.Usagef(cmd, "--name is required: it is who acts with the token")
		}
		if err := exit.Choice(cmd, "role", req.Role, "viewer", "operator", "admin"); err != nil {
			return err
		}
		if req.Forever = life == "forever"; !req.Forever {
			d, ok := config.ParseDuration(life)
			if !ok || d < time.Second {
				return exit.Usagef(cmd, "--for %q: want a duration of a second or more, as 12h or 30d, or forever", life)
			}
			req.ForSeconds = d.Seconds()
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		req.Actor = actor()
		var made api.TokenCreated
		if err := ordered(into(&made)(c.CreateToken(exit.OrBackground(cmd.Context()), req))); err != nil {
			return err
		}
		if output.machine() {
			return output.print(cmd.OutOrStdout(), &made)
		}
		fmt.Fprintln(cmd.OutOrStdout(), made.Secret)
		fmt.Fprintf(cmd.ErrOrStderr(), "token %s: %s, %s; it is not shown again\n", made.Name, made.Role, goodUntil(&made.Token, time.Now()))
		writeTokensMissing(cmd.ErrOrStderr(), made.Missing)
		return nil
	}
	return cmd
}

func tokenListCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "list", Short: "list the tokens, without the secrets", Long: tokenHelp + "\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead token list`, Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Tokens, func(d drawing, list *api.Tokens) { writeTokens(d, list, time.Now(), d.style) })
	return cmd
}

func writeTokens(w io.Writer, list *api.Tokens, now time.Time, s terminal.Style) {
	if len(list.Tokens) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	defer writeTokensMissing(w, list.Missing)
	t := terminal.NewTable("STATE", "NAME", "ROLE", "UNTIL", "MADE", "BY")
	for _, tok := range list.Tokens {
		m := terminal.MarkOf(health.Up, "good")
		if tok.Expired {
			m = terminal.MarkOf(health.Unknown, "expired")
		}
		t.Add(m.Colour, m.Text(), tok.Name, tok.Role, goodUntil(&tok, now), terminal.Clock(tok.CreatedAt, now), terminal.Dash(tok.By))
	}
	t.Write(w, s, "")
}

// writeTokensMissing says which nodes do not have the tokens as they are here.
func writeTokensMissing(w io.Writer, missing []string) {
	if len(missing) > 0 {
		fmt.Fprintf(w, "not confirmed yet by %s: what was made or revoked counts there once the node is heard\n", strings.Join(missing, ", "))
	}
}

func goodUntil(t *api.Token, now time.Time) string {
	switch {
	case t.ExpiresAt == nil:
		return "forever"
	case t.Expired:
		return "until " + terminal.Clock(*t.ExpiresAt, now)
	}
	return fmt.Sprintf("until %s (%s left)", terminal.Clock(*t.ExpiresAt, now), terminal.Age(t.ExpiresAt.Sub(now)))
}

func tokenRevokeCommand() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use: "revoke NAME", Short: "make a token good for nothing, at once", Long: tokenHelp + "\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead token revoke deploy --reason "leaked in a log"`, Args: exit.Args(cobra.ExactArgs(1)),
	}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept in the audit log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		var old api.Token
		if err := ordered(into(&old)(c.RevokeToken(exit.OrBackground(cmd.Context()), args[0], api.EndRequest{Actor: actor(), Reason: reason}))); err != nil {
			return suggestOf(err, args[0], func() []string {
				list, err := c.Tokens(exit.OrBackground(cmd.Context()))
				if err != nil {
					return nil
				}
				return terminal.Each(list.Tokens, func(t api.Token) string { return t.Name })
			})
		}
		w := cmd.OutOrStdout()
		fmt.Fprintf(output.text(w), "token %s, %s, is revoked\n", old.Name, old.Role)
		writeTokensMissing(output.text(w), old.Missing)
		return output.print(w, &old)
	}
	return cmd
}
