package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// typedAbove is the part of a service's answers above which a person must type a name rather than y.
const typedAbove = 0.5

// confirmHelp stands in the help text of the commands that ask.
const confirmHelp = `When it is typed at a terminal it first shows what would change, and asks: with y/N for little; for a whole AZ or region, for more than
half of a service's answers, for NODATA and for a rule that is overridden it wants the name of what is taken out to be typed. --yes
does not ask. Where standard input is no terminal, as in scripts, nothing is asked.`

// addYesFlag gives cmd the flag of the commands that ask.
func addYesFlag(cmd *cobra.Command) {
	cmd.Flags().BoolP("yes", "y", false, "do not ask, also at a terminal")
}

// asks tells whether cmd has to ask: somebody sits there who can be asked, and did not say --yes; a dry run changes nothing.
func asks(cmd *cobra.Command) bool {
	yes, _ := cmd.Flags().GetBool("yes")
	if dry, _ := cmd.Flags().GetBool("dry-run"); dry {
		return false
	}
	f, ok := cmd.InOrStdin().(*os.File)
	return !yes && ok && term.IsTerminal(int(f.Fd()))
}

// errNotConfirmed ends an order that a person did not want after all.
var errNotConfirmed = &exit.Error{Code: exit.Failed, Err: errors.New("not confirmed: nothing has changed")}

// typed asks for name to be typed; short, its last part, will do.
func typed(cmd *cobra.Command, name string) error {
	short := name[strings.LastIndex(name, "/")+1:]
	answer, err := prompt(cmd, "type "+short+" to go on: ")
	if err != nil || answer != name && answer != short {
		return errNotConfirmed
	}
	return nil
}

// yesNo asks for a y.
func yesNo(cmd *cobra.Command) error {
	answer, err := prompt(cmd, "go on? [y/N] ")
	if err != nil || !slices.Contains([]string{"y", "yes"}, strings.ToLower(answer)) {
		return errNotConfirmed
	}
	return nil
}

// prompt asks on standard error, so that a command whose output goes elsewhere is seen to wait.
func prompt(cmd *cobra.Command, question string) (string, error) {
	fmt.Fprint(cmd.ErrOrStderr(), question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr())
	}
	return strings.TrimSpace(line), err
}

// A radius is how much an order would change.
type radius struct {
	// services is how many would answer otherwise; greatest is the largest part of the answers of one, of, that would move.
	services int
	greatest float64
	of       string
	// dark are those that would get NODATA.
	dark []string
}

func radiusOf(w *api.WhatIf) radius {
	var r radius
	seen := map[string]bool{}
	for _, s := range w.Services {
		if !seen[s.Service] {
			seen[s.Service] = true
			r.services++
		}
		if m := moved(&s); m > r.greatest {
			r.greatest, r.of = m, s.Service
		}
		if s.After.Source == "nodata" && s.Before.Source != "nodata" && !slices.Contains(r.dark, s.Service) {
			r.dark = append(r.dark, s.Service)
		}
	}
	return r
}

// moved is the part of a class's answers that would be others, 0..1, of the family where it is most.
func moved(s *api.WhatIfService) float64 {
	after := map[string]float64{}
	for _, x := range s.After.Shares {
		after[x.Family+" "+x.Data] += x.Fraction
	}
	lost := map[string]float64{}
	greatest := 0.0
	for _, x := range s.Before.Shares {
		lost[x.Family] += max(0, x.Fraction-after[x.Family+" "+x.Data])
		greatest = max(greatest, lost[x.Family])
	}
	return greatest
}

// words are the radius in one line.
func (r radius) words() string {
	if r.services == 0 {
		return "no answer changes now"
	}
	text := fmt.Sprintf("%s would answer otherwise; at most %s of the answers of one move (%s)", terminal.Count(r.services, "service"), terminal.Percent(r.greatest), terminal.Display(r.of))
	if len(r.dark) > 0 {
		text += "; NODATA from " + strings.Join(terminal.Each(r.dark, terminal.Display), ", ")
	}
	return text
}

// wide tells whether a name must be typed.
func (r radius) wide() bool { return r.greatest > typedAbove || len(r.dark) > 0 }

// confirmOrder shows what the order would do and asks; nil means go on. A refusal is what the order itself would get.
func confirmOrder(cmd *cobra.Command, c *client, req *api.IntentRequest) error {
	dry := *req
	dry.Wait = false
	var p api.Preview
	if err := ordered(into(&p)(c.PreviewIntent(exit.OrBackground(cmd.Context()), dry))); err != nil {
		return err
	}
	if p.Rule != "" {
		return refusedBy(p.Rule, p.Refused)
	}
	r := radiusOf(&p.WhatIf)
	c.writeAlready(exit.OrBackground(cmd.Context()), cmd.ErrOrStderr())
	showRadius(cmd.ErrOrStderr(), intentWhat(&p.Intent), &p.WhatIf, r)
	writeLeft(cmd.ErrOrStderr(), p.Left)
	writeForgetting(cmd.ErrOrStderr(), &p)
	if len(req.Override) > 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "overrides %s\n", ruleWords(req.Override))
	}
	if r.wide() || len(req.Override) > 0 || slices.Contains([]string{"az", "region", "cluster"}, req.Scope.Kind) {
		return typed(cmd, req.Scope.Name)
	}
	return yesNo(cmd)
}

// refusedBy is what an order gets that a safety rule refuses.
func refusedBy(rule, why string) error {
	return &exit.Error{Code: exit.Refused, Err: errors.New(why), Hint: fmt.Sprintf("`--override %s` does it all the same, with the reason on record", rule)}
}

// maxShown is how many services are shown in full before the question.
const maxShown = 5

func showRadius(w io.Writer, what string, would *api.WhatIf, r radius) {
	some := *would
	some.Services = would.Services[:min(len(would.Services), maxShown)]
	writeWhatIf(w, &some)
	if n := len(would.Services) - len(some.Services); n > 0 {
		fmt.Fprintf(w, "and %d more: --dry-run shows them all\n", n)
	}
	fmt.Fprintf(w, "\n%s: %s\n", what, r.words())
}

// askFirst makes cmd ask before it does anything, unless --yes is given or nobody sits there. Without a reason it does not come to
// that: the command asks for one.
func askFirst(cmd *cobra.Command, ask func(cmd *cobra.Command, args []string) error) *cobra.Command {
	run := cmd.RunE
	addYesFlag(cmd)
	cmd.Long += "\n\n" + "At a terminal it asks first, unless --yes is given."
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if asks(cmd) {
			if err := ask(cmd, args); err != nil {
				return err
			}
		}
		return run(cmd, args)
	}
	return cmd
}

// confirmPool shows what it would do to take a pool out of service, and asks.
func confirmPool(cmd *cobra.Command, args []string) error {
	c, err := newClient(accessOf(cmd))
	if err != nil {
		return err
	}
	ctx := exit.OrBackground(cmd.Context())
	pool, err := c.qualify(ctx, "pool", args[0])
	if err != nil {
		return err
	}
	var w api.WhatIf
	if err := into(&w)(c.WhatIf(ctx, api.Assumptions{Drain: []string{"pool=" + pool}})); err != nil {
		return err
	}
	w.Assumptions = api.Assumptions{}
	r := radiusOf(&w)
	showRadius(cmd.ErrOrStderr(), cmd.Name()+" "+pool, &w, r)
	if r.wide() {
		return typed(cmd, pool)
	}
	return yesNo(cmd)
}

// confirmWord asks for the name of the node about which something is said, or of the command if it is about all: what is said
// cannot be rehearsed.
func confirmWord(cmd *cobra.Command, args []string) error {
	if reason, _ := cmd.Flags().GetString("reason"); reason == "" {
		return nil
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", cmd.Name(), cmd.Short)
	if len(args) == 0 {
		return typed(cmd, cmd.Name())
	}
	return typed(cmd, args[0])
}
