package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	adminapi "github.com/fairlead-dns/fairlead/client"
	"github.com/fairlead-dns/fairlead/lifeboat"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// boatKinds are what a lifeboat can be for.
var boatKinds = []string{"endpoint", "pool", "az", "region", "cluster"}

// A boatFlags is what the command line says.
type boatFlags struct {
	ports, probers []string
	service, mode  string
	counters       string
	clamped, stay  bool
	linger, grace  time.Duration
	server         *access
}

func lifeboatCommand() *cobra.Command {
	var f boatFlags
	cmd := &cobra.Command{
		Use:   "lifeboat endpoint|pool|az|region|cluster NAME --port N",
		Short: "at a site that is left: forward late arrivals until caches have forgotten it",
		Long: `Lifeboat runs on a machine that is being left, and forwards who still arrives there, because a cache sent them, to who is in service,
until the ledger says that no honest cache holds the address any more. It carries those addresses of NAME that are this machine's, each only
after it has left all answers. Before that it waits; so it can be started before the drain, by the hook of one (drain --lifeboat), or by
systemd (fairlead-lifeboat@.service).

How arrivals come to it (--mode): nftables hands it new connections in the kernel, while the application goes on with those that it has; that
needs root or CAP_NET_ADMIN. splice listens at the ports themselves, for which the application must have let go of them. auto is the
first where it is allowed. Who is forwarded arrives from this machine's address. Connections go to who answers for the services that left, by
their weights, and to the next one where one does not take them.

It refuses where the pool, or who is in service, keeps data (stateful, fence), where who is in service carries no more (capacity and demand),
and where the services of an address are not answered by the same endpoints: then --service names the one whose clients arrive at the port.
Probes of nodes are never forwarded, else the dead would look alive: --probes-from names addresses of nodes that they do not know themselves,
behind NAT. What another lifeboat forwarded (DSCP 51) is refused, and nothing goes to an address of this machine.

While no node can be asked it goes on until the last instant that it was told, or for --grace where none was known, and says so. With
--counters ADDRESS:PORT it serves /metrics, and /lifeboat as JSON, for ` + "`late_hits`" + ` of the zone file. SIGTERM ends it: nothing is taken any
more, and what is open has --linger to end; a second one cuts it off.

` + serverHelp + `

Exit codes: 0 forgotten, answered again by an order, or told to end; 1 the node cannot be reached, or something is not allowed here; 2 wrong
usage; 3 it came back by health meanwhile; 4 refused.`,
		Example: `  fairlead lifeboat az eu-west-1a --port 443 --server https://node1.example.org:8443
  fairlead lifeboat endpoint web-eu/web-1a --port 80 --port 443 --clamped
  fairlead lifeboat pool dns-eu --port 53/udp --port 53 --counters 192.0.2.10:9155`,
		Args: exit.Args(cobra.ExactArgs(2)),
	}
	f.server = addServerFlag(cmd)
	flags := cmd.Flags()
	flags.StringSliceVar(&f.ports, "port", nil, "port to forward, as 443 or 53/udp; again and again; required")
	flags.StringVar(&f.service, "service", "", "the one service whose clients arrive (default: all that it left)")
	flags.StringVar(&f.mode, "mode", lifeboat.Auto, "how arrivals come here: auto, nftables or splice")
	flags.BoolVar(&f.clamped, "clamped", false, "go on until caches that clamp have forgotten, the second line")
	flags.BoolVar(&f.stay, "stay", false, "do not end: wait for the next time that it is left")
	flags.DurationVar(&f.linger, "linger", lifeboat.DefaultLinger, "how long open connections may go on at the end")
	flags.DurationVar(&f.grace, "grace", lifeboat.DefaultGrace, "how long to go on without a node that never said until when")
	flags.StringVar(&f.counters, "counters", "", "ADDRESS:PORT where the counts are served (default: nowhere)")
	flags.StringSliceVar(&f.probers, "probes-from", nil, "address or prefix from which nodes probe, beside those that they know")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) }
	return cmd
}

// options are what the flags say.
func (f *boatFlags) options(cmd *cobra.Command) (o lifeboat.Options, err error) {
	o = lifeboat.Options{Mode: f.mode, Clamped: f.clamped, Stay: f.stay, Linger: f.linger, Grace: f.grace, Counters: f.counters}
	if err := exit.Choice(cmd, "mode", f.mode, lifeboat.Auto, lifeboat.ByNftables, lifeboat.BySplice); err != nil {
		return o, err
	}
	if len(f.ports) == 0 {
		return o, exit.Usagef(cmd, "--port is required: which ports are to be forwarded")
	}
	for _, text := range f.ports {
		number, proto, _ := strings.Cut(text, "/")
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n == 0 || proto != "" && proto != "udp" && proto != "tcp" {
			return o, exit.Usagef(cmd, "--port %q: want a port, as 443 or 53/udp", text)
		}
		o.Ports = append(o.Ports, lifeboat.Port{Number: uint16(n), UDP: proto == "udp"})
	}
	for _, text := range f.probers {
		p, err := netip.ParsePrefix(text)
		if a, e := netip.ParseAddr(text); e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return o, exit.Usagef(cmd, "--probes-from %q: want an address or a prefix", text)
		}
		o.Probers = append(o.Probers, p)
	}
	if f.linger <= 0 || f.grace <= 0 {
		return o, exit.Usagef(cmd, "--linger and --grace: want more than 0")
	}
	return o, nil
}

func (f *boatFlags) run(cmd *cobra.Command, args []string) error {
	kind, err := kindOf(cmd, args[0], boatKinds)
	if err != nil {
		return err
	}
	o, err := f.options(cmd)
	if err != nil {
		return err
	}
	c, err := newClient(*f.server)
	if err != nil {
		return err
	}
	ctx, end := signal.NotifyContext(exit.OrBackground(cmd.Context()), syscall.SIGINT, syscall.SIGTERM)
	defer end()
	name, err := c.qualify(ctx, kind, args[1])
	if err != nil {
		return err
	}
	service, err := c.service(ctx, f.service)
	if err != nil {
		return err
	}
	o.Ask = func(ctx context.Context, endpoint string) (*api.Lifeboat, error) {
		if endpoint != "" {
			return c.Lifeboat(ctx, api.Scope{Kind: "endpoint", Name: endpoint}, service)
		}
		return c.Lifeboat(ctx, api.Scope{Kind: kind, Name: name}, service)
	}
	o.Follow = func(ctx context.Context, nudge func()) error {
		return c.Follow(ctx, adminapi.EventQuery{}, func(*api.Event) error { nudge(); return nil })
	}
	w := cmd.OutOrStdout()
	o.Say = func(line string) { terminal.Say(w, "%s %s", time.Now().UTC().Format("15:04:05"), line) }
	boat, err := lifeboat.New(o)
	if err != nil {
		return err
	}
	hurry := make(chan struct{})
	stopHurry := context.AfterFunc(ctx, func() { go secondSignal(hurry) })
	defer stopHurry()
	return sailed(c.suggest(ctx, boat.Run(ctx, hurry), kind, args[1]))
}

// secondSignal closes hurry with the next signal.
func secondSignal(hurry chan struct{}) {
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGINT, syscall.SIGTERM)
	<-again
	close(hurry)
}

// sailed is the error of a boat with its exit code.
func sailed(err error) error {
	var refused *lifeboat.RefusedError
	switch {
	case errors.As(err, &refused):
		hint := ""
		switch refused.Rule {
		case "services":
			hint = "run one lifeboat for each port, with --service"
		case "capacity":
			hint = "late arrivals would overload who is in service: `fairlead what-if` shows by how much"
		}
		return &exit.Error{Code: exit.Refused, Err: fmt.Errorf("refused: %w", err), Hint: hint}
	case errors.Is(err, lifeboat.ErrReturned):
		return &exit.Error{Code: exit.Degraded, Err: err,
			Hint: "if its application does not run, probes came through here: name where nodes probe from with --probes-from"}
	}
	return err
}
