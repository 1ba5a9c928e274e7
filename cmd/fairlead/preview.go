package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// writePreview prints what an order would do, and first what is down already.
func (c *client) writePreview(cmd *cobra.Command, output *outputFlag, p *api.Preview) error {
	out := cmd.OutOrStdout()
	if err := output.print(out, p); err != nil {
		return err
	}
	text := output.text(out)
	c.writeAlready(exit.OrBackground(cmd.Context()), text)
	m, moves := briefMoves(&p.WhatIf)
	switch {
	case len(p.AnsweredElsewhere) > 0:
		moves += "; " + terminal.Count(len(p.AnsweredElsewhere), "address") + " of it would be answered all the same"
	case p.ForgottenWithinSeconds > 0:
		moves += "; honest caches forget within " + terminal.Seconds(p.ForgottenWithinSeconds)
	}
	writeBrief(text, terminal.StyleFor(text), m, fmt.Sprintf("dry run of %s, nothing has changed: %s", intentWhat(&p.Intent), moves))
	writeMovesOf(text, terminal.StyleFor(text), &p.WhatIf)
	writeLeft(text, p.Left)
	writeForgetting(text, p)
	if p.Rule == "" {
		return nil
	}
	return &exit.Error{Code: exit.Refused, Err: fmt.Errorf("would be %s", p.Refused),
		Hint: fmt.Sprintf("`--override %s` would do it all the same, with the reason on record", p.Rule)}
}

// writeForgetting says within what time honest caches forget what leaves, and what they do not forget because it is answered all the same.
func writeForgetting(w io.Writer, p *api.Preview) {
	if p.ForgottenWithinSeconds > 0 {
		what := ""
		if len(p.AnsweredElsewhere) > 0 {
			what = " what leaves"
		}
		fmt.Fprintf(w, "honest caches forget%s within %s, if resolvers accept within %s\n", what, terminal.Seconds(p.ForgottenWithinSeconds), terminal.Seconds(p.TransitSeconds))
	}
	st := terminal.StyleFor(w)
	for _, s := range p.AnsweredElsewhere {
		by := terminal.Each(s.Names, terminal.Display)
		for _, r := range s.Records {
			by = append(by, "the record "+r)
		}
		terminal.Say(w, "%s: %s of %s would be answered by %s all the same", st.Paint(terminal.Yellow, "▲ warning"), s.Address, s.Endpoint, strings.Join(by, ", "))
	}
}

// maxAlready is how many causes stand before a preview.
const maxAlready = 3

// writeAlready says what is down already: what an order takes away comes on top of that. A node that has no causes to tell is left alone.
func (c *client) writeAlready(ctx context.Context, w io.Writer) {
	s, err := c.Status(ctx)
	if err != nil || s.Headline == "" {
		return
	}
	var down []string
	for i := range s.Causes {
		if s.Causes[i].State == "down" || s.Causes[i].State == "suspect" {
			down = append(down, s.Causes[i].Text)
		}
	}
	if len(down) == 0 {
		fmt.Fprintln(w, "down already: nothing")
		return
	}
	more := ""
	if n := len(down) - maxAlready; n > 0 {
		down, more = down[:maxAlready], fmt.Sprintf(" · and %d more", n)
	}
	st := terminal.StyleFor(w)
	for i, line := range terminal.Fold("down already: "+strings.Join(down, " · ")+more, st.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, st.Paint(terminal.Red, line))
	}
}
