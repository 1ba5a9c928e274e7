package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
	runs "github.com/fairlead-dns/fairlead/health/run"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// runPoll is how often --wait asks how a run stands.
const runPoll = 500 * time.Millisecond

// awaitRun prints what happens in a run until it has ended, or waits for a person.
func (c *client) awaitRun(ctx context.Context, output *outputFlag, w io.Writer, id string) error {
	tick := time.NewTicker(runPoll)
	defer tick.Stop()
	said, text := make(map[string]string), output.text(w)
	for {
		var u api.Run
		if err := into(&u)(c.Run(ctx, id)); err != nil {
			return err
		}
		for i := range u.Steps {
			s := &u.Steps[i]
			if line := s.Status + ": " + s.Text; s.Status != "pending" && said[s.Name] != line {
				said[s.Name] = line
				fmt.Fprintf(text, "%s  %d %s %s %s\n", time.Now().UTC().Format("15:04:05Z"), i+1, s.Name, s.Status, plain(s.Text))
			}
		}
		switch u.Status {
		case "running", "undoing":
		default:
			writeRun(text, &u, terminal.StyleFor(w))
			if err := output.print(w, &u); err != nil {
				return err
			}
			if u.Status != "done" {
				return exit.Silent(exit.Failed)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func stepMark(s *api.RunStep) terminal.Mark {
	switch s.Status {
	case "done":
		return terminal.MarkOf(health.Up, s.Status)
	case "failed", "uncertain", "left":
		return terminal.MarkOf(health.Down, s.Status)
	case "running", "waiting":
		return terminal.MarkOf(health.Suspect, s.Status)
	case "undone":
		return terminal.MarkOf(health.Drained, s.Status)
	}
	return terminal.MarkOf(health.Unknown, s.Status)
}

func writeRun(w io.Writer, u *api.Run, st terminal.Style) {
	m, kind := runMark(u), u.Variant
	if u.Practice {
		kind += ", practice"
	}
	fmt.Fprintf(w, "%s  %s  plan %s, %s\n", st.Paint(m.Colour, m.Text()), u.ID, u.Plan, kind)
	fmt.Fprintf(w, "  by %s: %s\n", plain(u.Actor), plain(u.Reason))
	fmt.Fprintf(w, "  began %s; carried on by %s\n", terminal.Since(u.StartedAt, time.Now()), u.Owner)
	if u.Why != "" {
		fmt.Fprintln(w, "  "+plain(u.Why))
	}
	if u.Waits != "" && u.Waits != u.Why {
		fmt.Fprintln(w, "  waits: "+plain(u.Waits))
	}
	t := terminal.NewTable("#", "STATUS", "STEP", "DOES", "SECONDS", "WHAT CAME OF IT").AlignRight(0, 4)
	for i := range u.Steps {
		s := &u.Steps[i]
		m, seconds := stepMark(s), "-"
		if s.BeganAt != nil && s.EndedAt != nil {
			seconds = fmt.Sprintf("%.1f", max(0, s.EndedAt.Sub(*s.BeganAt)).Seconds())
		}
		t.Add(m.Colour, fmt.Sprint(i+1), m.Text(), s.Name, plain(s.Does), seconds, terminal.Dash(plain(s.Text)))
	}
	t.Write(w, st, "  ")
}

func planRunsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "runs", Short: "list the runs of plans of the whole cluster", Args: exit.Args(cobra.NoArgs), Example: `  fairlead plan runs`,
		Long: "Runs prints the runs that are kept, the latest first. Every node has all of them.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
	}
	prints(cmd, (*adminapi.Client).Runs, func(d drawing, list *api.Runs) {
		if len(list.Runs) == 0 {
			fmt.Fprintln(d, "none")
			return
		}
		t := terminal.NewTable("STATUS", "RUN", "STARTED", "STEP", "NODE", "KIND", "WHY")
		for i := range list.Runs {
			u := &list.Runs[i]
			m, kind := runMark(u), u.Variant
			if u.Practice {
				kind += ", practice"
			}
			t.Add(m.Colour, m.Text(), u.ID, terminal.Since(u.StartedAt, time.Now()), fmt.Sprintf("%d/%d", min(u.Current, len(u.Steps)), len(u.Steps)), u.Owner, kind, terminal.Dash(plain(u.Why)))
		}
		t.Write(d, d.style, "")
	})
	return cmd
}

// A planWord is a word of a person on a run.
type planWord struct {
	use, short, long, example string
	args                      cobra.PositionalArgs
	say                       func(*adminapi.Client, context.Context, string, api.RunRequest) (*api.Run, error)
	// as is set where --step says what becomes of a failed step, reason where one is required.
	as, reason bool
}

func planWordCommand(p *planWord) *cobra.Command {
	var req api.RunRequest
	cmd := &cobra.Command{Use: p.use, Short: p.short, Long: p.long + "\n\n" + serverHelp + "\n\n" + orderExits, Example: p.example, Args: exit.Args(p.args)}
	server, output := addServerFlag(cmd), addOutputFlag(cmd)
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why")
	if p.as {
		cmd.Flags().StringVar(&req.As, "step", "", "again or done: what becomes of the step that failed")
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := output.check(cmd); err != nil {
			return err
		}
		if p.reason && req.Reason == "" {
			return exit.Usagef(cmd, "--reason is required: it is what the next person reads")
		}
		if req.As != "" && req.As != "again" && req.As != "done" {
			return exit.Usagef(cmd, "--step %q: want again or done", req.As)
		}
		if len(args) > 1 {
			req.Step = args[1]
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
		req.Actor = actor()
		var u api.Run
		if err := ordered(into(&u)(p.say(c.Client, ctx, args[0], req))); err != nil {
			return suggestOf(err, args[0], c.planNames(ctx))
		}
		writeRun(output.text(w), &u, terminal.StyleFor(w))
		return output.print(w, &u)
	}
	return cmd
}

func planEvidenceCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use: "evidence RUN", Short: "what a run did and how long it took, signed or in Markdown", Args: exit.Args(cobra.ExactArgs(1)),
		Long: `Evidence prints what the run did, with times, RTO, RPO and bound: signed by the node as JSON, which ` + "`fairlead plan verify`" + ` checks, or as a
report in Markdown.

` + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead plan evidence run-eu-out-1a2b3c4d > evidence.json
  fairlead plan evidence run-eu-out-1a2b3c4d -o markdown`,
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&format, "output", "o", "signed", "signed, json or markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", format, "signed", "json", "markdown"); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx := exit.OrBackground(cmd.Context())
		signed, err := c.RunEvidence(ctx, args[0])
		if err != nil {
			return suggestOf(err, args[0], c.planNames(ctx))
		}
		if format == "signed" {
			return terminal.WriteDocument(cmd.OutOrStdout(), "json", signed)
		}
		var e runs.Evidence
		if err := json.Unmarshal(signed.Payload, &e); err != nil {
			return err
		}
		return writeEvidence(cmd.OutOrStdout(), &e, format)
	}
	return cmd
}

func writeEvidence(w io.Writer, e *runs.Evidence, format string) error {
	if format == "json" {
		return terminal.WriteDocument(w, "json", e)
	}
	_, err := io.WriteString(w, e.Markdown())
	return err
}

func planVerifyCommand() *cobra.Command {
	var key, format string
	cmd := &cobra.Command{
		Use: "verify FILE --key KEY", Short: "check the signature of evidence and print what it says", Args: exit.Args(cobra.ExactArgs(1)),
		Long: `Verify checks what ` + "`fairlead plan evidence RUN`" + ` printed. KEY is the public key of the node that signed it, as in the roster of its node
file; of a node alone, the file with its certificate.key will do.

Exit codes: 0 it is what the node signed, 1 it is not, 2 wrong usage.`,
		Example: `  fairlead plan verify evidence.json --key 'ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ='`,
	}
	cmd.Flags().StringVar(&key, "key", "", "the public key in base64, or a file with the private one")
	cmd.Flags().StringVarP(&format, "output", "o", "json", "json or markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", format, "json", "markdown"); err != nil {
			return err
		}
		public, err := publicKey(key)
		if err != nil {
			return exit.Usagef(cmd, "--key: %w", err)
		}
		b, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		var signed ledger.Envelope
		var e runs.Evidence
		if err := json.Unmarshal(b, &signed); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		payload, err := signed.Open(runs.EvidenceType, public)
		if err == nil {
			err = json.Unmarshal(payload, &e)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return writeEvidence(cmd.OutOrStdout(), &e, format)
	}
	return cmd
}
