package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/config/durable"
)

// An initAddition is a node that joins a cluster whose files init made. Its files are those of a node that is there, with what an operator
// changed in them since, under another name and other addresses.
type initAddition struct {
	l *initLayout
	// files are the node files that are there, by their nodes' names, as they are to be.
	files map[string][]byte
	// model is the node whose files are copied.
	model, added *initNode
}

// rosterLine is a node of the roster as init writes it.
var rosterLine = regexp.MustCompile(`(?m)^\s*- \{name: .*public_key: .*\}.*\n`)

// newAddition understands the flags and what is in dir. Nothing is written.
func newAddition(dir string, o *initOptions) (*initAddition, error) {
	if o.zone != "" || o.example || len(o.endpoints) > 0 {
		return nil, errors.New("--zone, --example and --endpoint are for a new cluster; --add has a node join the one that is in DIR")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	a := &initAddition{l: &initLayout{dir: dir, local: len(o.nodes) == 0}, files: make(map[string][]byte)}
	there, err := a.read()
	if err != nil {
		return nil, err
	}
	if err := a.name(o, there); err != nil {
		return nil, err
	}
	for i := range there.Cluster.Nodes {
		if n := &there.Cluster.Nodes[i]; n.Name == a.added.Name || sameHost(n.Address, a.added.Gossip) {
			return nil, fmt.Errorf("node %s: the name or the address is that of %s, at %s", a.added.Name, n.Name, n.Address)
		}
	}
	return a, nil
}

// sameHost tells whether a node of the roster has the gossip address of another one.
func sameHost(address string, of netip.AddrPort) bool {
	addr, err := netip.ParseAddrPort(address)
	return err == nil && addr == of
}

// read reads the node files. It returns the one that the new node's is made from: the first of the roster that has one.
func (a *initAddition) read() (first *config.Node, err error) {
	paths, err := filepath.Glob(filepath.Join(a.l.dir, "*", "node.yaml"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		n, problems := config.ParseNode(path, text)
		if err := problems.Err(); err != nil {
			return nil, err
		}
		if n.Cluster == nil {
			return nil, fmt.Errorf("%s: a node alone: it has no cluster to join", path)
		}
		if lines := rosterLine.FindAll(text, -1); len(lines) != len(n.Cluster.Nodes) {
			return nil, exit.WithHint(fmt.Errorf("%s: cluster.nodes is not written as init does, a node a line", path), "docs/operations.md has the steps by hand")
		}
		a.files[n.Name] = text
		if filepath.Base(filepath.Dir(path)) != n.Name {
			return nil, fmt.Errorf("%s is the file of node %s: want it in the directory %s", path, n.Name, n.Name)
		}
		if first == nil {
			first = n
		}
		if len(n.Cluster.Nodes) != len(first.Cluster.Nodes) {
			return nil, fmt.Errorf("%s has %d nodes in its roster, and %s has %d: mend that first", path, len(n.Cluster.Nodes), first.Name, len(first.Cluster.Nodes))
		}
	}
	if first == nil {
		return nil, exit.WithHint(fmt.Errorf("%s has no node of init", a.l.dir), "without --add init makes a new cluster")
	}
	return first, nil
}

// name says who is added, and who is the model.
func (a *initAddition) name(o *initOptions, there *config.Node) error {
	i := slices.IndexFunc(there.Cluster.Nodes, func(n config.ClusterNode) bool { return n.Name == there.Name })
	model := &there.Cluster.Nodes[i]
	gossip, err := netip.ParseAddrPort(there.Cluster.Gossip.Listen)
	if err != nil {
		return fmt.Errorf("node %s: cluster.gossip.listen %s: want ADDRESS:PORT", there.Name, there.Cluster.Gossip.Listen)
	}
	a.model = &initNode{Name: there.Name, Region: model.Region, AZ: model.AZ, Gossip: gossip, dir: filepath.Join(a.l.dir, there.Name), Home: installedAt, State: stateAt}
	if !a.l.local {
		if len(o.nodes) > 1 {
			return errors.New("--add is for one --node at a time: the cluster is whole between two")
		}
		if err := a.l.addNodes(o.nodes); err != nil {
			return err
		}
		a.added = a.l.nodes[0]
		return nil
	}
	if gossip.Port() < initLocalGossip+1 || int(gossip.Port())+initLocalMetrics > math.MaxUint16 {
		return fmt.Errorf("node %s: gossip at %s is not where init puts it", there.Name, gossip)
	}
	// Behind the last one, by ports.
	next := gossip.Port()
	for _, n := range there.Cluster.Nodes {
		if at, err := netip.ParseAddrPort(n.Address); err == nil && at.Addr() == gossip.Addr() {
			next = max(next, at.Port()+1)
		}
	}
	a.model.Home = a.model.dir
	a.added = &initNode{Name: fmt.Sprintf("n%d", len(there.Cluster.Nodes)+1), Region: model.Region, AZ: model.AZ}
	for _, n := range []*initNode{a.model, a.added} {
		if n == a.added {
			n.Gossip = netip.AddrPortFrom(gossip.Addr(), next)
		}
		at := func(offset int) netip.AddrPort {
			return netip.AddrPortFrom(n.Gossip.Addr(), uint16(int(n.Gossip.Port())-initLocalGossip+offset))
		}
		n.DNS, n.Admin, n.Metrics = at(0), at(initLocalAdmin), at(initLocalMetrics)
	}
	a.added.dir = filepath.Join(a.l.dir, a.added.Name)
	a.added.Home, a.added.State = a.added.dir, filepath.Join(a.added.dir, "state")
	return nil
}

// make writes the files of the new node, and then the rosters of the others.
func (a *initAddition) make() error {
	if err := free(a.added.dir); err != nil {
		return err
	}
	ca, err := a.l.loadCA()
	if err != nil {
		return err
	}
	corefile, err := os.ReadFile(filepath.Join(a.model.dir, "Corefile"))
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.added.dir, 0o700); err != nil {
		return err
	}
	if a.added.PublicKey, err = newIdentity(filepath.Join(a.added.dir, "identity.key")); err != nil {
		return err
	}
	own := a.translate(a.files[a.model.Name])
	for name, text := range a.files {
		a.files[name] = a.join(text)
	}
	a.files[a.added.Name] = a.join(own)
	for name, text := range a.files {
		n, problems := config.ParseNode(name+"/node.yaml", text)
		if err := problems.Err(); err != nil {
			return err
		}
		if n.Name != name {
			return fmt.Errorf("%s/node.yaml would have the name %s: the line `name:` of %s is not written as init does", name, n.Name, a.model.Name)
		}
	}
	if err := a.copy(corefile); err != nil {
		return err
	}
	if err := ca.signNode(a.added); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(a.added.dir, "node.yaml"), a.files[a.added.Name], 0o600); err != nil {
		return err
	}
	for name, text := range a.files {
		if err := durable.WriteFile(filepath.Join(a.l.dir, name, "node.yaml"), text); err != nil {
			return err
		}
	}
	return a.addContext()
}

// copy makes what else the model has: the Corefile translated, all other files as they are, but for what is the model's own.
func (a *initAddition) copy(corefile []byte) error {
	if err := os.WriteFile(filepath.Join(a.added.dir, "Corefile"), a.translate(corefile), 0o600); err != nil {
		return err
	}
	own := []string{"Corefile", "node.yaml", "identity.key", "admin.crt", "admin.key", "state"}
	list, err := os.ReadDir(a.model.dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		from, to := filepath.Join(a.model.dir, e.Name()), filepath.Join(a.added.dir, e.Name())
		switch {
		case slices.Contains(own, e.Name()):
			continue
		case e.IsDir():
			err = os.CopyFS(to, os.DirFS(from))
		default:
			var text []byte
			if text, err = os.ReadFile(from); err == nil {
				err = os.WriteFile(to, text, 0o600)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// translate has text, of a file of the model, speak of the new node. Lines of the roster stay.
func (a *initAddition) translate(text []byte) []byte {
	var pairs [][2]string
	if a.l.local {
		pairs = append(pairs, [2]string{regexp.QuoteMeta(a.model.dir) + `/`, a.added.dir + "/"})
		for _, ports := range [][2]uint16{
			{a.model.DNS.Port(), a.added.DNS.Port()}, {a.model.Gossip.Port(), a.added.Gossip.Port()}, {a.model.Admin.Port(), a.added.Admin.Port()},
			{a.model.Metrics.Port(), a.added.Metrics.Port()},
		} {
			pairs = append(pairs, [2]string{fmt.Sprintf(`:%d\b`, ports[0]), fmt.Sprintf(":%d", ports[1])})
		}
	} else {
		was := regexp.QuoteMeta(a.model.Gossip.Addr().String())
		pairs = append(pairs, [2]string{`(^|[^0-9a-fA-F:.])` + was + `($|[^0-9a-fA-F.])`, "${1}" + a.added.Gossip.Addr().String() + "${2}"})
		if a.model.Gossip.Addr().Is4() != a.added.Gossip.Addr().Is4() {
			pairs[0] = [2]string{`\[?` + was + `\]?`, bracketed(a.added.Gossip.Addr())}
		}
	}
	pairs = append(pairs, [2]string{`(?m)^name: ` + regexp.QuoteMeta(a.model.Name) + `$`, "name: " + a.added.Name},
		[2]string{`(?m)^# Node ` + regexp.QuoteMeta(a.model.Name) + `\b`, "# Node " + a.added.Name})
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if !rosterLine.Match(line) {
			for _, p := range pairs {
				line = regexp.MustCompile(p[0]).ReplaceAll(line, []byte(p[1]))
			}
		}
		out.Write(line)
	}
	return out.Bytes()
}

// bracketed is an address as it stands before a port.
func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}

// join adds the new node to the roster of a node file, below the last one and indented like that.
func (a *initAddition) join(text []byte) []byte {
	at := rosterLine.FindAllIndex(text, -1)
	last := at[len(at)-1]
	indent, _, _ := strings.Cut(string(text[last[0]:last[1]]), "-")
	n := a.added
	line := fmt.Sprintf("%s- {name: %s, address: %q, public_key: %q, region: %s, az: %s}\n", indent, n.Name, n.Gossip, n.PublicKey, n.Region, n.AZ)
	return slices.Concat(text[:last[1]], []byte(line), text[last[1]:])
}

// loadCA reads the CA that init made.
func (l *initLayout) loadCA() (*initCA, error) {
	pair, err := tls.LoadX509KeyPair(l.caFile("ca.crt"), l.caFile("ca.key"))
	if err != nil {
		return nil, fmt.Errorf("the CA that signs the new node's certificate: %w", err)
	}
	ca := new(initCA)
	if ca.cert, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return nil, err
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: want an ECDSA key, as init makes", l.caFile("ca.key"))
	}
	ca.key = key
	return ca, nil
}

// addContext has commands find the new node.
func (a *initAddition) addContext() error {
	path := filepath.Join(a.l.dir, contextsName)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var f contextFile
	if err := json.Unmarshal(text, &f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if x := f.Contexts[f.Current]; x != nil {
		x.Nodes[a.added.Name] = "https://" + a.added.Admin.String()
	}
	return durable.WriteJSON(path, &f)
}

// writeNext says what to do with what was made.
func (a *initAddition) writeNext(w io.Writer) {
	dir, n := shellWord(a.l.dir), a.added
	fmt.Fprintf(w, "%s has the files of node %s, and it is in the roster of %s\n\nnext:\n", a.l.dir, n.Name, terminal.Count(len(a.files)-1, "other node"))
	next := func(format string, args ...any) { fmt.Fprintf(w, "  "+format+"\n", args...) }
	next("fairlead check %s", dir)
	if a.l.local {
		next("kill -HUP PID    # of each node that runs: it reads its files again")
		next("fairlead serve -conf %s/%s/Corefile > %s/%s/log 2>&1 &", dir, n.Name, dir, n.Name)
	} else {
		next("each other node's node.yaml to %s there, and: systemctl reload fairlead", installedAt)
		next("scp -r %s/. root@%s:%s/    # and there: chown -R fairlead: %s; systemctl enable --now fairlead", shellWord(n.dir), n.DNS.Addr(), installedAt, installedAt)
	}
	next("fairlead nodes max-ttl 0s --node %s --reason \"a new node\"", n.Name)
	next("fairlead nodes")
	fmt.Fprintln(w, narrow("\nThe other nodes first: who is not in their rosters is not heard. Last, name it as a name server in the zone file, and in the parent zone.", helpWidth))
}
