package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/health/ledger"
)

func incidentsCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "incidents [ID]",
		Short: "what happened, how long each part took, and when the last cache forgot",
		Long: `Incidents lists what this node keeps of departures by health and by order, the newest first. With ID, or latest, it prints one:
from the last good probe, or the order, to the last honest cache, each part against the declared RTO. -o md is a report to
paste, -o certificate a signed certificate (a DSSE envelope) that no honest cache holds the endpoints any more, once that
is known and past. What the endpoints count themselves after they have left (late_hits in the zone file) stands beside the bound.

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached, or there is no such incident, 2 wrong usage, 5 there is nothing to certify yet.`,
		Example: `  fairlead incidents
  fairlead incidents latest -o md
  fairlead incidents 20261123-031501-n1-1 -o certificate > certificate.json
  fairlead incidents verify certificate.json --key 'ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ='`,
		Args: exit.Args(cobra.MaximumNArgs(1)),
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json, yaml, md or certificate; the last two with ID")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "table", "json", "yaml", "md", "certificate"); err != nil {
			return err
		}
		if len(args) == 0 && (output == "md" || output == "certificate") {
			return exit.Usagef(cmd, "-o %s wants an ID, or latest", output)
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx, w := exit.OrBackground(cmd.Context()), cmd.OutOrStdout()
		if len(args) == 0 {
			return c.printIncidents(ctx, w, output)
		}
		return c.printIncident(ctx, w, args[0], output)
	}
	cmd.AddCommand(verifyCommand())
	return cmd
}

func (c *client) printIncidents(ctx context.Context, w io.Writer, output string) error {
	list, err := c.Incidents(ctx, false)
	if err != nil {
		return err
	}
	if output != "table" {
		return terminal.WriteDocument(w, output, list)
	}
	if len(list.Incidents) == 0 {
		fmt.Fprintln(w, "none")
		return nil
	}
	writeIncidents(w, list.Incidents, time.Now(), terminal.StyleFor(w))
	return nil
}

func (c *client) printIncident(ctx context.Context, w io.Writer, id, output string) error {
	near := func(err error) error {
		return suggestOf(err, id, func() []string {
			list, err := c.Incidents(ctx, false)
			if err != nil {
				return nil
			}
			return append(terminal.Each(list.Incidents, func(i *ledger.Incident) string { return i.ID }), "latest")
		})
	}
	switch output {
	case "certificate":
		var e ledger.Envelope
		if err := into(&e)(c.Certificate(ctx, id)); err != nil {
			return near(err)
		}
		return terminal.WriteDocument(w, "json", e)
	case "json", "yaml":
		var i ledger.Incident
		if err := into(&i)(c.Incident(ctx, id)); err != nil {
			return near(err)
		}
		return terminal.WriteDocument(w, output, i)
	}
	var i ledger.Incident
	if err := into(&i)(c.Incident(ctx, id)); err != nil {
		return near(err)
	}
	if output == "md" {
		_, err := io.WriteString(w, i.Markdown())
		return err
	}
	writeIncident(w, &i, time.Now(), terminal.StyleFor(w))
	return nil
}

func incidentMark(i *ledger.Incident) terminal.Mark {
	switch {
	case i.Open() && !i.ReturnedAt.IsZero():
		return terminal.MarkOf(health.Up, "over")
	case i.Open() && i.Kind == ledger.ByIntent:
		return terminal.MarkOf(health.Drained, "open")
	case i.Open():
		return terminal.MarkOf(health.Down, "open")
	}
	return terminal.MarkOf(health.Up, "closed")
}

func writeIncidents(w io.Writer, list []*ledger.Incident, now time.Time, st terminal.Style) {
	t := terminal.NewTable("STATE", "ID", "OPENED", "WHAT", "FORGOTTEN", "TOTAL", "RTO")
	for _, i := range list {
		m := incidentMark(i)
		t.Add(m.Colour, m.Text(), i.ID, terminal.Since(i.OpenedAt, now), i.Title, forgotten(i, now), total(i), rto(i))
	}
	t.Write(w, st, "")
}

// forgotten is when the last honest cache has forgotten, or who has not said.
func forgotten(i *ledger.Incident, now time.Time) string {
	if i.CameBack() {
		return "answered again since " + terminal.Clock(i.ReturnedAt, now)
	}
	if !i.Known() || len(i.Unknown) > 0 {
		var names []string
		for _, u := range i.Unknown {
			if u.Answering {
				return "answered by " + u.Node
			}
			names = append(names, u.Node)
		}
		return strings.TrimSpace("unknown " + strings.Join(names, " "))
	}
	switch d := i.SafeAt.Sub(now); {
	case i.Forgotten():
		return terminal.Clock(i.ForgottenAt, now)
	case d > 0:
		return "by " + terminal.Clock(i.SafeAt, now) + " (in " + terminal.Age(d) + ")"
	}
	return "by " + terminal.Clock(i.SafeAt, now) + ", being confirmed"
}

func total(i *ledger.Incident) string {
	if i.Phases.Total == nil {
		return "-"
	}
	return fmt.Sprintf("%.1fs", *i.Phases.Total)
}

// rto says whether every service that declares one was back in time.
func rto(i *ledger.Incident) string {
	word := "-"
	for _, s := range i.Services {
		switch {
		case s.WithinRTO == nil:
		case !*s.WithinRTO:
			return fmt.Sprintf("missed (%s)", terminal.Seconds(s.RTOSeconds))
		default:
			word = "kept"
		}
	}
	return word
}

func writeIncident(w io.Writer, i *ledger.Incident, now time.Time, st terminal.Style) {
	m := incidentMark(i)
	fmt.Fprintf(w, "%s  %s  %s\n", st.Paint(m.Colour, m.Text()), st.Paint(terminal.Bold, i.ID), i.Title)
	if i.Cause != "" {
		fmt.Fprintf(w, "cause: %s", i.Cause)
		if i.Actor != "" {
			fmt.Fprintf(w, " (%s, %s)", i.Actor, i.Intent)
		}
		fmt.Fprintln(w)
	}
	t := terminal.NewTable("", "")
	for _, row := range i.Timeline() {
		t.Add("", row.At.UTC().Format("15:04:05.000Z"), row.What)
	}
	t.Write(w, st, "  ")
	for _, a := range i.Answered {
		fmt.Fprintln(w, "  "+st.Paint(terminal.Yellow, fmt.Sprintf("answered all the same: %s (%s) by %s", a.Endpoint, a.Address, a.Node)))
	}
	for _, r := range i.NotCovered {
		fmt.Fprintln(w, "  "+st.Paint(terminal.Yellow, "not covered: the record "+r+" has an address of it"))
	}
	for _, u := range i.Unknown {
		fmt.Fprintln(w, "  "+st.Paint(terminal.Yellow, fmt.Sprintf("bound unknown: %s %s", u.Node, u.Why)))
	}
	p := terminal.NewTable("PHASE", "SECONDS").AlignRight(1)
	for _, row := range i.Phases.List() {
		p.Add("", row.Name, fmt.Sprintf("%.2f", row.Seconds))
	}
	p.Write(w, st, "  ")
	fmt.Fprintf(w, "  answers of this node that pointed there meanwhile: %d; in caches when it left: %d\n", i.Answers, i.Outstanding)
	for _, line := range i.HitLines() {
		fmt.Fprintln(w, "  "+line)
	}
	for _, line := range i.LossLines() {
		fmt.Fprintln(w, "  "+line)
	}
	for _, s := range i.Services {
		if s.WithinRTO != nil && !*s.WithinRTO {
			fmt.Fprintln(w, "  "+st.Paint(terminal.Red, fmt.Sprintf("%s missed its RTO of %s", s.Service, terminal.Seconds(s.RTOSeconds))))
		}
	}
}

func verifyCommand() *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "verify FILE --key KEY",
		Short: "check the signature of a certificate and print what it says",
		Long: `Verify checks a certificate that ` + "`fairlead incidents ID -o certificate`" + ` printed. KEY is the public key of the node that
signed it, as in the roster of its node file; of a node alone, the file with its certificate.key will do.

Exit codes: 0 it is what the node signed, 1 it is not, 2 wrong usage.`,
		Example: `  fairlead incidents verify certificate.json --key 'ebVWLo/mVPlAeLES6KmLp5AfhTrmlb7X4OORC60ElmQ='`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	cmd.Flags().StringVar(&key, "key", "", "the public key in base64, or a file with the private one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		public, err := publicKey(key)
		if err != nil {
			return exit.Usagef(cmd, "--key: %w", err)
		}
		b, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		var e ledger.Envelope
		if err := json.Unmarshal(b, &e); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		c, err := e.Verify(public)
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		return terminal.WriteDocument(cmd.OutOrStdout(), "json", c)
	}
	return cmd
}

// publicKey reads a public key, or that of a private key in a file.
func publicKey(text string) (ed25519.PublicKey, error) {
	if b, err := base64.StdEncoding.DecodeString(text); err == nil && len(b) == ed25519.PublicKeySize {
		return b, nil
	}
	b, err := os.ReadFile(text)
	if err != nil {
		return nil, fmt.Errorf("neither a key of 32 octets in base64 nor a file: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, fmt.Errorf("%s: no PEM", text)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: not an Ed25519 key", text)
	}
	return private.Public().(ed25519.PublicKey), nil
}
