package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func eventsCommand() *cobra.Command {
	var after uint64
	var n int
	var kinds []string
	var subject, output string
	var follow bool
	cmd := &cobra.Command{
		Use:   "events",
		Short: "what happened on a node, and what happens: states, orders, nodes, incidents",
		Long: `Events prints what happened, oldest first. With --follow it goes on as things happen, also after the node was started anew,
until Ctrl-C; nothing that the node still remembers is missed.

--type is a type, as in endpoint.down, or the beginning of one, as in 'intent.*'; --subject a part of a name.

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached, 2 wrong usage.`,
		Example: `  fairlead events
  fairlead events --follow --type 'endpoint.*' --subject web-eu
  fairlead events --after 1200 -o json | jq .text`,
		Args: exit.Args(cobra.NoArgs),
	}
	server := addServerFlag(cmd)
	cmd.Flags().Uint64Var(&after, "after", 0, "begin after the event with this number (default: the latest events)")
	cmd.Flags().IntVarP(&n, "number", "n", defaultEntries, "how many events at most, 1 to 1000")
	cmd.Flags().StringArrayVar(&kinds, "type", nil, "only events of this type; may be given again")
	cmd.Flags().StringVar(&subject, "subject", "", "only events whose subject contains this")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on as things happen")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, or json: a line for each event")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := exit.Choice(cmd, "output", output, "table", "json"); err != nil {
			return err
		}
		if n < 1 || n > api.MaxEvents {
			return exit.Usagef(cmd, "--number %d: want 1 to %d", n, api.MaxEvents)
		}
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		q := adminapi.EventQuery{Types: kinds, Subject: subject, Limit: n}
		if cmd.Flags().Changed("after") {
			q.After = &after
		}
		return c.events(cmd, q, output == "json", follow)
	}
	return cmd
}

// events prints what q chooses and, with follow, what happens from then on.
func (c *client) events(cmd *cobra.Command, q adminapi.EventQuery, asJSON, follow bool) error {
	p := &eventPrinter{w: cmd.OutOrStdout(), style: terminal.StyleFor(cmd.OutOrStdout()), json: asJSON}
	got, err := c.Events(exit.OrBackground(cmd.Context()), q)
	if err != nil {
		return err
	}
	for i := range got.Events {
		p.print(&got.Events[i])
	}
	if !follow {
		return p.err
	}
	ctx, stop := signal.NotifyContext(exit.OrBackground(cmd.Context()), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	q.Limit, q.After = 0, &got.Next
	return c.follow(ctx, q, p, cmd.ErrOrStderr())
}

// follow prints events as they happen until ctx ends. What breaks the stream is said once, and it is taken up again.
func (c *client) follow(ctx context.Context, q adminapi.EventQuery, p *eventPrinter, stderr io.Writer) error {
	said := false
	for ctx.Err() == nil && p.err == nil {
		err := c.Follow(ctx, q, func(e *api.Event) error {
			*q.After = e.Seq
			p.print(e)
			return p.err
		})
		if ctx.Err() != nil {
			break
		}
		if err != nil && !said {
			said = true
			fmt.Fprintf(stderr, "error: %s; asked again every second\n", err)
		} else if err == nil {
			said = false
		}
		select {
		case <-ctx.Done():
		case <-time.After(watchInterval):
		}
	}
	return p.err
}

// eventWidth is how many columns an event needs on one line, with some room for its text.
const eventWidth = 140

// An eventPrinter prints events as they come, so columns have fixed widths.
type eventPrinter struct {
	w     io.Writer
	style terminal.Style
	json  bool
	err   error
}

func (p *eventPrinter) print(e *api.Event) {
	if p.err != nil {
		return
	}
	if p.json {
		p.err = json.NewEncoder(p.w).Encode(e)
		return
	}
	m := eventMark(e.Type)
	if width := p.style.Width; width > 0 && width < eventWidth {
		// What it is about and what happened go below.
		mark := p.style.Paint(m.Colour, m.Text())
		_, p.err = fmt.Fprintf(p.w, "%s  %s  %s\n", e.At.UTC().Format("15:04:05.000Z"), mark, e.Subject)
		for _, line := range terminal.Fold(e.Text, width-terminal.BelowIndent) {
			if p.err == nil && line != "" {
				_, p.err = fmt.Fprintf(p.w, "    %s\n", line)
			}
		}
		return
	}
	_, p.err = fmt.Fprintf(p.w, "%s  %s  %-40s  %s\n", e.At.UTC().Format("2006-01-02 15:04:05.000Z"), p.style.Paint(m.Colour, fmt.Sprintf("%s %-22s", m.Shape, m.Word)),
		e.Subject, e.Text)
}

// eventMark is the type of an event with the shape of what it is about.
func eventMark(kind string) terminal.Mark {
	_, what, _ := strings.Cut(kind, ".")
	state := health.Unknown
	switch what {
	case "up", "eligible", "heard", "rejoined", "serves", "sees", "in_time", "writable", "closed", "bound_known", "mended":
		state = health.Up
	case "suspect", "ending", "isolated", "blind", "late", "unwritable":
		state = health.Suspect
	case "down", "out", "silent", "shut", "opened", "void", "broken":
		state = health.Down
	case "drained", "created", "started", "suspended", "extended":
		state = health.Drained
	}
	return terminal.MarkOf(state, kind)
}

func hooksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hooks",
		Short: "the webhooks of a node: what waits, what was delivered, what could not be",
		Long: `Hooks lists the webhooks of the node file. Of the nodes of a cluster that have webhooks, the one with the least name delivers; the
others stand by.

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached, 2 wrong usage.`,
		Example: `  fairlead hooks
  fairlead hooks dead pager
  fairlead hooks redeliver pager`,
		Args: exit.Args(cobra.NoArgs),
	}
	prints(cmd, (*adminapi.Client).Hooks, func(d drawing, h *api.Hooks) { writeHooks(d, h, time.Now(), d.style) })
	cmd.AddCommand(deadCommand(), redeliverCommand())
	return cmd
}

func writeHooks(w io.Writer, h *api.Hooks, now time.Time, st terminal.Style) {
	if len(h.Hooks) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	if !h.Sends {
		fmt.Fprintln(w, "another node delivers; this one stands by")
	}
	t := terminal.NewTable("STATE", "NAME", "URL", "TYPES", "WAITING", "DEAD", "DELIVERED", "LAST", "TROUBLE").AlignRight(4, 5, 6)
	for i := range h.Hooks {
		k := &h.Hooks[i]
		m, last := terminal.MarkOf(health.Up, "good"), "-"
		switch {
		case k.LastError != "":
			m = terminal.MarkOf(health.Suspect, "retries")
		case k.Dead > 0:
			m = terminal.MarkOf(health.Down, "dead letters")
		}
		if k.LastSuccess != nil {
			last = terminal.Since(*k.LastSuccess, now)
		}
		t.Add(m.Colour, m.Text(), k.Name, k.URL, strings.Join(k.Type, " "), fmt.Sprint(k.Waiting), fmt.Sprint(k.Dead), fmt.Sprint(k.Delivered), last, terminal.Dash(k.LastError))
	}
	t.Write(w, st, "")
}

func deadCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "dead NAME", Short: "print the events that a webhook could not deliver", Long: "Dead prints the dead letters of a webhook, the oldest first.\n\n" + serverHelp + "\n\n" + exit.ReadHelp,
		Example: `  fairlead hooks dead pager -o json`, Args: exit.Args(cobra.ExactArgs(1)),
	}
	v := newViewer(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return v.run(cmd, func(ctx context.Context, c *client) (shown, error) {
			l, err := c.DeadLetters(ctx, args[0])
			if err != nil {
				return shown{}, err
			}
			return shown{doc: l, write: func(d drawing) {
				t := terminal.NewTable("EVENT", "HAPPENED", "SUBJECT", "WHY NOT DELIVERED")
				for _, x := range l.Letters {
					m := eventMark(x.Event.Type)
					t.Add(m.Colour, m.Text(), terminal.Clock(x.Event.At, time.Now()), x.Event.Subject, x.Why)
				}
				t.Write(d, d.style, "")
			}}, nil
		})
	}
	return cmd
}

func redeliverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "redeliver NAME", Short: "have the dead letters of a webhook delivered again", Long: "Redeliver has the dead letters delivered again, before anything else.\n\n" + serverHelp + "\n\n" + orderExits,
		Example: `  fairlead hooks redeliver pager`, Args: exit.Args(cobra.ExactArgs(1)),
	}
	server := addServerFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := newClient(*server)
		if err != nil {
			return err
		}
		h, err := c.Redeliver(exit.OrBackground(cmd.Context()), args[0], api.EndRequest{Actor: actor()})
		if err != nil {
			return ordered(err)
		}
		writeHooks(cmd.OutOrStdout(), h, time.Now(), terminal.StyleFor(cmd.OutOrStdout()))
		return nil
	}
	return cmd
}
