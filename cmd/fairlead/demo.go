package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a whole setup on this machine: real endpoints, a real node, something to break",
		Long: fmt.Sprintf(`Demo opens real HTTP endpoints on addresses in 127.0.0.0/8, in two regions with two AZs each, and starts a real node
that probes them and answers the zone %s. It needs no root and no files, and leaves nothing behind.

It prints what to paste: dig lines, and how to break and heal an AZ from another terminal. Ctrl-C ends it.`, demoZone),
		Example: `  fairlead demo
  fairlead demo --dns 127.0.0.1:5301 --socket /tmp/second.sock
  fairlead demo --duration 1m --verbose`,
		Args: usageArgs(cobra.NoArgs),
	}
	cmd.Flags().StringVar(&o.dns, "dns", demoDNS, "ADDRESS:PORT to answer DNS on")
	cmd.Flags().StringVar(&o.socket, "socket", "", "path of the admin socket (default "+demoSocket()+")")
	cmd.Flags().DurationVar(&o.duration, "duration", 0, "end after this time; 0 means at Ctrl-C")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show the node's log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.program = programName()
		o.out, o.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return o.run(orBackground(cmd.Context()))
	}
	cmd.AddCommand(demoBreakCommand(), demoHealCommand())
	return cmd
}

// programName is how to call this program from another terminal.
func programName() string {
	if !strings.ContainsRune(os.Args[0], os.PathSeparator) {
		return os.Args[0]
	}
	if path, err := filepath.Abs(os.Args[0]); err == nil {
		return path
	}
	return os.Args[0]
}

func demoBreakCommand() *cobra.Command {
	var hang bool
	cmd := &cobra.Command{
		Use:   "break az|endpoint NAME",
		Short: "close the listeners of an AZ or of one endpoint of the demo",
		Long: `Break closes the listeners of the endpoints, and every open connection: the kernel refuses connections, as after a crash.
With --hang they accept connections and send nothing, on old connections too, as a frozen process does.
It prints what it did and what to watch for. To break what is broken changes nothing.

AZs: ` + azList() + `.

` + demoServerHelp,
		Example: `  fairlead demo break az eu-a
  fairlead demo break az eu-a --hang
  fairlead demo break endpoint web-us-b`,
		Args: usageArgs(azOrEndpoint),
	}
	cmd.Flags().BoolVar(&hang, "hang", false, "accept connections and never answer")
	server := addServerFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		want := closed
		if hang {
			want = hanging
		}
		return controlDemo(cmd, *server, controlRequest{Want: want, Kind: args[0], Name: args[1]})
	}
	return cmd
}

func demoHealCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "heal az|endpoint NAME",
		Short: "open the listeners of an AZ or of one endpoint of the demo again",
		Long: `Heal opens the listeners again; endpoints that hang go on. It prints what it did and what to watch for.
To heal what is well changes nothing.

AZs: ` + azList() + `.

` + demoServerHelp,
		Example: `  fairlead demo heal az eu-a
  fairlead demo heal endpoint web-us-b`,
		Args: usageArgs(azOrEndpoint),
	}
	server := addServerFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return controlDemo(cmd, *server, controlRequest{Want: serving, Kind: args[0], Name: args[1]})
	}
	return cmd
}

const demoServerHelp = `The demo is found by --server unix:PATH with the PATH that it was given as --socket, else by the environment variable
` + serverEnv + `, else at the default socket of this user's demo.`

func azOrEndpoint(_ *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("want two arguments, az or endpoint and a NAME, got %d", len(args))
	}
	if args[0] != "az" && args[0] != "endpoint" {
		return fmt.Errorf("%q: want az or endpoint", args[0])
	}
	return nil
}

// controlDemo sends req to the demo and prints what it says.
func controlDemo(cmd *cobra.Command, server string, req controlRequest) error {
	path, source := demoSocket(), "the default"
	if server != "" || os.Getenv(serverEnv) != "" {
		var err error
		if path, source, err = findServer(server); err != nil {
			return err
		}
	}
	c := clientAt(path+controlSuffix, source)
	c.demo = true
	var reply controlReply
	if err := c.call(orBackground(cmd.Context()), http.MethodPost, controlPath, req, &reply); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	for _, line := range reply.Done {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "watch: %s\n", reply.Watch)
	if dns, err := netip.ParseAddrPort(reply.DNS); err == nil {
		fmt.Fprintf(w, "       dig @%s -p %d www.%s +short; %s status\n", dns.Addr(), dns.Port(), demoZone, programName())
	}
	return nil
}
