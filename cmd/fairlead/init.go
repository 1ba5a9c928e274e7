package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
)

const (
	// The ports of nodes on machines of their own.
	initGossipPort, initAdminPort = 7946, 8443
	// Nodes on one machine have their ports one after the other, and gossip, admin and metrics so far above that of DNS.
	initLocalGossip, initLocalAdmin, initLocalMetrics = 10, 20, 30
	// maxInitNodes is how many nodes are made at most: a roster may have 200, made by hand or by a program.
	maxInitNodes = 9
	// installedAt is where a node's files go on its machine, stateAt where its state is there.
	installedAt, stateAt = "/etc/fairlead", "/var/lib/fairlead"
)

func initCommand() *cobra.Command {
	var o initOptions
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "make all files of a new node or cluster: keys, certificates, node files, Corefiles and a first zone",
		Long: `Init makes DIR, which must not be there or be empty, with all that a new cluster needs: a directory for each node with its Corefile, node
file, identity, keyring, certificate and, for a machine of its own, systemd unit; zones.d with a first zone file; a CA for the admin API, with a certificate for you; and contexts.json, by
which commands find the nodes. It prints what to do next. "fairlead check DIR" checks all of it, now and after your edits.

Each --node is one machine: its name, the address on which it answers DNS and meets the others, and its region and AZ. Its directory is to be
copied to ` + installedAt + ` there. Without --node there are --nodes nodes on this machine, to try things out: their files stay in DIR, and their ports
follow that of --listen, those of gossip, the admin API and metrics 10, 20 and 30 above.

With --example the first zone is zone.example.yaml, which has every key, to be read and changed: its certificates and a small geo database are
made beside it. The first zone otherwise answers www.ZONE with the endpoints, which are checked by TCP on their ports. At a terminal init asks for the zone if it is not
named.

With --add a node joins the cluster in DIR: its files are those of the first node there under another name and address, with an identity and a
certificate of its own, and it is written into the rosters of the others. It prints in which order they take it up.

` + exit.LocalHelp,
		Example: `  fairlead init lab --zone gslb.example.org --endpoint 127.0.0.2:8080
  fairlead init prod --zone example.org --node n1=192.0.2.9,eu --node n2=192.0.2.19,us
  fairlead init prod --add --node n3=192.0.2.29,us,us-b`,
		Args: exit.Args(cobra.ExactArgs(1)),
	}
	f := cmd.Flags()
	f.StringVar(&o.zone, "zone", "", "the zone to serve, which is delegated to the nodes")
	f.StringArrayVar(&o.nodes, "node", nil, "NAME=ADDRESS[,REGION[,AZ]], once for each machine (default: all on this one)")
	f.IntVar(&o.local, "nodes", 3, "how many nodes on this machine, without --node")
	f.StringVar(&o.listen, "listen", "127.0.0.1:5301", "where the first node on this machine answers DNS, without --node")
	f.BoolVar(&o.example, "example", false, "the first zone is zone.example.yaml, gslb.example.org, with every key, its TLS files and a geo database")
	add := f.Bool("add", false, "DIR has a cluster that init made: the --node joins it, or one more on this machine")
	f.StringArrayVar(&o.endpoints, "endpoint", nil, "ADDRESS:PORT of an endpoint of www (default: two of documentation, to be replaced)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *add {
			a, err := newAddition(args[0], &o)
			if err != nil {
				return err
			}
			if err := a.make(); err != nil {
				return err
			}
			a.writeNext(cmd.OutOrStdout())
			return nil
		}
		if o.example && o.zone == "" {
			o.zone = exampleZone
		}
		if o.zone == "" && asks(cmd) {
			answer, err := prompt(cmd, "the zone to serve, for instance gslb.example.org: ")
			if err != nil {
				return err
			}
			o.zone = answer
		}
		l, err := newInit(args[0], &o)
		if err != nil {
			return exit.Usagef(cmd, "%s", err)
		}
		if err := l.make(); err != nil {
			return err
		}
		l.writeNext(cmd.OutOrStdout())
		return nil
	}
	return cmd
}

// initOptions are the flags of init.
type initOptions struct {
	zone, listen     string
	nodes, endpoints []string
	local            int
	// example has the zone be that of zone.example.yaml.
	example bool
}

// exampleZone is the zone of zone.example.yaml.
const exampleZone = "gslb.example.org"

// An initNode is a node that is to be, for the templates.
type initNode struct {
	Name, Region, AZ string
	// DNS, Gossip and Admin are where it answers, Metrics where it is scraped.
	DNS, Gossip, Admin, Metrics netip.AddrPort
	PublicKey                   string
	// Home is where its files are when it runs, State its state directory then.
	Home, State string
	// dir is where its files are made.
	dir string
}

// An initLayout is all that init makes.
type initLayout struct {
	dir, zone string
	nodes     []*initNode
	regions   []initRegion
	// local is set for nodes that all run on this machine, from dir.
	local bool
	// examples is set when the endpoints are none that anybody has, example when the zone is zone.example.yaml.
	examples, example bool
}

// An initRegion is a region with its AZs and the endpoints of its pool.
type initRegion struct {
	Name      string
	AZs       []string
	Endpoints []initEndpoint
}

type initEndpoint struct {
	Name, AZ string
	Addr     netip.AddrPort
}

// newInit understands the flags.
func newInit(dir string, o *initOptions) (*initLayout, error) {
	if o.zone == "" {
		return nil, errors.New("--zone is missing: the zone to serve, for instance gslb.example.org")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	l := &initLayout{dir: dir, zone: strings.ToLower(strings.TrimSuffix(o.zone, ".")), local: len(o.nodes) == 0, example: o.example}
	if l.example && (l.zone != exampleZone || len(o.endpoints) > 0) {
		return nil, fmt.Errorf("--example is the zone %s, with endpoints of its own", exampleZone)
	}
	if l.local {
		err = l.addLocal(o)
	} else {
		err = l.addNodes(o.nodes)
	}
	if err != nil {
		return nil, err
	}
	if err := l.addEndpoints(o.endpoints); err != nil {
		return nil, err
	}
	if _, problems := config.Parse("the zone", []byte(l.zoneFile()), config.ParseOptions{}); problems.HasErrors() && !l.example {
		return nil, fmt.Errorf("--zone %s: %s", o.zone, problems[0].Message)
	}
	return l, nil
}

// addLocal adds nodes on this machine, the first of which answers at --listen.
func (l *initLayout) addLocal(o *initOptions) error {
	first, err := netip.ParseAddrPort(o.listen)
	if err != nil {
		return fmt.Errorf("--listen %s: want ADDRESS:PORT", o.listen)
	}
	if first.Port() > math.MaxUint16-initLocalMetrics-maxInitNodes {
		return fmt.Errorf("--listen %s: the ports up to %d above it are used too", o.listen, initLocalMetrics+maxInitNodes)
	}
	if o.local < 1 || o.local > maxInitNodes {
		return fmt.Errorf("--nodes %d: want 1 to %d", o.local, maxInitNodes)
	}
	places := [...][2]string{{"eu-west", "eu-west-1a"}, {"eu-west", "eu-west-1b"}, {"us-east", "us-east-1a"}}
	for i := range uint16(o.local) {
		at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(first.Addr(), port+i) }
		place := places[int(i)%len(places)]
		n := &initNode{Name: fmt.Sprintf("n%d", i+1), Region: place[0], AZ: place[1],
			DNS: at(first.Port()), Gossip: at(first.Port() + initLocalGossip), Admin: at(first.Port() + initLocalAdmin), Metrics: at(first.Port() + initLocalMetrics)}
		n.dir = filepath.Join(l.dir, n.Name)
		n.Home, n.State = n.dir, filepath.Join(n.dir, "state")
		l.addNode(n)
	}
	return nil
}

// addNodes adds machines, as --node names them.
func (l *initLayout) addNodes(nodes []string) error {
	if len(nodes) > maxInitNodes {
		return fmt.Errorf("%d times --node: at most %d", len(nodes), maxInitNodes)
	}
	seen := make(map[string]bool)
	for _, text := range nodes {
		name, rest, _ := strings.Cut(text, "=")
		parts := append(strings.Split(rest, ","), "", "")
		addr, err := netip.ParseAddr(parts[0])
		if err != nil || name == "" || len(parts) > 5 {
			return fmt.Errorf("--node %s: want NAME=ADDRESS[,REGION[,AZ]]", text)
		}
		if seen[name] || seen[parts[0]] {
			return fmt.Errorf("--node %s: the name or the address is that of another one", text)
		}
		if strings.ContainsAny(name, "/\\") || strings.HasPrefix(name, ".") || name == zonesDir || name == caDir {
			return fmt.Errorf("--node %s: %q is no name for a node's directory", text, name)
		}
		seen[name], seen[parts[0]] = true, true
		n := &initNode{Name: name, Region: orElse(parts[1], "region-1"), DNS: netip.AddrPortFrom(addr, 53),
			Gossip: netip.AddrPortFrom(addr, initGossipPort), Admin: netip.AddrPortFrom(addr, initAdminPort),
			Metrics: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 9153), dir: filepath.Join(l.dir, name), Home: installedAt, State: stateAt}
		n.AZ = orElse(parts[2], n.Region+"a")
		l.addNode(n)
	}
	return nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

func (l *initLayout) addNode(n *initNode) {
	l.nodes = append(l.nodes, n)
	for i := range l.regions {
		if r := &l.regions[i]; r.Name == n.Region {
			for _, az := range r.AZs {
				if az == n.AZ {
					return
				}
			}
			r.AZs = append(r.AZs, n.AZ)
			return
		}
	}
	l.regions = append(l.regions, initRegion{Name: n.Region, AZs: []string{n.AZ}})
}

// addEndpoints gives the endpoints to the regions, one after the other.
func (l *initLayout) addEndpoints(endpoints []string) error {
	if l.examples = len(endpoints) == 0; l.examples {
		endpoints = []string{"203.0.113.10:443", "198.51.100.80:443"}
	}
	seen := make(map[netip.AddrPort]bool)
	for i, text := range endpoints {
		addr, err := netip.ParseAddrPort(text)
		if err != nil {
			return fmt.Errorf("--endpoint %s: want ADDRESS:PORT", text)
		}
		if seen[addr] {
			return fmt.Errorf("--endpoint %s: it was named before", text)
		}
		seen[addr] = true
		r := &l.regions[i%len(l.regions)]
		r.Endpoints = append(r.Endpoints, initEndpoint{Name: fmt.Sprintf("web-%d", i+1), AZ: r.AZs[len(r.Endpoints)%len(r.AZs)], Addr: addr})
	}
	return nil
}

// writeNext says what to do with what was made.
func (l *initLayout) writeNext(w io.Writer) {
	fmt.Fprintf(w, "%s has all files of %s that serve %s\n\nnext:\n", l.dir, terminal.Count(len(l.nodes), "node"), l.zone)
	next := func(format string, args ...any) { fmt.Fprintf(w, "  "+format+"\n", args...) }
	quoted := shellWord(l.dir)
	next("fairlead check %s", quoted)
	var names []string
	for _, n := range l.nodes {
		names = append(names, n.Name)
		if !l.local {
			next("scp -r %s/. root@%s:%s/    # and there: chown -R fairlead: %s; systemctl enable --now fairlead", shellWord(n.dir), n.DNS.Addr(), installedAt, installedAt)
		}
	}
	each := "for n in " + strings.Join(names, " ") + "; do "
	if l.local {
		next("%sfairlead serve -conf %s/$n/Corefile > %s/$n/log 2>&1 & done", each, quoted, quoted)
	}
	next("export FAIRLEAD_CONTEXTS=%s", shellWord(filepath.Join(l.dir, contextsName)))
	// Whoever pastes all of it is faster than the nodes.
	next("%suntil fairlead nodes max-ttl 0s --node $n --reason \"first start\"; do sleep 1; done; done", each)
	next("fairlead token create --name ci --role viewer")
	next("fairlead status")
	next("dig @%s -p %d www.%s +short", l.nodes[0].DNS.Addr(), l.nodes[0].DNS.Port(), l.zone)
	say := func(format string, args ...any) { fmt.Fprintln(w, narrow(fmt.Sprintf(format, args...), helpWidth)) }
	say("\n\"max-ttl 0s\" is your word that nothing has answered the zone from these machines before: until somebody gives it, how long caches may hold older answers is unknown.")
	if l.examples {
		say("\nThe endpoints are addresses of documentation, and down: edit %s.", filepath.Join(zonesDir, l.zone+".yaml"))
	}
	if !l.local {
		say("\nWithout the packages: the program to /usr/local/bin, %s/%s to /etc/systemd/system, and `useradd --system fairlead`.", installedAt, unitName)
	}
	if l.local {
		say("What a node says, also why it does not start, is in the file log beside its Corefile.")
	}
	say("Keep %s: its key signs certificates for the admin API. \"fairlead token create\" makes logins for others.", filepath.Join(l.dir, caDir))
}

// shellWord is text as one word of a shell.
func shellWord(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("/._-+:@%", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}

// free is an error unless path is not there, or an empty directory.
func free(path string) error {
	list, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(list) > 0:
		return exit.WithHint(fmt.Errorf("%s is not empty", path), "name a directory that is not there: keys that are in use must not be lost")
	}
	return nil
}
