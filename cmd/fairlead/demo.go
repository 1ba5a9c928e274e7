package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
)

func demoCommand() *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "a whole setup on this machine: real endpoints, three real nodes, something to break",
		Long: fmt.Sprintf(`Demo opens real HTTP endpoints on addresses in 127.0.0.0/8, in two regions with two AZs each, and starts three real nodes, n1, n2 and
n3, that probe them together and answer the zone %s. It needs no root and no files, and leaves nothing behind.

It prints what to paste: dig lines, and how to break and heal an AZ, or cut a node off, from another terminal. Ctrl-C ends it.

`+exit.LocalHelp, demoZone),
		Example: `  fairlead demo
  fairlead demo --dns 127.0.0.1:5310 --socket /tmp/second.sock
  fairlead demo --duration 1m --verbose`,
		Args: exit.Args(cobra.NoArgs),
	}
	cmd.Flags().StringVar(&o.dns, "dns", demoDNS, "ADDRESS:PORT of the first node's DNS; the others have the next two ports")
	cmd.Flags().StringVar(&o.socket, "socket", "", "path of the first node's admin socket (default "+demoSocket()+"); those of the others end in .n2 and .n3")
	cmd.Flags().DurationVar(&o.duration, "duration", 0, "end after this time; 0 means at Ctrl-C")
	cmd.Flags().BoolVarP(&o.verbose, "verbose", "v", false, "show the nodes' logs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		o.program = programName()
		o.out, o.errOut = cmd.OutOrStdout(), cmd.ErrOrStderr()
		return o.run(exit.OrBackground(cmd.Context()))
	}
	cmd.AddCommand(demoBreakCommand(), demoHealCommand(), demoCutCommand())
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
		Args: exit.Args(kindAndName("az", "endpoint")),
	}
	cmd.Flags().BoolVar(&hang, "hang", false, "accept connections and never answer")
	server := cmd.Flags().String("server", "", "socket of the demo, as unix:PATH (default: $"+serverEnv+", see below)")
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
		Use:   "heal az|endpoint|node NAME",
		Short: "open the listeners of an AZ or of one endpoint of the demo again, or let a node hear the others",
		Long: `Heal opens the listeners again; endpoints that hang go on. A node that was cut off hears the others again. It prints what it did
and what to watch for. To heal an AZ or an endpoint that is well changes nothing.

AZs: ` + azList() + `.

` + demoServerHelp,
		Example: `  fairlead demo heal az eu-a
  fairlead demo heal endpoint web-us-b
  fairlead demo heal node n3`,
		Args: exit.Args(kindAndName("az", "endpoint", kindNode)),
	}
	server := cmd.Flags().String("server", "", "socket of the demo, as unix:PATH (default: $"+serverEnv+", see below)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return controlDemo(cmd, *server, controlRequest{Want: serving, Kind: args[0], Name: args[1]})
	}
	return cmd
}

const demoServerHelp = `The demo is found by --server unix:PATH with the PATH that it was given as --socket, else by the environment variable
` + serverEnv + `, else at the default socket of this user's demo.

Exit codes: 0 done, 1 no demo answers or it has no such thing, 2 wrong usage.`

// kindAndName takes two arguments, the first one of kinds.
func kindAndName(kinds ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 2 {
			return fmt.Errorf("want two arguments, %s and a NAME, got %d", exit.OrList(kinds), len(args))
		}
		if !slices.Contains(kinds, args[0]) {
			return fmt.Errorf("%q: want %s", args[0], exit.OrList(kinds))
		}
		return nil
	}
}

func demoCutCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cut node NAME",
		Short: "cut a node of the demo off from the others",
		Long: `Cut keeps everything that the node says from the others, and everything that they say from it, as a pulled cable does. The node goes
on answering DNS and probing; alone it is isolated: what health says moves nothing there, and orders to it hold there alone.
The others judge on without it. It ends with ` + "`fairlead demo heal node NAME`" + `, or by itself after an hour.

Nodes: n1, n2, n3.

` + demoServerHelp,
		Example: `  fairlead demo cut node n3`,
		Args:    exit.Args(kindAndName(kindNode)),
	}
	server := cmd.Flags().String("server", "", "socket of the demo, as unix:PATH (default: $"+serverEnv+", see below)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return controlDemo(cmd, *server, controlRequest{Want: cutOff, Kind: args[0], Name: args[1]})
	}
	return cmd
}

// controlDemo sends req to the demo and prints what it says.
func controlDemo(cmd *cobra.Command, server string, req controlRequest) error {
	path, source := demoSocket(), "the default"
	text, said := server, "--server"
	if text == "" {
		text, said = os.Getenv(serverEnv), serverEnv
	}
	if text != "" {
		var err error
		if path, source, err = parseServer(text, said); err != nil {
			return err
		}
	}
	c := clientAt(path+controlSuffix, source, "")
	c.demo = true
	var reply controlReply
	if err := c.Do(exit.OrBackground(cmd.Context()), http.MethodPost, controlPath, req, &reply); err != nil {
		return err
	}
	w := cmd.OutOrStdout()
	for _, line := range reply.Done {
		fmt.Fprintln(w, line)
	}
	for i, line := range strings.Split(reply.Watch, "\n") {
		// What to look at; the commands below it are to be pasted, and stay as they are.
		if i > 0 {
			fmt.Fprintln(w, line)
			continue
		}
		for k, part := range terminal.Fold(line, terminal.ColumnsLeft(w, 7)) {
			fmt.Fprintln(w, []string{"watch: ", "       "}[min(k, 1)]+part)
		}
	}
	if dns, err := netip.ParseAddrPort(reply.DNS); err == nil {
		fmt.Fprintf(w, "       dig @%s -p %d www.%s +short; %s status\n", dns.Addr(), dns.Port(), demoZone, programName())
	}
	return nil
}
