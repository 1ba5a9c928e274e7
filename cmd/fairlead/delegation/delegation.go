package delegation

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

const (
	dnsPort = 53
	// defaultDNSTimeout is how long one query may take, maxDNSTimeout the most that can be asked for.
	defaultDNSTimeout, maxDNSTimeout = 3 * time.Second, time.Minute
)

// What came of a check.
const (
	resultOK      = "ok"
	resultWarning = "warning"
	resultError   = "error"
)

// A delegationReport is what `fairlead delegation -o json` prints.
type delegationReport struct {
	Zone string `json:"zone"`
	// Parent is the zone above; empty when its servers were named by --parent.
	Parent        string             `json:"parent,omitempty"`
	ParentServers []string           `json:"parent_servers"`
	Nameservers   []delegationServer `json:"nameservers"`
	// Result is the worst of the checks.
	Result string            `json:"result"`
	Checks []delegationCheck `json:"checks"`
}

// A delegationServer is one address of one nameserver.
type delegationServer struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	// Serial is the SOA serial that it answers; absent if it answers none with authority.
	Serial *uint32 `json:"serial,omitempty"`
}

// A delegationCheck is one thing that was looked at.
type delegationCheck struct {
	Check   string `json:"check"`
	Subject string `json:"subject"`
	// Result is ok, warning or error.
	Result string `json:"result"`
	Seen   string `json:"seen"`
	// Remedy says what to do about it; only with warnings and errors.
	Remedy string `json:"remedy,omitempty"`
}

// worst is the worse of two results.
func worst(a, b string) string {
	for _, r := range []string{resultError, resultWarning} {
		if a == r || b == r {
			return r
		}
	}
	return resultOK
}

func Command() *cobra.Command {
	var parent, resolver, output string
	q := &querier{}
	cmd := &cobra.Command{
		Use:   "delegation ZONE",
		Short: "check that the parent zone delegates a zone to its nameservers rightly, and that each of them answers",
		Long: `Delegation asks DNS what resolvers will find, and needs no running node. It finds the servers of the parent zone through the
resolver of /etc/resolv.conf (--resolver: another one; --parent: they are known), asks each for the delegation, and each
nameserver, by all its addresses, for the zone. It checks

  parent         the parent's servers answer, and delegate the zone all alike
  ns             the NS set of the parent is that of the zone, on every nameserver
  glue           each nameserver within the zone has its addresses in the parent, and they are those that the zone answers
  address        each other nameserver has an address
  udp, tcp       every nameserver answers over UDP and over TCP
  authoritative  with AA and the zone's SOA
  serial         with the same SOA serial
  edns           EDNS(0) works, and no reply is larger than the size that was asked for; version 1 is answered with BADVERS
  refused        names outside its zones are answered with REFUSED
  servers        there are two nameservers at least
  ns-ttl         the NS records can be kept for a sensible time
  ds             the parent has no DS record that no DNSKEY of the zone fulfils: resolvers that validate would answer SERVFAIL

Each query waits --timeout at most and is asked twice at most over UDP. What cannot be reached because this machine lacks the
address family is a warning.

Exit codes: 0 no error (warnings allowed), 1 errors, 2 wrong usage.`,
		Example: `  fairlead delegation gslb.example.org
  fairlead delegation gslb.example.org --parent 192.0.2.1 -o json
  fairlead delegation gslb.example.org --resolver 198.51.100.1 --timeout 1s`,
		Args: exit.Args(cobra.ExactArgs(1)),
	}
	f := cmd.Flags()
	f.StringVar(&parent, "parent", "", "a server of the parent zone, ADDRESS or ADDRESS:PORT (default: all of them, found by the resolver)")
	f.StringVar(&resolver, "resolver", "", "the resolver to ask, ADDRESS or ADDRESS:PORT (default: those of /etc/resolv.conf)")
	f.DurationVar(&q.timeout, "timeout", defaultDNSTimeout, "how long one query may take, up to 1m")
	f.Uint16Var(&q.port, "port", dnsPort, "the port of the nameservers, for zones that are not public yet")
	f.StringVarP(&output, "output", "o", "table", "table, json or yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exit.Choice(cmd, "output", output, "table", "json", "yaml"); err != nil {
			return err
		}
		d := &delegation{querier: q}
		if err := d.configure(cmd, args[0], parent, resolver); err != nil {
			return err
		}
		if err := d.find(exit.OrBackground(cmd.Context())); err != nil {
			return err
		}
		return printDelegation(cmd.OutOrStdout(), output, d.report())
	}
	return cmd
}

// configure takes over what was typed.
func (d *delegation) configure(cmd *cobra.Command, zone, parent, resolver string) error {
	d.zone = dns.CanonicalName(zone)
	if _, ok := dns.IsDomainName(zone); !ok || d.zone == "." {
		return exit.Usagef(cmd, "%q: want the name of a zone below the root", zone)
	}
	if d.timeout <= 0 || d.timeout > maxDNSTimeout {
		return exit.Usagef(cmd, "--timeout %s: want more than 0 and at most %s", d.timeout, maxDNSTimeout)
	}
	if d.port == 0 {
		return exit.Usagef(cmd, "--port 0: want 1 to 65535")
	}
	for _, given := range []struct {
		flag, text string
		to         *[]string
	}{{"parent", parent, &d.parentServers}, {"resolver", resolver, &d.resolvers}} {
		if given.text == "" {
			continue
		}
		server, err := dnsServer(given.text)
		if err != nil {
			return exit.Usagef(cmd, "--%s %q: want ADDRESS or ADDRESS:PORT", given.flag, given.text)
		}
		*given.to = []string{server}
	}
	if resolver == "" {
		d.resolvers = systemResolvers()
	}
	d.slots = make(chan struct{}, maxDNSInFlight)
	return nil
}

// dnsServer is an address with a port, 53 unless text has another.
func dnsServer(text string) (string, error) {
	if ap, err := netip.ParseAddrPort(text); err == nil && ap.Port() != 0 {
		return ap.String(), nil
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(a.String(), strconv.Itoa(dnsPort)), nil
}

// printDelegation prints a report; errors in it are the exit code 1.
func printDelegation(w io.Writer, output string, r *delegationReport) error {
	if output == "table" {
		r.write(w, terminal.StyleFor(w))
	} else if err := terminal.WriteDocument(w, output, r); err != nil {
		return err
	}
	if r.Result == resultError {
		return exit.Silent(exit.Failed)
	}
	return nil
}

var resultMarks = map[string]terminal.Mark{
	resultOK:      {Shape: "●", Word: resultOK, Colour: terminal.Green},
	resultWarning: {Shape: "▲", Word: resultWarning, Colour: terminal.Yellow},
	resultError:   {Shape: "■", Word: resultError, Colour: terminal.Red},
}

// write prints what was seen, then what to do about what is wrong.
func (r *delegationReport) write(w io.Writer, s terminal.Style) {
	n := map[string]int{}
	t := terminal.NewTable("RESULT", "CHECK", "SUBJECT", "SEEN")
	for _, c := range r.Checks {
		m := resultMarks[c.Result]
		t.Add(m.Colour, m.Text(), c.Check, c.Subject, c.Seen)
		n[c.Result]++
	}
	from := "as " + andList(r.ParentServers) + " has it"
	if r.Parent != "" {
		from = "from " + r.Parent
	}
	fmt.Fprintf(w, "delegation of %s, %s: %s, %s, %d ok\n", r.Zone, from, terminal.Count(n[resultError], "error"), terminal.Count(n[resultWarning], "warning"), n[resultOK])
	t.Write(w, s, "  ")
	for _, result := range []string{resultError, resultWarning} {
		for _, c := range r.Checks {
			if c.Result == result && c.Remedy != "" {
				m := resultMarks[result]
				fmt.Fprintf(w, "\n%s: %s, %s: %s\n  hint: %s\n", s.Paint(m.Colour, m.Text()), c.Check, c.Subject, c.Seen, c.Remedy)
			}
		}
	}
}

// andList is "a", "a and b", "a, b and c".
func andList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
