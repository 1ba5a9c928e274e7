package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/health/audit"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// defaultEntries is how many entries are printed: a screen.
const defaultEntries = 50

const auditHelp = `The log is that of one node and lies in its state directory, DIR. Without DIR it is looked for beside the admin socket
that the environment variable ` + serverEnv + ` names, else in ` + systemState + `, else in that of the demo that this
user runs. The files are read directly: no node has to run.`

const auditServerHelp = `With --server, --context or --node, with a context in use, where ` + serverEnv + ` names a node over https or a socket without a log
beside it, and while a demo of this user runs, that node is asked instead, for which the login must be an admin's.`

// errTampered is said of a log that somebody changed.
var errTampered = errors.New("the audit log is not what was written")

func auditCommand() *cobra.Command {
	var after uint64
	var n int
	var output string
	cmd := &cobra.Command{
		Use:   "audit [DIR]",
		Short: "print what operators asked this node for, and what came of it",
		Long: `Audit prints the latest entries of the audit log, oldest first: who asked for what, from where, why, and what came of it.
It checks each entry by itself; ` + "`fairlead audit verify`" + ` checks the whole log.

` + auditHelp + " " + auditServerHelp + `

Exit codes: 0 done, 1 no log, or a line that is not what was written, 2 wrong usage.`,
		Example: `  fairlead audit
  fairlead audit --server https://node1.example.org:8443 --token-file admin.token
  fairlead audit --after 1200 -n 100 -o json /var/lib/fairlead`,
		Args: exit.Args(cobra.MaximumNArgs(1)),
	}
	server := addServerFlag(cmd)
	cmd.Flags().Uint64Var(&after, "after", 0, "begin after the entry with this number (default: the latest entries)")
	cmd.Flags().IntVarP(&n, "number", "n", defaultEntries, "how many entries at most")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json; json prints the lines as they are in the log")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "table", "json"); err != nil {
			return err
		}
		if n < 1 {
			return exit.Usagef(cmd, "--number %d: want 1 or more", n)
		}
		if asksNode(server, args) {
			return auditOver(cmd, *server, after, n, output)
		}
		dir, err := auditDir(args)
		if err != nil && len(args) == 0 && os.Getenv(serverEnv) != "" {
			// Not beside the socket: the node knows where, if it runs.
			if told := auditOver(cmd, *server, after, n, output); told == nil || errors.Is(told, errTampered) {
				return told
			}
		}
		if err != nil {
			return err
		}
		var entries []audit.Entry
		if cmd.Flags().Changed("after") {
			entries, err = audit.Read(dir, after, n)
		} else {
			entries, err = audit.Last(dir, n)
		}
		return errors.Join(writeAudit(cmd.OutOrStdout(), entries, output, time.Now()), auditError(err))
	}
	cmd.AddCommand(auditVerifyCommand())
	return cmd
}

// asksNode tells whether a node is to be asked, and not its files.
func asksNode(server *access, args []string) bool {
	if len(args) > 0 {
		return false
	}
	a := *server
	if source, err := a.resolve(); err != nil || source != "" {
		return err != nil || source != serverEnv || strings.HasPrefix(a.server, "https:")
	}
	// Demos that were killed leave their files behind: the one that runs knows which are its own.
	return !exists(systemSocket) && exists(demoSocket())
}

// auditOver prints what a node says of its log.
func auditOver(cmd *cobra.Command, server access, after uint64, n int, output string) error {
	c, err := newClient(server)
	if err != nil {
		return err
	}
	ctx, limit := exit.OrBackground(cmd.Context()), min(n, api.MaxAudit)
	got, err := c.Audit(ctx, limit)
	if cmd.Flags().Changed("after") {
		got, err = c.AuditAfter(ctx, after, limit)
	}
	if err != nil {
		return err
	}
	entries := make([]audit.Entry, 0, len(got.Entries))
	for _, e := range got.Entries {
		entries = append(entries, audit.Entry(e))
	}
	err = writeAudit(cmd.OutOrStdout(), entries, output, time.Now())
	if got.Broken != "" {
		err = errors.Join(err, fmt.Errorf("%w: %s", errTampered, got.Broken))
	}
	return err
}

func auditVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify [DIR]",
		Short: "check that the audit log is what was written",
		Long: `Verify reads the whole audit log and finds every octet that was changed, every line or file that was removed, added or
moved, and an end that was cut off. It does not find a log that somebody with access to the directory made anew as a whole:
compare the printed hash with one that was kept elsewhere.

` + auditHelp + `

Exit codes: 0 it is what was written, 1 it is not, or there is none, 2 wrong usage.`,
		Example: `  fairlead audit verify /var/lib/fairlead`,
		Args:    exit.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := auditDir(args)
			if err != nil {
				return err
			}
			s, err := audit.Verify(dir)
			if err != nil {
				return auditError(err)
			}
			out := cmd.OutOrStdout()
			fmt.Fprintf(out, "%s: %s in %s, nothing was changed\n", dir, entryCount(s.Entries), terminal.Count(s.Segments, "segment"))
			if s.Entries > 0 {
				fmt.Fprintf(out, "first  %d  %s  %s\n", s.First.Seq, s.First.At.Format(time.RFC3339), s.First.Hash)
				fmt.Fprintf(out, "last   %d  %s  %s\n", s.Last.Seq, s.Last.At.Format(time.RFC3339), s.Last.Hash)
			}
			return nil
		},
	}
}

func entryCount(n uint64) string {
	if n == 1 {
		return "1 entry"
	}
	return strconv.FormatUint(n, 10) + " entries"
}

// auditError adds what to do about err.
func auditError(err error) error {
	if broken, ok := errors.AsType[*audit.ChainError](err); ok {
		return exit.WithHint(fmt.Errorf("the audit log is not what was written: %w", broken),
			"compare with a copy; `fairlead audit --after N` prints what comes after entry N")
	}
	return err
}

// auditDir is the directory whose log is meant.
func auditDir(args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	if strings.HasPrefix(os.Getenv(serverEnv), "https:") {
		return "", exit.WithHint(fmt.Errorf("%s names a node over https: its log lies there", serverEnv), "name a directory, or run this on the node")
	}
	text := os.Getenv(serverEnv)
	socket, source, err := findServer(text, serverEnv)
	if err != nil {
		return "", err
	}
	places := []string{filepath.Dir(socket)}
	if source != serverEnv {
		// The pattern is ours: it is well-formed.
		demos, _ := filepath.Glob(filepath.Join(demoHome(), "demo-*", "*", "state"))
		places = append(append(places, systemState), demos...)
	}
	for _, dir := range places {
		if _, err := audit.Last(dir, 0); !errors.Is(err, fs.ErrNotExist) {
			return dir, nil
		}
	}
	return "", exit.WithHint(fmt.Errorf("no audit log in %s", exit.OrList(places)), "name the state directory of the node, as its Corefile does")
}

// writeAudit prints entries. Texts come from outside: what could paint a terminal is quoted.
func writeAudit(w io.Writer, entries []audit.Entry, output string, now time.Time) error {
	if output == "json" {
		for _, e := range entries {
			line, err := e.Line()
			if err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		return nil
	}
	t := terminal.NewTable("#", "TIME", "ACTOR", "FROM", "ACTION", "OBJECT", "OUTCOME", "REASON").AlignRight(0)
	for _, e := range entries {
		colour := ""
		if e.Outcome != audit.OutcomeOK {
			colour = terminal.Yellow
		}
		t.Add(colour, strconv.FormatUint(e.Seq, 10), terminal.Clock(e.At, now), plain(e.Actor), plain(e.From), plain(e.Action), plain(e.Object), plain(outcome(&e)), plain(askedFor(&e)))
	}
	t.Write(w, terminal.StyleFor(w), "")
	return nil
}

// outcome is what came of an order, with the safety rules that it overrides.
func outcome(e *audit.Entry) string {
	// The change of most actions has no such key, and one that was too long to keep neither.
	var made struct {
		Override []string `json:"override"`
	}
	if e.Outcome != audit.OutcomeOK || json.Unmarshal(e.After, &made) != nil || len(made.Override) == 0 {
		return e.Outcome
	}
	return e.Outcome + ", overrides " + ruleWords(made.Override)
}

// askedFor is why, and, of what was refused or went wrong, what was asked.
func askedFor(e *audit.Entry) string {
	if len(e.Asked) == 0 {
		return e.Reason
	}
	return terminal.JoinWords("; ", e.Reason, "asked: "+string(e.Asked))
}

// plain is text without what could move the cursor; a dash if there is none.
func plain(text string) string {
	if text == "" {
		return "-"
	}
	quoted := strconv.Quote(text)
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}
