package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// safeInterval is how often --wait asks: as often as nodes speak.
const safeInterval = time.Second

func safeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "safe az|pool|endpoint|region|cluster|node|shards NAME",
		Short: "is it safe to power this off? yes, not before an instant, or unknown and why",
		Long: `Safe says whether an AZ, a pool, an endpoint, a region or a Kubernetes cluster can be switched off: whether an honest cache may still send somebody there.

  yes             every node has said, after the last honest cache forgot, that it does not answer it, and an order keeps it out
  not before T    caches may hold it until T; then the nodes have to say so once more
  unknown         a node has not said, is not heard or serves other files
  no              it is answered, or may be at any moment: it is not drained, or another endpoint or a record has its address

Of shards of a --service: yes once no honest cache sends anybody who asks for them to where orders have taken them away from.

Of a node of the cluster: yes once it is drained, every order is on the others, which are a majority without it, and no bound
waits for its word.

It is an answer of one moment: what a node does after its word is a new fact. Caches that clamp, and what cannot be seen from DNS, stand
in the lines below it. With --wait it asks again every second until the answer is yes or --timeout is over, and prints what changes.

` + serverHelp + `

Exit codes: 0 yes, 1 the node cannot be reached or knows no such thing, 2 wrong usage, 3 any other answer.`,
		Example: `  fairlead safe az eu-west-1a
  fairlead safe pool web-eu --wait
  fairlead safe node n3
  fairlead safe az eu-west-1a -o json | jq .not_before`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	v := newViewer(cmd)
	wait := cmd.Flags().Bool("wait", false, "ask again every second until the answer is yes")
	timeout := addTimeoutFlag(cmd)
	service := cmd.Flags().String("service", "", "of shards: the service whose they are")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		kind, err := kindOf(cmd, args[0], drainKinds)
		if err != nil {
			return err
		}
		name := args[1]
		if (kind == "shards") != (*service != "") {
			return exit.Usagef(cmd, "--service is for shards, which need it")
		} else if kind == "shards" {
			name = *service + "/" + name
		}
		fetch := func(ctx context.Context, c *client) (shown, error) {
			s, err := c.safe(ctx, kind, name)
			if err != nil {
				return shown{}, err
			}
			out := shown{doc: s, write: func(d drawing) { writeSafe(d, s, d.style) }}
			if s.Answer != api.SafeYes {
				out.end = exit.Silent(exit.Degraded)
			}
			return out, nil
		}
		if *wait && !v.watch {
			return v.awaitSafe(cmd, kind, name, *timeout, nil)
		}
		return v.run(cmd, fetch)
	}
	return cmd
}

// safe asks whether something can be switched off; name may be the end of a full name.
func (c *client) safe(ctx context.Context, kind, name string) (*api.Safe, error) {
	full, err := c.qualify(ctx, kind, name)
	if service, shards, ok := strings.Cut(name, "/"); ok && kind == "shards" {
		if service, err = c.service(ctx, service); err == nil {
			full = service + "/" + shards
		}
	}
	if err != nil {
		return nil, err
	}
	s, err := c.Safe(ctx, api.Scope{Kind: kind, Name: full})
	if err != nil {
		return nil, c.suggest(ctx, err, kind, name)
	}
	return s, nil
}

// addTimeoutFlag adds the end of --wait.
func addTimeoutFlag(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("timeout", 0, "how long --wait asks for the answer yes at most, as 90s or 10m (default: without end)")
}

// awaitSafe asks until the answer is yes, and prints it; what is said on the way goes to standard error. timeout is how long at most, 0 for
// without end. over says why there is no use in waiting any longer; nil for never.
func (v *viewer) awaitSafe(cmd *cobra.Command, kind, name string, timeout time.Duration, over func(context.Context, *client) error) error {
	if err := exit.Choice(cmd, "output", v.output, "table", "wide", "json", "yaml"); err != nil {
		return err
	}
	c, err := newClient(*v.server)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(exit.OrBackground(cmd.Context()), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if timeout > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, timeout)
		defer end()
	}
	said, failed := "", ""
	for {
		s, err := c.safe(ctx, kind, name)
		switch {
		case ctx.Err() != nil:
			return endedWait(ctx, kind, name)
		case err != nil && said == "":
			return err
		case err != nil:
			if err.Error() != failed {
				failed = err.Error()
				fmt.Fprintf(cmd.ErrOrStderr(), "error: %s; asked again every second\n", err)
			}
		case s.Answer == api.SafeYes:
			w := cmd.OutOrStdout()
			return v.print(w, shown{doc: s, write: func(d drawing) { writeSafe(d, s, d.style) }}, terminal.StyleFor(w))
		case stage(s) != said || failed != "":
			said, failed = stage(s), ""
			terminal.Say(cmd.ErrOrStderr(), "%s %s: %s", kind, name, s.Text)
		}
		if over != nil {
			if err := over(ctx, c); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return endedWait(ctx, kind, name)
		case <-time.After(safeInterval):
		}
	}
}

// endedWait is how --wait ends without a yes: by a signal, or because its time is over.
func endedWait(ctx context.Context, kind, name string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &exit.Error{Code: exit.Degraded, Err: fmt.Errorf("%s %s is not known to be safe within --timeout", kind, name), Hint: "nothing was taken back; ask `fairlead safe` again"}
	}
	return exit.Silent(exit.Degraded)
}

// stage is an answer without what moves with every second.
func stage(s *api.Safe) string {
	words := []string{s.Answer}
	for _, w := range s.Why {
		words = append(words, w.Code, w.Node, w.Endpoint)
	}
	if s.NotBefore != nil {
		words = append(words, s.NotBefore.Truncate(time.Second).String())
	}
	return strings.Join(words, " ")
}

// safeMark is the shape and the colour of an answer.
func safeMark(answer string) terminal.Mark {
	switch answer {
	case api.SafeYes:
		return terminal.MarkOf(health.Up, "")
	case api.SafeNotBefore:
		return terminal.MarkOf(health.Drained, "")
	case api.SafeUnknown:
		return terminal.MarkOf(health.Unknown, "")
	}
	return terminal.MarkOf(health.Down, "")
}

func writeSafe(w io.Writer, s *api.Safe, st terminal.Style) {
	m := safeMark(s.Answer)
	for i, line := range terminal.Fold(m.Shape+" "+s.Text, st.Width-2) {
		if i > 0 {
			line = "  " + line
		}
		fmt.Fprintln(w, st.Paint(m.Colour, line))
	}
	what := s.Scope.Kind + " " + s.Scope.Name
	if s.Addresses > 0 {
		what += fmt.Sprintf(", %s with %d addresses", terminal.Count(s.Endpoints, "endpoint"), s.Addresses)
		if s.Addresses == 1 {
			what = strings.TrimSuffix(what, "es")
		}
	}
	what += fmt.Sprintf(", as node %s knows at %s", s.Node, terminal.Clock(s.At, s.At))
	if s.NotBefore != nil {
		what += " (" + terminal.Age(s.NotBefore.Sub(s.At)) + " left)"
	}
	if s.DrainEndsAt != nil {
		what += "; the drain ends " + terminal.Clock(*s.DrainEndsAt, s.At)
	}
	head := []string{what}
	for _, name := range s.NodesThere {
		head = append(head, fmt.Sprintf("node %s of this cluster stands there: `fairlead safe node %s` says whether it can go too", name, name))
	}
	lines := s.Lines
	switch s.Lifeboat {
	case api.LifeboatMayStop:
		lines = append(slices.Clone(lines), "lifeboat: may stop")
	case api.LifeboatNeeded:
		lines = append(slices.Clone(lines), "lifeboat: needed, an honest cache may still send somebody there")
	}
	for _, line := range slices.Concat(head, lines) {
		for i, part := range terminal.Fold(line, st.Width-2) {
			if i > 0 {
				part = "  " + part
			}
			fmt.Fprintln(w, part)
		}
	}
	t := terminal.NewTable("WHAT", "ENDPOINT", "NODE", "WHY")
	for i := range s.Why {
		x := &s.Why[i]
		why := x.Text
		if x.Command != "" {
			why = terminal.JoinWords("; ", why, "`"+x.Command+"`")
		}
		t.Add("", x.Code, terminal.Dash(x.Endpoint), terminal.Dash(x.Node), why)
	}
	if len(s.Why) > 1 || len(s.Why) == 1 && s.Why[0].Command != "" {
		t.Write(w, st, "  ")
	}
	if s.MoreWhy > 0 {
		fmt.Fprintf(w, "  and %d more reasons\n", s.MoreWhy)
	}
}
