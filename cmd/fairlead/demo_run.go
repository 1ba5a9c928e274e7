package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"

	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fairlead-dns/fairlead/config"
)

// demoOptions are the flags of `fairlead demo`.
type demoOptions struct {
	dns, socket string
	duration    time.Duration
	verbose     bool
	// program is how the user called us, for the lines to paste.
	program     string
	out, errOut io.Writer
}

func (o demoOptions) validate() error {
	if a, err := netip.ParseAddrPort(o.dns); err != nil || a.Port() > math.MaxUint16-demoNodes {
		return &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--dns %q: want ADDRESS:PORT", o.dns), Hint: "for example " + demoDNS}
	}
	if o.duration < 0 {
		return &exit.Error{Code: exit.Usage, Err: fmt.Errorf("--duration %s: want 0 (until Ctrl-C) or more", o.duration)}
	}
	return nil
}

// A demo is what runs between start and stop.
type demo struct {
	demoOptions
	lock    *lock
	dir     string
	site    *site
	control *control
	nodes   []*node
}

// run runs the demo until ctx ends, the duration has passed, a signal comes or a node ends.
func (o demoOptions) run(ctx context.Context) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	d := &demo{demoOptions: o}
	// A second signal during the clean-up ends the program at once; the kernel then kills the nodes.
	defer func() { stop(); d.close() }()
	if err := d.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	d.banner()
	return d.wait(ctx)
}

// start starts everything, in an order in which what is most likely to be taken is tried first.
func (d *demo) start(ctx context.Context) error {
	var err error
	if d.dir, err = makeDemoDir(demoHome()); err != nil {
		return err
	}
	if d.socket == "" {
		d.socket = demoSocket()
	}
	if d.socket, err = filepath.Abs(d.socket); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if d.lock, err = claimSocket(d.socket); err != nil {
		return err
	}
	if err := checkDNSFree(d.dns); err != nil {
		return err
	}
	if d.site, err = openSite(); err != nil {
		return err
	}
	if d.nodes, err = d.plan(); err != nil {
		return err
	}
	if d.control, err = listenControl(d.socket+controlSuffix, d.site, d.nodes); err != nil {
		return err
	}
	for _, n := range d.nodes {
		if err := n.write(d.nodes, d.site.places()); err != nil {
			return err
		}
		if err := n.start(); err != nil {
			return err
		}
	}
	for _, n := range d.nodes {
		if err := n.waitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// plan names the nodes to start, with their keys: two in eu, one in us.
func (d *demo) plan() ([]*node, error) {
	keyring := filepath.Join(d.dir, "gossip.keys")
	if err := config.WriteKeyring(keyring, newKeyring()); err != nil {
		return nil, err
	}
	var nodes []*node
	for i, az := range []string{"eu-a", "eu-b", "us-a"}[:demoNodes] {
		name := fmt.Sprintf("n%d", i+1)
		n := &node{name: name, Region: az[:2], AZ: az, Keyring: keyring, dns: demoAddress(d.dns, i), socket: d.socket, dir: filepath.Join(d.dir, name)}
		if i > 0 {
			n.socket += "." + name
			if err := checkDNSFree(n.dns.String()); err != nil {
				return nil, err
			}
		}
		if d.verbose {
			n.echo = d.errOut
		}
		var err error
		if n.Gossip, err = freeGossip(n.dns.Addr(), i); err != nil {
			return nil, err
		}
		if err := errors.Join(os.MkdirAll(n.dir, 0o700), n.makeIdentity()); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// demoAddress is where the i-th node answers: the ports follow each other.
func demoAddress(first string, i int) netip.AddrPort {
	a := netip.MustParseAddrPort(first)
	return netip.AddrPortFrom(a.Addr(), a.Port()+uint16(i))
}

// The ports among which freeGossip looks lie below those that the kernel hands out (net.ipv4.ip_local_port_range): whoever asks it for any
// port would take one of those in the moment before the node has it.
const (
	firstGossipPort = 20000
	gossipPorts     = 12000
	gossipTries     = 100
)

// freeGossip is an address with a port that nobody has, neither in UDP nor in TCP, or hardly: it is free until somebody else
// takes it, and then the node says so. Nodes with another i never get the same.
func freeGossip(ip netip.Addr, i int) (a netip.AddrPort, err error) {
	for range gossipTries {
		a = netip.AddrPortFrom(ip, uint16(firstGossipPort+mathrand.IntN(gossipPorts/demoNodes)*demoNodes+i))
		var l net.Listener
		if l, err = net.Listen("tcp", a.String()); err != nil {
			continue
		}
		var u net.PacketConn
		if u, err = net.ListenPacket("udp", a.String()); err == nil {
			err = u.Close()
		}
		if err = errors.Join(err, l.Close()); err == nil {
			return a, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("address for gossip: %w", err)
}

func (d *demo) wait(ctx context.Context) error {
	var timeUp <-chan time.Time
	if d.duration > 0 {
		timer := time.NewTimer(d.duration)
		defer timer.Stop()
		timeUp = timer.C
	}
	died := make(chan *node, len(d.nodes))
	for _, n := range d.nodes {
		go func() { <-n.ended; died <- n }()
	}
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.out, "\nending the demo")
	case <-timeUp:
		fmt.Fprintf(d.out, "\nending the demo after %s\n", d.duration)
	case n := <-died:
		return n.failure()
	}
	return nil
}

// close ends what start started, in reverse; it copes with a start that got only half way.
func (d *demo) close() {
	for _, n := range d.nodes {
		n.stop()
	}
	if d.control != nil {
		d.control.close()
		_ = os.Remove(d.control.path)
	}
	if d.site != nil {
		d.site.close()
	}
	if d.dir != "" {
		_ = os.RemoveAll(d.dir)
	}
	if d.lock != nil {
		_ = os.Remove(d.socket)
		d.lock.release()
	}
	// The home goes too, unless another demo of this user is in it.
	_ = os.Remove(demoHome())
}

// banner says what to paste.
func (d *demo) banner() {
	me, onSocket := d.program, ""
	if d.socket != demoSocket() {
		onSocket = " --server unix:" + d.socket
	}
	dns := netip.MustParseAddrPort(d.dns)
	dig := fmt.Sprintf("dig @%s -p %d", dns.Addr(), dns.Port())
	places := d.site.places()
	table := terminal.NewTable("ENDPOINT", "REGION", "AZ", "ADDRESS", "SHARE OF www")
	for i, p := range places {
		table.Add("", p.Name, p.Region, p.AZ, p.Addr.String(), []string{"28%", "42%", "15%", "15%"}[i])
	}
	w := d.out
	var where []string
	for _, n := range d.nodes {
		where = append(where, fmt.Sprintf("%s on %s (%s)", n.name, n.dns, n.Region))
	}
	fmt.Fprintf(w, "The demo runs: zone %s, all endpoints are up. Three nodes answer DNS:\n%s.\n\n", demoZone, strings.Join(where, ", "))
	table.Write(w, terminal.Style{}, "  ")
	fmt.Fprintf(w, `
www answers from eu and us by weight, api from eu and, when nothing there is up, from us. Paste into another terminal:

  %[1]s %[2]s +short
  for i in $(seq 100); do %[1]s %[2]s +short; done | sort | uniq -c
  %[3]s status%[4]s --watch
  %[3]s explain %[2]s%[4]s                      # why, step by step
  %[3]s what-if --drain az=eu-a%[4]s            # and what would be

Break an AZ and look again; within %[5]s nobody is sent there any more. Heal it; within %[6]s it is back:

  %[3]s demo break az eu-a%[4]s
  %[3]s demo heal az eu-a%[4]s
  %[3]s demo break az eu-a --hang%[4]s        # accepts connections and never answers
  curl http://%[7]s/

Cut a node off from the others and see what it does; drain an AZ on one node and ask another:

  %[3]s demo cut node n3%[4]s
  %[3]s nodes%[4]s
  %[3]s nodes %[13]s                # as the one that is cut off sees it
  %[3]s demo heal node n3%[4]s
  %[3]s drain az us-a --reason "power work" --for 10m --wait%[4]s
  dig @%[10]s -p %[11]d www.%[12]s +short

Admin sockets  %[8]s
Metrics        curl --unix-socket %[14]s http://n1/metrics
Files and logs %[9]s
`, dig, "www."+demoZone, me, onSocket, terminal.UpTo(flipWithin()), terminal.UpTo(returnsWithin()), places[0].Addr, strings.Join(d.sockets(), " "), strings.Join(d.dirs(), " "),
		d.nodes[1].dns.Addr(), d.nodes[1].dns.Port(), demoZone, d.nodes[2].reached(), d.socket)
	if d.duration > 0 {
		fmt.Fprintf(w, "It ends by itself after %s, or with Ctrl-C.\n", d.duration)
	} else {
		fmt.Fprintln(w, "It ends with Ctrl-C.")
	}
}

func (d *demo) sockets() []string {
	var out []string
	for _, n := range d.nodes {
		out = append(out, n.socket)
	}
	return out
}

func (d *demo) dirs() []string {
	var out []string
	for _, n := range d.nodes {
		out = append(out, n.dir)
	}
	return out
}
