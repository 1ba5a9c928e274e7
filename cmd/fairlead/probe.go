package main

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func probeCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "probe ENDPOINT",
		Short: "probe an endpoint once, now, and print the phases and the whole exchange",
		Long: `Probe has the node probe an endpoint once, with every check behind it, outside the schedule. The verdict does not move.
It prints how long each phase took, why a check failed, and what was said on the connection (above TLS), the first 4,096
octets each way.

ENDPOINT is ENDPOINT, POOL/ENDPOINT or ZONE/POOL/ENDPOINT.

` + serverHelp + `

Exit codes: 0 every check passed, 1 the node cannot be reached or there is no such endpoint, 2 wrong usage, 3 a check failed.`,
		Example: `  fairlead probe web-eu/web-1a`,
		Args:    exit.Args(cobra.ExactArgs(1)),
	}
	server := addServerFlag(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json", "yaml"); err != nil {
			return err
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		ctx := exit.OrBackground(cmd.Context())
		name, err := c.qualify(ctx, "endpoint", args[0])
		if err != nil {
			return err
		}
		var reply api.ProbeReply
		if err := into(&reply)(c.Probe(ctx, name)); err != nil {
			return c.suggest(ctx, err, "endpoint", name)
		}
		if output != "text" {
			err = terminal.WriteDocument(cmd.OutOrStdout(), output, reply)
		} else {
			writeProbe(cmd.OutOrStdout(), &reply)
		}
		if err != nil {
			return err
		}
		for _, r := range reply.Results {
			if !r.OK {
				return exit.Silent(exit.Degraded)
			}
		}
		return nil
	}
	return cmd
}

// writeProbe prints one block per check.
func writeProbe(w io.Writer, reply *api.ProbeReply) {
	fmt.Fprintf(w, "%s, probed by node %s\n", reply.Endpoint, reply.Node)
	if len(reply.Results) == 0 {
		fmt.Fprintln(w, "nothing is dialled for it: it has no check, or reports itself")
	}
	for _, r := range reply.Results {
		state, why := health.Up, ""
		if !r.OK {
			state, why = health.Down, ": "+r.Reason
		}
		fmt.Fprintf(w, "\n%s %s: check %s (%s) %s%s\n", state.Shape(), map[bool]string{true: "passed", false: "failed"}[r.OK], r.Check, r.Type, r.Address, why)
		if r.Lag != nil {
			unit := config.LagSeconds
			if r.Unit == config.LagOctets.String() {
				unit = config.LagOctets
			}
			fmt.Fprintf(w, "  lag %s\n", config.LagText(*r.Lag, unit))
		}
		if r.Warning != "" {
			fmt.Fprintf(w, "  warning: %s\n", r.Warning)
		}
		if r.CertificateExpires != nil {
			fmt.Fprintf(w, "  certificate ends %s\n", r.CertificateExpires.UTC().Format(time.RFC3339))
		}
		fmt.Fprintf(w, "  phases: connect %s, TLS %s, first byte %s, total %s\n", phase(r.ConnectSeconds), phase(r.TLSSeconds), phase(r.FirstByteSeconds), phase(r.TotalSeconds))
		writeExchange(w, ">", r.Sent)
		writeExchange(w, "<", r.Received)
	}
}

// phase is a duration, or a dash for a phase that was not reached.
func phase(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Microsecond).String()
}

// writeExchange prints octets line by line; what is no text is quoted, so that a peer cannot paint the terminal.
func writeExchange(w io.Writer, sign string, octets []byte) {
	for line := range bytes.Lines(octets) {
		text := strconv.Quote(strings.TrimRight(string(line), "\r\n"))
		fmt.Fprintf(w, "  %s %s\n", sign, text[1:len(text)-1])
	}
}
