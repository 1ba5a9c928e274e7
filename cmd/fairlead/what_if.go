package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func whatIfCommand() *cobra.Command {
	var a asker
	var output string
	cmd := &cobra.Command{
		Use:   "what-if --down|--drain|--weight …",
		Short: "which services would answer otherwise under an assumption, before and after",
		Long: `What-if runs the code that serves on what is assumed and prints every service, and class of its clients, whose answers
would change, with shares before and after. Nothing changes.

` + assumeHelp + `

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached or the files have errors, 2 wrong usage, 3 a service would be degraded, or a pool get more
than its capacity.`,
		Example: `  fairlead what-if --drain az=eu-west-1a
  fairlead what-if --down region=eu-west --weight web-us=10
  fairlead what-if --zones /etc/fairlead/zones.d --down pool=web-eu -o json`,
		Args: exit.Args(cobra.NoArgs),
	}
	a.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json", "yaml"); err != nil {
			return err
		}
		if len(a.assume.Down)+len(a.assume.Drain)+len(a.assume.Weight) == 0 {
			return exit.Usagef(cmd, "what is to be assumed? give --down, --drain or --weight")
		}
		w, err := a.whatIf(cmd)
		if err != nil {
			return err
		}
		if output != "text" {
			err = terminal.WriteDocument(cmd.OutOrStdout(), output, w)
		} else {
			writeWhatIf(cmd.OutOrStdout(), w)
		}
		if err == nil && worse(w) {
			return exit.Silent(exit.Degraded)
		}
		return err
	}
	return cmd
}

func (a *asker) whatIf(cmd *cobra.Command) (*api.WhatIf, error) {
	x, err := a.offline(cmd)
	if err != nil {
		return nil, err
	}
	if x != nil {
		return x.WhatIf(a.assume, time.Now())
	}
	c, err := newClient(a.server)
	if err != nil {
		return nil, err
	}
	return c.WhatIf(exit.OrBackground(cmd.Context()), a.assume)
}

// overloadText says how much of its capacity a pool would get.
func overloadText(o *api.Overload) string {
	return fmt.Sprintf("%s would get %.0f %% of its capacity: %.0f of %.0f requests/s", o.Pool, o.Percent, o.Requests, o.Capacity)
}

// cutText says which part of a service would be without what it needs.
func cutText(c *api.Cut) string {
	service, needs := terminal.Display(c.Service), terminal.Display(c.Needs)
	if c.Dark {
		return fmt.Sprintf("%s needs %s, of which nothing would be in service", service, needs)
	}
	return fmt.Sprintf("%s needs %s: %.0f %% of its answers would lead to %s, where %s has none (it is answered in %s)",
		service, needs, c.Percent, strings.Join(c.Regions, ", "), needs, strings.Join(c.NeedsRegions, ", "))
}

// worse tells whether a service would be degraded that is not.
func worse(w *api.WhatIf) bool {
	for _, s := range w.Services {
		if s.After.Degraded && !s.Before.Degraded {
			return true
		}
	}
	return len(w.Overloads)+len(w.Cuts) > 0
}

func writeWhatIf(out io.Writer, w *api.WhatIf) {
	st := terminal.StyleFor(out)
	m, text := briefMoves(w)
	writeBrief(out, st, m, text)
	writeMovesOf(out, st, w)
}

// writeMovesOf prints what is assumed, and what becomes of each service.
func writeMovesOf(out io.Writer, st terminal.Style, w *api.WhatIf) {
	for _, line := range assumptionLines(w.Assumptions) {
		fmt.Fprintln(out, line)
	}
	for _, s := range w.Services {
		name := terminal.Display(s.Service)
		if s.Class != "" {
			name += " for " + s.Class
		}
		was, is := stateMark(s.Before), stateMark(s.After)
		fmt.Fprintf(out, "\n%s\n  %s  ttl %ds -> %s  ttl %ds\n", st.Paint(terminal.Bold, name),
			st.Paint(was.Colour, was.Text()), s.Before.TTLSeconds, st.Paint(is.Colour, is.Text()), s.After.TTLSeconds)
		for _, f := range groupShares(s.Before.Shares, func(x api.Share) string { return x.Family }) {
			if !slices.ContainsFunc(s.After.Shares, func(x api.Share) bool { return x.Family == f.key }) {
				fmt.Fprintf(out, "  %s: nobody, every query would get NODATA\n", f.key)
			}
		}
		writeMoves(out, st, s)
	}
	if len(w.Services)+len(w.Names) > 0 {
		fmt.Fprintln(out)
	}
	for _, n := range w.Names {
		fmt.Fprintln(out, nameText(&n))
	}
	for _, o := range w.Overloads {
		terminal.Say(out, "%s: %s", st.Paint(terminal.Yellow, "▲ warning"), overloadText(&o))
	}
	for _, c := range w.Cuts {
		terminal.Say(out, "%s: %s", st.Paint(terminal.Yellow, "▲ warning"), cutText(&c))
	}
	if w.MoreNames > 0 {
		fmt.Fprintf(out, "and %d more names beside those of services lose something\n", w.MoreNames)
	}
	fmt.Fprintf(out, "%s unchanged\n", terminal.Count(w.Unchanged, "service"))
}

func stateMark(s api.WhatIfState) terminal.Mark {
	return serviceMark(api.Service{Source: s.Source, Degraded: s.Degraded, Tier: s.Tier})
}

// writeMoves prints each member's share before and after.
func writeMoves(out io.Writer, st terminal.Style, s api.WhatIfService) {
	type key struct{ family, data string }
	after := make(map[key]api.Share)
	for _, x := range s.After.Shares {
		after[key{x.Family, x.Data}] = x
	}
	t := terminal.NewTable("", "", "", "BEFORE", "AFTER").AlignRight(3, 4)
	for _, x := range s.Before.Shares {
		k := key{x.Family, x.Data}
		t.Add("", x.Family, x.Data, x.Pool+"/"+x.Endpoint, share(x.Fraction), share(after[k].Fraction))
		delete(after, k)
	}
	for _, x := range s.After.Shares {
		if _, ok := after[key{x.Family, x.Data}]; ok {
			t.Add("", x.Family, x.Data, x.Pool+"/"+x.Endpoint, share(0), share(x.Fraction))
		}
	}
	t.Write(out, st, "    ")
}
