package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func cellCommand() *cobra.Command {
	var a asker
	var output string
	cmd := &cobra.Command{
		Use:   "cell SERVICE LABEL",
		Short: "where a label of a service with cells goes, and why: its shard, its home, orders about it, and the bound",
		Long: `Cell says of LABEL.SERVICE which shard it is, by its number, by the map of labels or by its hash; at which pool the shard is at home, which
order takes it away from there, and until when caches may hold where it went before; then, as explain does, who answers and why.

` + assumeHelp + `

` + serverHelp + `

Exit codes: 0 done, 1 the node cannot be reached, the files have errors or the service has no cells, 2 wrong usage.`,
		Example: `  fairlead cell orders.gslb.example.org acme
  fairlead cell orders 17 -o json
  fairlead cell orders.gslb.example.org acme --zones /etc/fairlead/zones.d --down pool=web-eu`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	a.flags(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "text", "json", "yaml"); err != nil {
			return err
		}
		c, err := a.cell(cmd, args[0], args[1])
		if err != nil {
			return err
		}
		if output != "text" {
			return terminal.WriteDocument(cmd.OutOrStdout(), output, c)
		}
		cellText{explanationText{out: cmd.OutOrStdout(), style: terminal.StyleFor(cmd.OutOrStdout())}}.write(c)
		return nil
	}
	return cmd
}

func (a *asker) cell(cmd *cobra.Command, service, label string) (*api.Cell, error) {
	x, err := a.offline(cmd)
	if err != nil {
		return nil, err
	}
	if x != nil {
		return x.Cell(service, label, a.assume, time.Now())
	}
	c, err := newClient(a.server)
	if err != nil {
		return nil, err
	}
	ctx := exit.OrBackground(cmd.Context())
	if service, err = c.service(ctx, service); err != nil {
		return nil, err
	}
	out, err := c.Cell(ctx, service, label, a.assume)
	return out, c.suggest(ctx, err, "service", strings.TrimSuffix(service, "."))
}

// cellText prints a cell for people.
type cellText struct{ explanationText }

func (t cellText) write(c *api.Cell) {
	name := terminal.Display(c.Label + "." + c.Service)
	by := map[string]string{"number": "its number", "map": "the map of labels", "hash": "its hash"}[c.By]
	t.lines("", fmt.Sprintf("%s is shard %d of %d, by %s", t.style.Paint(terminal.Bold, name), c.Shard, c.Shards, by))
	where := "at home at pool " + c.Home
	switch {
	case c.Order != nil && c.Pool == "":
		where += "; an order keeps it from there, and nobody takes over"
	case c.Order != nil && c.Pool == c.Home:
		where += "; an order gives it to that pool"
	case c.Order != nil:
		where += "; an order gives it to pool " + c.Pool
	}
	t.lines("  ", where)
	if o := c.Order; o != nil {
		t.lines("  ", fmt.Sprintf("order %s: %s, %s, by %s: %s", o.ID, intentWhat(o), intentUntil(o, c.At), o.Actor, o.Reason))
	}
	if c.MovesAt != nil {
		t.lines("  ", fmt.Sprintf("it moves by order at %s (in %s): until then no answer about it outlives that instant by more than ttl.min", terminal.Clock(*c.MovesAt, c.At), terminal.Age(c.MovesAt.Sub(c.At))))
	}
	if c.BoundSeconds > 0 {
		t.lines("  ", "should an endpoint die, honest caches have forgotten it within "+terminal.Seconds(c.BoundSeconds))
	}
	for i := range c.Moved {
		t.lines("  ", "moved at "+terminal.Clock(c.Moved[i].LeftAt, c.At)+": "+forgottenWords(&c.Moved[i].Forgetting, c.At))
	}
	t.printf("\n")
	t.explanationText.write(c.Answer)
}

// forgottenWords say when caches have forgotten where a shard was.
func forgottenWords(f *api.Forgetting, now time.Time) string {
	switch {
	case f.SafeAt == nil:
		var who []string
		for _, u := range f.Unknown {
			who = append(who, u.Node+" "+u.Why)
		}
		return "when caches have forgotten where it was is unknown: " + strings.Join(who, ", ")
	case f.Final:
		return "caches have forgotten where it was"
	}
	return "honest caches have forgotten where it was by " + terminal.Clock(*f.SafeAt, now)
}

// lines prints text, folded.
func (t explanationText) lines(indent, text string) {
	for i, line := range terminal.Fold(text, t.style.Width-len(indent)-2) {
		t.printf("%s%s%s\n", indent, strings.Repeat("  ", min(i, 1)), line)
	}
}
