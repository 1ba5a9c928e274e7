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
	"github.com/fairlead-dns/fairlead/plugin/answer"
)

func Command() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "dnssec",
		Short:   "make keys for signed zones, and say what the parent zone must have",
		Example: `  fairlead dnssec ds /etc/fairlead/zones.d/example.org.yaml`,
		Long: `A zone is signed when its file names a directory of keys: dnssec: {keys: keys/}. The files are those of BIND: a key is there, and
signs, as the times in its .private file say. Files that come or go are seen as edits of the zone file are.

A zone-signing key is replaced by dropping in a new one that is published before it signs (keygen --zsk --publish --activate) and by
giving the old one its Inactive and Delete; a key-signing key by a new one, its DS in the parent beside the old one, and the removal
of the old one once the parent has forgotten its DS. "fairlead dnssec status" says from when on each step is safe.

` + exit.LocalHelp,
	}
	cmd.AddCommand(keygenCommand(), dsCommand(), dnssecStatusCommand())
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
						fmt.Fprintln(cmd.OutOrStdout(), dsText(z, k))
					}
				}
			})
		},
	}
}

// dsText is the DS record of a key.
func dsText(z *config.Zone, k *config.Key) string {
	data := answer.DSData(z.Name, k)
	return fmt.Sprintf("%s %d IN DS %d %d %d %X", z.Name, z.DNSSEC.TTL, k.Tag, k.Algorithm, data[3], data[4:])
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

func dnssecStatusCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "status FILE...",
		Short: "what the keys of zones do, and what is to be done next, and from when on it is safe",
		Long: `Status prints, of each zone file, its keys with their roles and states, the next change of each, and below what a person has to do:
in the parent zone, and for a key that is to follow or to leave. A step is safe once every honest cache has forgotten what speaks
against it: TTLs of this zone, and how late a resolver may still accept an answer. How long the parent's DS records live, the
parent says.

` + exit.LocalHelp,
		Example: "  fairlead dnssec status /etc/fairlead/zones.d/example.org.yaml",
		Args:    exit.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return eachSigned(args, func(z *config.Zone) { keyStatus(cmd.OutOrStdout(), z, time.Now()) })
		},
	}
}

// keyStatus writes the keys of a zone.
func keyStatus(w io.Writer, z *config.Zone, now time.Time) {
	fmt.Fprintf(w, "zone %s: signatures are valid for %s, and made anew after a quarter of that\n", terminal.Spelled(z.Name), keyDuration(z.DNSSEC.Validity))
	t := terminal.NewTable("KEY", "ROLE", "ALGORITHM", "STATE", "NEXT")
	for _, k := range z.DNSSEC.Keys {
		next := "-"
		if at := k.NextChange(now); !at.IsZero() {
			next = at.UTC().Format(time.RFC3339)
		}
		t.Add("", fmt.Sprint(k.Tag), k.Role(), k.AlgorithmName(), k.State(now), next)
	}
	t.Write(w, terminal.Style{}, "  ")
	for _, line := range keySteps(z, now) {
		fmt.Fprintln(w, "  "+line)
	}
}

func keyDuration(d time.Duration) string {
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return d.String()
}

// keySteps is what is to be done about the keys of a zone.
func keySteps(z *config.Zone, now time.Time) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	when := func(t time.Time) string {
		if !t.After(now) {
			return "now"
		}
		return "from " + t.UTC().Format(time.RFC3339) + " on"
	}
	active := 0
	for _, k := range z.DNSSEC.Keys {
		if k.KSK() && k.Active(now) {
			active++
		}
		switch state := k.State(now); {
		case k.KSK() && (state == "active" || state == "published"):
			say("KSK %d: the parent may have its DS, safe %s:", k.Tag, when(z.KnownAt(k)))
			say("  %s", dsText(z, k))
		case k.KSK() && (state == "retired" || state == "removed"):
			say("KSK %d: the parent must have no DS of it; its files may go once the parent's DS has expired in caches", k.Tag)
		case state == "published":
			say("ZSK %d: it may sign, safe %s", k.Tag, when(z.KnownAt(k)))
		case state == "retired" || state == "removed":
			say("ZSK %d: it may leave the zone, and its files may go, safe %s", k.Tag, when(z.ForgottenAt(k)))
		}
		for _, what := range z.KeyTrouble(k) {
			say("%s %d: %s", k.Role(), k.Tag, what)
		}
	}
	if active == 0 {
		say("no key-signing key is active: the zone is answered without signatures, so the parent must have no DS of it")
	}
	return lines
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
