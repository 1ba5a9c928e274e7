package dnssec

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/zonedir"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

// Command is `fairlead dnssec`; status is the command below it that asks nodes.
func Command(status *cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dnssec",
		Short:   "make keys for signed zones, and say what the parent zone must have",
		Example: `  fairlead dnssec ds /etc/fairlead/zones.d/example.org.yaml`,
		Long: `A zone is signed when its file names a directory of keys: dnssec: {keys: keys/}. The files are those of BIND: a key is there, and
signs, as the times in its .private file say. Files that come or go are seen as edits of the zone file are.

A zone-signing key is replaced by dropping in a new one that is published before it signs (keygen --zsk --publish --activate) and by
giving the old one its Inactive and Delete; a key-signing key by a new one, its DS in the parent beside the old one, and the removal
of the old one once the parent has forgotten its DS. "fairlead dnssec status ZONE" says from when on each step is safe: by what the nodes
answered. Before a file loses its key "dnssec", its zone's DS must have left the parent, and caches.

` + exit.LocalHelp,
	}
	cmd.AddCommand(keygenCommand(), dsCommand(), status)
	return cmd
}

func dsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "ds FILE...",
		Short: "print the DS records that the parents of zones are to have",
		Long: `DS prints, of each zone file, the DS records (SHA-256) of its key-signing keys that are in the zone now. The same are served as CDS
records, for parents that look for them (RFC 7344).

` + exit.LocalHelp,
		Example: "  fairlead dnssec ds /etc/fairlead/zones.d/example.org.yaml",
		Args:    exit.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachSigned(args, func(z *config.Zone) {
				now := time.Now()
				for _, k := range z.DNSSEC.Keys {
					if k.KSK() && k.Published(now) {
						fmt.Fprintln(cmd.OutOrStdout(), answer.DSText(z, k))
					}
				}
				terminal.Say(cmd.ErrOrStderr(), "the parent may have it once `fairlead dnssec status %s` says so: caches may hold what was not signed", terminal.Spelled(z.Name))
			})
		},
	}
}

// eachSigned calls f with the zones of files; one that is not signed is an error.
func eachSigned(files []string, f func(z *config.Zone)) error {
	for _, file := range files {
		z, problems := zonedir.ParseFile(file, config.GeoUnknown)
		switch {
		case z == nil:
			return exit.WithHint(fmt.Errorf("%s: %w", file, problems.Err()), "fairlead check %s says what is wrong", file)
		case z.DNSSEC == nil:
			return exit.WithHint(fmt.Errorf("%s: the zone %s is not signed", file, terminal.Display(z.Name)), "dnssec: {keys: keys/} in the file signs it with the keys of that directory")
		}
		f(z)
	}
	return nil
}

// FileStatus writes what the files of zones say of their keys.
func FileStatus(w io.Writer, files []string) error {
	return eachSigned(files, func(z *config.Zone) { fileKeys(w, z, time.Now()) })
}

// fileKeys writes the keys of a zone's file. When a step is safe is not in there.
func fileKeys(w io.Writer, z *config.Zone, now time.Time) {
	head(w, z.Name, z.DNSSEC.Validity)
	t := newTable()
	active := 0
	for _, k := range z.DNSSEC.Keys {
		t.Add("", fmt.Sprint(k.Tag), k.Role(), k.AlgorithmName(), k.State(now), next(k.NextChange(now)))
		if k.KSK() && k.Active(now) {
			active++
		}
	}
	t.Write(w, terminal.Style{}, "  ")
	say := func(format string, args ...any) { fmt.Fprintf(w, "  "+format+"\n", args...) }
	for _, k := range z.DNSSEC.Keys {
		for _, what := range z.KeyTrouble(k) {
			say("%s %d: %s", k.Role(), k.Tag, what)
		}
	}
	if active == 0 {
		say("no key-signing key is active: with these files the zone is answered without signatures, and the parent must have no DS of it")
	}
	say("These are files: when a step is safe, only nodes know that answer the zone: `fairlead dnssec status %s`", terminal.Display(z.Name))
}

func head(w io.Writer, zone string, validity time.Duration) {
	fmt.Fprintf(w, "zone %s: signatures are valid for %s, and made anew after a quarter of that\n", terminal.Spelled(zone), keyDuration(validity))
}

func newTable() *terminal.Table {
	return terminal.NewTable("KEY", "ROLE", "ALGORITHM", "STATE", "NEXT")
}

// next is an instant as the table has it.
func next(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(time.RFC3339)
}

func keyDuration(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

// WriteStatus writes what the nodes say of the keys of a zone.
func WriteStatus(w io.Writer, st terminal.Style, z *api.ZoneKeys) {
	if len(z.Keys) > 0 {
		head(w, z.Zone, time.Duration(z.ValiditySeconds*float64(time.Second)))
		t := newTable()
		for _, k := range z.Keys {
			var at time.Time
			if k.NextChangeAt != nil {
				at = *k.NextChangeAt
			}
			if k.Other {
				k.State += ", another signer's"
			}
			t.Add("", fmt.Sprint(k.Tag), k.Role, k.Algorithm, k.State, next(at))
		}
		t.Write(w, st, "  ")
	} else {
		fmt.Fprintf(w, "zone %s: not signed\n", terminal.Spelled(z.Zone))
	}
	for i := range z.Steps {
		s := &z.Steps[i]
		fmt.Fprintf(w, "  %s\n", stepText(s, st))
		if s.DS != "" {
			fmt.Fprintf(w, "    %s\n", s.DS)
		}
	}
	for _, what := range z.Trouble {
		fmt.Fprintf(w, "  %s\n", st.Paint(terminal.Red, what))
	}
	if z.BeforeUntil != nil {
		fmt.Fprintf(w, "  what was answered before these nodes began to answer the zone, or to keep a record of that, counts until %s\n", sharp(*z.BeforeUntil))
	}
	fmt.Fprintf(w, "  by the word of %s\n", said(z.Nodes))
}

// said are the nodes that have said how they answered.
func said(nodes []api.KeyNode) string {
	var names []string
	for _, n := range nodes {
		if n.Said {
			names = append(names, n.Node)
		}
	}
	if len(names) == len(nodes) {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%d of %d nodes", len(names), len(nodes))
}

// stepTexts are what is to be done, by step. The name of the key stands before them.
var stepTexts = map[string]string{
	api.KeyStepDS: "the parent may have its DS", api.KeyStepDSBeside: "it does not sign yet: the parent may have its DS beside that of a key that does",
	api.KeyStepNoDS: "the parent must have no DS of it, nor caches: what its TTL in the parent is, the parent says", api.KeyStepSign: "it may sign",
	api.KeyStepLeave: "it may leave the zone, and its files may go",
}

// sharp is an instant in words, not a second too early.
func sharp(at time.Time) string {
	return at.Add(time.Second - time.Nanosecond).Truncate(time.Second).UTC().Format(time.RFC3339)
}

func stepText(s *api.KeyStep, st terminal.Style) string {
	if s.Step == api.KeyStepNoDS {
		if s.Tag == 0 {
			return "the zone is answered without signatures: the parent must have no DS of it"
		}
		return fmt.Sprintf("%s %d: %s", s.Role, s.Tag, stepTexts[s.Step])
	}
	text := fmt.Sprintf("%s %d: %s: ", s.Role, s.Tag, stepTexts[s.Step])
	switch {
	case s.Safe == api.KeySafeNow:
		return text + st.Paint(terminal.Green, "safe now")
	case s.Safe == api.KeySafeFrom && s.SafeAt != nil:
		return text + st.Paint(terminal.Yellow, "safe from "+sharp(*s.SafeAt)+" on")
	case s.Safe == api.KeySafeNotYet:
		return text + st.Paint(terminal.Yellow, "not yet: "+s.Why)
	}
	return text + st.Paint(terminal.Yellow, "unknown: "+s.Why)
}

// algorithms are those that keygen makes keys of.
var algorithms = map[string]uint8{"ecdsap256sha256": dns.ECDSAP256SHA256, "ed25519": dns.ED25519}

// parseInstant reads RFC 3339, or a duration from now on, as in +2d.
func parseInstant(text string, now time.Time) (time.Time, error) {
	if rest, ok := strings.CutPrefix(text, "+"); ok {
		if d, ok := config.ParseDuration(rest); ok {
			return now.Add(d), nil
		}
	} else if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is neither a time as 2026-01-02T15:04:05Z nor a duration as +2d", text)
}
